"""The M-Pesa settings of a bar: read without secrets, changed all or nothing.

New secrets are checked for shape, then asked of Safaricom (OAuth, no money moves), and only then one transaction
writes credentials, switch and audit together; the answer is read from what was committed. Turning M-Pesa off needs
no secrets and always works. Another environment is saved and switched to in one; production wants its shortcode
typed, and no environment changes while payments are in flight.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.bars import queries
from kaunta.bars.mpesa_switch import SyncResult, persistently, sync_mpesa_status
from kaunta.bars.values import Environment
from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import Conflict, KauntaError, NotFound
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import VaultError
from kaunta.credentials import queries as credential_queries
from kaunta.credentials import store
from kaunta.credentials.store import CredentialRefused, NewCredential
from kaunta.daraja.client import Credential, CredentialsGood, CredentialsRefused, DarajaClient, DarajaUnreachable

SECRETS = ("consumer_key", "consumer_secret", "passkey")
#: Safaricom's public sandbox shortcode and passkey (daraja.md §4): no money ever arrives there.
SANDBOX_SHORTCODE = "174379"
SANDBOX_PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"


class CredentialsNotAccepted(KauntaError):
    """Safaricom did not accept the consumer key and secret. Check that both come from the same app."""

    status = 422
    code = "credentials_not_accepted"


class SafaricomUnreachable(KauntaError):
    """Safaricom could not be reached, so the credentials could not be checked. Nothing was changed; try again."""

    status = 502
    code = "safaricom_unreachable"


class ConfirmationRequired(Conflict):
    """Production takes real money: confirm by typing the shortcode."""

    code = "production_confirmation_required"


class PaymentsInFlight(Conflict):
    """Payments are on their way. Wait until they have ended, then switch."""

    code = "payments_in_flight"


class SecretsUnreadable(Conflict):
    """The stored secrets cannot be read, so none can be kept. Enter all three again."""

    code = "secrets_unreadable"


@dataclass(frozen=True, slots=True, repr=False)
class Wanted:
    """What an owner sent; a secret that is None is kept."""

    enabled: bool
    environment: Environment
    business_shortcode: str | None = None
    till_number: str | None = None
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None
    passkey: Secret | None = None
    confirm_production: str | None = None

    @property
    def brings_credentials(self) -> bool:
        return any(getattr(self, name) for name in (*SECRETS, "business_shortcode", "till_number"))


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """What is shown of stored credentials: never a secret, never a mask that could be posted back."""

    environment: str
    business_shortcode: str
    till_number: str | None
    is_active: bool
    version: int
    updated_at: datetime
    test_status: str
    tested_at: datetime | None
    #: Keyed fingerprints: equal for equal secrets, and nothing more. None where the secret does not open.
    fingerprints: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Settings:
    """A bar's settings as committed."""

    bar_id: UUID
    enabled: bool
    environment: Environment
    credentials: tuple[StoredCredential, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """What was changed, read from what was committed."""

    sync: SyncResult
    settings: Settings


async def read_settings(rt: Runtime, bar_id: UUID) -> Settings:
    """A bar's settings. Raises `NotFound`."""
    async with rt.db.acquire() as db:
        switch = await queries.switch(db, bar_id)
        if switch is None:
            raise NotFound("There is no such bar.")
        state = await queries.switch_state(db, bar_id)
        rows = await credential_queries.stored(db, bar_id)
    warnings = []
    if state and (state.authority is None or state.authority != state.enabled):
        warnings.append("The switch and the credentials disagree.")
    if not switch.mpesa_enabled and not switch.cash_enabled and not switch.card_enabled:
        warnings.append("Guests have no way to pay: M-Pesa, cash and card are all off.")
    return Settings(
        bar_id=bar_id,
        enabled=switch.mpesa_enabled,
        environment=switch.environment,
        credentials=tuple(shown(rt, row) for row in rows),
        warnings=tuple(warnings),
    )


def shown(rt: Runtime, row: credential_queries.StoredRow) -> StoredCredential:
    try:
        opened = store.opened(rt, row.sealed)
        prints: dict[str, str | None] = {
            name: rt.keys.index(f"fingerprint {name}", getattr(opened, name).reveal())[:4].hex() for name in SECRETS
        }
    except VaultError:
        prints = dict.fromkeys(SECRETS)
    return StoredCredential(
        environment=row.sealed.environment,
        business_shortcode=row.sealed.business_shortcode,
        till_number=row.sealed.till_number,
        is_active=row.is_active,
        version=row.sealed.version,
        updated_at=row.updated_at,
        test_status=row.test_status if row.tested_version == row.sealed.version else "pending",
        tested_at=row.tested_at if row.tested_version == row.sealed.version else None,
        fingerprints=prints,
    )


async def save_settings(rt: Runtime, daraja: DarajaClient, bar_id: UUID, wanted: Wanted, *, by: str) -> Saved:
    """Check, ask Safaricom, write all or nothing, and answer from what was committed.

    Raises `NotFound`, `CredentialRefused`, `SecretsUnreadable`, `ConfirmationRequired`, `PaymentsInFlight`,
    `CredentialsNotAccepted`, `SafaricomUnreachable`, `NoCredentials`; then nothing has changed.
    """
    new: NewCredential | None = None
    async with rt.db.acquire() as db:
        switch = await queries.switch(db, bar_id)
        if switch is None:
            raise NotFound("There is no such bar.")
        if wanted.brings_credentials:
            new = await complete(db, rt, bar_id, wanted)
        if wanted.environment != switch.environment:
            await check_switch(db, rt, bar_id, wanted, new)
    tested = new is not None or (wanted.enabled and wanted.environment != switch.environment)
    if tested:
        await check_with_safaricom(rt, daraja, bar_id, wanted.environment, new)

    async def write(db: Connection) -> SyncResult:
        # The lock that comes first everywhere; an environment does not change under a payment that begins now.
        await queries.lock_bar(db, bar_id)
        if wanted.environment != switch.environment and await queries.payments_in_flight(db, bar_id):
            raise PaymentsInFlight
        if new is not None:
            credential_id = await store.store(db, rt, bar_id, new, by=by)
            await credential_queries.record_test(db, credential_id, "success", rt.clock.now())
        result = await sync_mpesa_status(db, rt.clock, bar_id, wanted.enabled, environment=wanted.environment, by=by)
        return SyncResult(result.success, result.credentials_updated or new is not None, result.bar_status_updated)

    result = await persistently(rt, bar_id, write)
    return Saved(result, await read_settings(rt, bar_id))


async def complete(db: Connection, rt: Runtime, bar_id: UUID, wanted: Wanted) -> NewCredential:
    """What was sent, with what is kept filled in. Raises `CredentialRefused`, `SecretsUnreadable`."""
    present: Credential | None = None
    if not all(getattr(wanted, name) for name in SECRETS) or not wanted.business_shortcode:
        try:
            present = await store.current(db, rt, bar_id, wanted.environment)
        except VaultError:
            raise SecretsUnreadable from None
    missing = [name for name in SECRETS if not getattr(wanted, name) and present is None]
    if missing or not (wanted.business_shortcode or present):
        field = missing[0] if missing else "business_shortcode"
        raise CredentialRefused(f"{field}: is needed, nothing is stored yet.", field=field)

    def secret(name: str) -> Secret:
        value: Secret = getattr(wanted, name) or getattr(present, name)
        return value

    new = NewCredential(
        environment=wanted.environment,
        business_shortcode=wanted.business_shortcode or (present.business_shortcode if present else ""),
        till_number=wanted.till_number or (present.till_number if present else None),
        consumer_key=secret("consumer_key"),
        consumer_secret=secret("consumer_secret"),
        passkey=secret("passkey"),
    )
    store.check(new)
    if new.environment == "production":
        if new.business_shortcode == SANDBOX_SHORTCODE:
            raise CredentialRefused("business_shortcode: this is the sandbox's.", field="business_shortcode")
        if new.passkey.reveal() == SANDBOX_PASSKEY:
            raise CredentialRefused("passkey: this is the sandbox's.", field="passkey")
    return new


async def check_switch(db: Connection, rt: Runtime, bar_id: UUID, wanted: Wanted, new: NewCredential | None) -> None:
    """May the bar go to the other environment? Raises `ConfirmationRequired`, `PaymentsInFlight`."""
    if await queries.payments_in_flight(db, bar_id):
        raise PaymentsInFlight
    if wanted.environment != "production":
        return
    row = await credential_queries.current_version(db, bar_id, "production")
    shortcode = new.business_shortcode if new else row.business_shortcode if row else None
    if wanted.confirm_production is None or wanted.confirm_production != shortcode:
        raise ConfirmationRequired(field="confirm_production")


async def check_with_safaricom(
    rt: Runtime, daraja: DarajaClient, bar_id: UUID, environment: Environment, new: NewCredential | None
) -> None:
    """Ask Safaricom for a token with what will be stored, or with what is. Raises what it says."""
    if new is not None:
        credential = candidate(rt, new)
    else:
        async with rt.db.acquire() as db:
            try:
                stored = await store.current(db, rt, bar_id, environment)
            except VaultError:
                raise SecretsUnreadable from None
        if stored is None:
            return
        credential = stored
    match await daraja.check_credentials(credential):
        case CredentialsGood():
            return
        case CredentialsRefused(http_status=status):
            await note_refusal(rt, bar_id, environment)
            raise CredentialsNotAccepted(httpStatus=status)
        case DarajaUnreachable(reason=reason):
            raise SafaricomUnreachable(reason=reason)


async def note_refusal(rt: Runtime, bar_id: UUID, environment: str) -> None:
    async with transaction(rt.db) as db:
        await audit(
            db, rt.clock, "safaricom", "credentials.refused", "bar", bar_id, bar_id=bar_id, outcome="refused",
            environment=environment,
        )  # fmt: skip


def candidate(rt: Runtime, new: NewCredential) -> Credential:
    """Credentials that are not stored yet, under an id of their own: their token is nobody else's."""
    return Credential(
        id=rt.entropy.uuid(),
        version=0,
        environment=new.environment,
        business_shortcode=new.business_shortcode,
        till_number=new.till_number,
        consumer_key=new.consumer_key,
        consumer_secret=new.consumer_secret,
        passkey=new.passkey,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a connection test."""

    name: str
    ok: bool
    detail: str


async def test_connection(rt: Runtime, daraja: DarajaClient, bar_id: UUID, wanted: Wanted, *, by: str) -> list[Step]:
    """Check stored or given credentials of a *named* environment, whatever the bar's is. Moves no money."""
    steps: list[Step] = []
    credential: Credential | None = None
    version: int | None = None
    async with rt.db.acquire() as db:
        if await queries.switch(db, bar_id) is None:
            raise NotFound("There is no such bar.")
        try:
            if wanted.brings_credentials:
                credential = candidate(rt, await complete(db, rt, bar_id, wanted))
            else:
                credential = await store.current(db, rt, bar_id, wanted.environment)
                version = credential.version if credential else None
        except VaultError as error:
            return [Step("stored", False, error.detail)]
    if credential is None:
        return [Step("stored", False, f"No {wanted.environment} credentials are stored.")]
    steps.append(Step("stored", True, f"{wanted.environment}, shortcode {credential.business_shortcode}"))
    outcome = await daraja.check_credentials(credential)
    steps.append(token_step(outcome))
    if version is not None and not isinstance(outcome, DarajaUnreachable):
        async with transaction(rt.db) as db:
            status = "success" if isinstance(outcome, CredentialsGood) else "failed"
            await credential_queries.record_test(db, credential.id, status, rt.clock.now())
            await audit(
                db, rt.clock, by, "credentials.tested", "credentials", credential.id, bar_id=bar_id, outcome=status,
                environment=wanted.environment, version=version,
            )  # fmt: skip
    return steps


def token_step(outcome: Any) -> Step:
    match outcome:
        case CredentialsGood():
            return Step("token", True, "Safaricom gave an access token.")
        case CredentialsRefused(http_status=status):
            return Step("token", False, f"Safaricom did not accept the consumer key and secret (HTTP {status}).")
        case _:
            return Step("token", False, "Safaricom could not be reached.")

"""The M-Pesa settings of a bar: read without secrets, changed all or nothing.

New secrets are checked for shape, then asked of Safaricom (OAuth, no money moves), and only then one transaction
writes credentials, switch and audit together and reads the answer. Turning M-Pesa off needs no secrets and always
works. Another environment is saved and switched to in one; production wants its shortcode typed, and no environment
changes while payments are in flight.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from kaunta.bars import queries
from kaunta.bars.mpesa_switch import SyncResult, persistently, sync_mpesa_status
from kaunta.bars.mpesa_wanted import (
    SECRETS,
    ConfirmationRequired,
    CredentialsNotAccepted,
    PaymentsInFlight,
    SafaricomUnreachable,
    SecretsUnreadable,
    SettingsChanged,
    Wanted,
    candidate,
    check_confirmation,
    complete,
    prove,
    to_prove,
)
from kaunta.bars.values import Environment
from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.credentials import queries as credential_queries
from kaunta.credentials import store
from kaunta.credentials.queries import Numbered
from kaunta.credentials.store import NewCredential
from kaunta.daraja.client import (
    Credential,
    CredentialsGood,
    CredentialsOutcome,
    CredentialsRefused,
    DarajaClient,
    DarajaUnreachable,
)

__all__ = [
    "ConfirmationRequired",
    "CredentialsNotAccepted",
    "PaymentsInFlight",
    "SafaricomUnreachable",
    "Saved",
    "SecretsUnreadable",
    "Settings",
    "SettingsChanged",
    "Step",
    "StoredCredential",
    "Wanted",
    "may_be_a_managers",
    "read_settings",
    "save_settings",
    "test_connection",
]


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
        return await settings_of(db, rt, bar_id)


async def settings_of(db: Connection, rt: Runtime, bar_id: UUID) -> Settings:
    switch = await queries.switch(db, bar_id)
    state = await queries.switch_state(db, bar_id)
    if switch is None or state is None:
        raise NotFound("There is no such bar.")
    rows = await credential_queries.stored(db, bar_id)
    warnings = []
    if state.authority is None or state.authority != state.enabled:
        warnings.append("The switch and the credentials disagree.")
    if switch.mpesa_enabled and switch.credential_id is None:
        warnings.append(f"No {switch.environment} credentials are stored, so guests cannot use M-Pesa.")
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


def may_be_a_managers(wanted: Wanted, present: Settings) -> bool:
    """Is it on or off and nothing else? Then a manager may say it."""
    row = next((row for row in present.credentials if row.environment == wanted.environment), None)
    news = wanted.news(row.business_shortcode, row.till_number) if row else wanted
    return wanted.environment == present.environment and not news.brings_credentials


@dataclass(frozen=True, slots=True)
class Plan:
    """A wish that was checked, and what was seen then. `proven`: Safaricom was asked and took the credentials."""

    wanted: Wanted
    new: NewCredential | None
    seen_environment: Environment
    seen: Numbered | None
    proven: bool

    @property
    def moves(self) -> bool:
        return self.wanted.environment != self.seen_environment


async def save_settings(rt: Runtime, daraja: DarajaClient, bar_id: UUID, wanted: Wanted, *, by: str) -> Saved:
    """Check, ask Safaricom, write all or nothing, and answer from what was written with it.

    Raises `NotFound`, `CredentialRefused`, `SecretsUnreadable`, `ConfirmationRequired`, `PaymentsInFlight`,
    `SettingsChanged`, `CredentialsNotAccepted`, `SafaricomUnreachable`, `NoCredentials`, `DatabaseAway`,
    `SwitchFailed`; then nothing has changed.
    """
    plan = await prepare(rt, daraja, bar_id, wanted)
    return await persistently(rt, bar_id, lambda db: write(db, rt, bar_id, plan, by=by))


async def prepare(rt: Runtime, daraja: DarajaClient, bar_id: UUID, wanted: Wanted) -> Plan:
    """Everything that may refuse a wish, the slow question to Safaricom last and outside any transaction."""
    async with rt.db.acquire() as db:
        switch = await queries.switch(db, bar_id)
        if switch is None:
            raise NotFound("There is no such bar.")
        rows = {row.sealed.environment: row for row in await credential_queries.stored(db, bar_id)}
        in_flight = await queries.payments_in_flight(db, bar_id)
    row = rows.get(wanted.environment)
    present = row.sealed if row else None
    wanted = wanted.news(present.business_shortcode, present.till_number) if present else wanted
    new = complete(rt, wanted, present) if wanted.brings_credentials else None
    moves = wanted.environment != switch.environment
    if moves:
        if in_flight:
            raise PaymentsInFlight
        check_confirmation(wanted, new, present)
    # Nothing is switched on that Safaricom has not taken: neither new secrets, nor old ones nobody has tried.
    goes_on = wanted.enabled and row is not None and (moves or not row.is_active)
    unproven = row is not None and (moves or not row.tested_well)
    proven = new is not None or (goes_on and unproven)
    if proven and (credential := to_prove(rt, new, present)):
        await prove_or_note(rt, daraja, bar_id, credential)
    seen = Numbered(present.credential_id, present.version) if present else None
    return Plan(wanted, new, switch.environment, seen, proven)


async def prove_or_note(rt: Runtime, daraja: DarajaClient, bar_id: UUID, credential: Credential) -> None:
    try:
        await prove(daraja, credential)
    except CredentialsNotAccepted:
        async with transaction(rt.db) as db:
            await audit(
                db, rt.clock, "safaricom", "credentials.refused", "bar", bar_id, bar_id=bar_id, outcome="refused",
                environment=credential.environment,
            )  # fmt: skip
        raise


async def write(db: Connection, rt: Runtime, bar_id: UUID, plan: Plan, *, by: str) -> Saved:
    """The one transaction: what was seen before Safaricom was asked must still be there."""
    environment = plan.wanted.environment
    # The lock that comes first everywhere; an environment does not change under a payment that begins now.
    await (queries.lock_bar_to_move(db, bar_id) if plan.moves else queries.lock_bar(db, bar_id))
    switch = await queries.switch(db, bar_id)
    if switch is None:
        raise NotFound("There is no such bar.")
    present = await credential_queries.lock_credential(db, bar_id, environment)
    if switch.environment != plan.seen_environment or (plan.proven and present != plan.seen):
        raise SettingsChanged
    if plan.moves and await queries.payments_in_flight(db, bar_id):
        raise PaymentsInFlight
    if plan.new is not None:
        await store.store(db, rt, bar_id, plan.new, by=by)
        present = await credential_queries.lock_credential(db, bar_id, environment)
    if plan.proven and present is not None:
        await credential_queries.record_test(db, present, "success", rt.clock.now())
    sync = await sync_mpesa_status(db, rt.clock, bar_id, plan.wanted.enabled, environment=environment, by=by)
    return Saved(sync, await settings_of(db, rt, bar_id))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a connection test."""

    name: str
    ok: bool
    detail: str


async def test_connection(rt: Runtime, daraja: DarajaClient, bar_id: UUID, wanted: Wanted, *, by: str) -> list[Step]:
    """Check stored or given credentials of a *named* environment, whatever the bar's is. Moves no money."""
    async with rt.db.acquire() as db:
        if await queries.switch(db, bar_id) is None:
            raise NotFound("There is no such bar.")
        present = await credential_queries.current_version(db, bar_id, wanted.environment)
    wanted = wanted.news(present.business_shortcode, present.till_number) if present else wanted
    given = wanted.brings_credentials
    try:
        if given:
            credential = candidate(rt, complete(rt, wanted, present))
        elif present is None:
            return [Step("stored", False, f"No {wanted.environment} credentials are stored.")]
        else:
            credential = store.opened(rt, present)
    except VaultError as error:
        return [Step("stored", False, error.detail)]
    steps = [Step("stored", True, f"{wanted.environment}, shortcode {credential.business_shortcode}")]
    outcome = await daraja.check_credentials(credential)
    steps.append(token_step(outcome))
    if not given and not isinstance(outcome, DarajaUnreachable):
        await note_test(rt, bar_id, credential, good=isinstance(outcome, CredentialsGood), by=by)
    return steps


async def note_test(rt: Runtime, bar_id: UUID, credential: Credential, *, good: bool, by: str) -> None:
    """Keep what a test of stored credentials came to, unless they were replaced while Safaricom was asked."""
    status = "success" if good else "failed"
    tested = Numbered(credential.id, credential.version)
    async with transaction(rt.db) as db:
        await queries.lock_bar(db, bar_id)
        await credential_queries.record_test(db, tested, status, rt.clock.now())
        await audit(
            db, rt.clock, by, "credentials.tested", "credentials", credential.id, bar_id=bar_id, outcome=status,
            environment=credential.environment, version=credential.version,
        )  # fmt: skip


def token_step(outcome: CredentialsOutcome) -> Step:
    match outcome:
        case CredentialsGood():
            return Step("token", True, "Safaricom gave an access token.")
        case CredentialsRefused():
            return Step(
                "token", False, f"Safaricom did not accept the consumer key and secret (HTTP {outcome.http_status})."
            )
        case DarajaUnreachable():
            return Step("token", False, "Safaricom could not be reached.")
        case _:
            assert_never(outcome)

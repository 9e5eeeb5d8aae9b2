"""The M-Pesa settings of a bar, changed all or nothing.

New secrets are checked for shape, then asked of Safaricom (OAuth, no money moves), and only then one transaction
writes credentials, switch and audit together and reads the answer. Turning M-Pesa off needs no secrets and always
works. Another environment is saved and switched to in one; production wants its shortcode typed and its gates open,
and no environment changes while payments are in flight. Credentials may be stored for later, to be tested first.
"""

from dataclasses import dataclass
from uuid import UUID

from kaunta.bars import go_live, queries, suspension
from kaunta.bars.mpesa_shown import Settings, StoredCredential, read_settings, settings_of
from kaunta.bars.mpesa_switch import SyncResult, persistently, sync_mpesa_status
from kaunta.bars.mpesa_wanted import (
    ConfirmationRequired,
    CredentialsNotAccepted,
    PaymentsInFlight,
    SafaricomUnreachable,
    SecretsUnreadable,
    SettingsChanged,
    Wanted,
    check_confirmation,
    complete,
    prove,
    to_prove,
)
from kaunta.bars.values import Environment
from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, NotFound
from kaunta.core.runtime import Runtime
from kaunta.credentials import queries as credential_queries
from kaunta.credentials import store
from kaunta.credentials.queries import Numbered, StoredRow
from kaunta.credentials.store import NewCredential
from kaunta.daraja.client import Credential, DarajaClient

__all__ = [
    "ConfirmationRequired",
    "CredentialsNotAccepted",
    "PaymentsInFlight",
    "SafaricomUnreachable",
    "Saved",
    "SecretsUnreadable",
    "Settings",
    "SettingsChanged",
    "StoredCredential",
    "Wanted",
    "may_be_a_managers",
    "read_settings",
    "save_settings",
]


@dataclass(frozen=True, slots=True)
class Saved:
    """What was changed, read from what was committed."""

    sync: SyncResult
    settings: Settings


def may_be_a_managers(wanted: Wanted, present: Settings) -> bool:
    """Is it on or off and nothing else? Then a manager may say it."""
    row = next((row for row in present.credentials if row.environment == wanted.environment), None)
    news = wanted.news(row.business_shortcode, row.till_number) if row else wanted
    return wanted.environment == present.environment and not news.brings_credentials and not wanted.store_only


@dataclass(frozen=True, slots=True)
class Plan:
    """A wish that was checked, and what was seen then. `proven`: Safaricom was asked and took the credentials;
    `gated`: the gates of going live were looked at for them."""

    wanted: Wanted
    new: NewCredential | None
    seen_environment: Environment
    seen: Numbered | None
    proven: bool
    gated: bool

    @property
    def moves(self) -> bool:
        return not self.wanted.store_only and self.wanted.environment != self.seen_environment


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
    if wanted.store_only and new is None:
        raise BadRequest("There is nothing new to store.")
    moves = not wanted.store_only and wanted.environment != switch.environment
    gated = moves and wanted.environment == "production" and go_live.enforced(rt)
    if moves:
        if in_flight:
            raise PaymentsInFlight
        check_confirmation(wanted, new, present)
    if gated:
        await check_gates(rt, new, row)
    # Nothing is switched on that Safaricom has not taken: neither new secrets, nor old ones nobody has tried.
    goes_on = wanted.enabled and not wanted.store_only and row is not None and (moves or not row.is_active)
    unproven = row is not None and (moves or not row.tested_well)
    proven = new is not None or (goes_on and unproven)
    if proven and (credential := to_prove(rt, new, present)):
        await prove_or_note(rt, daraja, bar_id, credential)
    seen = Numbered(present.credential_id, present.version) if present else None
    return Plan(wanted, new, switch.environment, seen, proven, gated)


async def check_gates(rt: Runtime, new: NewCredential | None, row: StoredRow | None) -> None:
    """Into production only with credentials that were tried as they are. Raises `ConfirmationRequired`."""
    if new is not None:
        raise ConfirmationRequired(
            "New production credentials are tested before M-Pesa goes live with them: store them first (store_only), "
            "test the connection and a payment, then switch.",
            field="confirm_production",
        )
    async with rt.db.acquire() as db:
        shut = [gate for gate in await go_live.gates(db, rt, row) if not gate.ok]
    if shut:
        raise ConfirmationRequired(
            "M-Pesa cannot go live yet: " + " ".join(f"{gate.detail} {gate.fix}" for gate in shut),
            field="confirm_production",
            gates=[{"name": gate.name, "detail": gate.detail, "fix": gate.fix} for gate in shut],
        )


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
    if switch.environment != plan.seen_environment or ((plan.proven or plan.gated) and present != plan.seen):
        raise SettingsChanged
    if plan.moves and await queries.payments_in_flight(db, bar_id):
        raise PaymentsInFlight
    if plan.moves:
        await audit(
            db, rt.clock, by, "mpesa.environment", "bar", bar_id, bar_id=bar_id, reason=plan.wanted.reason,
            before=switch.environment, after=environment,
        )  # fmt: skip
    if plan.new is not None:
        await store.store(db, rt, bar_id, plan.new, by=by)
        present = await credential_queries.lock_credential(db, bar_id, environment)
    if plan.proven and present is not None:
        await credential_queries.record_test(db, present, "success", rt.clock.now())
    if plan.wanted.store_only:
        sync = SyncResult(success=True, credentials_updated=True, bar_status_updated=False)
    else:
        sync = await sync_mpesa_status(db, rt.clock, bar_id, plan.wanted.enabled, environment=environment, by=by)
    if plan.proven and (plan.moves or environment == switch.environment):
        await suspension.mended(db, rt.clock, bar_id, by=by, reason="the credentials were proven")
    elif plan.wanted.enabled and not plan.wanted.store_only:
        await suspension.resume(db, rt.clock, bar_id, by=by, reason="switched on again")
    return Saved(sync, await settings_of(db, rt, bar_id))

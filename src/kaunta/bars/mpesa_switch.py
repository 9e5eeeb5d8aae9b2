"""The Sync Manager: `mpesa_credentials.is_active` is the authority, `bars.mpesa_enabled` follows it.

Both are written in one transaction under the bar's lock, with their row counts checked: a flag that said yes while
the credentials said no once hid M-Pesa from paying guests for days.
"""

from dataclasses import dataclass
from uuid import UUID

from kaunta.bars import queries
from kaunta.bars.values import Environment
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, affected, one_row
from kaunta.core.errors import Conflict, NotFound


class NoCredentials(Conflict):
    """M-Pesa cannot be switched on: no credentials are stored for this environment."""

    code = "no_credentials"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The seeds' result: read from what was written, not from what was meant."""

    success: bool
    credentials_updated: bool
    bar_status_updated: bool


async def sync_mpesa_status(
    db: Connection, clock: Clock, bar_id: UUID, active: bool, *, environment: Environment, by: str
) -> SyncResult:
    """Switch a bar's M-Pesa on or off in the caller's transaction. Raises `NotFound`, `NoCredentials`."""
    if not await queries.lock_bar(db, bar_id):
        raise NotFound("There is no such bar.")
    rows = {row["environment"]: row["id"] for row in await queries.credential_rows(db, bar_id)}
    credentials_updated = False
    if environment in rows:
        tag = await queries.set_credentials_active(db, rows[environment], active)
        one_row(tag, "switching credentials")
        credentials_updated = affected(tag) == 1
    elif active:
        raise NoCredentials(f"No {environment} credentials are stored.")
    await queries.set_environment(db, bar_id, environment)
    tag = await queries.set_bar_flag(db, bar_id, active)
    one_row(tag, "switching the bar's flag")
    await audit(
        db, clock, by, f"mpesa.{'on' if active else 'off'}", "bar", bar_id, bar_id=bar_id, environment=environment
    )
    return SyncResult(success=True, credentials_updated=credentials_updated, bar_status_updated=affected(tag) == 1)

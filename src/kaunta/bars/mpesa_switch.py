"""The Sync Manager: `mpesa_credentials.is_active` is the authority, `bars.mpesa_enabled` follows it.

Both are written in one transaction under the bar's lock, with their row counts checked: a flag that said yes while
the credentials said no once hid M-Pesa from paying guests for days. A failure that may pass is tried again three
times, each try logged, then put before a person. The guard in the database keeps the two equal whoever else writes.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import stamina
import structlog

from kaunta.bars import queries
from kaunta.bars.values import Environment
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import TRANSIENT_ERRORS, Connection, affected, one_row, transaction
from kaunta.core.errors import Conflict, DatabaseAway, KauntaError, NotFound
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime

log = structlog.get_logger(__name__)
T = TypeVar("T")

#: After the first try; with pauses of 0.2, 0.4 and 0.8 seconds.
RETRIES = 3
PAUSE_SECONDS = 0.2
PROBLEM = "switch_out_of_sync"


class NoCredentials(Conflict):
    """M-Pesa cannot be switched on: no credentials are stored for this environment."""

    code = "no_credentials"


class SwitchFailed(KauntaError):
    """M-Pesa could not be switched. Nothing was changed, and the failure is on the list of problems."""

    code = "switch_failed"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The seeds' result: read from what was written, not from what was meant."""

    success: bool
    credentials_updated: bool
    bar_status_updated: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Whether a bar's flag is what its credentials say. `credentials_active` None: two rows leave it open."""

    bar_id: UUID
    consistent: bool
    credentials_active: bool | None
    bar_enabled: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What a repair did. `before` and `after` are the bar's flag."""

    bar_id: UUID
    repaired: bool
    before: bool
    after: bool
    error: str | None = None


async def sync_mpesa_status(
    db: Connection, clock: Clock, bar_id: UUID, active: bool, *, environment: Environment, by: str
) -> SyncResult:
    """Switch a bar's M-Pesa on or off in the caller's transaction. Raises `NotFound`, `NoCredentials`."""
    if not await queries.lock_bar(db, bar_id):
        raise NotFound("There is no such bar.")
    rows = {row["environment"]: row["id"] for row in await queries.credential_rows(db, bar_id)}
    if active and environment not in rows:
        raise NoCredentials(f"No {environment} credentials are stored.")
    await queries.set_environment(db, bar_id, environment)
    # Off always works: with no row of this environment it is the only other one that counts.
    meant = [rows[environment]] if environment in rows else list(rows.values())
    for credential_id in meant:
        one_row(await queries.set_credentials_active(db, credential_id, active), "switching credentials")
    tag = await queries.set_bar_flag(db, bar_id, active)
    one_row(tag, "switching the bar's flag")
    await audit(
        db, clock, by, f"mpesa.{'on' if active else 'off'}", "bar", bar_id, bar_id=bar_id, environment=environment
    )
    return SyncResult(success=True, credentials_updated=bool(meant), bar_status_updated=affected(tag) == 1)


async def validate_sync(db: Connection, bar_id: UUID) -> ValidationResult:
    """Compare a bar's flag with its authority. Raises `NotFound`."""
    state = await queries.switch_state(db, bar_id)
    if state is None:
        raise NotFound("There is no such bar.")
    warnings = []
    if state.rows == 1 and not state.matching:
        warnings.append("The only credentials are of the other environment than the bar's.")
    if state.authority is None:
        warnings.append("Two credentials rows and none of the bar's environment: nobody can say which counts.")
    return ValidationResult(
        bar_id=bar_id,
        consistent=state.authority is not None and state.authority == state.enabled,
        credentials_active=state.authority,
        bar_enabled=state.enabled,
        warnings=tuple(warnings),
    )


async def repair_inconsistency(db: Connection, clock: Clock, bar_id: UUID, *, by: str) -> RepairResult:
    """Make a bar's flag what its credentials say, in the caller's transaction. Raises `NotFound`."""
    if not await queries.lock_bar(db, bar_id):
        raise NotFound("There is no such bar.")
    found = await validate_sync(db, bar_id)
    if found.credentials_active is None:
        return RepairResult(bar_id, False, found.bar_enabled, found.bar_enabled, "ambiguous: decide in the settings")
    if found.consistent:
        return RepairResult(bar_id, False, found.bar_enabled, found.bar_enabled)
    one_row(await queries.set_bar_flag(db, bar_id, found.credentials_active), "repairing the bar's flag")
    await audit(
        db, clock, by, "mpesa.repaired", "bar", bar_id, bar_id=bar_id,
        before=found.bar_enabled, after=found.credentials_active,
    )  # fmt: skip
    return RepairResult(bar_id, True, found.bar_enabled, found.credentials_active)


async def persistently(rt: Runtime, bar_id: UUID, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run a switch's work in a transaction of its own, again after failures that may pass; then alert.

    Each failed try is logged and audited. Refusals (no such bar, no credentials) are raised at once. Raises
    `DatabaseAway` where the tries came to nothing, `SwitchFailed` where no further try could help.
    """
    number = 0
    try:
        async for attempt in stamina.retry_context(
            on=TRANSIENT_ERRORS,
            attempts=RETRIES + 1,
            timeout=None,
            wait_initial=rt.clock.wait(PAUSE_SECONDS),
            wait_jitter=0,
        ):
            number += 1
            with attempt:
                try:
                    async with transaction(rt.db) as db:
                        result = await work(db)
                        await close_problem(db, rt.clock, PROBLEM, bar_id, by="kaunta", reason="switched")
                except KauntaError:
                    raise
                except Exception as error:
                    await note_failure(rt, bar_id, number, error)
                    raise
    except KauntaError:
        raise
    except TRANSIENT_ERRORS as error:
        await alert(rt, bar_id, error)
        raise DatabaseAway from error
    except Exception as error:  # whatever it was, a person must know that the switch did not do what it was told
        await alert(rt, bar_id, error)
        raise SwitchFailed from error
    rt.live.hint(f"switch:{bar_id}", f"bar:{bar_id}")
    return result


async def note_failure(rt: Runtime, bar_id: UUID, attempt: int, error: BaseException) -> None:
    """A failed try, on the record beside the transaction that it undid."""
    name = type(error).__name__
    log.warning("switch.failed", bar_id=str(bar_id), attempt=attempt, error=name)
    try:
        async with transaction(rt.db) as db:
            await audit(
                db, rt.clock, "kaunta", "mpesa.switch_failed", "bar", bar_id, bar_id=bar_id, outcome="failed",
                attempt=attempt, error=name,
            )  # fmt: skip
    except TRANSIENT_ERRORS:
        # The log has it; where the database is away there is no other record to keep.
        log.warning("switch.failure_not_audited", bar_id=str(bar_id), attempt=attempt)


async def alert(rt: Runtime, bar_id: UUID, error: BaseException) -> None:
    log.error("switch.given_up", bar_id=str(bar_id), error=type(error).__name__)
    try:
        async with transaction(rt.db) as db:
            await open_problem(
                db, rt.clock, PROBLEM, bar_id, bar_id=bar_id, severity=Severity.CRITICAL, error=type(error).__name__
            )
    except TRANSIENT_ERRORS:
        # The database itself is away: `readyz` says so louder than a row could.
        log.critical("switch.alert_not_written", bar_id=str(bar_id))


async def reconcile_switches(rt: Runtime, limit: int = 100) -> int:
    """A worker's turn: bars whose flag is not what their credentials say are put right; how many were.

    One that cannot be repaired has its alert and does not keep the others waiting.
    """
    async with rt.db.acquire() as db:
        ids = await queries.out_of_sync(db, limit)
    repaired = 0
    for bar_id in ids:

        async def repair(db: Connection, bar_id: UUID = bar_id) -> RepairResult:
            return await repair_inconsistency(db, rt.clock, bar_id, by="kaunta")

        try:
            result = await persistently(rt, bar_id, repair)
        except KauntaError as error:
            log.error("switch.not_repaired", bar_id=str(bar_id), code=error.code)
            continue
        repaired += result.repaired
        if result.repaired:
            log.warning("switch.repaired", bar_id=str(bar_id))
    return repaired

"""Stops beside the owner's flag: Kaunta's own, which end by themselves, and an operator's, which a person lifts.

Guests are spared an M-Pesa that cannot work, and the owner's intent survives: the flag is not touched. The guard tells
open pages, because the stop is written to the bar's row.
"""

from typing import Any
from uuid import UUID

from kaunta.bars import queries
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, one_row, transaction
from kaunta.core.errors import BadRequest, NotFound
from kaunta.core.problems import Severity, close_problems, open_problem
from kaunta.core.runtime import Runtime

PROBLEM = "mpesa_suspended"
#: What else stands open until somebody has mended the credentials.
MENDED = ["mpesa_suspended", "credentials_unreadable", "credentials_refused", "push_refused"]
#: How long Kaunta's own stop lasts: long enough to spare the evening's guests, short enough that nobody need remember.
STOP_SECONDS = 900.0
LONGEST_REASON = 200


async def suspend(
    db: Connection, clock: Clock, bar_id: UUID, reason: str, *, seconds: float | None, by: str, **detail: object
) -> None:
    """Stop a bar's M-Pesa in the caller's transaction; `seconds` None: until somebody lifts it.

    Raises `NotFound`, `BadRequest`.
    """
    if not 1 <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        raise BadRequest(f"Say why, in 1 to {LONGEST_REASON} characters.")
    if not await queries.lock_bar(db, bar_id):
        raise NotFound("There is no such bar.")
    until = clock.after(seconds) if seconds is not None else None
    one_row(await queries.set_suspension(db, bar_id, reason, until), "suspending M-Pesa")
    told: dict[str, Any] = {"until": until.isoformat() if until else None, **detail}
    await audit(db, clock, by, "mpesa.suspended", "bar", bar_id, bar_id=bar_id, reason=reason, **told)
    await open_problem(db, clock, PROBLEM, bar_id, bar_id=bar_id, severity=Severity.CRITICAL, reason=reason, **told)


async def resume(db: Connection, clock: Clock, bar_id: UUID, *, by: str, reason: str, operator: bool = False) -> bool:
    """End a stop in the caller's transaction; True where there was one. What an operator stopped, which has no end of
    its own, only an operator resumes. Raises `NotFound`."""
    if not await queries.lock_bar(db, bar_id):
        raise NotFound("There is no such bar.")
    stop = await queries.suspension(db, bar_id)
    if stop is None or (stop.until is None and not operator):
        return False
    one_row(await queries.clear_suspension(db, bar_id, clock.now()), "resuming M-Pesa")
    await audit(db, clock, by, "mpesa.resumed", "bar", bar_id, bar_id=bar_id, reason=reason, stopped_for=stop.reason)
    await close_problems(db, clock, [PROBLEM], bar_id, by=by, reason=reason)
    return True


async def mended(db: Connection, clock: Clock, bar_id: UUID, *, by: str, reason: str) -> None:
    """The credentials in use were just proven: whatever was said against them is over."""
    await resume(db, clock, bar_id, by=by, reason=reason)
    if await queries.suspension(db, bar_id) is None:
        await close_problems(db, clock, MENDED, bar_id, by=by, reason=reason)


async def end_expired(rt: Runtime, limit: int = 100) -> int:
    """A worker's turn: stops whose time has passed end; how many did."""
    async with rt.db.acquire() as db:
        ids = await queries.expired_suspensions(db, rt.clock.now(), limit)
    ended = 0
    for bar_id in ids:
        async with transaction(rt.db) as db:
            await queries.lock_bar(db, bar_id)
            stop = await queries.suspension(db, bar_id)
            # Somebody may have stopped it anew meanwhile.
            if stop is not None and stop.until is not None and stop.until <= rt.clock.now():
                ended += await resume(db, rt.clock, bar_id, by="kaunta", reason="its time has passed")
        rt.live.hint(f"switch:{bar_id}", f"bar:{bar_id}")
    return ended

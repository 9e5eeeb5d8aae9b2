"""The worker's share of the inbox: what was spooled while the database was away is brought in, and what nobody has
dealt with is taken up, tried again with growing pauses, and in the end shown to a person.
"""

import random
from datetime import datetime

import structlog

from kaunta.core.db import transaction
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.payments.inbox import LEASE_SECONDS, process_stored
from kaunta.payments.queries import inbox

log = structlog.get_logger(__name__)

#: A callback that cannot be processed is tried this often, over hours, and then shown to a person.
TRIES = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 3_600.0


async def import_spool(rt: Runtime) -> int:
    """Bring in what came while the database was away, oldest first; how many callbacks that were."""
    imported = 0
    for path in await rt.spool.waiting():
        try:
            spooled = await rt.spool.read(path)
        except FileNotFoundError:
            # Another process of this host shares the folder and was faster.
            continue
        except (VaultError, OSError) as error:
            # It does not open, or is another user's: whatever is behind it may be read all the same.
            code = error.code if isinstance(error, VaultError) else type(error).__name__
            log.critical("spool.unreadable", code=code)
            async with transaction(rt.db) as db:
                await open_problem(
                    db,
                    rt.clock,
                    "spool_unreadable",
                    path.name,
                    bar_id=None,
                    severity=Severity.CRITICAL,
                    code=code,
                )
            continue
        key = await rt.keys.current(None)
        sealed = rt.keys.seal(key, "callback", spooled.body)
        arrival = inbox.Arrival(
            spooled.received_at, spooled.channel, spooled.token_hash, spooled.source, sealed, rt.clock.now()
        )
        async with rt.db.acquire() as db:
            await inbox.store(db, [arrival])
        await rt.spool.forget(path)
        imported += 1
    return imported


async def work_off(rt: Runtime, limit: int = 50) -> int:
    """A worker's turn: callbacks that whoever took them did not deal with. How many were taken up."""
    async with transaction(rt.db) as db:
        callbacks = await inbox.claim(db, rt.clock.now(), rt.clock.after(LEASE_SECONDS), limit)
    for callback in callbacks:
        await attempt(rt, callback)
    return len(callbacks)


async def attempt(rt: Runtime, callback: inbox.Callback) -> None:
    """Process one claimed callback; a failure is put off with a growing pause, and in the end shown to a person."""
    stored = inbox.Stored(callback.id, callback.received_at)
    try:
        async with rt.db.acquire() as db:
            body = await rt.keys.open(db, "callback", callback.body_enc)
        await process_stored(rt, stored, body, callback.token_hash, callback.channel)
    except Exception as error:  # noqa: BLE001 - whatever it was, the callback is kept, tried again and shown
        log.error("callback.failed", callback_id=callback.id, attempt=callback.attempts + 1, error=type(error).__name__)
        await put_off(rt, callback, type(error).__name__)


async def put_off(rt: Runtime, callback: inbox.Callback, error: str) -> None:
    async with transaction(rt.db) as db:
        await inbox.postpone(db, callback.id, callback.received_at, next_attempt(rt, callback.attempts), error)
        if callback.attempts + 1 >= TRIES:
            await open_problem(
                db, rt.clock, "callback_not_processed", str(callback.id), bar_id=None, severity=Severity.CRITICAL,
                error=error,
            )  # fmt: skip


def next_attempt(rt: Runtime, attempts: int) -> datetime:
    """Exponential backoff with jitter: 5 s, 15 s, 45 s … an hour."""
    pause = min(FIRST_PAUSE_SECONDS * 3**attempts, LONGEST_PAUSE_SECONDS)
    return rt.clock.after(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, hides nothing

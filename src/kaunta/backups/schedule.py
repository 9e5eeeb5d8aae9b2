"""The worker's turn: the day's backup, what is kept, and a word to people when the last good one is too old.

One a day, whichever worker makes it: a claim, taken over when its holder died. A connection of its own is used, since
the pool's limits are made for requests.
"""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import structlog

from kaunta.backups import queries
from kaunta.backups.create import Tools, create
from kaunta.backups.place import Place, note_found
from kaunta.backups.prune import prune
from kaunta.backups.retention import Retention
from kaunta.backups.where import place_of
from kaunta.core.clock import EAT
from kaunta.core.db import connect, transaction
from kaunta.core.errors import KauntaError
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.keys.recovery import recovery_ring
from kaunta.settings import Settings

log = structlog.get_logger(__name__)

#: The problem of backups that are not made, and how old the last good one may be.
STALE, STALE_SECONDS = "backup_stale", 26 * 3_600.0
#: When a claim may be taken over, and a backup that failed is tried again: a whole database takes its time.
AGAIN_SECONDS, AGAIN_WHOLE_SECONDS = 900.0, 6 * 3_600.0


def tools_of(rt: Runtime, by: str) -> Tools:
    """What this process makes backups with. Raises `RecoveryKeyWrong`."""
    if rt.settings.recovery_key is None:
        raise RuntimeError("the settings want it where a place is named")
    programs = rt.settings.postgres_folder
    return Tools(
        rt.keyring, recovery_ring(rt.settings.recovery_key.get_secret_value()), rt.entropy, rt.clock, by,
        Path(programs) if programs else None,
    )  # fmt: skip


def retention_of(settings: Settings) -> Retention:
    return Retention(settings.backup_keep_daily, settings.backup_keep_weekly, settings.backup_keep_monthly)


def due_day(rt: Runtime) -> date:
    """The day whose backup should be there by now."""
    now = rt.clock.now().astimezone(EAT)
    return now.date() if now.hour >= rt.settings.backup_hour else now.date() - timedelta(days=1)


async def keep_backups(rt: Runtime, worker: str) -> int:
    """A loop's turn; nothing where no place is named."""
    place = place_of(rt.settings)
    if place is None:
        return 0
    day, now = due_day(rt), rt.clock.now()
    patience = AGAIN_WHOLE_SECONDS if rt.settings.backup_whole else AGAIN_SECONDS
    async with transaction(rt.db) as db:
        ours = await queries.claim_day(db, day, worker, now, rt.clock.before(patience))
    if ours:
        try:
            await back_up(rt, place, day)
        except (KauntaError, OSError) as error:
            # The next turn tries again; until then the age of the last good one says enough.
            log.error("backup.failed", name="backups", error=type(error).__name__)
    await tell_age(rt)
    return 0


async def back_up(rt: Runtime, place: Place, day: date) -> None:
    """The day's backup, and what goes for it."""
    settings, tools = rt.settings, tools_of(rt, "kaunta")
    address = settings.database_direct_url or settings.database_url
    if address is None:
        raise RuntimeError("a runtime has a database")
    url = address.get_secret_value()
    async with connect(url) as db:
        await asyncio.to_thread(place.make)
        await note_found(db, rt.clock, place, tools.recovery)
        made = await create(
            db, tools, place, kind="whole" if settings.backup_whole else "credentials", reason="scheduled", url=url
        )
        if made.ok:
            await queries.day_done(db, day, rt.clock.now())
            await prune(db, tools, place, retention_of(settings), dry_run=False)


async def tell_age(rt: Runtime) -> None:
    """Open the problem when the last good backup is too old, and close it when there is a newer one."""
    async with transaction(rt.db) as db:
        last = await queries.last_good(db)
        if last is not None and rt.clock.elapsed(last) <= STALE_SECONDS:
            await close_problem(db, rt.clock, STALE, "backups", by="kaunta", reason="a good backup was made")
        else:
            await open_problem(
                db, rt.clock, STALE, "backups", bar_id=None, severity=Severity.ERROR,
                reason=f"the last good one is of {last.astimezone(EAT):%d %b, %H:%M}" if last else "there is none yet",
            )  # fmt: skip

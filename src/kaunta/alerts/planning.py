"""Who is told what, and when: problems become alerts, alerts become messages.

An alert is a spell of trouble: what closes and opens again before it has settled was never over for who was told of
it. The grave ones are told at once, further with each level until somebody takes them up, and again when they are
over; the small ones wait for the next digest, and for the end of the quiet hours. What comes in numbers, because one
cause has struck every bar, is one message.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from kaunta.alert_settings import hours_of, levels_of
from kaunta.alerts.queries import delivery as queries
from kaunta.alerts.queries.delivery import Going
from kaunta.core.clock import EAT
from kaunta.core.db import Connection, transaction
from kaunta.core.problems import Severity
from kaunta.core.runtime import Runtime
from kaunta.settings import Settings

#: What waits for the digest.
SMALL = (Severity.WARNING, Severity.INFO)
#: After a message about a kind, the next of the same kind are gathered for so long (seconds of policy).
GATHER_SECONDS = 300.0
#: Alerts looked at in a turn.
MOST = 2_000
KEPT_SECONDS = 90 * 86_400.0


@dataclass(frozen=True, slots=True)
class Step:
    """These alerts of a kind have reached a level."""

    kind: str
    level: int
    alert_ids: tuple[UUID, ...]


def steps_due(going: Iterable[Going], settings: Settings, elapsed: dict[UUID, float]) -> list[Step]:
    """What is due of the grave alerts, by kind and level. `elapsed`: seconds of policy since each began."""
    levels = levels_of(settings.alert_levels)
    due: dict[tuple[str, int], list[UUID]] = {}
    for one in going:
        if one.severity in SMALL or one.told_level >= len(levels):
            continue
        if elapsed[one.id] >= levels[one.told_level].minutes * 60:
            due.setdefault((one.kind, one.told_level + 1), []).append(one.id)
    return [Step(kind, level, tuple(ids)) for (kind, level), ids in due.items()]


def quiet(settings: Settings, now: datetime) -> bool:
    """Whether small alerts wait now."""
    return hours_of(settings.alert_quiet_hours).hold(now.astimezone(EAT).time())


def ways(settings: Settings, level: int) -> list[str]:
    """The channels of a level that are set up."""
    return [name for name in levels_of(settings.alert_levels)[level - 1].channels if name in settings.alert_channels]


async def plan(rt: Runtime) -> int:
    """A worker's turn: what became due becomes messages. Always 0: the next turn is soon enough."""
    async with transaction(rt.db) as db:
        if not await queries.take_planning(db):
            return 0
        await queries.carry_over(db)
        await queries.follow_reopened(db)
        await queries.begin_alerts(db)
        await queries.end_alerts(db, rt.clock.before(rt.settings.alert_settle_minutes * 60))
        # With nobody to tell, nothing counts as told: who sets a channel up later hears of what is open then.
        if rt.settings.alert_channels:
            levels = len(levels_of(rt.settings.alert_levels))
            going = await queries.untaken(db, [*SMALL], levels, MOST)
            await tell_grave(db, rt, going)
            over = await queries.end_untold(db, MOST)
            await tell_small(db, rt, going, over)
            await tell_over(db, rt, [one for one in over if one.severity not in SMALL])
        await queries.drop_overtaken(db, rt.clock.now())
    return 0


async def tell_grave(db: Connection, rt: Runtime, going: list[Going]) -> None:
    """Levels that are reached. A first message of a kind goes at once; more of it are gathered."""
    for step in steps_due(going, rt.settings, {one.id: rt.clock.elapsed(one.began_at) for one in going}):
        event = "opened" if step.level == 1 else "escalated"
        newest = await queries.newest_message(db, event, step.kind)
        if newest is not None and rt.clock.elapsed(newest) < GATHER_SECONDS:
            continue
        await write(db, rt, event, step.kind, step.level, ways(rt.settings, step.level), [*step.alert_ids])
        await queries.set_told(db, [*step.alert_ids], step.level)


async def tell_small(db: Connection, rt: Runtime, going: list[Going], over: list[Going]) -> None:
    """One digest of what is new and what is over, unless it is too early for one. What came and went between two is
    told to nobody: it is on the alerts' page."""
    new = [one.id for one in going if one.severity in SMALL and one.told_level == 0]
    ended = [one.id for one in over if one.severity in SMALL and one.told_level > 0]
    await queries.set_end_told(db, [one.id for one in over if one.told_level == 0], rt.clock.now())
    if not new and not ended:
        return
    newest = await queries.newest_message(db, "digest", None)
    gathering = timedelta(minutes=rt.settings.alert_digest_minutes).total_seconds()
    if quiet(rt.settings, rt.clock.now()) or (newest is not None and rt.clock.elapsed(newest) < gathering):
        return
    await write(db, rt, "digest", None, 1, ways(rt.settings, 1), [*new, *ended])
    await queries.set_told(db, new, 1)
    await queries.set_end_told(db, ended, rt.clock.now())


async def tell_over(db: Connection, rt: Runtime, over: list[Going]) -> None:
    """Who was told of the trouble is told of its end."""
    told = sorted((one for one in over if one.told_level > 0), key=lambda one: (one.kind, one.began_at))
    for kind, group in groupby(told, key=lambda one: one.kind):
        ids = [one.id for one in group]
        channels = [name for name in await queries.channels_told(db, ids) if name in rt.settings.alert_channels]
        await write(db, rt, "cleared", kind, 1, channels, ids)
        await queries.set_end_told(db, ids, rt.clock.now())


async def write(
    db: Connection, rt: Runtime, event: str, kind: str | None, level: int, channels: list[str], alert_ids: list[UUID]
) -> None:
    """One message a channel."""
    for channel in channels:
        await queries.insert_message(db, rt.entropy.uuid(), event, kind, level, channel, alert_ids, rt.clock.now())


async def forget_old(rt: Runtime) -> int:
    """A worker's turn: what was told a season ago is kept no longer."""
    async with transaction(rt.db) as db:
        await queries.forget(db, rt.clock.before(KEPT_SECONDS))
    return 0

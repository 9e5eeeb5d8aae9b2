"""The one short moment of a move, and its way back.

The old tables go into the schema `legacy` as they are, Kaunta's take their place, in one transaction. Writers of the
old tables wait from the moment in which the digests are taken once more; readers only while the names change hands,
which is a matter of milliseconds. Whoever holds a table too long makes the move give way and try again, not the other
way round.
"""

from typing import Any

import asyncpg
import stamina

from kaunta.adopt import new_queries, old_queries, shape_queries
from kaunta.adopt import steps_queries as records
from kaunta.adopt.connection import within
from kaunta.adopt.readers import READERS, views_of
from kaunta.adopt.shape import Shape, Thing
from kaunta.adopt.steps_queries import LEGACY, LIVE, NEXT, RECORDS
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.errors import Conflict

#: Some half a minute of tries; a reader that holds a table longer than that is told about.
TRIES = 40
#: Rows of these are money, or word of it: one more than at the switch, and there is no way back.
NEW_MONEY = ("mpesa_transactions", "tab_payments", "mpesa_receipts", "mpesa_callbacks")
MONTHS = ("mpesa_callbacks_", "payment_events_", "audit_events_")


class SomebodyWrote(Conflict):
    """The old tables have changed since they were read: somebody still works with the old product. Close its apps, then
    go on with --apply --resume, which reads them anew."""

    code = "adoption_old_changed"


class SomebodyReads(Conflict):
    """A table was in use for too long: end long-running reports, then go on with --apply --resume (or --undo)."""

    code = "adoption_locked"


class NewMoney(Conflict):
    """Kaunta has taken money since: there is no way back that would not lose it."""

    code = "adoption_new_money"


class Strangers(Conflict):
    """Something stands among Kaunta's tables that is neither Kaunta's nor the old product's."""

    code = "adoption_strangers"


class NothingBegun(Conflict):
    """No move was begun here: there is nothing to resume or to undo."""

    code = "adoption_not_begun"


async def things_in(db: Connection, schema: str) -> list[Thing]:
    return [Thing(**row) for row in await shape_queries.things(db, schema)]


async def switch(db: Connection, shape: Shape, clock: Clock) -> None:
    """Kaunta's tables take the old ones' place. Raises `SomebodyWrote`, `SomebodyReads`."""
    await patiently(db, lambda: switch_once(db, shape, clock))


async def patiently(db: Connection, work: Any) -> Any:
    """Again and again until nobody holds what is needed; each try rolls back wholly. Raises `SomebodyReads`."""
    held = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
    try:
        async for attempt in stamina.retry_context(
            on=held, attempts=TRIES, timeout=None, wait_initial=0.1, wait_max=0.5, wait_jitter=0.1
        ):
            with attempt:
                return await work()
    except held:
        raise SomebodyReads from None
    raise RuntimeError("unreachable: the last try either returns or raises")


async def switch_once(db: Connection, shape: Shape, clock: Clock) -> None:
    async with within(db, LIVE):
        run = await records.run(db, hold=True)
        await records.lock_all(db, LIVE, shape.tables)
        if await old_queries.digests(db, LIVE, shape.tables) != run["digests"]:
            raise SomebodyWrote
        given = await records.default_grants(db, LIVE)
        old = await things_in(db, LIVE)
        await records.make_schema(db, LEGACY, like=LIVE)
        await records.move(db, old, LEGACY)
        await records.close_books(db, LEGACY, shape.tables)
        await take_place(db)
        await records.change_defaults(db, LIVE, given, give=False)
        await records.let_old_settings_write(db)
        await db.execute(views_of(shape))
        things = [f"{thing.kind} {thing.name}" for thing in await things_in(db, LIVE)]
        await records.switched(db, things, await new_queries.newest_rows(db), given, clock.now())


async def take_place(db: Connection) -> None:
    """Kaunta's tables into the live schema."""
    await records.stand_in(db, NEXT)
    await records.move(db, await things_in(db, NEXT), LIVE)
    await records.stand_in(db, LIVE)
    await records.point_functions(db, NEXT, LIVE)
    await records.drop_schema(db, NEXT)


async def undo(db: Connection, *, dry_run: bool) -> dict[str, int]:
    """Everything as it was before the move; how many rows of new business, none of it money, are lost by that.

    Raises `NothingBegun`, `NewMoney`, `Strangers`, `SomebodyReads`.
    """
    found: dict[str, int] = await patiently(db, lambda: undo_once(db, dry_run=dry_run))
    return found


async def undo_once(db: Connection, *, dry_run: bool) -> dict[str, int]:
    async with within(db, LIVE):
        if not await records.exists(db, RECORDS):
            raise NothingBegun
        run = await records.run(db, hold=True)
        if run["state"] != "switched":
            if not dry_run:
                await records.drop_schema(db, NEXT)
                await records.drop_schema(db, RECORDS)
            return {}
        await records.lock_all(db, LIVE, NEW_MONEY)
        now, then = await new_queries.newest_rows(db), run["counts"]
        if money := [table for table in NEW_MONEY if now[table] > then[table]]:
            raise NewMoney(f"There are new rows in {', '.join(money)}: nothing is undone once Kaunta has taken money.")
        ours = await things_in(db, LIVE)
        strange = [
            name for name in (f"{t.kind} {t.name}" for t in ours) if name not in run["things"] and not month(name)
        ]
        if strange:
            raise Strangers(f"In schema {LIVE} there are also: {', '.join(strange[:5])}. Move or drop them first.")
        lost = {table: now[table] - then[table] for table in now if now[table] > then[table]}
        if dry_run:
            return lost
        await records.drop_schema(db, READERS)
        await records.make_schema(db, NEXT)
        await records.move(db, ours, NEXT)
        await records.drop_schema(db, NEXT)
        await records.stand_in(db, LEGACY)
        old = await things_in(db, LEGACY)
        await records.open_books(db, LEGACY, [thing.name for thing in old if thing.kind == "table"])
        await records.move(db, old, LIVE)
        await records.stand_in(db, LIVE)
        await records.drop_schema(db, LEGACY)
        await records.change_defaults(db, LIVE, run["given"], give=True)
        await records.drop_schema(db, RECORDS)
        return lost


def month(name: str) -> bool:
    """A partition that the worker has made since."""
    return any(name.startswith(f"table {prefix}") for prefix in MONTHS)

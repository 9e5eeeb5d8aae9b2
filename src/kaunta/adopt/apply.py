"""The move's steps. Each commits, and each is found done when the move is taken up again.

    begin      the decisions, a digest of every old table, an empty schema beside them
    schema     Kaunta's tables, in that schema: nothing of the old is touched or locked
    bars       one after the other, each in one transaction
    people     accounts and roles
    prove      the invariants over Kaunta's tables, and every balance once more
    switch     the names change hands (`switch.py`)

The old tables are only read until the switch. Whoever reads them goes on; whoever writes is found out by the digests.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from kaunta.adopt import new_queries, old_queries
from kaunta.adopt import steps_queries as records
from kaunta.adopt.amounts import Difference
from kaunta.adopt.bar import adopted, read, slugs
from kaunta.adopt.connection import within
from kaunta.adopt.decisions import Asked, Decisions
from kaunta.adopt.old import OldBar
from kaunta.adopt.plan import Plan, survey
from kaunta.adopt.readers import READERS
from kaunta.adopt.shape import recognise
from kaunta.adopt.steps_queries import LEGACY, LIVE, NEXT, RECORDS
from kaunta.adopt.switch import NothingBegun, switch, things_in
from kaunta.adopt.writing import Pen, write_bar, write_people
from kaunta.core import migrate
from kaunta.core.db import Connection
from kaunta.core.errors import ConfigurationError, Conflict
from kaunta.credentials.legacy import LegacyKeys
from kaunta.payments.invariants import check_all

#: Where the people stand among the bars that are done.
PEOPLE = UUID(int=0)
Tell = Callable[[str], None]


class BegunAlready(Conflict):
    """A move was begun here. Go on with --apply --resume, or take it back with --undo."""

    code = "adoption_begun"


class MovedAlready(Conflict):
    """This database has been moved. --undo takes it back, until the first new payment."""

    code = "adoption_done"


class OtherDecisions(Conflict):
    """A move goes on with the decisions it began with. To change them, --undo and begin again."""

    code = "adoption_decisions"


class OtherKeys(ConfigurationError):
    """Other credentials can be read now than when the move began: MPESA_KMS_KEY or MPESA_ENCRYPTION_KEY is another one.
    Set them as they were, or --undo and begin again."""

    code = "adoption_keys"


class SomebodyElseMoves(Conflict):
    """Another process is moving this database right now."""

    code = "adoption_running"


class SchemaTaken(Conflict):
    """A schema that the move wants to make is there already."""

    code = "adoption_schema_taken"


class NotProved(Conflict):
    """What was written is not as it must be: nothing was switched, and the old tables are as they were."""

    code = "adoption_not_proved"


@dataclass(frozen=True, slots=True)
class Move:
    """Who moves, and with what. `url`: for the migrations, which connect for themselves."""

    db: Connection
    url: str
    pen: Pen
    legacy_keys: LegacyKeys
    tell: Tell


async def adopt(move: Move, decisions: Decisions, *, resume: bool) -> Plan:
    """Move a database in. Raises what stands above, and what `recognise` and `Plan.require_decisions` raise."""
    plan = await begin(move, decisions, resume=resume)
    move.tell("building Kaunta's tables")
    await migrate.upgrade_in(move.url, NEXT)
    await move.pen.keys.load()
    await write(move, plan)
    move.tell("proving what was written")
    await prove(move)
    move.tell("switching")
    await switch(move.db, plan.shape, move.pen.clock)
    return plan


async def begin(move: Move, decisions: Decisions, *, resume: bool) -> Plan:
    """Look at everything, and write down what the move rests on, unless it is written down already."""
    db, now = move.db, move.pen.clock.now()
    async with within(db, LIVE, reading=True):
        begun = await records.run(db, hold=False) if await records.exists(db, RECORDS) else None
        if begun is None and resume:
            raise NothingBegun
        if begun is not None and begun["state"] == "switched":
            raise MovedAlready
        if begun is not None and not resume:
            raise BegunAlready
        if begun is not None and decisions.answers and decisions.answers != begun["decisions"]:
            raise OtherDecisions
        answers = decisions if begun is None else Decisions(begun["decisions"])
        wanted = [LEGACY, READERS] if begun is not None else [NEXT, LEGACY, READERS]
        if taken := [schema for schema in wanted if await records.exists(db, schema)]:
            raise SchemaTaken(f"There is a schema {' and '.join(taken)} already: rename it, the move makes its own.")
        shape = await recognise(db, LIVE)
        move.tell(f"reading the old tables: generation {shape.generation}")
        plan = await survey(db, shape, answers, move.legacy_keys, now)
        plan.require_decisions()
        digests = await old_queries.digests(db, LIVE, shape.tables)
    kept = [f"{bar} {cause}" for bar, cause in plan.without_secrets]
    if begun is not None and begun["digests"] == digests:
        if begun["unreadable"] != kept:
            raise OtherKeys
        return plan
    async with within(db, NEXT):
        if begun is not None:
            move.tell("the old tables have changed since: beginning anew")
            await hold(db)
            await records.drop_schema(db, NEXT)
            await records.drop_schema(db, RECORDS)
        await records.begin(db, shape.generation, dict(answers.answers), digests, kept, now)
        await records.make_schema(db, NEXT)
    return plan


async def hold(db: Connection) -> None:
    """This move is ours until the transaction ends. Raises `SomebodyElseMoves`."""
    try:
        await records.run(db, hold=True)
    except asyncpg.LockNotAvailableError:
        raise SomebodyElseMoves from None


@asynccontextmanager
async def held(move: Move) -> AsyncIterator[Connection]:
    """A transaction of this move's, which no other process's is in at the same time. Raises `SomebodyElseMoves`."""
    async with within(move.db, NEXT) as db:
        await hold(db)
        yield db


async def write(move: Move, plan: Plan) -> None:
    """Every bar that is not written yet, and then the people."""
    async with within(move.db, NEXT, reading=True) as db:
        done = await records.bars_done(db)
    names = slugs(plan.bars)
    for number, bar in enumerate(plan.bars, start=1):
        if bar.id not in done:
            await write_one(move, plan, bar, names[bar.id])
        if number % 20 == 0 or number == len(plan.bars):
            move.tell(f"bars: {number} of {len(plan.bars)}")
    if PEOPLE not in done:
        async with held(move) as db:
            await write_people(db, move.pen, plan.people, plan.members)
            await note(db, plan.beside)
            await records.bar_done(db, PEOPLE, move.pen.clock.now())


async def write_one(move: Move, plan: Plan, bar: OldBar, slug: str) -> None:
    """A bar, its differences and balances, in one transaction. Raises `NotProved`."""
    now = move.pen.clock.now()
    async with held(move) as db:
        done = adopted(
            await read(db, plan.shape, bar, now), plan.winners, move.legacy_keys, Asked(plan.asked.decisions), now
        )
        await write_bar(db, move.pen, slug, done)
        if await new_queries.balances(db, bar.id) != done.after:
            raise NotProved(f"bar {bar.id}: what its tabs owe is not what was worked out")
        await note(db, [(bar.id, each) for each in done.differences])
        await records.note_balances(db, [(tab, bar.id, owed, done.after[tab]) for tab, owed in done.before.items()])
        await records.bar_done(db, bar.id, now)


async def note(db: Connection, differences: Iterable[tuple[UUID | None, Difference]]) -> None:
    rows = [(bar, each.tab_id, each.why.value, each.subject, each.effect, each.note) for bar, each in differences]
    await records.note_differences(db, rows)


async def prove(move: Move) -> None:
    """Raises `NotProved`."""
    async with within(move.db, NEXT) as db:
        # Nobody has looked at these tables yet, and the first evening must not be planned blindly.
        await records.analyse(db, [thing.name for thing in await things_in(db, NEXT) if thing.kind == "table"])
    async with within(move.db, NEXT, reading=True):
        broken = [finding for finding in await check_all(move.db) if not finding.ok]
    if broken:
        raise NotProved("\n".join(f"{finding.name}: {finding.sentence} {finding.rows[:3]}" for finding in broken))

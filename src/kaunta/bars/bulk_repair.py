"""Repairing many bars: a thousand a statement, each failing one named, nobody kept waiting.

Each attempt is one short transaction: hold the bars that are free, read the authority anew under these locks, write.
An error takes back that attempt alone; it is halved until the record at fault stands by itself. (A savepoint within
one transaction a batch would keep the good halves' locks for as long as the bad one is searched.) What others hold
comes last, when they have had two seconds to finish. We never wait for a row while we hold one: a writer that takes
the same rows in another order is not dragged into a deadlock.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import asyncpg

from kaunta.bars import repair_queries
from kaunta.bars.migration_queries import BarId, Judged, Shape
from kaunta.core.db import Connection
from kaunta.core.errors import ConfigurationError

BATCH = 1_000
LOCKED = "held by another transaction for more than 2 s"
BUSY = "held by one transaction after another, each time it was tried"
#: How often others may be quicker before a bar counts as busy: a hundred short writers in a row.
OVERTAKEN = 100
ABSENT = "there is no such bar any more"
WITHHELD = "its credentials went off meanwhile: turning M-Pesa off needs --allow-disable"

#: Errors that are the server's, not a record's: the next record would meet them too.
NOT_THE_RECORDS = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
)


class ReadOnly(ConfigurationError):
    """The database takes no writes: it is a standby, or set to read only."""

    code = "sync_read_only"


class Outcome(StrEnum):
    REPAIRED = "repaired"
    #: Somebody else had put it right before we came to it.
    UNCHANGED = "unchanged"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """What became of one record, as committed. `was` and `now`: the bar's flag before and after, where it was seen."""

    bar_id: BarId
    outcome: Outcome
    was: bool | None = None
    now: bool | None = None
    error: str | None = None

    @property
    def success(self) -> bool:
        return self.outcome in (Outcome.REPAIRED, Outcome.UNCHANGED)

    @property
    def disabled(self) -> bool:
        return self.outcome is Outcome.REPAIRED and self.was is True and self.now is False


@dataclass(slots=True)
class Attempt:
    """Results so far, the bars that others held, and whether somebody holds the whole table."""

    results: list[MigrationResult] = field(default_factory=list)
    held: list[BarId] = field(default_factory=list)
    table_held: bool = False

    def add(self, other: "Attempt") -> None:
        self.results += other.results
        self.held += other.held
        self.table_held |= other.table_held


class TableHeld(Exception):
    """Somebody holds the whole table."""


async def repair(
    db: Connection, shape: Shape, found: AsyncIterator[Judged], *, allow_disable: bool
) -> AsyncGenerator[list[MigrationResult], None]:
    """Repair what `found` streams (over another connection), a list of results a batch. Constant memory.

    Everything yielded is committed. Raises `ReadOnly` and what the connection raises; never for a record's sake.
    """
    batch: list[BarId] = []
    held: list[BarId] = []
    async for judged in found:
        if judged.authority is None:
            yield [MigrationResult(judged.bar_id, Outcome.AMBIGUOUS, was=judged.flag, now=judged.flag)]
        elif judged.differs:
            batch.append(judged.bar_id)
        if len(batch) == BATCH:
            attempt = await bisect(db, shape, batch, allow_disable)
            batch, held = [], held + attempt.held
            yield attempt.results
        if len(held) >= BATCH:
            yield await last_try(db, shape, held, allow_disable)
            held = []
    attempt = await bisect(db, shape, batch, allow_disable)
    yield attempt.results
    yield await last_try(db, shape, held + attempt.held, allow_disable)


async def repair_records(
    db: Connection, shape: Shape, bar_ids: Sequence[BarId], allow_disable: bool
) -> list[MigrationResult]:
    """Repair a few bars, at most a batch; a result for each."""
    attempt = await bisect(db, shape, bar_ids, allow_disable)
    return attempt.results + await last_try(db, shape, attempt.held, allow_disable)


async def bisect(db: Connection, shape: Shape, bar_ids: Sequence[BarId], allow_disable: bool) -> Attempt:
    """One attempt; where it fails, one for each half, down to the record that is at fault."""
    if not bar_ids:
        return Attempt()
    try:
        return await attempt_once(db, shape, bar_ids, allow_disable)
    except TableHeld:
        return Attempt(held=list(bar_ids), table_held=True)
    except NOT_THE_RECORDS:
        raise
    except asyncpg.ReadOnlySQLTransactionError:
        raise ReadOnly from None
    except asyncpg.PostgresError as error:
        if len(bar_ids) == 1:
            return Attempt([MigrationResult(bar_ids[0], Outcome.FAILED, error=described(error))])
    middle = len(bar_ids) // 2
    both = Attempt()
    for half in (bar_ids[:middle], bar_ids[middle:]):
        both.add(await bisect(db, shape, half, allow_disable))
    return both


async def attempt_once(db: Connection, shape: Shape, bar_ids: Sequence[BarId], allow_disable: bool) -> Attempt:
    """One transaction over those of the bars that are free."""
    attempt = Attempt()
    async with db.transaction(isolation="read_committed"):
        await repair_queries.writing_is_short(db)
        try:
            await repair_queries.lock_table(db)
        except asyncpg.LockNotAvailableError:
            raise TableHeld from None
        flags = await repair_queries.lock_bars(db, bar_ids)
        missing = [bar_id for bar_id in bar_ids if bar_id not in flags]
        present = await repair_queries.bars_present(db, missing) if missing else set()
        attempt.held += present
        attempt.results += [
            MigrationResult(bar_id, Outcome.FAILED, error=ABSENT) for bar_id in missing if bar_id not in present
        ]
        for row in await repair_queries.write_flags(db, shape, list(flags), allow_disable) if flags else ():
            if row.complete:
                attempt.results.append(result_of(row, flags[row.bar_id]))
            else:
                attempt.held.append(row.bar_id)
    return attempt


def result_of(row: repair_queries.Written, was: bool | None) -> MigrationResult:
    if row.written:
        return MigrationResult(row.bar_id, Outcome.REPAIRED, was, row.authority)
    if row.authority is None:
        return MigrationResult(row.bar_id, Outcome.AMBIGUOUS, was, was)
    if row.authority is not was:
        # The only thing that keeps a differing flag from being written.
        return MigrationResult(row.bar_id, Outcome.FAILED, was, was, WITHHELD)
    return MigrationResult(row.bar_id, Outcome.UNCHANGED, was, was)


async def last_try(db: Connection, shape: Shape, held: Sequence[BarId], allow_disable: bool) -> list[MigrationResult]:
    """The bars that others held: again whenever the first of them has come free, until two seconds passed in vain."""
    results: list[MigrationResult] = []
    overtaken = 0
    while held:
        first = held[0]
        free = await until_free(db, shape, first)
        attempt = await bisect(db, shape, held, allow_disable)
        results += attempt.results
        held = attempt.held
        if first not in held:
            overtaken = 0
        elif free and not attempt.table_held and overtaken < OVERTAKEN:
            # It was free and the next short writer was quicker: that is no long lock, and no reason to give up.
            overtaken += 1
        else:
            error = BUSY if overtaken == OVERTAKEN else LOCKED
            return results + [MigrationResult(bar_id, Outcome.FAILED, error=error) for bar_id in held]
    return results


async def until_free(db: Connection, shape: Shape, bar_id: BarId) -> bool:
    """Wait, holding nothing, until a bar and its credentials were free; False after two seconds for either."""
    try:
        async with db.transaction(isolation="read_committed"):
            await repair_queries.writing_is_short(db)
            await repair_queries.wait_for_bar(db, bar_id)
        async with db.transaction(isolation="read_committed"):
            await repair_queries.writing_is_short(db)
            await repair_queries.wait_for_credentials(db, shape, bar_id)
    except asyncpg.LockNotAvailableError:
        return False
    return True


def described(error: asyncpg.PostgresError) -> str:
    """PostgreSQL's message without its DETAIL, which quotes whole rows."""
    constraint = f" ({error.constraint_name})" if getattr(error, "constraint_name", None) else ""
    return f"{error.sqlstate}: {error.args[0] if error.args else type(error).__name__}{constraint}"

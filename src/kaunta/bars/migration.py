"""The Migration Service: finds the bars whose flag does not say what their credentials say, and repairs them.

It works on any PostgreSQL with the two tables, ours or the old product's, without a key and without adding anything
there. `mpesa_credentials.is_active` is the authority, `bars.mpesa_enabled` follows it; a NULL flag differs from false,
and a true flag without credentials is wrong. Where a bar has two rows of credentials and neither is that of its
environment, nobody knows: it is reported and left alone. Repairing many is in bulk_repair.py.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.bars import migration_queries as queries
from kaunta.bars.bulk_repair import MigrationResult, repair_records
from kaunta.bars.migration_queries import BarId, Judged, Shape
from kaunta.core.db import Connection
from kaunta.core.errors import ConfigurationError, Conflict, NotFound

NEEDED = {
    "bars": {"id": None, "mpesa_enabled": "boolean"},
    "mpesa_credentials": {"tenant_id": None, "is_active": "boolean"},
}


class NotTheseTables(ConfigurationError):
    """The database has no `bars` and `mpesa_credentials` to compare."""

    code = "sync_tables"


class RowsHidden(ConfigurationError):
    """Row-level security hides rows of `bars` or `mpesa_credentials` from this login: every bar would seem to have no
    credentials. Use the tables' owner, or a login that may pass by it (BYPASSRLS; Supabase: the service role)."""

    code = "sync_rows_hidden"


class MayNotWrite(ConfigurationError):
    """This login may not update `bars.mpesa_enabled`."""

    code = "sync_may_not_write"


class WouldDisable(Conflict):
    """A repair would turn M-Pesa off at some bars, and was not told that it may."""

    code = "sync_would_disable"


@dataclass(frozen=True, slots=True)
class InconsistentRecord:
    """A bar whose flag differs from the authority. `last_updated` None: neither table has such a column."""

    bar_id: BarId
    credentials_active: bool
    bar_payment_enabled: bool | None
    last_updated: datetime | None


@dataclass(frozen=True, slots=True)
class ValidationSummary:
    """How all bars stand. `would_disable`: differing bars that a repair turns off; `orphaned`: credentials of no bar;
    `mismatched`: bars whose only credentials are of another environment."""

    bars: int
    inconsistent: int
    ambiguous: int
    would_disable: int
    mismatched: int
    orphaned: int

    @property
    def valid(self) -> bool:
        return self.inconsistent == 0 and self.ambiguous == 0


async def read_shape(db: Connection) -> Shape:
    """What the database's two tables are like. Raises `NotTheseTables`, `RowsHidden`."""
    bars, credentials = await queries.columns(db)
    for table, found in (("bars", bars), ("mpesa_credentials", credentials)):
        for column, type_ in NEEDED[table].items():
            if column not in found:
                missing = f"column {table}.{column}" if found else f"table {table}"
                raise NotTheseTables(f"The database has no {missing}: there is nothing to compare.")
            if type_ is not None and found[column] != type_:
                raise NotTheseTables(f"{table}.{column} is {found[column]}, not {type_}.")
    shape = await queries.shape(db, bars, credentials)
    if shape.rows_hidden:
        raise RowsHidden
    return shape


async def named_bar(db: Connection, text: str) -> BarId:
    """The bar that an id, as a person writes it, names. Raises `NotFound`."""
    spellings = [text]
    with suppress(ValueError):  # not every database has uuids
        spellings.append(str(UUID(text)))
    found = await queries.bar_named(db, spellings)
    if found is None:
        raise NotFound(f"There is no bar {text}.")
    return found


async def examine(db: Connection, shape: Shape, bar_id: BarId | None = None) -> AsyncGenerator[Judged, None]:
    """Every bar that needs a look: it differs, it is ambiguous, or its credentials are of another environment.

    Streamed from one snapshot in a reading transaction of its own, in constant memory.
    """
    async with db.transaction(isolation="repeatable_read", readonly=True):
        await queries.reading_may_take_long(db)
        # Whoever stops in the middle: what is still being asked ends before the transaction does.
        async with aclosing(queries.stream_judged(db, shape, bar_id)) as found:
            async for judged in found:
                yield judged


def record_of(judged: Judged) -> InconsistentRecord:
    """A bar that differs, as the seeds call it."""
    return InconsistentRecord(judged.bar_id, judged.authority is True, judged.flag, judged.last_updated)


async def find_inconsistent_records(
    db: Connection, shape: Shape, bar_id: BarId | None = None
) -> AsyncGenerator[InconsistentRecord, None]:
    """Every bar whose flag differs from its authority, streamed in constant memory."""
    async with aclosing(examine(db, shape, bar_id)) as found:
        async for judged in found:
            if judged.differs:
                yield record_of(judged)


async def migrate_record(
    db: Connection, shape: Shape, record: InconsistentRecord, *, allow_disable: bool = True
) -> MigrationResult:
    """Bring one bar's flag to what its credentials say now, in a transaction of its own; never raises for the record's
    sake: the result tells what was wrong."""
    (result,) = await repair_records(db, shape, [record.bar_id], allow_disable)
    return result


async def validate_migration(db: Connection, shape: Shape, bar_id: BarId | None = None) -> ValidationSummary:
    """How the bars, or one of them, stand now."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        await queries.reading_may_take_long(db)
        found = await queries.counts(db, shape, bar_id)
        return ValidationSummary(
            bars=found.bars,
            inconsistent=found.inconsistent,
            ambiguous=found.ambiguous,
            would_disable=found.would_disable,
            mismatched=found.mismatched,
            orphaned=0 if bar_id is not None else await queries.orphaned(db, shape),
        )


@dataclass(frozen=True, slots=True)
class Extent:
    """How many bars there are, and how many rows of credentials belong to none."""

    bars: int
    orphaned: int


async def extent(db: Connection, shape: Shape, bar_id: BarId | None = None) -> Extent:
    """What the bars that `examine` does not stream leave untold."""
    if bar_id is not None:
        return Extent(1, 0)
    async with db.transaction(isolation="repeatable_read", readonly=True):
        await queries.reading_may_take_long(db)
        return Extent(await queries.bars(db), await queries.orphaned(db, shape))


def may_repair(shape: Shape, before: ValidationSummary, *, allow_disable: bool) -> None:
    """Before the first write. Raises `MayNotWrite`, `WouldDisable`."""
    if not shape.may_write:
        raise MayNotWrite
    if before.would_disable and not allow_disable:
        raise WouldDisable(
            f"This would turn M-Pesa off at {before.would_disable:,} of the {before.inconsistent:,} bars that differ. "
            "Nothing was changed.\nSee which with `kaunta sync repair --dry-run`; then add --allow-disable, "
            "or name one bar with --bar.",
            would_disable=before.would_disable,
        )

"""The Migration Service's SQL, for a database that need not be ours.

All it counts on is `bars(id, mpesa_enabled)` and `mpesa_credentials(tenant_id, is_active)`. Which of the optional
columns are there, and whether the two ids are of one type, chooses among the named fragments below; nothing else is
ever composed. Ids travel as the driver gives them, so that uuid, integer and text are all the same here.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from kaunta.core.db import Connection

BarId: TypeAlias = UUID | int | str

ROWS_A_FETCH = 1_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What this database's two tables have beyond the least, and what this login may do there."""

    bar_environment: bool
    credentials_environment: bool
    bar_updated_at: bool
    credentials_updated_at: bool
    #: Whether `tenant_id = id` is an expression; else both are compared as text.
    one_id_type: bool
    may_write: bool
    may_lock_credentials: bool
    #: Row-level security would hide rows from this login.
    rows_hidden: bool

    @property
    def environments(self) -> bool:
        """Whether a row of credentials can be matched to its bar by environment."""
        return self.bar_environment and self.credentials_environment


@dataclass(frozen=True, slots=True)
class Judged:
    """A bar whose flag is not right beyond doubt. `authority` None: two rows, and neither is the one that counts."""

    bar_id: BarId
    flag: bool | None
    authority: bool | None
    mismatched: bool
    last_updated: datetime | None

    @property
    def differs(self) -> bool:
        return self.authority is not None and self.flag is not self.authority


@dataclass(frozen=True, slots=True)
class Counts:
    """How many bars there are, and how many of each kind that needs a look."""

    bars: int
    inconsistent: int
    ambiguous: int
    would_disable: int
    mismatched: int


# --- fragments ---

SAME_ID = "c.tenant_id = b.id"
SAME_ID_AS_TEXT = "c.tenant_id::text = b.id::text"
OF_THESE_BARS = "c.tenant_id = any($1)"
OF_THESE_BARS_AS_TEXT = "c.tenant_id::text in (select b.id::text from bars b where b.id = any($1))"
SAME_ENVIRONMENT = "c.environment::text = b.mpesa_environment::text"
NEVER = "false"


def same_id(shape: Shape) -> str:
    return SAME_ID if shape.one_id_type else SAME_ID_AS_TEXT


def of_these_bars(shape: Shape) -> str:
    return OF_THESE_BARS if shape.one_id_type else OF_THESE_BARS_AS_TEXT


def authority(shape: Shape) -> str:
    """One row counts whatever its environment; of several, the one of the bar's environment; else nobody knows."""
    same = SAME_ENVIRONMENT if shape.environments else NEVER
    return f"""
        case when count(c.tenant_id) = 0 then false
             when count(c.tenant_id) = 1 then coalesce(bool_or(c.is_active), false)
             when count(c.tenant_id) filter (where {same}) = 1
             then coalesce(bool_or(c.is_active) filter (where {same}), false)
        end
    """


def mismatched(shape: Shape) -> str:
    """The only row is of another environment: it counts all the same, and a person should know."""
    return (
        f"count(c.tenant_id) = 1 and not coalesce(bool_or({SAME_ENVIRONMENT}), true)" if shape.environments else NEVER
    )


def last_updated(shape: Shape) -> str:
    return {
        (True, True): "greatest(b.updated_at::timestamptz, max(c.updated_at::timestamptz))",
        (True, False): "b.updated_at::timestamptz",
        (False, True): "max(c.updated_at::timestamptz)",
        (False, False): "null::timestamptz",
    }[shape.bar_updated_at, shape.credentials_updated_at]


def grouping(shape: Shape) -> str:
    """Every column of the bar that is used: its id need not be declared a key."""
    return (
        "b.id, b.mpesa_enabled"
        + (", b.mpesa_environment" if shape.bar_environment else "")
        + (", b.updated_at" if shape.bar_updated_at else "")
    )


def judged(shape: Shape, *, one_bar: bool) -> str:
    """Each bar with its flag and what it should be."""
    return f"""
        select b.id as bar_id, b.mpesa_enabled as flag, {authority(shape)} as authority,
               {mismatched(shape)} as mismatched, {last_updated(shape)} as last_updated
        from bars b left join mpesa_credentials c on {same_id(shape)}
        {"where b.id = $1" if one_bar else ""}
        group by {grouping(shape)}
    """


# --- what the database is like ---

COLUMNS = """
    select a.attrelid = to_regclass('bars') as of_bars, a.attname::text as name, format_type(a.atttypid, null) as type
    from pg_attribute a
    where a.attrelid in (to_regclass('bars'), to_regclass('mpesa_credentials')) and a.attnum > 0 and not a.attisdropped
"""


async def columns(db: Connection) -> tuple[dict[str, str], dict[str, str]]:
    """Type by name of the columns of `bars` and of `mpesa_credentials`; empty where there is no such table."""
    rows = await db.fetch(COLUMNS)
    return (
        {row["name"]: row["type"] for row in rows if row["of_bars"]},
        {row["name"]: row["type"] for row in rows if not row["of_bars"]},
    )


async def shape(db: Connection, bars: dict[str, str], credentials: dict[str, str]) -> Shape:
    """What of the optional there is, from the tables' columns."""
    may = await db.fetchrow(
        """
        select has_column_privilege('bars', 'mpesa_enabled', 'update') as may_write,
               has_any_column_privilege('mpesa_credentials', 'update') as may_lock_credentials,
               row_security_active('bars') or row_security_active('mpesa_credentials') as rows_hidden
        """
    )
    return Shape(
        bar_environment="mpesa_environment" in bars,
        credentials_environment="environment" in credentials,
        bar_updated_at=bars.get("updated_at", "").startswith("timestamp"),
        credentials_updated_at=credentials.get("updated_at", "").startswith("timestamp"),
        one_id_type=await ids_compare(db),
        **dict(may or {}),
    )


async def ids_compare(db: Connection) -> bool:
    """Whether PostgreSQL can compare the two ids as they are."""
    try:
        await db.execute(f"select from bars b join mpesa_credentials c on {SAME_ID} where false")
    except asyncpg.UndefinedFunctionError:
        return False
    return True


async def bar_named(db: Connection, spellings: Sequence[str]) -> BarId | None:
    """The id of a bar as the driver has it, from ways to write it."""
    found: BarId | None = await db.fetchval("select b.id from bars b where b.id::text = any($1::text[])", spellings)
    return found


async def reading_may_take_long(db: Connection) -> None:
    """In the reading transaction: no limit of the login's or the database's cuts a long list short.

    With memory for a hash join, a million bars take two thirds of the time.
    """
    await db.execute(
        "select set_config('statement_timeout', '0', true), set_config('work_mem', '64MB', true),"
        " set_config('idle_in_transaction_session_timeout', '0', true), set_config('row_security', 'off', true)"
    )


async def stream_judged(db: Connection, shape: Shape, bar_id: BarId | None) -> AsyncGenerator[Judged, None]:
    """Every bar that needs a look, in the caller's transaction; two thousand rows are in memory at a time.

    While the caller looks at a thousand, the server already finds the next.
    """
    sql = f"""
        select bar_id, flag, authority, mismatched, last_updated
        from ({judged(shape, one_bar=bar_id is not None)}) j
        where flag is distinct from authority or authority is null or mismatched
    """
    cursor = await db.cursor(sql, *(() if bar_id is None else (bar_id,)))
    ahead = asyncio.create_task(cursor.fetch(ROWS_A_FETCH))
    try:
        while rows := await ahead:
            ahead = asyncio.create_task(cursor.fetch(ROWS_A_FETCH))
            await asyncio.sleep(0)  # the question leaves before the caller is busy
            for row in rows:
                yield Judged(*row)
    finally:
        # The connection is the caller's again only when nothing runs on it.
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)


async def counts(db: Connection, shape: Shape, bar_id: BarId | None) -> Counts:
    """How many bars there are of each kind."""
    sql = f"""
        select count(*) as bars,
               count(*) filter (where authority is not null and flag is distinct from authority) as inconsistent,
               count(*) filter (where authority is null) as ambiguous,
               count(*) filter (where flag and not authority) as would_disable,
               count(*) filter (where mismatched) as mismatched
        from ({judged(shape, one_bar=bar_id is not None)}) j
    """
    row = await db.fetchrow(sql, *(() if bar_id is None else (bar_id,)))
    return Counts(**dict(row or {}))


async def bars(db: Connection) -> int:
    """How many bars there are."""
    return int(await db.fetchval("select count(*) from bars"))


async def orphaned(db: Connection, shape: Shape) -> int:
    """Credentials whose bar is not there."""
    sql = f"select count(*) from mpesa_credentials c where not exists (select from bars b where {same_id(shape)})"
    return int(await db.fetchval(sql))

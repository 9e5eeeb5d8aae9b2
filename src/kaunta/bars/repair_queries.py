"""The Migration Service's writing: bars' flags brought to their authority, in a database that need not be ours."""

from collections.abc import Sequence
from dataclasses import dataclass

from kaunta.bars.migration_queries import BarId, Shape, authority, grouping, of_these_bars, same_id
from kaunta.core.db import Connection

#: How long a repair waits for somebody else's lock, and how long one statement of it may take.
LOCK_TIMEOUT = "2s"
STATEMENT_TIMEOUT = "60s"
HELD = "for share skip locked"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a locked bar. `complete` False: one of its credentials rows is held by another transaction."""

    bar_id: BarId
    authority: bool | None
    complete: bool
    written: bool


async def writing_is_short(db: Connection) -> None:
    """In a repair's transaction: nobody waits long for it, it waits for nobody long, and every error comes at once."""
    await db.execute(
        f"select set_config('lock_timeout', '{LOCK_TIMEOUT}', true), set_config('row_security', 'off', true),"
        f" set_config('statement_timeout', '{STATEMENT_TIMEOUT}', true)"
    )
    await db.execute("set constraints all immediate")


async def lock_table(db: Connection) -> None:
    """Take the table's lock that an update takes, before any row's. Raises `LockNotAvailableError` where it is held.

    (`lock table` would want a right to the whole table; this is content with that to the column.)
    """
    await db.execute("update bars set mpesa_enabled = mpesa_enabled where false")


async def lock_bars(db: Connection, bar_ids: Sequence[BarId]) -> dict[BarId, bool | None]:
    """Hold those of the bars that nobody else holds; the flag of each. Never waits for a row."""
    rows = await db.fetch(
        "select b.id, b.mpesa_enabled from bars b where b.id = any($1) for no key update skip locked", bar_ids
    )
    return {row["id"]: row["mpesa_enabled"] for row in rows}


async def bars_present(db: Connection, bar_ids: Sequence[BarId]) -> set[BarId]:
    """Those of the bars that exist."""
    return {row["id"] for row in await db.fetch("select b.id from bars b where b.id = any($1)", bar_ids)}


async def write_flags(db: Connection, shape: Shape, bar_ids: Sequence[BarId], allow_disable: bool) -> list[Written]:
    """Bring the flags of locked bars to their authority, which is read here and now.

    A statement of its own after the lock, with a snapshot of its own: what the lock's former holder committed is seen.
    The credentials are held too, so that a plain update of one cannot pass between our reading and our commit.
    """
    held_environment = ", c.environment" if shape.credentials_environment else ""
    sql = f"""
        with held as materialized (
            select c.tenant_id, c.is_active{held_environment} from mpesa_credentials c where {of_these_bars(shape)}
            {HELD if shape.may_lock_credentials else ""}
        ), seen as (
            select b.id, count(c.tenant_id) as rows from bars b left join mpesa_credentials c on {same_id(shape)}
            where b.id = any($1) group by b.id
        ), judged as (
            select b.id, {authority(shape)} as authority, count(c.tenant_id) as rows
            from bars b left join held c on {same_id(shape)} where b.id = any($1) group by {grouping(shape)}
        ), written as (
            update bars b
            set mpesa_enabled = j.authority{", updated_at = now()" if shape.bar_updated_at else ""}
            from judged j join seen s using (id)
            where b.id = j.id and j.rows = s.rows and b.mpesa_enabled is distinct from j.authority
              and j.authority is not null and ($2 or j.authority or b.mpesa_enabled is not true)
            returning b.id
        )
        select j.id as bar_id, j.authority, j.rows = s.rows as complete, w.id is not null as written
        from judged j join seen s using (id) left join written w on w.id = j.id
    """
    return [Written(**row) for row in await db.fetch(sql, bar_ids, allow_disable)]


async def wait_for_bar(db: Connection, bar_id: BarId) -> None:
    """Come back when nobody holds the bar. Raises `LockNotAvailableError` after the lock timeout."""
    await db.execute("select from bars b where b.id = $1 for no key update", bar_id)


async def wait_for_credentials(db: Connection, shape: Shape, bar_id: BarId) -> None:
    """Come back when nobody holds the bar's credentials. Raises `LockNotAvailableError` after the lock timeout."""
    if shape.may_lock_credentials:
        sql = f"select from mpesa_credentials c where {of_these_bars(shape)} for share"
        await db.execute(sql, [bar_id])

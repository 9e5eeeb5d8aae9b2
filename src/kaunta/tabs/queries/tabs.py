"""The tabs themselves. Balance is orders minus ledger, each summed on its own: a join once made −150 of 150."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, one_row
from kaunta.tabs.values import TabStatus, TabSummary

#: What was ordered and confirmed, what waits, and what was paid, of the tab `t`.
SUMS = """
    (select coalesce(sum(o.total) filter (where o.status = 'confirmed'), 0)::int
       from tab_orders o where o.tab_id = t.id) as ordered,
    (select coalesce(sum(p.amount), 0)::int from tab_payments p where p.tab_id = t.id) as paid
"""


@dataclass(frozen=True, slots=True)
class TabRow:
    """A tab with its sums."""

    id: UUID
    ref: str
    bar_id: UUID
    number: int
    status: TabStatus
    table_id: UUID | None
    table_label: str | None
    table_code: str | None
    join_code: str
    opened_at: datetime
    ordered: int
    paid: int


async def next_tab_number(db: Connection, bar_id: UUID) -> int | None:
    """Count a bar's tabs on by one; locks the bar. None where the bar does not exist or takes no orders."""
    number: int | None = await db.fetchval(
        "update bars set last_tab_number = last_tab_number + 1 where id = $1 and active returning last_tab_number",
        bar_id,
    )
    return number


async def insert_tab(
    db: Connection,
    id_: UUID,
    bar_id: UUID,
    number: int,
    ref: str,
    table_id: UUID | None,
    join_code: str,
    opened_by: str,
    at: datetime,
) -> None:
    """Open a tab."""
    await db.execute(
        """
        insert into tabs (id, bar_id, tab_number, ref, table_code_id, join_code, opened_by, opened_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        id_, bar_id, number, ref, table_id, join_code, opened_by, at,
    )  # fmt: skip


async def lock_tab(db: Connection, tab_id: UUID) -> TabRow | None:
    """A tab with its sums, locked until the transaction ends: whoever counts money holds this lock."""
    held = await hold_tab(db, tab_id)
    # The sums are read after the lock is held, in a snapshot that sees what the former holder committed.
    return await tab(db, tab_id) if held else None


async def hold_tab(db: Connection, tab_id: UUID) -> str | None:
    """A tab's status, and the tab locked; None where there is none."""
    status: str | None = await db.fetchval("select status from tabs where id = $1 for no key update", tab_id)
    return status


@dataclass(frozen=True, slots=True)
class Seat:
    """A tab and its bar, which never change."""

    tab_id: UUID
    bar_id: UUID


async def seat_by_ref(db: Connection, ref: str) -> Seat | None:
    """The tab a guest's reference opens, with its bar."""
    row = await db.fetchrow("select id as tab_id, bar_id from tabs where ref = $1", ref)
    return Seat(**row) if row else None


async def hold_with_its_bar(db: Connection, seat: Seat) -> bool:
    """Keep the bar's environment as it is, and then hold the tab, until the transaction ends; False without the tab.

    Of the bar no more is held than the foreign keys of what is written next hold anyway.
    """
    held = await db.fetchval(
        """
        with bar as materialized (select id from bars where id = $2 for key share)
        select true from tabs where id = $1 and (select id from bar) is not null for no key update
        """,
        seat.tab_id, seat.bar_id,
    )  # fmt: skip
    return held is True


async def tab(db: Connection, tab_id: UUID) -> TabRow | None:
    """A tab with its sums."""
    row = await db.fetchrow(
        f"""
        select t.id, t.ref, t.bar_id, t.tab_number as number, t.status, c.id as table_id, c.label as table_label,
               c.code as table_code, t.join_code, t.opened_at, {SUMS}
        from tabs t left join table_codes c on c.id = t.table_code_id where t.id = $1
        """,
        tab_id,
    )
    return TabRow(**row) if row else None


async def tab_id_by_ref(db: Connection, ref: str) -> UUID | None:
    """The tab a guest's reference opens."""
    id_: UUID | None = await db.fetchval("select id from tabs where ref = $1", ref)
    return id_


async def tab_id_of_bar(db: Connection, bar_id: UUID, tab_id: UUID) -> UUID | None:
    """The tab, if it is this bar's."""
    id_: UUID | None = await db.fetchval("select id from tabs where id = $1 and bar_id = $2", tab_id, bar_id)
    return id_


async def open_tab_summaries(db: Connection, bar_id: UUID) -> list[TabSummary]:
    """A bar's tabs that are not closed, newest first."""
    rows = await db.fetch(
        f"""
        select t.id, t.ref, t.tab_number as number, t.status, c.label as table_label, t.opened_at, {SUMS},
               (select count(*)::int from tab_orders o where o.tab_id = t.id and o.status = 'pending') as pending_orders
        from tabs t left join table_codes c on c.id = t.table_code_id
        where t.bar_id = $1 and t.status <> 'closed' order by t.opened_at desc limit 300
        """,
        bar_id,
    )
    return [TabSummary(**row) for row in rows]


async def set_tab_closed(db: Connection, tab_id: UUID, by: str, at: datetime) -> None:
    """Close a tab."""
    one_row(
        await db.execute(
            "update tabs set status = 'closed', closed_at = $3, closed_by = $2 where id = $1 and status <> 'closed'",
            tab_id, by, at,
        ),
        "closing a tab",
    )  # fmt: skip


async def open_payments(db: Connection, tab_id: UUID) -> int:
    """M-Pesa payments of a tab that may still take money: open ones hold it."""
    count: int = await db.fetchval(
        "select count(*) from mpesa_transactions where tab_id = $1 and status in ('pending', 'sent')", tab_id
    )
    return count

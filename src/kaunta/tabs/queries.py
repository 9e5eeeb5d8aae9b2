"""The tabs' SQL. Balance is orders minus ledger, each summed on its own: a join once made −150 of 150."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection, one_row
from kaunta.tabs.values import MenuItem, Table, TabStatus, TabSummary

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
    table_label: str | None
    join_code: str
    opened_at: datetime
    ordered: int
    paid: int


async def menu(db: Connection, bar_id: UUID) -> list[MenuItem]:
    """A bar's menu in the owner's order."""
    rows = await db.fetch(
        """
        select id, category, name, price, available from menu_items where bar_id = $1 order by position, name
        """,
        bar_id,
    )
    return [MenuItem(**row) for row in rows]


async def menu_items(db: Connection, bar_id: UUID, ids: list[UUID]) -> list[MenuItem]:
    """The named items, if they are this bar's."""
    rows = await db.fetch(
        "select id, category, name, price, available from menu_items where bar_id = $1 and id = any($2)", bar_id, ids
    )
    return [MenuItem(**row) for row in rows]


async def add_menu_item(db: Connection, bar_id: UUID, category: str, name: str, price: int, position: int) -> UUID:
    """Put something on the menu."""
    id_: UUID = await db.fetchval(
        """
        insert into menu_items (bar_id, category, name, price, position) values ($1, $2, $3, $4, $5) returning id
        """,
        bar_id, category, name, price, position,
    )  # fmt: skip
    return id_


async def table_by_code(db: Connection, bar_id: UUID, code: str) -> Table | None:
    """The table whose card says `code`."""
    row = await db.fetchrow(
        "select id, bar_id, label, code from table_codes where bar_id = $1 and code = $2 and active", bar_id, code
    )
    return Table(**row) if row else None


async def tables(db: Connection, bar_id: UUID) -> list[Table]:
    """A bar's tables with their present codes."""
    rows = await db.fetch(
        "select id, bar_id, label, code from table_codes where bar_id = $1 and active order by label", bar_id
    )
    return [Table(**row) for row in rows]


async def add_table(db: Connection, bar_id: UUID, label: str, code: str) -> UUID:
    """A table and the code of its card."""
    id_: UUID = await db.fetchval(
        "insert into table_codes (bar_id, label, code) values ($1, $2, $3) returning id", bar_id, label, code
    )
    return id_


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
    locked = await db.fetchval("select 1 from tabs where id = $1 for no key update", tab_id)
    # The sums are read after the lock is held, in a snapshot that sees what the former holder committed.
    return await tab(db, tab_id) if locked else None


async def tab(db: Connection, tab_id: UUID) -> TabRow | None:
    """A tab with its sums."""
    row = await db.fetchrow(
        f"""
        select t.id, t.ref, t.bar_id, t.tab_number as number, t.status, c.label as table_label, t.join_code,
               t.opened_at, {SUMS}
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


async def join_device(db: Connection, device_hash: bytes, tab_id: UUID, bar_id: UUID, at: datetime) -> None:
    """Remember that a guest's device belongs to a tab."""
    await db.execute(
        """
        insert into guest_devices (device_hash, tab_id, bar_id, joined_at) values ($1, $2, $3, $4)
        on conflict do nothing
        """,
        device_hash, tab_id, bar_id, at,
    )  # fmt: skip


async def tab_ref_of_device(db: Connection, bar_id: UUID, device_hash: bytes) -> str | None:
    """The open tab a guest's device joined last at a bar."""
    ref: str | None = await db.fetchval(
        """
        select t.ref from guest_devices d join tabs t on t.id = d.tab_id
        where d.device_hash = $2 and d.bar_id = $1 and t.status <> 'closed' order by d.joined_at desc limit 1
        """,
        bar_id, device_hash,
    )  # fmt: skip
    return ref


async def orders_of_tab(db: Connection, tab_id: UUID) -> list[dict[str, Any]]:
    """A tab's orders, oldest first."""
    rows = await db.fetch(
        """
        select id, order_number, status, items, total, created_at, initiated_by from tab_orders
        where tab_id = $1 order by order_number
        """,
        tab_id,
    )
    return [dict(row) for row in rows]


async def pending_orders(db: Connection, bar_id: UUID) -> list[dict[str, Any]]:
    """Orders that wait for staff, oldest first."""
    rows = await db.fetch(
        """
        select o.id, o.order_number, o.status, o.items, o.total, o.created_at, o.initiated_by,
               o.tab_id, t.tab_number, c.label as table_label
        from tab_orders o join tabs t on t.id = o.tab_id left join table_codes c on c.id = t.table_code_id
        where o.bar_id = $1 and o.status = 'pending' order by o.created_at limit 200
        """,
        bar_id,
    )
    return [dict(row) for row in rows]


async def order_by_key(db: Connection, bar_id: UUID, key: str) -> dict[str, Any] | None:
    """The order an idempotency key made."""
    row = await db.fetchrow(
        """
        select o.tab_id, t.ref as tab_ref, o.order_number from tab_orders o join tabs t on t.id = o.tab_id
        where o.bar_id = $1 and o.idempotency_key = $2
        """,
        bar_id, key,
    )  # fmt: skip
    return dict(row) if row else None


async def insert_order(
    db: Connection,
    id_: UUID,
    bar_id: UUID,
    tab_id: UUID,
    items: list[dict[str, Any]],
    total: int,
    initiated_by: str,
    key: str,
    at: datetime,
) -> int:
    """An order that waits for staff; its number on the tab. The tab is locked."""
    number: int = await db.fetchval(
        """
        insert into tab_orders (id, bar_id, tab_id, order_number, items, total, initiated_by, idempotency_key,
                                created_at)
        values ($1, $2, $3, (select coalesce(max(order_number), 0) + 1 from tab_orders where tab_id = $3),
                $4, $5, $6, $7, $8)
        returning order_number
        """,
        id_, bar_id, tab_id, items, total, initiated_by, key, at,
    )  # fmt: skip
    return number


async def tab_id_of_order(db: Connection, bar_id: UUID, order_id: UUID) -> UUID | None:
    """The tab of an order, if it is this bar's."""
    id_: UUID | None = await db.fetchval(
        "select tab_id from tab_orders where id = $1 and bar_id = $2", order_id, bar_id
    )
    return id_


async def confirm_order(db: Connection, order_id: UUID, by: str, at: datetime) -> str:
    """A pending order becomes owed; the command tag tells whether it was still pending."""
    return await db.execute(
        """
        update tab_orders set status = 'confirmed', confirmed_at = $3, decided_by = $2
        where id = $1 and status = 'pending'
        """,
        order_id, by, at,
    )  # fmt: skip


async def cancel_order(db: Connection, order_id: UUID, by: str, at: datetime) -> str:
    """A pending order is turned down; the command tag tells whether it was still pending."""
    return await db.execute(
        """
        update tab_orders set status = 'cancelled', cancelled_at = $3, decided_by = $2
        where id = $1 and status = 'pending'
        """,
        order_id, by, at,
    )  # fmt: skip


async def count_pending_orders(db: Connection, tab_id: UUID) -> int:
    """Orders of a tab that nobody has decided on."""
    count: int = await db.fetchval("select count(*) from tab_orders where tab_id = $1 and status = 'pending'", tab_id)
    return count


async def ledger_of_tab(db: Connection, tab_id: UUID) -> list[dict[str, Any]]:
    """A tab's ledger, oldest first."""
    rows = await db.fetch(
        """
        select id, kind, method, amount, receipt, created_at, transaction_id from tab_payments
        where tab_id = $1 order by created_at, id
        """,
        tab_id,
    )
    return [dict(row) for row in rows]


async def ledger_row_by_key(db: Connection, tab_id: UUID, key: str) -> UUID | None:
    """The ledger row an idempotency key made."""
    id_: UUID | None = await db.fetchval(
        "select id from tab_payments where tab_id = $1 and idempotency_key = $2", tab_id, key
    )
    return id_


async def insert_ledger_row(
    db: Connection,
    id_: UUID,
    bar_id: UUID,
    tab_id: UUID,
    kind: str,
    method: str | None,
    amount: int,
    recorded_by: str,
    at: datetime,
    *,
    environment: str | None = None,
    transaction_id: UUID | None = None,
    receipt: str | None = None,
    corrects: UUID | None = None,
    reason: str | None = None,
    key: str | None = None,
) -> None:
    """One fact in the ledger."""
    await db.execute(
        """
        insert into tab_payments (id, bar_id, tab_id, kind, method, amount, recorded_by, created_at, environment,
                                  transaction_id, receipt, corrects, reason, idempotency_key)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        id_, bar_id, tab_id, kind, method, amount, recorded_by, at, environment,
        transaction_id, receipt, corrects, reason, key,
    )  # fmt: skip


async def receiptless_credit(db: Connection, transaction_id: UUID) -> UUID | None:
    """The ledger row of a payment that was booked before its receipt was known."""
    id_: UUID | None = await db.fetchval(
        "select id from tab_payments where transaction_id = $1 and kind = 'payment' and receipt is null", transaction_id
    )
    return id_


async def fill_ledger_receipt(db: Connection, ledger_id: UUID, receipt: str) -> None:
    """Add the receipt to a credit that was booked without one."""
    one_row(
        await db.execute("update tab_payments set receipt = $2 where id = $1 and receipt is null", ledger_id, receipt),
        "filling in a receipt",
    )


async def open_payments(db: Connection, tab_id: UUID) -> int:
    """M-Pesa payments of a tab that may still take money: open ones hold it."""
    count: int = await db.fetchval(
        "select count(*) from mpesa_transactions where tab_id = $1 and status in ('pending', 'sent')", tab_id
    )
    return count

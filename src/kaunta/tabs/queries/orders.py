"""Orders: asked for, decided on."""

from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection


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

"""Reading tabs: for the guest by reference, for staff by bar."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.tabs import queries
from kaunta.tabs.values import (
    LedgerEntry,
    Order,
    OrderLine,
    PaymentState,
    PendingOrder,
    TabSummary,
    TabView,
    payment_states,
)


async def tab_by_ref(db: Connection, ref: str) -> TabView | None:
    """The tab a guest's reference opens."""
    tab_id = await queries.tab_id_by_ref(db, ref)
    return await view(db, tab_id) if tab_id else None


async def tab_of_bar(db: Connection, bar_id: UUID, tab_id: UUID) -> TabView | None:
    """The tab, if it is this bar's."""
    found = await queries.tab_id_of_bar(db, bar_id, tab_id)
    return await view(db, found) if found else None


async def board(db: Connection, bar_id: UUID) -> list[TabSummary]:
    """A bar's tabs that are not closed, newest first."""
    return await queries.open_tab_summaries(db, bar_id)


async def pending_orders(db: Connection, bar_id: UUID) -> list[PendingOrder]:
    """Orders that wait for staff, oldest first."""
    return [
        PendingOrder(
            order=order(row, "unpaid"),
            tab_id=row["tab_id"],
            tab_number=row["tab_number"],
            table_label=row["table_label"],
        )
        for row in await queries.pending_orders(db, bar_id)
    ]


async def view(db: Connection, tab_id: UUID) -> TabView | None:
    """A tab with its orders and ledger."""
    row = await queries.tab(db, tab_id)
    if row is None:
        return None
    orders = orders_with_states(await queries.orders_of_tab(db, tab_id), row.paid)
    return TabView(
        id=row.id,
        ref=row.ref,
        bar_id=row.bar_id,
        number=row.number,
        status=row.status,
        table_id=row.table_id,
        table_label=row.table_label,
        table_code=row.table_code,
        join_code=row.join_code,
        opened_at=row.opened_at,
        ordered=row.ordered,
        pending_total=sum(order.total for order in orders if order.status == "pending"),
        paid=row.paid,
        orders=orders,
        entries=tuple(LedgerEntry(**entry) for entry in await queries.ledger_of_tab(db, tab_id)),
    )


def orders_with_states(rows: Iterable[dict[str, Any]], paid: int) -> tuple[Order, ...]:
    """Orders, each confirmed one with how far the ledger has paid it."""
    rows = list(rows)
    confirmed = [row for row in rows if row["status"] == "confirmed"]
    states = dict(
        zip((row["id"] for row in confirmed), payment_states([row["total"] for row in confirmed], paid), strict=True)
    )
    return tuple(order(row, states.get(row["id"], "unpaid")) for row in rows)


def order(row: dict[str, Any], payment_state: PaymentState) -> Order:
    return Order(
        id=row["id"],
        number=row["order_number"],
        status=row["status"],
        lines=tuple(
            OrderLine(UUID(line["item_id"]), line["name"], line["quantity"], line["price"]) for line in row["items"]
        ),
        total=row["total"],
        created_at=row["created_at"],
        initiated_by=row["initiated_by"],
        payment_state=payment_state,
    )

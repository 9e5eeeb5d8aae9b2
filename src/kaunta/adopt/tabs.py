"""What becomes of a bar's tabs and orders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from kaunta.adopt.amounts import Difference, Why, counts, down, has_cents, nearest
from kaunta.adopt.decisions import Asked, Topic
from kaunta.adopt.old import OldOrder, OldTab
from kaunta.tabs.tables import LABEL

LONGEST_ORDER = 60


@dataclass(frozen=True, slots=True)
class NewTab:
    """A tab as Kaunta will have it; reference and join code are drawn when it is written. `table`: a label."""

    id: UUID
    number: int
    status: str
    table: str | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    overdue_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewOrder:
    id: UUID
    tab_id: UUID
    number: int
    items: list[dict[str, Any]]
    total: int
    status: str
    initiated_by: str
    created_at: datetime
    confirmed_at: datetime | None
    cancelled_at: datetime | None


def adopted_tabs(old: Iterable[OldTab], now: datetime) -> list[NewTab]:
    """Tabs with the numbers they had; those without one are counted on."""
    tabs = list(old)
    taken = {tab.number for tab in tabs if tab.number is not None}
    last = max(taken, default=0)
    found, given = [], set[int]()
    for tab in tabs:
        number = tab.number
        if number is None or number in given:
            last += 1
            number = last
        given.add(number)
        opened_at = tab.opened_at or now
        closed = tab.status == "closed"
        label = tab.table
        found.append(
            NewTab(
                id=tab.id,
                number=number,
                status=tab.status if tab.status in ("overdue", "closed") else "open",
                table=label if label and LABEL.fullmatch(label) else None,
                opened_at=opened_at,
                closed_at=(tab.closed_at or opened_at) if closed else None,
                closed_by=(tab.closed_by or "adopted") if closed else None,
                overdue_at=tab.overdue_at,
            )
        )
    return found


def adopted_orders(
    old: Iterable[OldOrder], bar_id: UUID, asked: Asked, now: datetime
) -> tuple[list[NewOrder], list[Difference]]:
    """Orders in whole shillings, and what the rounding does to balances."""
    found: list[NewOrder] = []
    differences: list[Difference] = []
    numbers: dict[UUID, set[int]] = {}
    for order in old:
        confirmed = order.status == "confirmed"
        whole = shillings(order.total, bar_id, order.id, asked) if counts(order.total) else 0
        was = order.total if confirmed and order.total.is_finite() else Decimal(0)
        if whole <= 0:
            why = Why.CENTS if counts(order.total) and order.total > 0 else Why.NO_AMOUNT
            differences.append(Difference(why, order.id, order.tab_id, -was, "order"))
            continue
        if confirmed and was != whole:
            differences.append(Difference(Why.CENTS, order.id, order.tab_id, whole - was, "order"))
        taken = numbers.setdefault(order.tab_id, set())
        number = order.number if order.number is not None and order.number not in taken else max(taken, default=0) + 1
        taken.add(number)
        created_at = order.created_at or now
        status = order.status if order.status in ("confirmed", "cancelled") else "pending"
        found.append(
            NewOrder(
                id=order.id,
                tab_id=order.tab_id,
                number=number,
                items=lines(order, whole),
                total=whole,
                status=status,
                initiated_by=order.initiated_by if order.initiated_by in ("customer", "staff") else "customer",
                created_at=created_at,
                confirmed_at=(order.confirmed_at or created_at) if status == "confirmed" else None,
                cancelled_at=(order.cancelled_at or created_at) if status == "cancelled" else None,
            )
        )
    return found, differences


def shillings(total: Decimal, bar_id: UUID, case: UUID, asked: Asked) -> int:
    if not has_cents(total):
        return int(total)
    return nearest(total) if asked.ask(Topic.CENTS, bar_id, case) == "nearest" else down(total)


def lines(order: OldOrder, total: int) -> list[dict[str, Any]]:
    """The snapshot of what was ordered. Where the old one cannot be read as such, one line says the whole."""
    items = order.items if isinstance(order.items, list) else []
    if not 1 <= len(items) <= LONGEST_ORDER or not all(isinstance(item, dict) for item in items):
        return [line(order, {"name": "As in the old books", "quantity": 1, "price": total})]
    return [line(order, item) for item in items]


def line(order: OldOrder, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "item_id": str(uuid_in(item.get("product_id") or item.get("bar_product_id") or item.get("id")) or order.id),
        "name": str(item.get("name") or item.get("product_name") or "?")[:80],
        "quantity": max(number_in(item.get("quantity")), 1),
        "price": max(number_in(item.get("price", item.get("unit_price"))), 0),
    }


def number_in(value: Any) -> int:
    try:
        found = Decimal(str(value))
    except ArithmeticError:
        return 0
    return nearest(found) if found.is_finite() and abs(found) < 1_000_000_000 else 0


def uuid_in(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None

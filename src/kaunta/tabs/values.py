"""A tab's values as the pages and the payments see them. Amounts are whole shillings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

TabStatus = Literal["open", "overdue", "closed"]
OrderStatus = Literal["pending", "confirmed", "cancelled"]
PaymentState = Literal["unpaid", "part_paid", "paid"]


@dataclass(frozen=True, slots=True)
class MenuItem:
    id: UUID
    category: str
    name: str
    price: int
    available: bool


@dataclass(frozen=True, slots=True)
class Table:
    id: UUID
    bar_id: UUID
    label: str
    code: str


@dataclass(frozen=True, slots=True)
class OrderLine:
    item_id: UUID
    name: str
    quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class Order:
    """`payment_state` is derived from the tab's ledger, oldest confirmed order first (PAY-2.4)."""

    id: UUID
    number: int
    status: OrderStatus
    lines: tuple[OrderLine, ...]
    total: int
    created_at: datetime
    initiated_by: Literal["customer", "staff"]
    payment_state: PaymentState


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    id: UUID
    kind: str
    method: str | None
    amount: int
    receipt: str | None
    created_at: datetime
    transaction_id: UUID | None


@dataclass(frozen=True, slots=True)
class TabView:
    id: UUID
    ref: str
    bar_id: UUID
    number: int
    status: TabStatus
    table_id: UUID | None
    table_label: str | None
    #: What the table's card says now; a lost card is replaced by one with another code.
    table_code: str | None
    join_code: str
    opened_at: datetime
    ordered: int
    pending_total: int
    paid: int
    orders: tuple[Order, ...]
    entries: tuple[LedgerEntry, ...]

    @property
    def balance(self) -> int:
        """What is still owed; below zero, what was paid too much."""
        return self.ordered - self.paid


@dataclass(frozen=True, slots=True)
class Split:
    """A tab that its guests share between `people`; `total` was free to pay and `ordered` ordered at that moment."""

    people: int
    total: int
    ordered: int


@dataclass(frozen=True, slots=True)
class TabSummary:
    id: UUID
    ref: str
    number: int
    status: TabStatus
    table_label: str | None
    ordered: int
    paid: int
    opened_at: datetime
    pending_orders: int

    @property
    def balance(self) -> int:
        return self.ordered - self.paid


@dataclass(frozen=True, slots=True)
class PendingOrder:
    """An order that waits for staff, with the tab it belongs to."""

    order: Order
    tab_id: UUID
    tab_number: int
    table_label: str | None


def payment_states(totals: Sequence[int], paid: int) -> list[PaymentState]:
    """Each confirmed order's state when `paid` shillings cover them from the oldest on."""
    states: list[PaymentState] = []
    left = max(paid, 0)
    for total in totals:
        states.append("paid" if left >= total else "part_paid" if left > 0 else "unpaid")
        left = max(left - total, 0)
    return states

"""What becomes of a bar's money: attempts with what they came to, the ledger, and the proven receipts.

M-Pesa money is whole: the old product rounded to the shilling before it asked, whatever it stored beside. So a row of
99.50 was 100 at Safaricom, and 100 it is here; only cash and card are a matter of choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from kaunta.adopt.amounts import ZERO, Difference, Why, counts, has_cents, nearest, up
from kaunta.adopt.attempts import Attempt, Money
from kaunta.adopt.decisions import Asked, Topic
from kaunta.adopt.old import WRITE_OFF, OldPayment
from kaunta.adopt.tabs import NewTab

MOST = 2_000_000_000


@dataclass(frozen=True, slots=True)
class NewPayment:
    """An M-Pesa transaction as Kaunta will have it. `opened`: the irregularities a person has to look at."""

    id: UUID
    tab_id: UUID
    environment: str
    amount: int
    status: str
    phone: str | None
    checkout: str | None
    merchant: str | None
    receipt: str | None
    received: int | None
    result_code: str | None
    transacted_at: datetime | None
    started_at: datetime
    settled_at: datetime | None
    irregularities: tuple[str, ...] = ()
    opened: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A row of Kaunta's ledger; `phone`: the payer's, for the proven receipt that a row with a receipt brings along."""

    id: UUID
    tab_id: UUID
    kind: str
    method: str | None
    amount: int
    at: datetime
    environment: str | None = None
    transaction_id: UUID | None = None
    receipt: str | None = None
    reason: str | None = None
    phone: str | None = None
    transacted_at: datetime | None = None


@dataclass(slots=True)
class NewMoney:
    payments: list[NewPayment] = field(default_factory=list)
    entries: list[NewEntry] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Books:
    """What a bar's payments are judged by. `winners`: of a receipt that counts twice, the row that it is counted by."""

    bar_id: UUID
    environment: str
    tabs: Mapping[UUID, NewTab]
    winners: Mapping[str, UUID]
    asked: Asked


def adopted_money(books: Books, money: Money, now: datetime) -> NewMoney:
    """Everything that M-Pesa, cash and card brought in, and each row that does not count as it did."""
    new = NewMoney()
    for attempt in money.attempts:
        adopt_attempt(books, new, attempt)
    for payment in money.direct:
        adopt_direct(books, new, payment)
    for payment in money.other:
        adopt_entry(books, new, payment, now)
    return new


def adopt_attempt(books: Books, new: NewMoney, attempt: Attempt) -> None:
    credit = attempt.credit
    amount = attempt.amount
    counted = amount if attempt.credited and amount.is_finite() else ZERO
    whole = nearest(amount) if counts(amount) else 0
    asked = nearest(attempt.asked) if counts(attempt.asked) else whole
    if not 0 < whole <= MOST or not 0 < asked <= MOST:
        new.differences.append(Difference(Why.NO_AMOUNT, attempt.id, attempt.tab_id, counted, "mpesa"))
        return
    environment = attempt.environment if attempt.environment in ("sandbox", "production") else books.environment
    if not attempt.paid:
        new.payments.append(unpaid(attempt, environment, asked))
        return
    if attempt.receipt and books.winners.get(attempt.receipt, attempt.id) != attempt.id:
        second_credit(books, new, attempt.id, attempt.tab_id, counted, whole, attempt.created_at, attempt.receipt)
        return
    flags, opened = irregular(books, attempt, whole, asked)
    new.payments.append(
        NewPayment(
            id=attempt.id,
            tab_id=attempt.tab_id,
            environment=environment,
            amount=asked,
            status="completed",
            phone=attempt.phone,
            checkout=attempt.checkout,
            merchant=attempt.merchant,
            receipt=attempt.receipt,
            received=whole,
            result_code="0",
            transacted_at=attempt.transacted_at,
            started_at=attempt.created_at,
            settled_at=attempt.ended_at,
            irregularities=flags,
            opened=opened,
        )
    )
    new.entries.append(
        NewEntry(
            id=credit.id if credit is not None else attempt.id,
            tab_id=attempt.tab_id,
            kind="payment",
            method="mpesa",
            amount=whole,
            at=(credit.created_at if credit is not None else None) or attempt.ended_at,
            environment=environment,
            transaction_id=attempt.id,
            receipt=attempt.receipt,
            phone=attempt.phone,
            transacted_at=attempt.transacted_at,
        )
    )
    if not attempt.credited:
        new.differences.append(Difference(Why.NEVER_CREDITED, attempt.id, attempt.tab_id, Decimal(-whole), "mpesa"))
    elif counted != whole:
        new.differences.append(Difference(Why.CENTS, attempt.id, attempt.tab_id, counted - whole, "mpesa"))
    if not attempt.receipt:
        new.differences.append(Difference(Why.NO_RECEIPT, attempt.id, attempt.tab_id, ZERO, "mpesa"))


def irregular(books: Books, attempt: Attempt, whole: int, asked: int) -> tuple[tuple[str, ...], frozenset[str]]:
    """What is unusual about money that counts, and which of it was never before a person."""
    flags, opened = [], set[str]()
    if whole != asked:
        flags.append("underpaid" if whole < asked else "overpaid")
    if not attempt.receipt:
        flags.append("no_receipt")
        if attempt.by_hand:
            flags.append("by_hand")
    if attempt.status in ("failed", "cancelled"):
        flags.append("contradicted")
        opened.add("contradicted")
    elif attempt.status == "timeout":
        flags.append("late")
    if not attempt.credited and books.tabs[attempt.tab_id].status == "closed":
        flags.append("closed_tab")
        opened.add("closed_tab")
    return tuple(flags), frozenset(opened)


def unpaid(attempt: Attempt, environment: str, asked: int) -> NewPayment:
    """An attempt that brought nothing. One that was never answered is `timeout`: it did not fail, nobody knows."""
    ended = attempt.status if attempt.status in ("failed", "cancelled") else "timeout"
    return NewPayment(
        id=attempt.id,
        tab_id=attempt.tab_id,
        environment=environment,
        amount=asked,
        status=ended,
        phone=attempt.phone,
        checkout=attempt.checkout,
        merchant=attempt.merchant,
        receipt=None,
        received=None,
        result_code=str(attempt.result_code) if attempt.result_code is not None else None,
        transacted_at=None,
        started_at=attempt.created_at,
        settled_at=attempt.ended_at if ended != "timeout" else None,
    )


def adopt_direct(books: Books, new: NewMoney, payment: OldPayment) -> None:
    """A receipt that stands in the ledger alone."""
    receipt, at = payment.proof, payment.created_at
    if receipt is None or at is None:
        raise ValueError("a direct payment has a receipt and a time")
    whole = nearest(payment.amount) if counts(payment.amount) else 0
    counted = payment.amount if payment.amount.is_finite() else ZERO
    if not 0 < whole <= MOST:
        new.differences.append(Difference(Why.NO_AMOUNT, payment.id, payment.tab_id, counted, "mpesa"))
        return
    if books.winners.get(receipt, payment.id) != payment.id:
        second_credit(books, new, payment.id, payment.tab_id, counted, whole, at, receipt)
        return
    if counted != whole:
        new.differences.append(Difference(Why.CENTS, payment.id, payment.tab_id, counted - whole, "mpesa"))
    new.entries.append(
        NewEntry(
            id=payment.id,
            tab_id=payment.tab_id,
            kind="payment",
            method="mpesa",
            amount=whole,
            at=at,
            environment=books.environment,
            receipt=receipt,
            phone=payment.phone,
        )
    )


def second_credit(
    books: Books, new: NewMoney, id_: UUID, tab_id: UUID, counted: Decimal, whole: int, at: datetime, receipt: str
) -> None:
    """A receipt counts once. What it was counted for again is owed again, or written off."""
    note = f"receipt counted by {books.winners[receipt]}"
    if books.asked.ask(Topic.RECEIPTS, books.bar_id, id_) == "first" or not counted:
        new.differences.append(Difference(Why.DUPLICATE_RECEIPT, id_, tab_id, counted, note))
        return
    new.differences.append(Difference(Why.DUPLICATE_RECEIPT, id_, tab_id, counted - whole, f"{note}, written off"))
    new.entries.append(NewEntry(id_, tab_id, "write_off", None, whole, at, reason="the receipt was counted before"))


def adopt_entry(books: Books, new: NewMoney, payment: OldPayment, now: datetime) -> None:
    """Cash and card. A write-off stood among them as cash: it was no money and is none here."""
    if not payment.counted:
        return
    counted = payment.amount if payment.amount.is_finite() else ZERO
    whole = 0
    if counts(payment.amount) and abs(payment.amount) <= MOST:
        whole = int(payment.amount)
        if has_cents(payment.amount):
            to_nearest = books.asked.ask(Topic.CENTS, books.bar_id, payment.id) == "nearest"
            whole = nearest(payment.amount) if to_nearest else up(payment.amount)
    if whole == 0:
        why = Why.CENTS if counted else Why.NO_AMOUNT
        new.differences.append(Difference(why, payment.id, payment.tab_id, counted, payment.method))
        return
    if counted != whole:
        new.differences.append(Difference(Why.CENTS, payment.id, payment.tab_id, counted - whole, payment.method))
    at = payment.created_at or now
    if payment.reference == WRITE_OFF and whole > 0:
        entry = NewEntry(
            payment.id, payment.tab_id, "write_off", None, whole, at, reason="written off in the old books"
        )
    elif whole > 0:
        entry = NewEntry(payment.id, payment.tab_id, "payment", payment.method, whole, at)
    else:
        reason = "taken back in the old books"
        entry = NewEntry(payment.id, payment.tab_id, "correction", payment.method, whole, at, reason=reason)
    new.entries.append(entry)


def settled(
    books: Books, tabs: Sequence[NewTab], balances: Mapping[UUID, int], entries: list[NewEntry]
) -> tuple[list[NewTab], list[Difference]]:
    """A closed tab owes nothing here. One that does is written off or opened again, as was decided."""
    found, differences = [], []
    for tab in tabs:
        owed = balances.get(tab.id, 0)
        if tab.status != "closed" or tab.closed_at is None or owed <= 0:
            found.append(tab)
        elif books.asked.ask(Topic.CLOSED, books.bar_id, tab.id) == "write-off":
            found.append(tab)
            reason = "closed in the old books with this owed"
            entries.append(NewEntry(tab.id, tab.id, "write_off", None, owed, tab.closed_at, reason=reason))
            differences.append(Difference(Why.CLOSED_UNPAID, tab.id, tab.id, Decimal(-owed), "written off"))
        else:
            differences.append(Difference(Why.CLOSED_UNPAID, tab.id, tab.id, ZERO, "open again"))
            found.append(
                NewTab(
                    tab.id, tab.number, "overdue", tab.table, tab.opened_at, None, None, tab.overdue_at or tab.closed_at
                )
            )
    return found, differences

"""The old product's M-Pesa money, put together again: it kept one payment in two tables that did not always agree.

A transaction and the ledger row it made are one attempt. A ledger row that is M-Pesa's and has no transaction is an
attempt of its own, where there was more to it than a receipt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from kaunta.adopt.amounts import counts
from kaunta.adopt.old import OldPayment, OldTransaction, receipt_in


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to pay by M-Pesa. `credit`: its row in the old ledger. `asked`: the amount of the push."""

    id: UUID
    tab_id: UUID
    asked: Decimal
    status: str
    phone: str | None
    checkout: str | None
    merchant: str | None
    receipt: str | None
    environment: str | None
    result_code: int | None
    transacted_at: datetime | None
    created_at: datetime
    ended_at: datetime
    credit: OldPayment | None
    by_hand: bool = False

    @property
    def credited(self) -> bool:
        return self.credit is not None and self.credit.counted

    @property
    def paid(self) -> bool:
        return self.credited or self.status in ("completed", "success")

    @property
    def amount(self) -> Decimal:
        """What it brought, where it brought anything: the ledger knows better than the push."""
        return self.credit.amount if self.credit is not None and self.credit.counted else self.asked


@dataclass(frozen=True, slots=True)
class Money:
    """A bar's payments, sorted out: attempts, receipts that stand alone in the ledger, and the rest of the ledger."""

    attempts: Sequence[Attempt]
    direct: Sequence[OldPayment]
    other: Sequence[OldPayment]

    def credits(self) -> Iterable[tuple[str, datetime, UUID]]:
        """Every receipt that money is counted by, with when and of which row."""
        for attempt in self.attempts:
            if attempt.paid and attempt.receipt and counts(attempt.amount):
                yield attempt.receipt, attempt.created_at, attempt.id
        for payment in self.direct:
            if payment.proof and payment.created_at and counts(payment.amount):
                yield payment.proof, payment.created_at, payment.id


def sorted_out(payments: Sequence[OldPayment], transactions: Sequence[OldTransaction], now: datetime) -> Money:
    """Ledger rows beside their transactions, everything in the order in which it happened."""
    free = {payment.id: payment for payment in payments if payment.method == "mpesa"}
    named = {name: payment for payment in reversed(payments) if payment.id in free for name in names_of(payment)}
    attempts = []
    for each in transactions:
        if each.tab_id is None:
            continue
        credit = free.get(each.payment_id) if each.payment_id else None
        for name in (each.checkout, receipt_in(each.receipt)):
            found = named.get((each.tab_id, name)) if credit is None and name else None
            credit = free.get(found.id) if found is not None else credit
        # A link into another tab is none: the ledger row counts where it stands.
        credit = credit if credit is not None and credit.tab_id == each.tab_id else None
        if credit is not None:
            del free[credit.id]
        attempts.append(attempt_of(each, credit, now))
    direct = []
    for payment in payments:
        if payment.id not in free:
            continue
        if payment.counted and payment.proof and payment.checkout is None and payment.created_at:
            direct.append(payment)
        else:
            attempts.append(attempt_in(payment, now))
    return Money(
        attempts=sorted(attempts, key=lambda attempt: (attempt.created_at, attempt.id)),
        direct=direct,
        other=[payment for payment in payments if payment.method != "mpesa"],
    )


def names_of(payment: OldPayment) -> list[tuple[UUID, str]]:
    """What a transaction may know a ledger row by: Safaricom's id for the push, or the receipt."""
    found = [payment.checkout, payment.reference, payment.proof]
    return [(payment.tab_id, name) for name in found if name]


def attempt_of(each: OldTransaction, credit: OldPayment | None, now: datetime) -> Attempt:
    if each.tab_id is None:
        raise ValueError("an attempt has a tab")
    created_at = each.created_at or now
    return Attempt(
        id=each.id,
        tab_id=each.tab_id,
        asked=each.amount,
        status=each.status,
        phone=each.phone,
        checkout=each.checkout,
        merchant=each.merchant,
        receipt=receipt_in(each.receipt) or (credit.proof if credit else None),
        environment=each.environment,
        result_code=each.result_code,
        transacted_at=each.transacted_at,
        created_at=created_at,
        ended_at=max(each.updated_at or created_at, created_at),
        credit=credit,
    )


def attempt_in(payment: OldPayment, now: datetime) -> Attempt:
    """What the third generation kept in the ledger alone, and what somebody entered there by hand."""
    created_at = payment.created_at or now
    return Attempt(
        id=payment.id,
        tab_id=payment.tab_id,
        asked=payment.amount,
        status="completed" if payment.counted else payment.status or "pending",
        phone=payment.phone,
        checkout=payment.checkout,
        merchant=None,
        receipt=payment.proof,
        environment=None,
        result_code=None,
        transacted_at=None,
        created_at=created_at,
        ended_at=created_at,
        credit=payment,
        by_hand=payment.counted and payment.checkout is None,
    )

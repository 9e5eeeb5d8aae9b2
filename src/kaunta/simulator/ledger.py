"""Safaricom's books: every receipt, what each business holds, and the attempts that came to nothing.

Balances are in cents, because the charge of a payment to a till has a fraction of a shilling.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from kaunta.simulator.pushes import BUY_GOODS, Kind, Payment

#: What a business pays for a payment to its till: 0.55 %, nothing up to 200 shillings, 200 shillings at most
#: (merchants' exports: 11.00 on 2,000, 13.75 on 2,500).
FREE_UP_TO, FEE_PER_TEN_THOUSAND, LARGEST_FEE_CENTS = 200, 55, 200_00
#: Movements into a business's account, and out of it.
COMING = (Kind.STK, Kind.TILL)


@dataclass(slots=True)
class Account:
    """What a business holds, in cents. `utility` is where payments arrive (Merchant Account for a till)."""

    utility: int = 0
    working: int = 0
    charges: int = 0
    settlement: int = 0
    till: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A payment that M-Pesa refused after it had a receipt: a row of the statement that moved nothing."""

    receipt: str
    amount: int
    phone: str
    shortcode: str
    payee: str
    reference: str
    at: datetime
    transaction_type: str
    reason: str


@dataclass(slots=True)
class Ledger:
    """The receipts, oldest first; at most `keep` of them are remembered, the balances always."""

    keep: int
    receipts: OrderedDict[str, Payment] = field(default_factory=OrderedDict)
    reversals: dict[str, list[Payment]] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    failed: deque[Failed] = field(default_factory=deque)

    def __iter__(self) -> Iterator[Payment]:
        return iter(self.receipts.values())

    def __len__(self) -> int:
        return len(self.receipts)

    def __getitem__(self, index: int) -> Payment:
        return list(self.receipts.values())[index]

    def find(self, receipt: str) -> Payment | None:
        return self.receipts.get(receipt)

    def reversed_by(self, receipt: str) -> list[str]:
        """The receipts that gave (part of) this one back."""
        return [each.receipt for each in self.reversals.get(receipt, ())]

    def reversed_amount(self, receipt: str) -> int:
        return sum(each.amount for each in self.reversals.get(receipt, ()))

    def account(self, shortcode: str) -> Account:
        return self.accounts.setdefault(shortcode, Account())

    def add(self, payment: Payment) -> None:
        """Books a movement: the business's account changes with it."""
        self.receipts[payment.receipt] = payment
        account, cents = self.account(payment.shortcode), payment.amount * 100
        if payment.kind in COMING:
            account.till = account.till or payment.transaction_type == BUY_GOODS
            account.utility += cents - payment.fee_cents
            account.charges -= payment.fee_cents
        else:
            account.utility -= cents
            if payment.kind is Kind.WITHDRAWAL:
                account.settlement += cents
        if payment.reverses is not None:
            self.reversals.setdefault(payment.reverses, []).append(payment)
        if len(self.receipts) > self.keep:
            forgotten, _ = self.receipts.popitem(last=False)
            self.reversals.pop(forgotten, None)

    def refuse(self, failed: Failed) -> None:
        self.failed.append(failed)
        if len(self.failed) > self.keep:
            self.failed.popleft()


def fee_cents(amount: int, transaction_type: str) -> int:
    """What the business is charged for a payment of `amount` shillings. A paybill's tariff here: the customer pays."""
    if transaction_type != BUY_GOODS or amount <= FREE_UP_TO:
        return 0
    return min(amount * 100 * FEE_PER_TEN_THOUSAND // 10_000, LARGEST_FEE_CENTS)

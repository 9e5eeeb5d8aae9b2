"""Numeric(10,2) becomes whole shillings, and nothing of the difference is lost from sight."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from enum import StrEnum
from uuid import UUID

ZERO = Decimal(0)
ONE = Decimal(1)


class Why(StrEnum):
    """Why a balance, or what is kept, differs from the old books."""

    CENTS = "cents"
    NEVER_CREDITED = "never_credited"
    DUPLICATE_RECEIPT = "duplicate_receipt"
    CLOSED_UNPAID = "closed_unpaid"
    NO_AMOUNT = "no_amount"
    NO_TAB = "no_tab"
    NO_RECEIPT = "no_receipt"
    OLD_VIEW = "old_view"


SENTENCES = {
    Why.CENTS: "cents rounded to whole shillings",
    Why.NEVER_CREDITED: "M-Pesa payments that were completed and never credited to their tab, credited now",
    Why.DUPLICATE_RECEIPT: "further credits of a receipt that counts once",
    Why.CLOSED_UNPAID: "tabs that were closed although something was owed",
    Why.NO_AMOUNT: "rows whose amount is zero or no number: left in the old tables",
    Why.NO_TAB: "payments that lead to no tab: left in the old tables",
    Why.NO_RECEIPT: "M-Pesa money in the books without a receipt: taken over, flagged",
    Why.OLD_VIEW: "tabs whose balance the old view counted wrongly (it multiplied orders with payments)",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not exactly as it was. `effect`: by how much it moves its tab's balance, in shillings."""

    why: Why
    subject: UUID
    tab_id: UUID | None
    effect: Decimal
    note: str = ""


def has_cents(amount: Decimal) -> bool:
    return amount != amount.to_integral_value()


def nearest(amount: Decimal) -> int:
    """Half upwards, as the old product's own rounding did before it asked Safaricom."""
    return int(amount.quantize(ONE, ROUND_HALF_UP))


def up(amount: Decimal) -> int:
    return int(amount.quantize(ONE, ROUND_UP))


def down(amount: Decimal) -> int:
    return int(amount.quantize(ONE, ROUND_DOWN))


def counts(amount: Decimal | None) -> bool:
    """Whether a stored amount is a number other than zero: numeric holds NaN as well, and the old form let it in."""
    return amount is not None and amount.is_finite() and amount != 0

"""What a statement says, line by line. Amounts are cents here, and only here: Safaricom's charges have a fraction."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kaunta.core.errors import KauntaError


class Layout(StrEnum):
    """The two published layouts (daraja.md §6)."""

    ORGANISATION = "organisation"
    PORTAL = "portal"


class Kind(StrEnum):
    """What a line is. `other` moves money between the business's own accounts, or none."""

    PAYMENT = "payment"
    FEE = "fee"
    REVERSAL = "reversal"
    WITHDRAWAL = "withdrawal"
    OTHER = "other"
    #: Any line that did not complete.
    FAILED = "failed"


class StatementRefused(KauntaError):
    """This file is not a whole M-Pesa statement of this bar. Nothing of it was imported."""

    status = 422
    code = "statement_refused"

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(f"Row {row}: {reason}" if row else reason, row=row, reason=reason)
        self.reason = reason
        self.row = row


@dataclass(frozen=True, slots=True, repr=False)
class Party:
    """Who paid, as far as Safaricom shows it: the number mostly masked. Personal data."""

    phone: str = ""
    name: str = ""
    #: What the payer typed as the account, or our own reference.
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row. `row` is its number in the file, `label` its kind in Safaricom's words, without who and what for."""

    row: int
    receipt: str
    at: datetime
    kind: Kind
    label: str
    #: Exactly one is above zero, or neither.
    paid_in: int
    withdrawn: int
    #: The receipt a reversal takes back, where the row says it.
    linked: str | None
    party: Party = field(repr=False, default_factory=Party)

    @property
    def direction(self) -> str:
        return "out" if self.withdrawn else "in"

    @property
    def cents(self) -> int:
        return self.withdrawn or self.paid_in


@dataclass(slots=True)
class Head:
    """What a file says about itself around its rows; filled while it is read."""

    layout: Layout
    shortcode: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    #: Sums the file states, cents.
    total_in: int | None = None
    total_out: int | None = None

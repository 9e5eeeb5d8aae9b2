"""The words of the decision: what a payment is, what can be said about it, what can be decided.

Values only, on the standard library; `states.py` is what they mean together.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: Silence this long after the push makes an open payment `timeout` (PAY-6.4). It may still become paid.
SILENCE_SECONDS = 300.0
#: A query's lone "0" is believed when another agrees at least this much later (rulings 5).
AGREEMENT_SECONDS = 20.0
#: A person may say "not paid" no sooner than this after the push.
RESOLVE_SECONDS = 600.0


class Status(StrEnum):
    """The seeds' six. `timeout` is "we do not know yet", never "failed"."""

    PENDING = "pending"
    SENT = "sent"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


OPEN = frozenset({Status.PENDING, Status.SENT})
UNPAID = frozenset({Status.FAILED, Status.CANCELLED})


class Irregularity(StrEnum):
    """The second axis: what is unusual about a payment. A set that only grows."""

    LATE = "late"
    UNDERPAID = "underpaid"
    OVERPAID = "overpaid"
    DUPLICATE = "duplicate"
    CONTRADICTED = "contradicted"
    CLOSED_TAB = "closed_tab"
    NO_RECEIPT = "no_receipt"
    NO_AMOUNT = "no_amount"
    #: A person decided it, with evidence, because Safaricom would not say.
    BY_HAND = "by_hand"


class Source(StrEnum):
    """Who says so: a message that proved itself, or our own question's answer."""

    CALLBACK = "callback"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Payment:
    """What the decision needs to know. Amounts are whole shillings."""

    status: Status
    amount: int
    push_started_at: datetime
    sent_at: datetime | None = None
    received: int | None = None
    receipt: str | None = None
    #: Every receipt credited for this payment: the first and, where Safaricom took twice, the others.
    receipts: frozenset[str] = frozenset()
    callback_success_at: datetime | None = None
    query_success_at: datetime | None = None
    unproven_code: str | None = None
    irregularities: frozenset[Irregularity] = frozenset()
    tab_closed: bool = False

    @property
    def waiting_since(self) -> datetime:
        return self.sent_at or self.push_started_at

    @property
    def said_paid(self) -> bool:
        """Somebody already said 0 without a receipt: no failure is believed against that."""
        return self.callback_success_at is not None or self.query_success_at is not None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Daraja accepted the push and named it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The push surely did not go out: refused with an error body, or failed before a byte of it left."""

    reason: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A success with its receipt: proven. `amount` is what Safaricom took, None where the message lacks it."""

    receipt: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class SaidPaid:
    """Result 0 without a receipt, by callback or by query."""

    source: Source
    at: datetime
    agreement: timedelta = timedelta(seconds=AGREEMENT_SECONDS)


@dataclass(frozen=True, slots=True)
class Declined:
    """A final failure, or the customer's cancel."""

    code: str
    source: Source
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Unproven:
    """A failure that may yet be a success (1037 and kin): ask, and believe it when the answer is the same."""

    code: str
    source: Source


@dataclass(frozen=True, slots=True)
class Undecided:
    """Still pending, or a code nobody knows."""

    code: str
    source: Source


@dataclass(frozen=True, slots=True)
class Silence:
    """The clock looked at an open payment; at `timeout_at` or later it is `timeout`."""

    at: datetime
    patience: timedelta = timedelta(seconds=SILENCE_SECONDS)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A person says how an unknown payment ended. Later truth may still contradict them."""

    paid: bool
    at: datetime
    #: "Not paid" is nobody's to say before this much time has passed since the push.
    patience: timedelta = timedelta(seconds=RESOLVE_SECONDS)
    #: What the proven receipt they named says was paid; None where they only saw it.
    amount: int | None = None


Event = Accepted | Refused | Paid | SaidPaid | Declined | Unproven | Undecided | Silence | Resolved


class Check(StrEnum):
    """When Daraja is asked next."""

    KEEP = "keep"
    STOP = "stop"
    NOW = "now"
    #: The first look after the prompt went out.
    FIRST = "first"
    #: The second look that a lone "0" of the query needs.
    AGREE = "agree"


@dataclass(frozen=True, slots=True)
class Credit:
    """One ledger row of kind `payment`: the tab is credited `amount`, proven by `receipt` or by two agreeing words."""

    amount: int
    receipt: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Write this. `status` may be the old one where only knowledge grows."""

    status: Status
    reason: str
    irregularities: frozenset[Irregularity] = frozenset()
    credit: Credit | None = None
    #: The receipt of a credit booked before its receipt was known, and by how much the booked amount was wrong.
    fill_receipt: str | None = None
    correction: int = 0
    callback_success_at: datetime | None = None
    query_success_at: datetime | None = None
    unproven_code: str | None = None
    check: Check = Check.KEEP
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The state stays; what was said does not fit it, and a person must know."""

    reason: str
    irregularities: frozenset[Irregularity] = frozenset()
    check: Check = Check.KEEP
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """We knew, or it is not time yet."""

    reason: str


Decision = Change | Anomaly | Nothing

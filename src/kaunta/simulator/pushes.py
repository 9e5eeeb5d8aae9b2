"""A push Safaricom has taken on, and everything that came of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kaunta.simulator.agenda import Errand
from kaunta.simulator.scenarios import Scenario


@dataclass(frozen=True, slots=True)
class Wanted:
    """A push request that passed the checks. Shillings; phones as 12 digits."""

    shortcode: str
    transaction_type: str
    amount: int
    party_a: str
    party_b: str
    phone: str
    callback_url: str
    reference: str
    description: str


class Kind(StrEnum):
    """How money moved."""

    STK = "stk"
    TILL = "till"  # the customer paid the till or paybill from the phone's own menu
    REVERSAL = "reversal"  # the business gave it back, by the API
    CUSTOMER_REVERSAL = "customer_reversal"  # the customer had it taken back, by forwarding the SMS to 456
    WITHDRAWAL = "withdrawal"  # the business moved it out


PAYBILL, BUY_GOODS = "CustomerPayBillOnline", "CustomerBuyGoodsOnline"


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that moved: the simulator's own truth. Shillings, the fee in cents.

    `checkout_id` is None for money that no push asked for; `shortcode` is the business, `payee` what the customer paid
    to (its till, where it has one); `reverses` names the receipt that is given back.
    """

    receipt: str
    amount: int
    phone: str
    shortcode: str
    reference: str
    at: datetime
    kind: Kind
    checkout_id: str | None = None
    payee: str = ""
    transaction_type: str = PAYBILL
    reverses: str | None = None
    fee_cents: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery of a callback: the merchant's HTTP status, or why there was none."""

    at: datetime
    status: int | None
    problem: str | None = None


@dataclass(slots=True)
class Message:
    """A message to a merchant that left, or tried to. `checkout_id`: what it is about, and its lane of the agenda."""

    id: str
    checkout_id: str
    url: str
    headers: dict[str, str]
    body: bytes
    attempts: list[Attempt] = field(default_factory=list)
    kind: str = "stk"
    phone: str = ""


@dataclass(slots=True)
class Push:
    """One push and its fate. `result` is None until the customer has answered or the prompt has lapsed."""

    checkout_id: str
    merchant_id: str
    wanted: Wanted
    scenario: Scenario
    sent_at: datetime
    result: str | None = None
    decided_at: datetime | None = None
    ringing: bool = False
    queries: int = 0
    payments: list[Payment] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    outcome: Errand | None = None

    @property
    def receipt(self) -> str | None:
        return self.payments[0].receipt if self.payments else None

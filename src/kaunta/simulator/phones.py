"""The customers' phones: which prompts they show and which messages they have received."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime

from kaunta.simulator.clock import EAT
from kaunta.simulator.news import News
from kaunta.simulator.pushes import BUY_GOODS, Kind, Payment, Push

#: The PIN that is wrong on every simulated phone; any other four digits are right.
WRONG_PIN = "0000"
INBOX = 30


@dataclass(frozen=True, slots=True)
class Sms:
    """A text from M-PESA."""

    at: datetime
    text: str


@dataclass(slots=True)
class Phone:
    """One phone. `version` grows with every visible change, so that a page knows when to draw itself again."""

    number: str
    prompts: dict[str, Push] = field(default_factory=dict)
    inbox: deque[Sms] = field(default_factory=lambda: deque(maxlen=INBOX))
    version: int = 0
    news: News = field(default_factory=News)

    def ring(self, push: Push) -> None:
        push.ringing = True
        self.prompts[push.checkout_id] = push
        self.change()

    def silence(self, push: Push) -> None:
        """The prompt disappears."""
        push.ringing = False
        if self.prompts.pop(push.checkout_id, None) is not None:
            self.change()

    def receive(self, at: datetime, text: str) -> None:
        self.inbox.appendleft(Sms(at, text))
        self.change()

    def change(self) -> None:
        self.version += 1
        self.news.tell()


class Phones:
    """All phones that something has happened to, the longest untouched forgotten first."""

    def __init__(self, keep: int, news: News | None = None) -> None:
        self.keep = keep
        self.news = news or News()
        self.known: OrderedDict[str, Phone] = OrderedDict()

    def phone(self, number: str) -> Phone:
        """The phone of a number, which exists from the moment somebody calls it."""
        phone = self.known.get(number)
        if phone is None:
            phone = self.known[number] = Phone(number, news=self.news)
            if len(self.known) > self.keep:
                self.known.popitem(last=False)
        else:
            self.known.move_to_end(number)
        return phone

    def seen(self, number: str) -> Phone:
        """The phone of a number, without remembering one that nothing happened to."""
        return self.known.get(number) or Phone(number)

    def recent(self, limit: int = 12) -> list[str]:
        return list(reversed(self.known))[:limit]


def receipt_sms(payment: Payment, business: str) -> str:
    """The text a customer gets for a payment; a paybill names the account, a till does not."""
    local = payment.at.astimezone(EAT)
    when = f"{local.day}/{local.month}/{local:%y} at {local:%I:%M %p}".replace(" at 0", " at ")
    money = f"Ksh{payment.amount:,}.00"
    if payment.kind in (Kind.REVERSAL, Kind.CUSTOMER_REVERSAL):
        given_back = f"Transaction {payment.reverses} of {business} has been reversed on {when}"
        return f"{payment.receipt} Confirmed. {given_back}, and {money} is credited to your M-PESA account."
    if payment.transaction_type == BUY_GOODS or not payment.reference:
        return f"{payment.receipt} Confirmed. {money} paid to {business} on {when}."
    return f"{payment.receipt} Confirmed. {money} sent to {business} for account {payment.reference} on {when}."


#: What the phone says to the outcomes that send a text.
FAILURE_SMS = {
    "1": "Failed. You do not have enough money in your M-PESA account to complete this payment.",
    "2001": "Failed. You have entered a wrong PIN. Please try again.",
    "1032": "You have cancelled the payment request.",
    "1031": "You have cancelled the payment request.",
    "8006": "Failed. Your PIN is locked. Please call customer care.",
    "4": "Failed. This payment would exceed your daily limit.",
}

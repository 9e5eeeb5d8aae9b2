"""The customers as M-Pesa knows them: name, PIN, balance, what they have spent today."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date, datetime

from kaunta.simulator.clock import EAT, SimulatedTime
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.phones import WRONG_PIN

#: PIN entries in a row that may be wrong before the PIN is locked.
TRIES = 3
#: Seconds within which the same amount from the same customer is code 17.
REPEAT_SECONDS = 120.0
#: Names for numbers nobody has named. Invented, and the same for a number every time.
FIRST = ("JANE", "PETER", "AMINA", "BRIAN", "GRACE", "KEVIN", "MERCY", "OTIENO", "WANJIRU", "HASSAN")
LAST = ("WAMBUI", "MWANGI", "ODHIAMBO", "KIPKORIR", "ACHIENG", "MUTUA", "NJOROGE", "CHEBET", "ABDI", "ONYANGO")


@dataclass(slots=True)
class Subscriber:
    """One customer. `balance` in shillings, None: enough for anything; `pin` None: any but 0000 is right."""

    number: str
    first_name: str
    middle_name: str
    last_name: str
    balance: int | None = None
    pin: str | None = None
    wrong_pins: int = 0
    pin_locked: bool = False
    active: bool = True
    day: date | None = None
    spent: int = 0
    #: Amounts paid lately, and until when the same amount counts as a repetition.
    recent: dict[int, datetime] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.middle_name, self.last_name) if part)

    def right_pin(self, pin: str) -> bool:
        """Whether this is the PIN; the third wrong one in a row locks it."""
        right = pin == self.pin if self.pin is not None else pin != WRONG_PIN
        self.wrong_pins = 0 if right else self.wrong_pins + 1
        self.pin_locked = self.pin_locked or self.wrong_pins >= TRIES
        return right

    def spent_on(self, day: date) -> int:
        return self.spent if self.day == day else 0

    def pay(self, amount: int, now: datetime, repeat_until: datetime) -> None:
        day = now.astimezone(EAT).date()
        self.day, self.spent = day, self.spent_on(day) + amount
        if self.balance is not None:
            self.balance -= amount
        self.recent = {paid: until for paid, until in self.recent.items() if until > now} | {amount: repeat_until}

    def get_back(self, amount: int) -> None:
        if self.balance is not None:
            self.balance += amount


class Subscribers:
    """All customers something has happened to, the longest untouched forgotten first."""

    def __init__(self, options: SimulatorOptions, clock: SimulatedTime) -> None:
        self.options = options
        self.clock = clock
        self.known: OrderedDict[str, Subscriber] = OrderedDict()

    def of(self, number: str) -> Subscriber:
        found = self.known.get(number)
        if found is None:
            found = self.known[number] = named(number, self.options.subscriber_balance)
            if len(self.known) > self.options.keep:
                self.known.popitem(last=False)
        else:
            self.known.move_to_end(number)
        return found

    def before_ringing(self, number: str, amount: int) -> str | None:
        """The code of a push that fails before the phone rings: line, PIN, or the same amount just paid."""
        customer = self.of(number)
        if not customer.active:
            return "11"
        if customer.pin_locked:
            return "8006"
        until = customer.recent.get(amount)
        if self.options.refuses_repeats and until is not None and self.clock.now() < until:
            return "17"
        return None

    def before_paying(self, number: str, amount: int) -> str | None:
        """The code of a payment that fails although the PIN was right."""
        customer = self.of(number)
        if customer.spent_on(self.today()) + amount > self.options.daily_limit:
            return "4"
        if customer.balance is not None and customer.balance < amount:
            return "1"
        return None

    def today(self) -> date:
        return self.clock.now().astimezone(EAT).date()

    def pay(self, number: str, amount: int) -> None:
        self.of(number).pay(amount, self.clock.now(), self.clock.later(REPEAT_SECONDS))


def named(number: str, balance: int | None) -> Subscriber:
    index = int(number[-6:])
    return Subscriber(number, FIRST[index % len(FIRST)], "", LAST[index // 10 % len(LAST)], balance)

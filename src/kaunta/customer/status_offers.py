"""What a guest can do next on a payment's page: which buttons there are, and which of them comes first.

The sentence above them is the result's (ux.md §1.6); this is its "Retry" column. A way that would be refused is not
offered, and where trying again has come to nothing, the till moves to the top.
"""

from dataclasses import dataclass
from typing import Literal

from kaunta.bars.values import PaymentMethods
from kaunta.customer.words import N_
from kaunta.daraja.words import ResultClass
from kaunta.payments.terms import FRUITLESS
from kaunta.payments.views import PaymentView

Way = Literal["again", "change", "till", "counter"]

#: What the button to the pay form says, by class; M-Pesa would refuse the same again for the first two.
CHANGE = {
    ResultClass.NO_MONEY: N_("Pay a part, or use another number"),
    ResultClass.LIMIT: N_("Pay a smaller part, or use another number"),
    ResultClass.PIN_LOCKED: N_("Use another number"),
}
CHANGE_ANYTHING = N_("Change number or amount")
#: So often the phone did not answer, or the PIN was wrong: the till first, or a word about the lock.
REPEATED = 2


@dataclass(frozen=True, slots=True)
class Offers:
    """`ways` in their order, the first is the main button. `change` names its button. `lock`: say that wrong PINs
    lock M-Pesa, and how to unlock it. `number`: where to pay by hand, and whether that is a till."""

    ways: tuple[Way, ...]
    change: str
    lock: bool
    number: str | None
    paybill: bool

    def __contains__(self, way: Way) -> bool:
        return way in self.ways


def offers(p: PaymentView, methods: PaymentMethods | None, *, refused: bool = False) -> Offers:
    """What the page of a payment that is not paid offers. `refused`: trying again was just turned down."""
    klass = p.meaning.klass
    number = (methods.till_number or methods.paybill) if methods else None
    mpesa = methods is not None and methods.mpesa
    paybill = number is not None and methods is not None and methods.till_number is None
    lock = klass is ResultClass.WRONG_PIN and p.alike >= REPEATED
    if p.tab_balance <= 0 or p.tab_status == "closed":
        return Offers((), CHANGE_ANYTHING, lock, number, paybill)
    ways: list[Way] = []
    if mpesa and p.retryable and not refused:
        ways.append("again")
    if mpesa and klass is not ResultClass.OUR_FAULT:
        ways.append("change")
    if number is not None:
        till_first = not ways or tired_of(p, refused=refused)
        ways.insert(0 if till_first else len(ways), "till")
    ways.append("counter")
    return Offers(tuple(ways), CHANGE.get(klass, CHANGE_ANYTHING), lock, number, paybill)


def tired_of(p: PaymentView, *, refused: bool) -> bool:
    """Whether another prompt is the worse way by now."""
    silent = p.meaning.klass is ResultClass.NO_ANSWER and p.alike >= REPEATED
    return refused or silent or p.tried >= FRUITLESS

"""What becomes of a push, as data: how the request is answered, what happens on the phone, which callbacks leave, what
a query hears. Every scenario is a combination of the same few fields, so a test writes one where the catalogue has
none: `replace(CATALOGUE["paid"], delay=90, callbacks=())`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum


class UnknownScenario(ValueError):
    """There is no scenario of this name, or it has no such field."""


class Body(StrEnum):
    """What a callback's body looks like."""

    NORMAL = "normal"
    GARBAGE = "garbage"  # bytes that are not JSON
    EMPTY = "empty"
    NO_METADATA = "no_metadata"  # a success without CallbackMetadata
    EMPTY_ITEMS = "empty_items"  # a success whose Item list is empty


class Receipt(StrEnum):
    """Which receipt a success callback carries."""

    OWN = "own"
    NONE = "none"  # the item is left out
    SECOND = "second"  # another one: Safaricom took the money twice


class Balance(StrEnum):
    """The Balance item, which production sends without a Value."""

    NO_VALUE = "no_value"
    ABSENT = "absent"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Callback:
    """One message to CallBackURL, `after` seconds from the outcome; `copies` of it leave at the same moment."""

    after: float = 0.0
    #: None: the push's own outcome.
    result: str | None = None
    text: str | None = None
    copies: int = 1
    body: Body = Body.NORMAL
    receipt: Receipt = Receipt.OWN
    balance: Balance = Balance.NO_VALUE
    #: What the message says beside what was taken, in shillings.
    amount_off_by: int = 0
    #: As newer traffic shows it: 0722000*** in place of the number.
    masked_phone: bool = False
    #: Bytes of an item nobody asked for.
    padding: int = 0
    #: Bytes of the whole body, which such an item fills up to them; 0: as long as it comes.
    size: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """What STK queries hear. Each answer is a result code or the name of a reply (replies.py)."""

    #: The first answers, whatever is true.
    first: tuple[str, ...] = ()
    #: While the customer has not answered: "4999", or "processing" for the older 500.001.1001.
    pending: str = "4999"
    #: After the outcome; None: the outcome.
    final: str | None = None
    #: Pending for ever.
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way a push can go. Seconds are policy seconds."""

    name: str
    says: str
    #: Does Safaricom take the push on? If not, `answer` is all that happens.
    accepts: bool = True
    #: "ack", or the name of a reply (replies.py), among them "reset" and "hang".
    answer: str = "ack"
    answer_after: float = 0.0
    #: The outcome and its callbacks come before the push is answered.
    callbacks_first: bool = False
    #: The result code, or None: whoever holds the phone decides.
    result: str | None = "0"
    #: Seconds from the push to the outcome.
    delay: float = 4.0
    #: Does the phone show a prompt?
    rings: bool = True
    #: Shillings the customer is charged beside what was asked.
    amount_off_by: int = 0
    callbacks: tuple[Callback, ...] = (Callback(),)
    #: Seconds from the outcome to the C2B confirmation, where URLs are registered; None: it is lost.
    confirms_after: float | None = 1.0
    query: Query = field(default_factory=Query)

    def taken(self, amount: int) -> int:
        """What the customer is charged for a push of `amount`; never less than a shilling."""
        off = self.amount_off_by
        return amount + off if amount + off >= 1 else amount - off


def altered(scenario: Scenario, changes: Mapping[str, object]) -> Scenario:
    """The scenario with fields changed as JSON says them; `callbacks` and `query` may be partial objects."""
    known = {f.name for f in fields(Scenario)}
    unknown = set(changes) - known
    if unknown:
        raise UnknownScenario(f"a scenario has no {', '.join(sorted(unknown))}")
    given = dict(changes)
    if "result" in given and given["result"] is not None:
        given["result"] = str(given["result"])
    for name in ("delay", "answer_after"):
        if name in given and (not isinstance(given[name], int | float) or isinstance(given[name], bool)):
            raise UnknownScenario(f"{name} is a number of seconds")
    try:
        if "callbacks" in given:
            given["callbacks"] = tuple(callback_from(each) for each in given["callbacks"])  # type: ignore[attr-defined]
        if "query" in given:
            query = dict(given["query"])  # type: ignore[call-overload]
            query["first"] = tuple(str(each) for each in query.get("first", scenario.query.first))
            given["query"] = replace(scenario.query, **query)
        return replace(scenario, **given)  # type: ignore[arg-type]
    except (TypeError, ValueError) as problem:
        raise UnknownScenario(f"this scenario cannot be built: {problem}") from None


def callback_from(said: Mapping[str, object]) -> Callback:
    given = dict(said)
    for name, kind in (("body", Body), ("receipt", Receipt), ("balance", Balance)):
        if name in given:
            given[name] = kind(str(given[name]))
    if given.get("result") is not None:
        given["result"] = str(given["result"])
    return Callback(**given)  # type: ignore[arg-type]

"""The verbs of a script's steps, as one table: what each does, what it takes, how it is read.

The reference page of the scripts is made from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kaunta.simulator import scripts_steps
from kaunta.simulator.scripts_playing import Deed
from kaunta.simulator.scripts_reading import Written


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing a step can do. `fields`: what it takes, and what that means."""

    says: str
    fields: Mapping[str, str]
    read: Callable[[Written], Deed]


PHONE_FIELD = "12 digits"
VERBS: dict[str, Verb] = {
    "scenario": Verb(
        "the next push goes this way (a name, or a mapping)",
        {
            "name": "of the catalogue",
            "phone": "only pushes to this phone",
            "times": "how many pushes, 1 unless said",
            "with": "fields of the scenario to change: delay, callbacks, query …",
        },
        scripts_steps.scenario,
    ),
    "fault": Verb(
        "requests to an API meet an error, or wait",
        {
            "api": "any unless said",
            "reply": "the name of a reply",
            "times": "1 unless said; null until cleared",
            "latency": "seconds",
        },
        scripts_steps.fault,
    ),
    "expire_tokens": Verb("every access token given so far ends (true)", {}, scripts_steps.expire_tokens),
    "refuse": Verb("nobody listens on the port for so many seconds", {}, scripts_steps.refuse),
    "answer": Verb(
        "somebody answers the prompt on a phone",
        {"phone": PHONE_FIELD, "result": "0 pays, 1032 cancels, any other code", "pin": "or: this PIN is entered"},
        scripts_steps.answer,
    ),
    "pay_till": Verb(
        "a customer pays a till or paybill directly",
        {"till": "or paybill", "phone": PHONE_FIELD, "amount": "whole shillings", "reference": "a paybill's account"},
        scripts_steps.pay_till,
    ),
    "take_back": Verb(
        "a customer forwards the latest receipt to 456 and gets the money back; the merchant is not told",
        {"phone": PHONE_FIELD, "amount": "all that is left unless said"},
        scripts_steps.take_back,
    ),
    "withdraw": Verb(
        "a business moves money to its bank",
        {"shortcode": "5 to 7 digits", "amount": "whole shillings"},
        scripts_steps.withdraw,
    ),
    "rule": Verb(
        "callbacks are dropped, delayed, duplicated, altered or held",
        {
            "action": "drop, delay, duplicate, alter, hold",
            "kind": "stk, confirmation, validation, status, reversal, balance",
            "phone": "only this customer's",
            "url_contains": "only to such addresses",
            "times": "1 unless said; null until cleared",
            "seconds": "of a delay",
            "copies": "of a duplicate",
            "changes": "of an alteration: dotted path to value, null takes out",
            "raw": "of an alteration: the whole body",
        },
        scripts_steps.rule,
    ),
    "rates": Verb("from now such shares of all pushes go such ways (scenario: share of 1)", {}, scripts_steps.rates),
    "customer": Verb(
        "what M-Pesa knows of a customer",
        {
            "phone": PHONE_FIELD,
            "balance": "shillings; null is enough for anything",
            "pin": "the only right one",
            "active": "true or false",
            "unlock": "true: the PIN is not locked any more",
        },
        scripts_steps.customer,
    ),
    "speed": Verb("so many seconds pass in a real one from now", {}, scripts_steps.speed),
    "clear": Verb(f"forgets what was queued (a list of {', '.join(scripts_steps.CLEARED)})", {}, scripts_steps.clear),
}

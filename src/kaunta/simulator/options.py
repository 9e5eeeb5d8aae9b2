"""How a simulator is set up: plain data, so that a test, the demo and the command line say it the same way."""

from collections.abc import Mapping
from dataclasses import dataclass, field


class RefusedInProduction(RuntimeError):
    """The simulator invents payments, so it does not run where KAUNTA_MODE is production."""


@dataclass(frozen=True, slots=True)
class Shortcode:
    """A business Safaricom knows. With `till`, pushes must be CustomerBuyGoodsOnline to that till (PartyB)."""

    number: str
    passkey: str | None = field(default=None, repr=False)
    till: str | None = None
    name: str | None = None
    #: Whether Safaricom asks the merchant before it takes a customer's direct payment; off unless asked for by e-mail.
    validates: bool = False


@dataclass(frozen=True, slots=True)
class Initiator:
    """An operator of the businesses, who may ask for status, reversal and balance.

    `password` None: any credential is right. `roles`: of status, reversal, balance.
    """

    name: str
    password: str | None = field(default=None, repr=False)
    roles: frozenset[str] = frozenset({"status", "reversal", "balance"})
    locked: bool = False


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Everything that can be chosen. Seconds are seconds of policy: `clock_factor` of them pass in a real one."""

    #: What happens to a push nobody queued a scenario for and whose phone number means nothing special:
    #: approve, cancel, ignore, person, or the name of any scenario.
    auto: str = "approve"
    #: Seconds from an automatic push to its outcome; None leaves each scenario its own.
    delay: float | None = None
    #: Refuse what production refuses: see checks.py.
    strict: bool = False
    clock_factor: float = 1.0
    prompt_life: float = 60.0
    token_life: float = 3600.0
    callback_retries: int = 0
    callback_retry_after: float = 60.0
    #: Real seconds a callback may take before the merchant counts as not answering.
    callback_timeout: float = 10.0
    #: Key to secret. None: any pair is a good one.
    credentials: Mapping[str, str] | None = field(default=None, repr=False)
    #: The businesses there are. Empty: any shortcode exists, and any passkey fits it.
    shortcodes: tuple[Shortcode, ...] = ()
    business_name: str = "KAUNTA DEMO"
    max_amount: int = 250_000
    #: Refuse a push to a phone that still shows a prompt; None: as in production when `strict`.
    subscriber_lock: bool | None = None
    #: STK queries a minute before the gateway's 429; None: no limit. Daraja's sandbox allows five.
    queries_per_minute: int | None = None
    #: Real seconds a validation may take before the registration's ResponseType decides.
    validation_timeout: float = 8.0
    #: How C2B notices name the customer: masked, hashed or plain; None: as the registered version does.
    c2b_msisdn: str | None = None
    #: Seconds from the acknowledgement of a status, reversal or balance call to its result.
    result_delay: float = 5.0
    #: Who may ask for these; empty: anybody, with any credential.
    initiators: tuple[Initiator, ...] = ()
    #: Whether the app is subscribed to Pull; Daraja's sandbox apps usually are not.
    pull_subscribed: bool = True
    #: Rows of one answer of Pull; OffSetValue asks for those after it.
    pull_page: int = 1_000
    #: What every customer has at first, shillings; None: enough for anything.
    subscriber_balance: int | None = None
    #: Shillings a customer may pay in a day.
    daily_limit: int = 500_000
    #: The most a business may hold, shillings (code 8); None: anything.
    business_limit: int | None = None
    #: Code 17 for the same amount from the same customer within two minutes; None: as in production when `strict`.
    rule_limited: bool | None = None
    #: How many pushes (and payments, messages, tokens, phones) are remembered.
    keep: int = 10_000
    #: How many HTTP exchanges are remembered.
    keep_exchanges: int = 2_000
    #: Makes ids and receipts repeatable.
    seed: int | None = None

    @property
    def locks_subscribers(self) -> bool:
        return self.strict if self.subscriber_lock is None else self.subscriber_lock

    @property
    def refuses_repeats(self) -> bool:
        return self.strict if self.rule_limited is None else self.rule_limited

    def business(self, number: str) -> Shortcode | None:
        """The business of a shortcode; None if businesses are configured and this is none of them."""
        if not self.shortcodes:
            return Shortcode(number)
        return next((known for known in self.shortcodes if known.number == number), None)

    def owner_of(self, payee: str) -> Shortcode | None:
        """The business a till or shortcode belongs to; None where businesses are configured and it is nobody's."""
        owner = next((known for known in self.shortcodes if payee in (known.till, known.number)), None)
        return owner if self.shortcodes else Shortcode(payee)

    def name_of(self, number: str) -> str:
        """What the prompt calls the business."""
        business = self.owner_of(number)
        return (business.name if business else None) or self.business_name

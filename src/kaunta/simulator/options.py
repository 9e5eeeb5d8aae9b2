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
    #: How many pushes (and payments, tokens, phones) are remembered.
    keep: int = 100_000
    #: Makes ids and receipts repeatable.
    seed: int | None = None

    @property
    def locks_subscribers(self) -> bool:
        return self.strict if self.subscriber_lock is None else self.subscriber_lock

    def business(self, number: str) -> Shortcode | None:
        """The business of a shortcode; None if businesses are configured and this is none of them."""
        if not self.shortcodes:
            return Shortcode(number)
        return next((known for known in self.shortcodes if known.number == number), None)

    def name_of(self, number: str) -> str:
        """What the prompt calls the business."""
        business = self.business(number)
        return (business.name if business else None) or self.business_name

"""What Safaricom knows of its merchants beside their accounts: registered URLs, validation, which till is whose."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.pushes import BUY_GOODS, PAYBILL


class Otherwise(StrEnum):
    """What becomes of a payment whose validation nobody answers."""

    COMPLETED = "Completed"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class Registration:
    """The C2B URLs of a shortcode, and the version of the API that registered them."""

    shortcode: str
    otherwise: Otherwise
    confirmation_url: str
    validation_url: str
    version: str
    at: datetime


class Merchants:
    """Registrations and tills."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.registrations: dict[str, Registration] = {}
        self.validating = {known.number for known in options.shortcodes if known.validates}
        #: Which store a till belongs to, as the configuration or a push has shown.
        self.stores = {known.till: known.number for known in options.shortcodes if known.till is not None}
        #: When a shortcode registered for Pull.
        self.pulling: dict[str, datetime] = {}

    def learn(self, store: str, till: str) -> None:
        """A push to a till tells which store number goes with it."""
        self.stores.setdefault(till, store)
        if len(self.stores) > self.options.keep:
            del self.stores[next(iter(self.stores))]

    def store_of(self, payee: str) -> str:
        return self.stores.get(payee, payee)

    def kind_of(self, payee: str, reference: str) -> str:
        """How a customer pays to this number: only a paybill asks for an account."""
        return BUY_GOODS if payee in self.stores or not reference else PAYBILL

    def registration_for(self, payee: str) -> Registration | None:
        """The URLs that hear of a payment to this number: the number's own, else those of its store."""
        return self.registrations.get(payee) or self.registrations.get(self.store_of(payee))

    def validates(self, payee: str) -> bool:
        return payee in self.validating or self.store_of(payee) in self.validating

"""A bar as the doors see it."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from kaunta.core.vault import VaultError

Environment = Literal["sandbox", "production"]


@dataclass(frozen=True, slots=True)
class Bar:
    id: UUID
    slug: str
    name: str
    business_name: str
    environment: Environment
    cash_enabled: bool
    card_enabled: bool


@dataclass(frozen=True, slots=True)
class PaymentMethods:
    """What a guest may use now. `mpesa_reason` says, for staff, why M-Pesa is off."""

    mpesa: bool
    mpesa_reason: str | None
    cash: bool
    card: bool
    environment: Environment
    till_number: str | None
    #: Shillings that one M-Pesa payment may be at most.
    most: int
    #: Where guests pay by hand when there is no till: a paybill number, which wants an account beside it.
    paybill: str | None = None
    #: Why the stored secrets do not open, where M-Pesa is off for that.
    fault: VaultError | None = None

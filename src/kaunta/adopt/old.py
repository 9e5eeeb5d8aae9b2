"""The old product's rows, as they are: amounts with their cents, missing what was missing. No field is mended here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

#: Safaricom's receipts: capitals and digits, of both. What else stood in that column is none.
RECEIPT = re.compile(r"(?=[A-Z0-9]*[0-9])(?=[A-Z0-9]*[A-Z])[A-Z0-9]{8,15}")
#: The old guest page made these up where it got no answer.
MADE_UP = re.compile(r"MP[0-9]{13}")
WRITE_OFF = "WRITE_OFF"


@dataclass(frozen=True, slots=True)
class OldBar:
    """A bar. `flag`: what the guests' pages read, whichever of its names it had; `sealed`: credentials in this row."""

    id: UUID
    name: str | None
    slug: str | None
    location: str | None
    active: bool | None
    timezone: str | None
    cash: bool | None
    card: bool | None
    flag: bool | None
    environment: str | None
    shortcode: str | None
    till: str | None
    sealed: Mapping[str, bytes | str | None]
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class OldCredential:
    """A row of mpesa_credentials."""

    id: UUID
    bar_id: UUID
    environment: str
    shortcode: str
    active: bool | None
    initiator_name: str | None
    sealed: Mapping[str, bytes | str | None]


@dataclass(frozen=True, slots=True)
class OldMember:
    """Somebody who worked at a bar."""

    user_id: UUID
    bar_id: UUID
    role: str | None
    email: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class OldDish:
    """Something on a bar's menu. `price` None: it had none."""

    id: UUID
    name: str | None
    category: str | None
    price: Decimal | None
    available: bool | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class OldTab:
    id: UUID
    number: int | None
    status: str | None
    opened_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    overdue_at: datetime | None
    notes: str | None

    @property
    def table(self) -> str | None:
        """The table's name from the JSON in the notes."""
        try:
            notes = json.loads(self.notes or "{}")
        except ValueError:
            return None
        number = notes.get("table_number") if isinstance(notes, dict) else None
        return str(number).strip() if isinstance(number, int | str) and str(number).strip() else None


@dataclass(frozen=True, slots=True)
class OldOrder:
    id: UUID
    tab_id: UUID
    number: int | None
    items: Any
    total: Decimal
    status: str | None
    initiated_by: str | None
    created_at: datetime | None
    confirmed_at: datetime | None
    cancelled_at: datetime | None


@dataclass(frozen=True, slots=True)
class OldPayment:
    """A row of the old ledger; `checkout` and `receipt` only in the third generation."""

    id: UUID
    tab_id: UUID
    amount: Decimal
    method: str
    status: str | None
    reference: str | None
    metadata: Any
    checkout: str | None
    receipt: str | None
    created_at: datetime | None

    @property
    def counted(self) -> bool:
        return self.status == "success"

    @property
    def proof(self) -> str | None:
        """The receipt this row names, in its own column or where a reference stood."""
        return receipt_in(self.receipt) or receipt_in(self.reference)

    @property
    def phone(self) -> str | None:
        """The payer's number, where the metadata still have it."""
        return phone_in(self.metadata)


@dataclass(frozen=True, slots=True)
class OldTransaction:
    id: UUID
    tab_id: UUID | None
    phone: str | None
    amount: Decimal
    status: str
    checkout: str | None
    merchant: str | None
    receipt: str | None
    transacted_at: datetime | None
    result_code: int | None
    environment: str | None
    payment_id: UUID | None
    created_at: datetime | None
    updated_at: datetime | None


def receipt_in(text: str | None) -> str | None:
    """A receipt as Kaunta keeps it; None where the text is none."""
    found = (text or "").strip().upper()
    return found if RECEIPT.fullmatch(found) and not MADE_UP.fullmatch(found) else None


def phone_in(metadata: Any) -> str | None:
    """A number under one of the names it had in the old metadata."""
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except ValueError:
            return None
    if not isinstance(metadata, dict):
        return None
    for name in ("phone_number", "phoneNumber", "phone", "PhoneNumber"):
        if isinstance(metadata.get(name), str | int):
            return str(metadata[name])
    return None

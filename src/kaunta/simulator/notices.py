"""C2B validation and confirmation: a flat object, the same for both, in which every value is a text.

Version 2 masks the customer's number and gives the first name only; version 1 hashes the number; older traffic has it
plain (the portal's CustomerToBusiness page, and a production pair of 2021).
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from kaunta.simulator.identifiers import stamp
from kaunta.simulator.pushes import BUY_GOODS, Kind, Payment
from kaunta.simulator.subscribers import Subscriber

#: An STK payment's confirmation is a second older than its callback says (the production pair of 2021).
STK_EARLIER = timedelta(seconds=1)


class Naming(StrEnum):
    """How a notice names the customer."""

    MASKED = "masked"
    HASHED = "hashed"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Coming:
    """A payment that is about to come, or has. `balance`: the business's in cents, None before it has."""

    receipt: str
    amount: int
    payee: str
    transaction_type: str
    reference: str
    at: datetime
    balance: int | None = None
    third_party_id: str = ""


def coming(payment: Payment, balance: int, third_party_id: str) -> Coming:
    at = payment.at - STK_EARLIER if payment.kind is Kind.STK else payment.at
    return Coming(
        payment.receipt,
        payment.amount,
        payment.payee,
        payment.transaction_type,
        payment.reference,
        at,
        balance,
        third_party_id,
    )


def body(payment: Coming, customer: Subscriber, naming: Naming) -> bytes:
    """The message."""
    names = (customer.first_name, customer.middle_name, customer.last_name)
    first, middle, last = (customer.first_name, "", "") if naming is Naming.MASKED else names
    return json.dumps(
        {
            "TransactionType": "Buy Goods" if payment.transaction_type == BUY_GOODS else "Pay Bill",
            "TransID": payment.receipt,
            "TransTime": stamp(payment.at),
            "TransAmount": f"{payment.amount}.00",
            "BusinessShortCode": payment.payee,
            "BillRefNumber": "" if payment.transaction_type == BUY_GOODS else payment.reference[:20],
            "InvoiceNumber": "",
            "OrgAccountBalance": "" if payment.balance is None else cents(payment.balance),
            "ThirdPartyTransID": payment.third_party_id,
            "MSISDN": called(customer.number, naming),
            "FirstName": first,
            "MiddleName": middle,
            "LastName": last,
        }
    ).encode()


def called(number: str, naming: Naming) -> str:
    match naming:
        case Naming.MASKED:
            return f"{number[:4]} ***** {number[-3:]}"
        case Naming.HASHED:
            return hashlib.sha256(number.encode()).hexdigest()
        case Naming.PLAIN:
            return number


def cents(amount: int) -> str:
    """12345 → 123.45, -50 → -0.50."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02d}"

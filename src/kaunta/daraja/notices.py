"""The other messages Safaricom posts: a customer's direct payment (C2B), and the Result of an asynchronous call.

C2B arrives as one flat object for a payment at the till or paybill, and for STK payments too, with the same receipt.
A Result answers a transaction status, reversal or balance request; its parameters are a list of Key and Value in
which keys repeat and values are missing (daraja.md §1, §2 rows 15 and 16).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from kaunta.daraja.callbacks import receipt_of
from kaunta.daraja.wire import (
    Malformed,
    amount_of,
    code_of,
    decimal_of,
    id_of,
    moment_of,
    object_in,
    read_object,
    shillings,
    text_of,
)


@dataclass(frozen=True, slots=True)
class C2bPayment:
    """A confirmation or validation request. `amount` as in `StkCallback`; `msisdn` opaque: plain, masked or hashed;
    `balance`: the organisation's, None in a validation; `at`: UTC."""

    transaction_type: str
    receipt: str
    shortcode: str
    bill_reference: str
    amount: int | None
    amount_exact: Decimal | None
    at: datetime | None
    balance: Decimal | None
    msisdn: str | None = field(default=None, repr=False)
    first_name: str = field(default="", repr=False)
    middle_name: str = field(default="", repr=False)
    last_name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ResultEnvelope:
    """The Result of an asynchronous call. `parameters` and `references`: every value of a key, in order; a key without
    a value has an empty tuple. `transaction_id` is the receipt of the operation itself (a reversal has its own)."""

    result_code: str | None
    result_desc: str
    originator_conversation_id: str | None
    conversation_id: str | None
    transaction_id: str | None
    parameters: Mapping[str, tuple[object, ...]] = field(default_factory=dict, repr=False)
    references: Mapping[str, tuple[object, ...]] = field(default_factory=dict, repr=False)

    def first(self, key: str) -> object:
        """The first value of a parameter, or None."""
        values = self.parameters.get(key, ())
        return values[0] if values else None

    @property
    def receipt(self) -> str | None:
        """The receipt a transaction status reports."""
        return receipt_of(self.first("ReceiptNo"))

    @property
    def amount_exact(self) -> Decimal | None:
        return amount_of(self.first("Amount"))

    @property
    def completed_at(self) -> datetime | None:
        """When the operation was final, UTC: each API has its own word for it."""
        keys = ("FinalisedTime", "TransCompletedTime", "BOCompletedTime")
        return next((at for key in keys if (at := moment_of(self.first(key)))), None)


def parse_c2b(body: bytes) -> C2bPayment | Malformed:
    """Read one C2B confirmation or validation; never raises."""
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    receipt = receipt_of(message.get("TransID"))
    if receipt is None:
        return Malformed("no_receipt")
    shortcode = id_of(message.get("BusinessShortCode"))
    if shortcode is None:
        return Malformed("no_shortcode")
    exact = amount_of(message.get("TransAmount"))
    return C2bPayment(
        transaction_type=text_of(message.get("TransactionType"), 64),
        receipt=receipt,
        shortcode=shortcode,
        bill_reference=text_of(message.get("BillRefNumber"), 64),
        amount=shillings(exact),
        amount_exact=exact,
        at=moment_of(message.get("TransTime")),
        balance=decimal_of(message.get("OrgAccountBalance")),
        msisdn=id_of(message.get("MSISDN")),
        first_name=text_of(message.get("FirstName"), 64),
        middle_name=text_of(message.get("MiddleName"), 64),
        last_name=text_of(message.get("LastName"), 64),
    )


def parse_result_envelope(body: bytes) -> ResultEnvelope | Malformed:
    """Read one Result; never raises. Its ids and code may be missing: whoever asked decides what that is worth."""
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    result = object_in(message, "Result")
    if not result:
        return Malformed("not_a_result")
    return ResultEnvelope(
        result_code=code_of(result.get("ResultCode")),
        result_desc=text_of(result.get("ResultDesc")),
        originator_conversation_id=id_of(result.get("OriginatorConversationID")),
        conversation_id=id_of(result.get("ConversationID")),
        transaction_id=id_of(result.get("TransactionID")),
        parameters=pairs_of(object_in(result, "ResultParameters").get("ResultParameter")),
        references=pairs_of(object_in(result, "ReferenceData").get("ReferenceItem")),
    )


def pairs_of(listed: object) -> dict[str, tuple[object, ...]]:
    """A list of {Key, Value?}, or one of them, by key."""
    found: dict[str, tuple[object, ...]] = {}
    for pair in listed if isinstance(listed, list) else [listed]:
        key = text_of(pair.get("Key"), 64) if isinstance(pair, dict) else ""
        if key and isinstance(pair, dict):
            value = pair.get("Value")
            found[key] = found.get(key, ()) + ((value,) if value is not None else ())
    return found

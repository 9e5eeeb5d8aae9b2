"""What Daraja answers to our calls, at once: tokens, acknowledgements, query answers, refusals.

A refusal is `{"requestId", "errorCode", "errorMessage"}`, or the gateway's `{"fault": …}`; a gateway in trouble answers
with HTML or nothing (daraja.md §1). Only the first two say what became of the call; the rest is `Malformed`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from kaunta.daraja.callbacks import receipt_of
from kaunta.daraja.wire import Malformed, amount_of, code_of, id_of, moment_of, object_in, read_object, text_of, whole

#: Assumed where `expires_in` cannot be read; a token refused earlier is replaced all the same.
CAUTIOUS_LIFETIME = 300
#: A token goes into a header: one word of printable ASCII.
TOKEN = re.compile(r"[\x21-\x7e]{1,4096}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenGranted:
    """`lifetime` in seconds."""

    token: str = field(repr=False)
    lifetime: int


@dataclass(frozen=True, slots=True)
class PushAcknowledged:
    """The answer to a push. Accepted only where `response_code` is "0" and there is an id to ask by."""

    response_code: str
    description: str
    customer_message: str
    merchant_request_id: str | None
    checkout_request_id: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class QueryAnswered:
    """The answer to a query. `result_code` is None where Daraja only acknowledged."""

    response_code: str | None
    result_code: str | None
    result_desc: str
    merchant_request_id: str | None
    checkout_request_id: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ErrorAnswered:
    """A refusal in Daraja's own words. `gateway`: it came from the gateway in front, in its shape."""

    code: str
    message: str
    gateway: bool = False


@dataclass(frozen=True, slots=True)
class CallAcknowledged:
    """An asynchronous call was taken; its Result comes later."""

    response_code: str
    description: str
    originator_conversation_id: str | None
    conversation_id: str | None


@dataclass(frozen=True, slots=True)
class PulledPayment:
    """One row of a Pull answer, as C2B tells it."""

    receipt: str
    amount_exact: Decimal | None
    at: datetime | None
    bill_reference: str
    msisdn: str | None = field(default=None, repr=False)


def parse_token(body: bytes) -> TokenGranted | ErrorAnswered | Malformed:
    """An OAuth answer; `expires_in` is a text on the wire and a number on the portal's page."""
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    token = message.get("access_token")
    if isinstance(token, str) and TOKEN.fullmatch(token.strip()):
        lifetime = whole(message.get("expires_in"))
        return TokenGranted(token.strip(), lifetime if lifetime is not None and lifetime > 0 else CAUTIOUS_LIFETIME)
    return error_of(message) or Malformed("no_token")


def parse_push_answer(body: bytes) -> PushAcknowledged | ErrorAnswered | Malformed:
    """The answer to a push. An acceptance with an id wins over anything else the body says."""
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    response_code = code_of(message.get("ResponseCode"))
    checkout_request_id = id_of(message.get("CheckoutRequestID"))
    error = error_of(message)
    if error and not (response_code == "0" and checkout_request_id):
        return error
    if response_code is None:
        return Malformed("no_response_code")
    return PushAcknowledged(
        response_code=response_code,
        description=text_of(message.get("ResponseDescription")),
        customer_message=text_of(message.get("CustomerMessage")),
        merchant_request_id=id_of(message.get("MerchantRequestID")),
        checkout_request_id=checkout_request_id,
    )


def parse_query_answer(body: bytes) -> QueryAnswered | ErrorAnswered | Malformed:
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    error = error_of(message)
    if error:
        return error
    response_code, result_code = code_of(message.get("ResponseCode")), code_of(message.get("ResultCode"))
    if response_code is None and result_code is None:
        return Malformed("no_result_code")
    return QueryAnswered(
        response_code=response_code,
        result_code=result_code,
        result_desc=text_of(message.get("ResultDesc")),
        merchant_request_id=id_of(message.get("MerchantRequestID")),
        checkout_request_id=id_of(message.get("CheckoutRequestID")),
    )


def parse_call_answer(body: bytes) -> CallAcknowledged | ErrorAnswered | Malformed:
    """The acknowledgement of a status, reversal, balance or C2B call."""
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    error = error_of(message)
    if error:
        return error
    response_code = code_of(message.get("ResponseCode"))
    if response_code is None:
        return Malformed("no_response_code")
    # C2B spells it without the n.
    originator = message.get("OriginatorConversationID") or message.get("OriginatorCoversationID")
    return CallAcknowledged(
        response_code=response_code,
        description=text_of(message.get("ResponseDescription")),
        originator_conversation_id=id_of(originator),
        conversation_id=id_of(message.get("ConversationID")),
    )


def parse_error(body: bytes) -> ErrorAnswered | Malformed:
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    return error_of(message) or Malformed("not_an_error")


def error_of(message: Mapping[str, object]) -> ErrorAnswered | None:
    """The refusal in an answer, in either of its two shapes."""
    code = id_of(message.get("errorCode"))
    if code:
        return ErrorAnswered(code, text_of(message.get("errorMessage")))
    fault = object_in(message, "fault")
    if fault:
        code = id_of(object_in(fault, "detail").get("errorcode")) or "fault"
        return ErrorAnswered(code, text_of(fault.get("faultstring")), gateway=True)
    return None


def parse_pull(body: bytes) -> tuple[PulledPayment, ...] | ErrorAnswered | Malformed:
    """The payments of a Pull answer: a list in a list, empty for none."""
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    error = error_of(message)
    if error:
        return error
    pages = message.get("Response")
    if pages is None and code_of(message.get("ResponseCode")) == "1001":
        return ()
    if not isinstance(pages, list):
        return Malformed("no_response")
    rows = [row for page in pages for row in (page if isinstance(page, list) else [page]) if isinstance(row, dict)]
    return tuple(
        PulledPayment(
            receipt=receipt,
            amount_exact=amount_of(row.get("amount")),
            at=moment_of(row.get("trxDate")),
            bill_reference=text_of(row.get("billreference"), 64),
            msisdn=id_of(row.get("msisdn")),
        )
        for row in rows
        if (receipt := receipt_of(row.get("transactionId")))
    )

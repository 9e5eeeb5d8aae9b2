"""What is kept of a call to Daraja: enough to argue with Safaricom, nothing that is secret or personal.

The redaction is a list of what may be kept, not of what may not: a field nobody thought of is left out. Free text may
carry a phone or an id that contains one, so runs of digits are struck out of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kaunta.daraja.wire import Malformed, object_in, read_object, text_of

#: Kept of what we send.
REQUEST_FIELDS = (
    "BusinessShortCode", "TransactionType", "Amount", "PartyB", "AccountReference", "Timestamp", "CommandID",
    "TransactionID", "ReceiverParty", "ShortCode", "ResponseType", "StartDate", "EndDate", "OffSetValue",
)  # fmt: skip
#: Kept of what comes back, as it is.
CODE_FIELDS = (
    "ResponseCode", "ResultCode", "errorCode", "MerchantRequestID", "requestId", "expires_in", "ResponseStatus",
    "OriginatorConversationID", "OriginatorCoversationID", "ConversationID", "ResponseRefID",
)  # fmt: skip
#: Kept of what comes back, with long digit runs struck out.
TEXT_FIELDS = ("ResponseDescription", "CustomerMessage", "ResultDesc", "errorMessage", "ResponseMessage")

#: What an identifier of Daraja's looks like that does not carry a phone: ws_CO_… does, and is left out.
HARMLESS_ID = re.compile(r"(?!ws_)(?!\d{7,}$)[A-Za-z0-9._-]{1,64}", re.ASCII)
DIGITS = re.compile(r"\d[\d *]{5,}\d")
CHECKOUT_ID = re.compile(r"ws_CO_\w+")


@dataclass(frozen=True, slots=True)
class ExchangeRecord:
    """One call and its answer. `kind`: that of the call; `outcome`: a short word; `http_status` None where
    no answer came."""

    kind: str
    at: datetime
    duration_ms: int
    http_status: int | None
    outcome: str
    request: Mapping[str, object]
    response: Mapping[str, object]


def without_personal(text: str) -> str:
    """Free text of Daraja's without phones and checkout ids."""
    return DIGITS.sub("•••", CHECKOUT_ID.sub("ws_CO_•••", text))


def kept_request(body: Mapping[str, object]) -> dict[str, object]:
    return {name: body[name] for name in REQUEST_FIELDS if name in body}


def kept_response(body: bytes | None) -> dict[str, object]:
    """What may be kept of an answer; of one that is no JSON object, only its form and length."""
    if body is None:
        return {}
    message = read_object(body)
    if isinstance(message, Malformed):
        return {"form": message.reason, "bytes": len(body)}
    kept: dict[str, object] = {}
    for name in CODE_FIELDS:
        text = text_of(message.get(name), 64)
        if HARMLESS_ID.fullmatch(text):
            kept[name] = text
    for name in TEXT_FIELDS:
        if text := text_of(message.get(name), 200):
            kept[name] = without_personal(text)
    fault = object_in(message, "fault")
    if fault:
        kept["fault"] = {
            "faultstring": without_personal(text_of(fault.get("faultstring"), 200)),
            "errorcode": without_personal(text_of(object_in(fault, "detail").get("errorcode"), 100)),
        }
    return kept

"""What of a message may be shown or sent to somebody else: codes, amounts and receipts, never a phone or a secret.

Two nets, one behind the other. A message of Safaricom's is read by a list of what may be kept, so that a field nobody
thought of is left out. Whatever goes into a support bundle then passes a second one, which strikes whole phone numbers
and long tokens out of any text, wherever they came from.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.vault import VaultError
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.wire import Malformed, object_in, read_object, text_of

#: Kept of a callback's own level, of its metadata, of a payment straight to the till, and of a Result.
STK_FIELDS = ("ResultCode", "ResultDesc", "MerchantRequestID")
ITEMS = ("Amount", "MpesaReceiptNumber", "TransactionDate", "Balance")
C2B_FIELDS = ("TransactionType", "TransID", "TransTime", "TransAmount", "BusinessShortCode", "BillRefNumber")
RESULT_FIELDS = ("ResultType", "ResultCode", "ResultDesc", "TransactionID", "OriginatorConversationID")

STRUCK = "•••"
UUID_SHAPE = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
#: Our ids, moments as Daraja writes them (20261121153900, EAT) and its 29115-34620561-1: no phone looks like these.
HARMLESS = re.compile(
    rf"{UUID_SHAPE}|20[2-9]\d(0[1-9]|1[0-2])[0-3]\d[0-2]\d[0-5]\d[0-5]\d|\d{{5}}-\d{{8}}-\d", re.ASCII
)
#: Nine digits or more, however they are spaced: a phone, an account, an id that holds one.
LONG_NUMBER = re.compile(r"\d(?:[\W_]{0,3}\d){8,}")
#: A key, a token, a passkey: a long word with a digit in it, or one that no language has.
TOKEN = re.compile(r"(?=[A-Za-z+/=_\-.~]*\d)[A-Za-z0-9+/=_\-.~]{16,}|[A-Za-z0-9+/=_\-.~]{40,}")


def kept_callback(body: bytes) -> dict[str, object]:
    """What may be shown of a message that Safaricom posted; of one that cannot be read, only its form and length."""
    message = read_object(body)
    if isinstance(message, Malformed):
        return {"form": message.reason, "bytes": len(body)}
    stk = object_in(object_in(message, "Body"), "stkCallback")
    if stk:
        return texts(stk, STK_FIELDS) | texts(metadata(stk), ITEMS)
    result = object_in(message, "Result")
    if result:
        return texts(result, RESULT_FIELDS)
    return texts(message, C2B_FIELDS) or {"form": "unknown", "bytes": len(body)}


def metadata(stk: Mapping[str, object]) -> dict[str, object]:
    items = object_in(stk, "CallbackMetadata").get("Item")
    named: dict[str, object] = {}
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and isinstance(item.get("Name"), str):
            named.setdefault(item["Name"], item.get("Value"))
    return named


def texts(message: Mapping[str, object], names: tuple[str, ...]) -> dict[str, object]:
    """The named fields as short texts; what is long digits is struck out, but for a moment's fourteen."""
    found = {name: text_of(message.get(name), 200) for name in names}
    return {name: text if HARMLESS.fullmatch(text) else without_personal(text) for name, text in found.items() if text}


def without_secrets(text: str) -> str:
    """A text without whole phone numbers and without anything as long as a token."""
    if HARMLESS.fullmatch(text) or is_moment(text):
        return text
    return LONG_NUMBER.sub(STRUCK, TOKEN.sub(STRUCK, text))


def is_moment(text: str) -> bool:
    """Whether a text is nothing but a moment, as we write them."""
    try:
        return len(text) >= 19 and text[10] == "T" and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def harmless(value: Any) -> Any:
    """A value as JSON knows them, with every text in it (names of fields too) made harmless."""
    match value:
        case None | bool():
            return value
        case int():
            # A number that could be a phone is none of our amounts.
            return value if abs(value) < 10**8 else STRUCK
        case float():
            return value if abs(value) < 10**8 else STRUCK
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return {without_secrets(str(name)): harmless(inner) for name, inner in value.items()}
        case list() | tuple():
            return [harmless(inner) for inner in value]
        case bytes():
            return STRUCK
        case _:
            return without_secrets(str(value))


def opened(body: bytes | VaultError) -> dict[str, object]:
    """A callback's body as far as it may be shown; one that was destroyed says so."""
    return {"form": "erased"} if isinstance(body, VaultError) else kept_callback(body)

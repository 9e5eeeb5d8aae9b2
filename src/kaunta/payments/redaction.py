"""What of a message may be shown or sent to somebody else: codes, amounts and receipts, never a phone or a secret.

Two nets, one behind the other. A message of Safaricom's is read by a list of what may be kept, so that a field nobody
thought of is left out. Whatever goes into a support bundle then passes a second one (core/redaction.py), which strikes
whole phone numbers and long tokens out of any text, wherever they came from.
"""

from collections.abc import Mapping

from kaunta.core.redaction import HARMLESS
from kaunta.core.vault import VaultError
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.wire import Malformed, object_in, read_object, text_of

#: Kept of a callback's own level, of its metadata, of a payment straight to the till, and of a Result.
STK_FIELDS = ("ResultCode", "ResultDesc", "MerchantRequestID")
ITEMS = ("Amount", "MpesaReceiptNumber", "TransactionDate", "Balance")
C2B_FIELDS = ("TransactionType", "TransID", "TransTime", "TransAmount", "BusinessShortCode", "BillRefNumber")
RESULT_FIELDS = ("ResultType", "ResultCode", "ResultDesc", "TransactionID", "OriginatorConversationID")


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


def opened(body: bytes | VaultError) -> dict[str, object]:
    """A callback's body as far as it may be shown; one that was destroyed says so."""
    return {"form": "erased"} if isinstance(body, VaultError) else kept_callback(body)

"""The result of an STK push, as Safaricom posts it to our callback address.

`{"Body": {"stkCallback": {MerchantRequestID, CheckoutRequestID, ResultCode, ResultDesc, CallbackMetadata?}}}`. The
items are read by name, in any order, with or without values; AccountReference is never echoed, so nothing is looked
for but the ids (daraja.md §2). The body is unsigned: who sent it is decided by the token in the address, not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from kaunta.daraja.wire import (
    Malformed,
    amount_of,
    code_of,
    id_of,
    moment_of,
    object_in,
    read_object,
    shillings,
    text_of,
)


@dataclass(frozen=True, slots=True)
class StkCallback:
    """One result. Everything but the ids and the code may be missing, on success as well.

    `amount`: whole shillings, None where it is missing or has cents; `amount_exact`: as written. `phone`: opaque, it
    may be masked, so it is never matched on. `transaction_date`: UTC. `items`: every item by its name, the first that
    has a value. What names the payer stays out of the repr.
    """

    merchant_request_id: str | None
    checkout_request_id: str = field(repr=False)
    result_code: str
    result_desc: str
    receipt: str | None = None
    amount: int | None = None
    amount_exact: Decimal | None = None
    phone: str | None = field(default=None, repr=False)
    transaction_date: datetime | None = None
    items: Mapping[str, object] = field(default_factory=dict, repr=False)


def parse_stk_callback(body: bytes) -> StkCallback | Malformed:
    """Read one callback; never raises."""
    message = read_object(body)
    if isinstance(message, Malformed):
        return message
    result = object_in(object_in(message, "Body"), "stkCallback")
    if not result:
        return Malformed("not_a_callback")
    checkout_request_id = id_of(result.get("CheckoutRequestID"))
    if checkout_request_id is None:
        return Malformed("no_checkout_request_id")
    result_code = code_of(result.get("ResultCode"))
    if result_code is None:
        return Malformed("no_result_code")
    items = items_of(result.get("CallbackMetadata"))
    named: dict[str, object] = {}
    for name, value in items.items():
        if named.get(name.casefold()) is None:
            named[name.casefold()] = value
    exact = amount_of(named.get("amount"))
    return StkCallback(
        merchant_request_id=id_of(result.get("MerchantRequestID")),
        checkout_request_id=checkout_request_id,
        result_code=result_code,
        result_desc=text_of(result.get("ResultDesc")),
        receipt=receipt_of(named.get("mpesareceiptnumber")),
        amount=shillings(exact),
        amount_exact=exact,
        phone=id_of(named.get("phonenumber")),
        transaction_date=moment_of(named.get("transactiondate")),
        items=items,
    )


def items_of(metadata: object) -> dict[str, object]:
    """`{"Item": [{"Name", "Value"?}, …]}` by name. An item without a value (Balance, normally) is kept as None; of two
    with one name the first that has a value counts. One bare item instead of a list is read too."""
    listed = metadata.get("Item") if isinstance(metadata, dict) else None
    found: dict[str, object] = {}
    for item in listed if isinstance(listed, list) else [listed]:
        name = text_of(item.get("Name"), 64) if isinstance(item, dict) else ""
        if name and found.get(name) is None:
            found[name] = item.get("Value") if isinstance(item, dict) else None
    return found


def receipt_of(value: object) -> str | None:
    """An M-Pesa receipt number ("NLJ7RT61SV"): one word, kept as sent; None where it is none."""
    receipt = id_of(value)
    return receipt if receipt and len(receipt) <= 32 and receipt.isascii() and receipt.isalnum() else None

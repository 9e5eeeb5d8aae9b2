"""The message to CallBackURL, byte for byte as published ones look.

A success has CallbackMetadata with Amount (two decimals), MpesaReceiptNumber, Balance without a Value, TransactionDate
and PhoneNumber as numbers; a failure has none. ResultCode is a number, except for codes that are none (SFC_IC0003).
AccountReference and TransactionDesc are never echoed, and nothing is signed.
"""

import json
from dataclasses import replace

from kaunta.simulator.identifiers import stamp
from kaunta.simulator.pushes import Payment, Push
from kaunta.simulator.scenarios import Balance, Body, Callback, Receipt
from kaunta.simulator.wording import in_callback

GARBAGE = b"<?xml version='1.0'?><Body><stkCallback>\xff\xfe"


def headers(push: Push) -> dict[str, str]:
    """Safaricom's headers, as seen on a sandbox callback of 2026."""
    return {"Content-Type": "application/json;charset=UTF-8", "Businessshortcode": push.wanted.shortcode}


def body(push: Push, callback: Callback, payment: Payment | None) -> bytes:
    """What `callback` says of `push`; `payment` is the money a success speaks of."""
    match callback.body:
        case Body.GARBAGE:
            return GARBAGE
        case Body.EMPTY:
            return b""
        case Body.NORMAL | Body.NO_METADATA | Body.EMPTY_ITEMS:
            pass
    code = callback.result or push.result or "0"
    told = {
        "MerchantRequestID": push.merchant_id,
        "CheckoutRequestID": push.checkout_id,
        "ResultCode": number_or_text(code),
        "ResultDesc": callback.text or in_callback(code),
    }
    said = json.dumps(told)
    if callback.size:
        bare = written(said, code, replace(callback, size=0, padding=1), payment)
        callback = replace(callback, padding=max(1, 1 + callback.size - len(bare)))
    return written(said, code, callback, payment)


def written(said: str, code: str, callback: Callback, payment: Payment | None) -> bytes:
    """The whole body around what is said of the result."""
    if code == "0" and payment is not None and callback.body is not Body.NO_METADATA:
        listed = "" if callback.body is Body.EMPTY_ITEMS else ", ".join(items(callback, payment))
        said = f'{said[:-1]}, "CallbackMetadata": {{"Item": [{listed}]}}}}'
    return f'{{"Body": {{"stkCallback": {said}}}}}'.encode()


def items(callback: Callback, payment: Payment) -> list[str]:
    """The metadata items as JSON texts. Amount is written by hand: JSON libraries drop the second decimal."""
    listed = [f'{{"Name": "Amount", "Value": {payment.amount + callback.amount_off_by}.00}}']
    if callback.receipt is not Receipt.NONE:
        listed.append(item("MpesaReceiptNumber", payment.receipt))
    match callback.balance:
        case Balance.NO_VALUE:
            listed.append(json.dumps({"Name": "Balance"}))
        case Balance.NUMBER:
            listed.append(item("Balance", 32009.9))
        case Balance.TEXT:
            listed.append(item("Balance", "{Amount={CurrencyCode=KES, MinimumAmount=3200990, BasicAmount=32009.90}}"))
        case Balance.ABSENT:
            pass
    listed.append(item("TransactionDate", int(stamp(payment.at))))
    phone = payment.phone
    listed.append(item("PhoneNumber", f"0{phone[3:9]}***" if callback.masked_phone else int(phone)))
    if callback.padding:
        listed.append(item("Padding", "x" * callback.padding))
    return listed


def item(name: str, value: object) -> str:
    return json.dumps({"Name": name, "Value": value})


def number_or_text(code: str) -> int | str:
    return int(code) if code.isdigit() else code

"""The Result of a status, reversal or balance call, each as the portal's page of its API prints it.

Keys, spellings and types differ between the three and are kept: the balance's ResultType and ResultCode are texts, a
reversal's amounts numbers, a status's all texts; DebitPartyName comes twice, TransactionReason without a Value.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kaunta.simulator.identifiers import no_receipt, stamp
from kaunta.simulator.ledger import Account
from kaunta.simulator.notices import cents
from kaunta.simulator.pushes import BUY_GOODS, Kind, Payment
from kaunta.simulator.wording import in_result

if TYPE_CHECKING:
    from kaunta.simulator.calls import Call

#: Where Safaricom says its own queue would have reported; the host is the one of the portal's samples.
QUEUES = {"reversal": "reversalresults", "balance": "abresults"}
INSIDE = "https://internalsandbox.safaricom.co.ke/mpesa"

Parameter = dict[str, object]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a call: its code, the receipt of what moved, if anything did, and what there is to tell."""

    code: str
    receipt: str | None = None
    text: str | None = None
    parameters: Sequence[Parameter] = ()


def body(call: "Call", result: Result, now: datetime, *, listed: bool = False) -> bytes:
    """The message to ResultURL; `listed`: ReferenceItem as a list of one."""
    all_texts = call.api == "balance"
    told: dict[str, object] = {
        "ResultType": "0" if all_texts else 0,
        "ResultCode": int(result.code) if result.code.isdigit() and not all_texts else result.code,
        "ResultDesc": result.text or in_result(result.code, call.api),
        "OriginatorConversationID": call.originator_id,
        "ConversationID": call.conversation_id,
        "TransactionID": result.receipt or no_receipt(now),
    }
    if result.parameters:
        told["ResultParameters"] = {"ResultParameter": list(result.parameters)}
    item = reference(call)
    told["ReferenceData"] = {"ReferenceItem": [item] if listed else item}
    return json.dumps({"Result": told}).encode()


def timed_out(originator_id: str, conversation_id: str) -> bytes:
    """The message to QueueTimeOutURL."""
    told = {
        "ResultType": 1,
        "ResultCode": "1",
        "ResultDesc": "The service request timed out.",
        "OriginatorConversationID": originator_id,
        "ConversationID": conversation_id,
    }
    return json.dumps({"Result": told}).encode()


def reference(call: "Call") -> Parameter:
    queue = QUEUES.get(call.api)
    if queue is None:
        return {"Key": "Occasion", "Value": call.occasion} if call.occasion else {"Key": "Occasion"}
    return {"Key": "QueueTimeoutURL", "Value": f"{INSIDE}/{queue}/v1/submit"}


def pair(key: str, value: object) -> Parameter:
    return {"Key": key, "Value": value}


def reversal(payment: Payment, account: Account, customer: str, business: str) -> list[Parameter]:
    return [
        pair("DebitAccountBalance", line("Utility Account", account.utility)),
        pair("Amount", float(payment.amount)),
        pair("TransCompletedTime", int(stamp(payment.at))),
        pair("OriginalTransactionID", payment.reverses),
        pair("Charge", 0.0),
        pair("CreditPartyPublicName", customer),
        pair("DebitPartyPublicName", business),
    ]


def balance(account: Account, now: datetime) -> list[Parameter]:
    lines = (
        line("Working Account", account.working),
        line("Float Account", 0),
        line("Merchant Account" if account.till else "Utility Account", account.utility),
        line("Charges Paid Account", account.charges),
        line("Organization Settlement Account", account.settlement),
    )
    return [pair("AccountBalance", "&".join(lines)), pair("BOCompletedTime", stamp(now))]


def line(name: str, amount: int) -> str:
    """Name|KES|current|available|reserved|uncleared."""
    return f"{name}|KES|{cents(amount)}|{cents(amount)}|0.00|0.00"


def status(payment: Payment, customer: str, business: str, call: "Call") -> list[Parameter]:
    """The key DebitPartyName comes twice, for the one who paid and the one who was paid."""
    gone = payment.kind not in (Kind.STK, Kind.TILL)
    payer, paid = (business, customer) if gone else (customer, business)
    return [
        pair("DebitPartyName", payer),
        pair("DebitPartyName", paid),
        pair("OriginatorConversationID", call.originator_id),
        pair("InitiatedTime", stamp(payment.at)),
        pair("DebitAccountType", "Utility Account" if gone else "MMF Account For Customer"),
        pair("DebitPartyCharges", f"Pay merchant Charge|KES|{cents(payment.fee_cents)}" if payment.fee_cents else ""),
        {"Key": "TransactionReason"},
        pair("ReasonType", reason_type(payment)),
        pair("TransactionStatus", "Completed"),
        pair("FinalisedTime", stamp(payment.at)),
        pair("Amount", str(payment.amount)),
        pair("ConversationID", call.conversation_id),
        pair("ReceiptNo", payment.receipt),
    ]


def reason_type(payment: Payment) -> str:
    """What the books call this kind of movement."""
    match payment.kind:
        case Kind.STK | Kind.TILL:
            if payment.transaction_type == BUY_GOODS:
                return "Customer Merchant Payment"
            return "Pay Utility via STK" if payment.kind is Kind.STK else "Pay Utility"
        case Kind.REVERSAL:
            return "Transaction Reversal via API"
        case Kind.CUSTOMER_REVERSAL:
            return "Transaction Reversal"
        case Kind.WITHDRAWAL:
            return "Organization Settlement"

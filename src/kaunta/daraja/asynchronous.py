"""Calls that Daraja answers twice: taken at once, and with a Result at the address they carry, later or never.

Transaction status, reversal and account balance (daraja.md §1). The acknowledgement proves nothing but that the call
was taken: a wrong initiator shows only in the Result. A reversal moves money, so its four answers are a push's:
`NotSent` and `Rejected` prove that nothing happened, `NoAnswer` is everything else.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, assert_never

from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outcome
from kaunta.core.secret import Secret
from kaunta.daraja.answers import CallAcknowledged, ErrorAnswered, parse_call_answer
from kaunta.daraja.calls import Credential
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.outcomes import NoAnswer, NotSent, Rejected
from kaunta.daraja.refusals import is_access_token_error
from kaunta.daraja.requests import PLAIN, checked
from kaunta.daraja.wire import Malformed

STATUS_PATH = "/mpesa/transactionstatus/v1/query"
REVERSAL_PATH = "/mpesa/reversal/v1/request"
BALANCE_PATH = "/mpesa/accountbalance/v1/query"
#: "4": an organisation's shortcode; "11": the receiver of a reversal (daraja.md §1).
ORGANISATION, REVERSED_ORGANISATION = "4", "11"

AsynchronousKind = Literal["status", "reversal", "balance"]


@dataclass(frozen=True, slots=True)
class CallAccepted:
    """Daraja took the call; what came of it arrives at the ResultURL."""

    word: ClassVar[str] = "accepted"
    originator_conversation_id: str | None
    conversation_id: str | None


CallOutcome = CallAccepted | Rejected | NotSent | NoAnswer


@dataclass(frozen=True, slots=True)
class Initiator:
    """In whose name: `credential` is the encrypted password, made anew for each call."""

    name: str
    credential: Secret


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where the Result goes, and where word goes that none will come. Both hold a secret."""

    result_url: str = field(repr=False)
    timeout_url: str = field(repr=False)


def status_request(
    credential: Credential, initiator: Initiator, reply: ReplyTo, *, receipt: str | None, conversation_id: str | None
) -> dict[str, object]:
    """What became of a receipt, or of a call that Daraja named `conversation_id` when it took it."""
    return {
        "Initiator": initiator.name,
        "SecurityCredential": initiator.credential.reveal(),
        "CommandID": "TransactionStatusQuery",
        "TransactionID": receipt or "",
        "OriginalConversationID": conversation_id or "",
        "PartyA": credential.business_shortcode,
        "IdentifierType": ORGANISATION,
        "ResultURL": reply.result_url,
        "QueueTimeOutURL": reply.timeout_url,
        "Remarks": "Check a receipt",
        "Occasion": "Check",
    }


def reversal_request(
    credential: Credential, initiator: Initiator, reply: ReplyTo, *, receipt: str, amount: int, remarks: str
) -> dict[str, object]:
    """Send `amount` shillings of a receipt back. Raises `FieldRefused` for remarks Daraja would not take."""
    checked("Remarks", remarks, PLAIN, 100)
    return {
        "Initiator": initiator.name,
        "SecurityCredential": initiator.credential.reveal(),
        "CommandID": "TransactionReversal",
        "TransactionID": receipt,
        "Amount": amount,
        "ReceiverParty": credential.business_shortcode,
        # Daraja's spelling.
        "RecieverIdentifierType": REVERSED_ORGANISATION,
        "ResultURL": reply.result_url,
        "QueueTimeOutURL": reply.timeout_url,
        "Remarks": remarks,
    }


def balance_request(credential: Credential, initiator: Initiator, reply: ReplyTo) -> dict[str, object]:
    """What is in the shortcode's accounts."""
    return {
        "Initiator": initiator.name,
        "SecurityCredential": initiator.credential.reveal(),
        "CommandID": "AccountBalance",
        "PartyA": credential.business_shortcode,
        "IdentifierType": ORGANISATION,
        "Remarks": "Balance",
        "QueueTimeOutURL": reply.timeout_url,
        "ResultURL": reply.result_url,
    }


def judge_call(outcome: Outcome) -> CallOutcome:
    """The four answers to a call that may move money."""
    match outcome:
        case BeforeSend():
            return NotSent(outcome.reason)
        case AfterSend():
            return NoAnswer(outcome.reason)
        case Answer():
            return judge_acknowledgement(outcome.status, parse_call_answer(outcome.body))
        case _:
            assert_never(outcome)


def judge_acknowledgement(status: int, parsed: CallAcknowledged | ErrorAnswered | Malformed) -> CallOutcome:
    match parsed:
        # "00000000" is what some of Daraja's APIs write for 0.
        case CallAcknowledged(response_code=code) if code.strip("0") == "":
            if not 200 <= status < 300:
                return NoAnswer(f"http_{status}")
            return CallAccepted(parsed.originator_conversation_id, parsed.conversation_id)
        case CallAcknowledged():
            return Rejected(parsed.response_code, without_personal(parsed.description), status)
        case ErrorAnswered():
            if parsed.gateway and status >= 500:
                return NoAnswer(f"http_{status}_{parsed.code}")
            refused = is_access_token_error(parsed.code, parsed.message)
            return Rejected(parsed.code, without_personal(parsed.message), status, refused)
        case Malformed():
            return NoAnswer(f"http_{status}_{parsed.reason}")
        case _:
            assert_never(parsed)

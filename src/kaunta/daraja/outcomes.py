"""What a call to Daraja came to, as values, and the judgement that gets there.

A push has four answers and no others, so that the type checker makes everyone handle the ambiguous one (rulings 1):
`NotSent` is proof that nothing rang; `Rejected` is Daraja's own refusal; `NoAnswer` is everything after the first byte
may have left. A query concludes something only where it carries a ResultCode that is not a word for "pending".
"""

from dataclasses import dataclass, field
from typing import ClassVar, assert_never

from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outcome
from kaunta.daraja.answers import ErrorAnswered, PushAcknowledged, QueryAnswered, parse_push_answer, parse_query_answer
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.refusals import is_access_token_error, is_rate_limit
from kaunta.daraja.results import ResultKind, explain
from kaunta.daraja.wire import Malformed


@dataclass(frozen=True, slots=True)
class Accepted:
    """Daraja took the push; the phone rings."""

    word: ClassVar[str] = "accepted"
    merchant_request_id: str
    checkout_request_id: str = field(repr=False)
    customer_message: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Daraja refused the push in its own words; `refusals.explain_refusal` knows what they mean."""

    word: ClassVar[str] = "rejected"
    error_code: str
    message: str
    http_status: int
    #: Refused for the access token alone: the one case in which the push may be sent again.
    token_refused: bool = False


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not a byte of the push left. `reason`: `BeforeSend`'s, or oauth_refused, oauth_unreachable:…,
    request_invalid:<field>."""

    word: ClassVar[str] = "not_sent"
    reason: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The push may be out. `reason`: `AfterSend`'s, or what the answer was instead."""

    word: ClassVar[str] = "no_answer"
    reason: str


PushOutcome = Accepted | Rejected | NotSent | NoAnswer


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Daraja says what became of it; `results.explain` says what that is worth."""

    word: ClassVar[str] = "result"
    result_code: str
    result_desc: str
    merchant_request_id: str | None
    checkout_request_id: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class QueryPending:
    """Daraja cannot say yet: 4999, or any 500.001.1001."""

    word: ClassVar[str] = "pending"
    code: str


@dataclass(frozen=True, slots=True)
class QueryFailed:
    """No answer to the question, and nothing is known. `rate_limited`: Daraja asks us to ask less."""

    word: ClassVar[str] = "failed"
    reason: str
    rate_limited: bool = False
    token_refused: bool = False
    http_status: int | None = None


QueryOutcome = QueryResult | QueryPending | QueryFailed


def judge_push(outcome: Outcome) -> PushOutcome:
    match outcome:
        case BeforeSend():
            return NotSent(outcome.reason)
        case AfterSend():
            return NoAnswer(outcome.reason)
        case Answer():
            return judge_push_answer(outcome.status, parse_push_answer(outcome.body))
        case _:
            assert_never(outcome)


def judge_push_answer(status: int, parsed: PushAcknowledged | ErrorAnswered | Malformed) -> PushOutcome:
    match parsed:
        case PushAcknowledged(response_code="0"):
            # The portal's table: 0 is an accepted submission, whatever is not 0 an error.
            if not 200 <= status < 300:
                return NoAnswer(f"http_{status}")
            if parsed.checkout_request_id is None:
                return NoAnswer("no_checkout_request_id")
            return Accepted(parsed.merchant_request_id or "", parsed.checkout_request_id, parsed.customer_message)
        case PushAcknowledged():
            return Rejected(parsed.response_code, without_personal(parsed.description), status)
        case ErrorAnswered():
            # The gateway speaks of its own backend with 502 to 504: the push may have got through.
            if parsed.gateway and status >= 500:
                return NoAnswer(f"http_{status}_{parsed.code}")
            refused = is_access_token_error(parsed.code, parsed.message)
            return Rejected(parsed.code, without_personal(parsed.message), status, refused)
        case Malformed():
            return NoAnswer(f"http_{status}_{parsed.reason}")
        case _:
            assert_never(parsed)


def judge_query(outcome: Outcome, checkout_request_id: str) -> QueryOutcome:
    """`checkout_request_id`: the one asked about. An answer about another payment is no answer."""
    match outcome:
        case BeforeSend() | AfterSend():
            return QueryFailed(outcome.reason)
        case Answer():
            parsed = parse_query_answer(outcome.body)
        case _:
            assert_never(outcome)
    status = outcome.status
    match parsed:
        case QueryAnswered():
            if parsed.result_code is None:
                return QueryFailed("no_result_code", http_status=status)
            if parsed.checkout_request_id not in (None, checkout_request_id):
                return QueryFailed("another_payment", http_status=status)
            if explain(parsed.result_code).kind is ResultKind.PENDING:
                return QueryPending(parsed.result_code)
            if not 200 <= status < 300 or parsed.response_code not in (None, "0"):
                return QueryFailed(f"http_{status}", rate_limited=status == 429, http_status=status)
            return QueryResult(parsed.result_code, parsed.result_desc, parsed.merchant_request_id, checkout_request_id)
        case ErrorAnswered():
            if explain(parsed.code).kind is ResultKind.PENDING:
                return QueryPending(parsed.code)
            return QueryFailed(
                parsed.code,
                rate_limited=is_rate_limit(parsed.code, parsed.message, status),
                token_refused=is_access_token_error(parsed.code, parsed.message),
                http_status=status,
            )
        case Malformed():
            return QueryFailed(f"http_{status}_{parsed.reason}", rate_limited=status == 429, http_status=status)
        case _:
            assert_never(parsed)

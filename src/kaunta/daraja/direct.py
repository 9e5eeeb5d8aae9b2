"""Direct payments, asked about: where Safaricom shall post them (C2B registration), and the list of them (Pull).

Registering is repeatable in the sandbox and happens once in production, where a second try is refused and the portal's
URL management is the only other way (daraja.md §1). Pull answers with what it has, up to 48 hours back; asking moves
nothing, so a failure says nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, assert_never

from kaunta.core.clock import EAT
from kaunta.core.outbound import AfterSend, Answer, BeforeSend, Outcome
from kaunta.daraja.answers import ErrorAnswered, PulledPayment, parse_pull
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.outcomes import NoAnswer, NotSent, Rejected
from kaunta.daraja.refusals import is_access_token_error, is_rate_limit
from kaunta.daraja.wire import Malformed, code_of, id_of, read_object, text_of

ApiVersion = Literal["v1", "v2"]
ResponseType = Literal["Completed", "Cancelled"]
PULL_REGISTER_PATH = "/pulltransactions/v1/register"
PULL_QUERY_PATH = "/pulltransactions/v1/query"
#: Pull's own words for "registered" and "registered already", and for "here they are" and "there are none".
SUBSCRIBED, SUBSCRIBED_BEFORE = "1000", "1001"


def register_path(version: ApiVersion) -> str:
    return f"/mpesa/c2b/{version}/registerurl"


def register_request(
    shortcode: str, response_type: ResponseType, confirmation_url: str, validation_url: str
) -> dict[str, object]:
    """Where to post; `response_type`: what Safaricom does when the validation is not answered."""
    return {
        "ShortCode": shortcode,
        "ResponseType": response_type,
        "ConfirmationURL": confirmation_url,
        "ValidationURL": validation_url,
    }


@dataclass(frozen=True, slots=True)
class PullSubscribed:
    """The shortcode may be pulled, since now or since before."""

    word: ClassVar[str] = "subscribed"
    code: str


PullRegistration = PullSubscribed | Rejected | NotSent | NoAnswer


def pull_register_request(shortcode: str, nominated_number: str, callback_url: str) -> dict[str, object]:
    return {
        "ShortCode": shortcode,
        "RequestType": "Pull",
        "NominatedNumber": nominated_number,
        "CallBackURL": callback_url,
    }


def judge_pull_registration(outcome: Outcome) -> PullRegistration:
    match outcome:
        case BeforeSend():
            return NotSent(outcome.reason)
        case AfterSend():
            return NoAnswer(outcome.reason)
        case Answer():
            message = read_object(outcome.body)
        case _:
            assert_never(outcome)
    if isinstance(message, Malformed):
        return NoAnswer(f"http_{outcome.status}_{message.reason}")
    if code := id_of(message.get("errorCode")):
        words = text_of(message.get("errorMessage"))
        return Rejected(code, without_personal(words), outcome.status, is_access_token_error(code, words))
    # One table of the portal writes the name with a space.
    status = code_of(message.get("ResponseStatus") or message.get("Response Status")) or ""
    if status in (SUBSCRIBED, SUBSCRIBED_BEFORE):
        return PullSubscribed(status)
    return Rejected(status, without_personal(text_of(message.get("ResponseDescription"))), outcome.status)


def pull_request(shortcode: str, start: datetime, end: datetime, offset: int) -> dict[str, object]:
    """The payments between two moments; `offset` as text, EAT without a zone (daraja.md §1)."""
    return {
        "ShortCode": shortcode,
        "StartDate": start.astimezone(EAT).strftime("%Y-%m-%d %H:%M:%S"),
        "EndDate": end.astimezone(EAT).strftime("%Y-%m-%d %H:%M:%S"),
        "OffSetValue": str(offset),
    }


@dataclass(frozen=True, slots=True)
class Pulled:
    """A page of the list; an empty one is the end of it."""

    word: ClassVar[str] = "pulled"
    payments: tuple[PulledPayment, ...]


@dataclass(frozen=True, slots=True)
class PullFailed:
    """No list. `not_subscribed`: Daraja says that the application may not have one."""

    word: ClassVar[str] = "failed"
    reason: str
    token_refused: bool = False
    not_subscribed: bool = False
    rate_limited: bool = False


PullOutcome = Pulled | PullFailed


def judge_pull(outcome: Outcome) -> PullOutcome:
    match outcome:
        case BeforeSend() | AfterSend():
            return PullFailed(outcome.reason)
        case Answer():
            parsed = parse_pull(outcome.body)
        case _:
            assert_never(outcome)
    match parsed:
        case tuple():
            if not 200 <= outcome.status < 300:
                return PullFailed(f"http_{outcome.status}")
            return Pulled(parsed)
        case ErrorAnswered():
            return PullFailed(
                parsed.code,
                token_refused=is_access_token_error(parsed.code, parsed.message),
                not_subscribed=parsed.code.startswith("401.001"),
                rate_limited=is_rate_limit(parsed.code, parsed.message, outcome.status),
            )
        case Malformed():
            return PullFailed(f"http_{outcome.status}_{parsed.reason}", rate_limited=outcome.status == 429)
        case _:
            assert_never(parsed)

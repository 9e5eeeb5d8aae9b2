"""What Daraja's synchronous errors mean: the `errorCode` of a call that was refused at once.

An errorCode body is a real refusal: the push did not go out. Which sentence people read depends on the message too,
because 500.001.1001 is Daraja's word for a busy line, for wrong credentials and for "ask again" (daraja.md §3). On a
*query* that code concludes nothing; there `results.explain` holds, not this.
"""

from dataclasses import dataclass

from kaunta.daraja.results import CONFIGURED_WRONG, ResultCode, ResultKind, Verdict, row
from kaunta.daraja.words import ResultClass


@dataclass(frozen=True, slots=True)
class ApiError:
    """One row of daraja.md §3, "API errorCodes". `repeatable`: the same *query* may be asked again; a push is never
    repeated on its own, but for the one after an access token was refused."""

    code: str
    http: tuple[int, ...]
    meaning: str
    repeatable: bool
    klass: ResultClass
    access_token: bool = False


OURS, BUSY = ResultClass.OUR_FAULT, ResultClass.MPESA_BUSY

API_ERRORS: dict[str, ApiError] = {
    error.code: error
    for error in (
        ApiError("400.002.02", (400,), "Bad Request: an invalid field, named in the message", False, OURS),
        ApiError("400.002.05", (400,), "Invalid request payload", False, OURS),
        ApiError("400.003.01", (400,), "Invalid Access Token", True, OURS, access_token=True),
        ApiError("401.002.01", (401,), "Invalid Access Token", True, OURS, access_token=True),
        ApiError("404.001.03", (404,), "Invalid Access Token", True, OURS, access_token=True),
        ApiError("401.003.01", (401,), "Invalid Access Token", True, OURS, access_token=True),
        ApiError("400.003.02", (400,), "Bad Request", False, OURS),
        ApiError("400.008.01", (400,), "Invalid authentication: the consumer key or secret is wrong", False, OURS),
        ApiError("400.008.02", (400,), "Invalid grant type", False, OURS),
        ApiError("401.001", (401,), "The application is not subscribed to this product", False, OURS),
        ApiError("404.001.01", (404,), "Resource not found", False, OURS),
        ApiError("404.002.01", (404,), "Resource not found", False, OURS),
        ApiError("404.003.01", (404,), "Resource not found", False, OURS),
        ApiError("404.001.04", (404,), "Invalid authentication header: wrong verb or headers", False, OURS),
        ApiError("405.001", (405,), "Method not allowed", False, OURS),
        ApiError("500.001.1001", (500,), "Depends on the message", True, BUSY),
        ApiError("500.002.1001", (500,), "Duplicate OriginatorConversationID", False, OURS),
        ApiError("500.003.1001", (500,), "Internal server error, or unreachable for now", True, BUSY),
        ApiError("500.003.02", (500, 403), "System is busy, or spike arrest", True, BUSY),
        ApiError("500.003.03", (500,), "Quota violation", True, BUSY),
        ApiError("policies.ratelimit.SpikeArrestViolation", (429,), "Gateway: too many messages", True, BUSY),
        ApiError("policies.ratelimit.QuotaViolation", (429,), "Gateway: quota used up", True, BUSY),
    )
}

RATE_LIMITS = frozenset({"500.003.03", "policies.ratelimit.SpikeArrestViolation", "policies.ratelimit.QuotaViolation"})


def is_access_token_error(code: str, message: str) -> bool:
    """An explicit *Invalid Access Token*: the one refusal after which a push may be sent once more (rulings 1).

    The text is asked for as well, because 401.003.01 and 400.003.01 have other messages too.
    """
    error = API_ERRORS.get(code)
    return error is not None and error.access_token and "invalid access token" in message.lower()


def is_rate_limit(code: str, message: str, http_status: int) -> bool:
    """Daraja asks us to slow down: 429, or a 500 that says so."""
    return http_status == 429 or code in RATE_LIMITS or "spike arrest" in message.lower()


def explain_refusal(code: str | None, message: str | None = "") -> ResultCode:
    """What a push's refusal means for the payment; always final, never raises.

    `code`: Daraja's errorCode, or our own `not_sent` when nothing left this machine; `message`: Daraja's words, or
    `NotSent`'s reason. `money_may_have_moved` is True where an earlier prompt may still be alive.
    """
    text = (message or "").lower()
    known = (code or "").strip()
    if known == "not_sent":
        return MISCONFIGURED if text.startswith(("oauth_refused", "request_invalid")) else NOT_SENT
    if "unable to lock subscriber" in text:
        return row(
            Verdict(known, ResultKind.FINAL, ResultClass.BUSY_LINE, moved=True, retry=60),
            cause=("Another M-Pesa session is open on the phone.", "Kuna muamala mwingine wa M-Pesa kwenye simu."),
            fix=("The guest finishes it and waits a minute.", "Mgeni aumalize na asubiri dakika moja."),
            source="LNMOnlineAndroidSample#40",
        )
    if "wrong credentials" in text or "merchant does not exist" in text:
        return row(
            Verdict(known, ResultKind.FINAL, ResultClass.OUR_FAULT, moved=False, retry=None),
            cause=(
                "Safaricom refused the shortcode or its passkey.",
                "Safaricom imekataa nambari ya biashara au passkey yake.",
            ),
            fix=CONFIGURED_WRONG,
            source="Daraja 3.0, MpesaExpressSimulate, error codes",
        )
    error = API_ERRORS.get(known)
    klass = error.klass if error else (OURS if known.startswith("4") else BUSY)
    meaning = error.meaning if error else "An error that is in no published list"
    if klass is OURS:
        return row(
            Verdict(known, ResultKind.FINAL, OURS, moved=False, retry=None),
            cause=(f"Safaricom refused the request: {meaning}.", f"Safaricom imekataa ombi: {meaning}."),
            fix=CONFIGURED_WRONG,
            source="daraja.md §3, API errorCodes",
        )
    return row(
        # 500.003.1001 has been seen for pushes that rang all the same, so nothing is promised.
        Verdict(known, ResultKind.FINAL, BUSY, moved=True, retry=30),
        cause=(f"M-Pesa did not take the request: {meaning}.", f"M-Pesa haikupokea ombi: {meaning}."),
        fix=("Wait half a minute; offer the till number.", "Subiri nusu dakika; pendekeza nambari ya till."),
        source="daraja.md §3, API errorCodes",
    )


NOT_SENT = row(
    Verdict("not_sent", ResultKind.FINAL, ResultClass.MPESA_BUSY, moved=False, retry=0),
    guest=(
        "M-Pesa is not answering. Nothing was sent to your phone. Try again, or pay another way.",
        "M-Pesa haijibu. Hakuna kilichotumwa kwenye simu yako. Jaribu tena, au lipa kwa njia nyingine.",
    ),
    cause=("Safaricom could not be reached; the request never left.", "Safaricom haikufikiwa; ombi halikutoka."),
    fix=("Check the internet connection; try again.", "Kagua mtandao; jaribu tena."),
    source="ours: rulings 1",
)

MISCONFIGURED = row(
    Verdict("not_sent", ResultKind.FINAL, ResultClass.OUR_FAULT, moved=False, retry=None),
    cause=(
        "Safaricom refused the consumer key or secret, or a setting does not fit; the request never left.",
        "Safaricom imekataa consumer key au secret, au mpangilio haufai; ombi halikutoka.",
    ),
    fix=CONFIGURED_WRONG,
    source="ours: rulings 1",
)

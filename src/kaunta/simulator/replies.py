"""Every answer that is not a success: Daraja's own errors, the gateway's faults, and silence.

A scenario or a fault names one of `REPLIES`. Codes, HTTP statuses and texts are those of the portal's error tables and
of published traffic, misspellings included.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Form(StrEnum):
    """The shape of an answer's body."""

    ERROR = "error"  # {"requestId", "errorCode", "errorMessage"}
    FAULT = "fault"  # {"fault": {"faultstring", "detail": {"errorcode"}}}, from the gateway in front
    HTML = "html"
    EMPTY = "empty"
    RESET = "reset"  # the connection ends without an answer
    HANG = "hang"  # the connection stays open without an answer


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: HTTP status, Daraja's code and its text."""

    status: int
    code: str = ""
    text: str = ""
    form: Form = Form.ERROR


class Refused(Exception):
    """The request ends here, with this reply."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(reply.text)


def invalid(field: str) -> Reply:
    """What Daraja says to a field it does not like."""
    return Reply(400, "400.002.02", f"Bad Request - Invalid {field}")


SPIKE_ARREST = (
    "Spike arrest violation. Allowed rate : MessageRate{messagesPerPeriod=5, periodInMicroseconds=60000000, "
    "maxBurstMessageCount=1.0}"
)
LOCKED = "Unable to lock subscriber, a transaction is already in process for the current subscriber"

REPLIES: dict[str, Reply] = {
    "invalid_authentication": Reply(400, "400.008.01", "Invalid Authentication passed"),
    "invalid_grant_type": Reply(400, "400.008.02", "Invalid grant type passed"),
    "invalid_shortcode": invalid("BusinessShortCode"),
    "invalid_timestamp": invalid("Timestamp"),
    "invalid_amount": invalid("Amount"),
    "invalid_phone": invalid("PhoneNumber"),
    "invalid_callback_url": invalid("CallBackURL"),
    "invalid_transaction_type": invalid("TransactionType"),
    "invalid_remarks": invalid("Remarks"),
    "invalid_checkout_id": invalid("CheckoutRequestID"),
    "invalid_payload": Reply(400, "400.002.05", "Invalid Request Payload"),
    "invalid_transaction_id": invalid("TransactionID"),
    "bad_request": Reply(400, "400.003.02", "Bad Request"),
    "invalid_access_token": Reply(404, "404.001.03", "Invalid Access Token"),
    "invalid_access_token_400": Reply(400, "400.003.01", "Invalid Access Token"),
    "invalid_access_token_401": Reply(401, "401.003.01", "Invalid Access Token"),
    "invalid_access_token_401_002": Reply(401, "401.002.01", "Invalid Access Token"),
    "invalid_auth_header": Reply(404, "404.001.04", "Invalid Authentication Header"),
    "not_found": Reply(404, "404.001.01", "Resource not found"),
    "method_not_allowed": Reply(405, "405.001", "Method Not Allowed"),
    "merchant_unknown": Reply(500, "500.001.1001", "Merchant does not exist"),
    "wrong_credentials": Reply(500, "500.001.1001", "Wrong credentials"),
    "wrong_merchant": Reply(500, "500.001.1001", "[MerchantValidate] - Wrong credentials"),
    "subscriber_locked": Reply(500, "500.001.1001", LOCKED),
    "processing": Reply(500, "500.001.1001", "The transaction is being processed"),
    "unknown_transaction": Reply(500, "500.001.1001", "The transaction does not Exist"),
    "no_message": Reply(500, "500.001.1001", ""),
    "duplicate_conversation": Reply(500, "500.002.1001", "Duplicate OriginatorConversationID"),
    "internal_error": Reply(500, "500.003.1001", "Internal Server Error"),
    "unreachable_service": Reply(500, "500.003.1001", "Service is currently unreachable"),
    "urls_registered": Reply(500, "500.003.1001", "Urls are already registered."),
    "duplicate_notification": Reply(500, "500.003.1001", "Duplicate notification info"),
    "not_subscribed": Reply(401, "401.001", "Invalid API call as no apiproduct match found"),
    "busy": Reply(500, "500.003.02", "System is busy. Please try again in few minutes."),
    "spike_arrest": Reply(500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
    "quota": Reply(500, "500.003.03", "Quota Violation"),
    "spike_arrest_fault": Reply(429, "policies.ratelimit.SpikeArrestViolation", SPIKE_ARREST, Form.FAULT),
    "no_product": Reply(
        401,
        "keymanagement.service.InvalidAPICallAsNoApiProductMatchFound",
        "Invalid API call as no apiproduct match found",
        Form.FAULT,
    ),
    "html_5xx": Reply(503, form=Form.HTML),
    "html_502": Reply(502, form=Form.HTML),
    "empty_200": Reply(200, form=Form.EMPTY),
    "empty_400": Reply(400, form=Form.EMPTY),
    "empty_401": Reply(401, form=Form.EMPTY),
    "empty_5xx": Reply(500, form=Form.EMPTY),
    "reset": Reply(0, form=Form.RESET),
    "hang": Reply(0, form=Form.HANG),
}

GATEWAY_PAGE = (
    "<html><head><title>{status} Service Unavailable</title></head>"
    "<body><center><h1>{status} Service Unavailable</h1></center></body></html>"
)
#: Seconds of policy after which a hanging connection is ended by Safaricom's side.
PATIENCE = 120.0


def response(reply: Reply, request_id: str, pause: Callable[[float], Awaitable[None]]) -> Response:
    """The reply as HTTP. `pause` waits seconds of policy."""
    match reply.form:
        case Form.ERROR:
            return as_json({"requestId": request_id, "errorCode": reply.code, "errorMessage": reply.text}, reply.status)
        case Form.FAULT:
            return as_json({"fault": {"faultstring": reply.text, "detail": {"errorcode": reply.code}}}, reply.status)
        case Form.HTML:
            return Response(GATEWAY_PAGE.format(status=reply.status), reply.status, media_type="text/html")
        case Form.EMPTY:
            return Response(b"", reply.status)
        case Form.RESET:
            return NoAnswer(None)
        case Form.HANG:
            return NoAnswer(pause)


def as_json(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")


class NoAnswer(Response):
    """Nothing is sent: the connection is cut at once, or held until the other side or our patience gives up.

    Cutting needs the server's help (host.py offers it as `abort`); under another server the connection is held.
    """

    def __init__(self, pause: Callable[[float], Awaitable[None]] | None) -> None:
        super().__init__()
        self.pause = pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        abort = scope.get("state", {}).get("abort")
        if self.pause is not None:
            await first_of(self.pause(PATIENCE), Request(scope, receive))
        if abort is not None:
            abort()
        while (await receive())["type"] != "http.disconnect":
            pass


async def first_of(waiting: Awaitable[None], request: Request) -> None:
    """Returns when `waiting` is over or the client has gone."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = {asyncio.ensure_future(waiting), asyncio.create_task(gone())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

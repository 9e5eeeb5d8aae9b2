"""The payments' JSON API: start, ask, try again, list (contract.md).

Guests and their programs hold an unguessable tab reference or payment id; a bar's machines hold an API key.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StrictInt, TypeAdapter
from starlette.routing import Route

from kaunta.api.machines import Counted, bar_of_caller, read_cursor, write_cursor
from kaunta.core.errors import BadRequest
from kaunta.core.web import language, runtime, source_of
from kaunta.payments import current, views
from kaunta.payments.current import CurrentState
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.initiate import Initiated, Intent, initiate
from kaunta.payments.retry import Again, retry
from kaunta.payments.states import Status
from kaunta.payments.under_way import Pushes
from kaunta.payments.views import PaymentView

router = APIRouter(prefix="/api/payments/mpesa", tags=["payments"])

#: What machines ask with their keys: each answer tells how the key's share stands.
listing = APIRouter(prefix="/api/payments/mpesa", tags=["payments"], route_class=Counted)

#: Writes a payment as JSON, short.
WRITTEN = TypeAdapter(dict[str, Any])
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]


class InitiateBody(BaseModel):
    """`tabId`: the tab's reference as in `/pay/{tab}`; `phoneNumber`: in any Kenyan form; `amount`: shillings."""

    model_config = ConfigDict(extra="ignore")

    tab_ref: str = Field(alias="tabId", min_length=1, max_length=100)
    phone: str = Field(alias="phoneNumber", min_length=1, max_length=64)
    amount: StrictInt


class RetryBody(BaseModel):
    """What may differ from the first attempt. `acknowledgeUnknown`: "I have no M-Pesa SMS for the last one"."""

    model_config = ConfigDict(extra="ignore")

    phone: str | None = Field(alias="phoneNumber", default=None, min_length=1, max_length=64)
    amount: StrictInt | None = None
    acknowledge_unknown: bool = Field(alias="acknowledgeUnknown", default=False)


@router.post("/initiate", status_code=202)
async def initiate_payment(request: Request, body: InitiateBody, key: IdempotencyKey = None) -> JSONResponse:
    """Ask Safaricom to ring a guest's phone. Answers when Safaricom has, or when it will not."""
    rt = runtime(request)
    intent = Intent(tab_ref=body.tab_ref, phone=body.phone, amount=body.amount, key=key, source=source_of(request))
    return await started(request, await initiate(rt, pushes(request), intent))


@router.post("/retry/{payment_id}", status_code=202)
async def retry_payment(
    request: Request, payment_id: UUID, body: RetryBody | None = None, key: IdempotencyKey = None
) -> JSONResponse:
    """A new attempt for what an earlier one did not pay."""
    body = body or RetryBody()
    again = Again(
        phone=body.phone,
        amount=body.amount,
        key=key,
        acknowledge_unknown=body.acknowledge_unknown,
        source=source_of(request),
    )
    return await started(request, await retry(runtime(request), pushes(request), payment_id, again))


async def started(request: Request, initiated: Initiated) -> JSONResponse:
    await initiated.answered()
    found = await current.state_and_checkout(runtime(request), initiated.transaction_id)
    if found is None:
        raise PaymentNotFound
    payment, checkout_request_id = found
    return JSONResponse(
        {
            "success": payment.status not in (Status.FAILED, Status.CANCELLED),
            "transactionId": str(payment.id),
            "checkoutRequestId": checkout_request_id,
            "status": payment.status,
            "customerMessage": customer_message(request, payment),
        },
        status_code=202,
    )


async def read_status(request: Request) -> Response:
    """Where a payment stands; 304 while nothing has changed. A plain route: open pages of programs ask every second."""
    try:
        payment_id = UUID(request.path_params["payment_id"])
    except ValueError:
        raise BadRequest("payment_id: this is no payment's id.") from None
    payment = await current.state(runtime(request), payment_id)
    if payment is None:
        raise PaymentNotFound
    body = WRITTEN.dump_json(as_json(request, payment))
    tag = '"' + hashlib.sha256(body).hexdigest()[:20] + '"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    asked = request.headers.get("if-none-match")
    if asked and tag in (name.strip().removeprefix("W/") for name in asked.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@router.get("/status/{payment_id}")
async def payment_status(request: Request, payment_id: UUID) -> Response:
    """Where a payment stands; 304 while nothing has changed."""
    return await read_status(request)


#: Tried before everything else; what the same path does below is described there, for programs that read it.
hot_routes = [Route("/api/payments/mpesa/status/{payment_id}", read_status, methods=["GET"])]


@listing.get("/transactions")
async def transactions(
    request: Request,
    response: Response,
    bar_id: Annotated[UUID | None, Query(alias="barId")] = None,
    status: Annotated[list[Status] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=120)] = None,
) -> dict[str, Any]:
    """A bar's payments, newest first; `nextCursor` leads to the next page."""
    response.headers["Cache-Control"] = "no-store"
    caller = await bar_of_caller(request, bar_id, "payments:read")
    wanted = [wish.value for wish in status] if status else views.EVERY_STATUS
    before = read_cursor(cursor) if cursor else views.NEWEST
    found = await views.settled_page(runtime(request), caller.bar_id, wanted, before, limit + 1)
    page, more = found[:limit], len(found) > limit
    return {
        "success": True,
        "transactions": [as_json(request, payment) | {"reference": payment.reference} for payment in page],
        "nextCursor": write_cursor(page[-1].created_at, page[-1].id) if more else None,
    }


def pushes(request: Request) -> Pushes:
    found: Pushes = request.app.state.pushes
    return found


def as_json(request: Request, payment: PaymentView | CurrentState) -> dict[str, Any]:
    return {
        "transactionId": str(payment.id),
        "status": payment.status.value,
        "irregularity": payment.irregularities[0] if payment.irregularities else None,
        "irregularities": list(payment.irregularities),
        "amount": payment.amount,
        "amountReceived": payment.received,
        "phoneNumber": payment.phone_masked,
        "mpesaReceiptNumber": payment.receipt,
        "transactionDate": moment(payment.transaction_date),
        "failureReason": payment.result_class if payment.status in (Status.FAILED, Status.CANCELLED) else None,
        "customerMessage": customer_message(request, payment),
        "retryable": payment.retryable,
        "retryAfter": payment.retry_after,
        "createdAt": moment(payment.created_at),
        "updatedAt": moment(payment.updated_at),
    }


def customer_message(request: Request, payment: PaymentView | CurrentState) -> str:
    return payment.meaning.guest_sw if language(request) == "sw" else payment.meaning.guest_en


def moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None

"""One payment at the counter: what it is, what to tell the guest, and everything that happened, oldest first."""

import json

from fastapi import APIRouter, Request, Response

from kaunta.core.web import runtime
from kaunta.payments import views
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.meaning import meaning
from kaunta.payments.views import PaymentView
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Seat
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


@router.get("/staff/payments/{name}")
async def show_payment(request: Request, name: str, seat: AtCounter) -> Response:
    """A payment by its reference, or by its id where a problem names it."""
    rt = runtime(request)
    p = await payment_at(request, seat, name)
    timeline = await views.timeline(rt, p.id)
    paid = p.status == "completed"
    return counter_page(
        request,
        "payment.html",
        seat,
        version=(p.status, p.irregularities, p.receipt, len(timeline)),
        live=True,
        environment=p.environment,
        p=p,
        why=None if paid else meaning(p.status, p.failure_reason, p.result_code, p.result_desc),
        timeline=timeline,
        as_text=as_text,
    )


async def payment_at(request: Request, seat: Seat, name: str) -> PaymentView:
    """The bar's payment. Raises `PaymentNotFound`, for another bar's too."""
    rt, id_ = runtime(request), uuid_of(name)
    p = await (views.payment(rt, id_) if id_ else views.payment_by_reference(rt, seat.bar_id, name))
    if p is None or p.bar_id != seat.bar_id:
        raise PaymentNotFound
    return p


def as_text(detail: dict[str, object]) -> str:
    """A moment's details to read; what is empty is left out."""
    told = {key: value for key, value in detail.items() if value not in (None, "", {}, [])}
    return json.dumps(told, indent=2, ensure_ascii=False, default=str) if told else ""

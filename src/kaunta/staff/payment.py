"""One payment at the counter: what it is, what to tell the guest, and everything that happened, oldest first."""

import json

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May, RoleRefused
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.money import kes
from kaunta.core.web import runtime
from kaunta.payments import desk, views
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.initiate import Pushes
from kaunta.payments.meaning import meaning
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.retry import Again, retry
from kaunta.payments.views import PaymentView
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


@router.get("/staff/payments/{name}")
async def show_payment(request: Request, name: str, seat: AtCounter) -> Response:
    """A payment by its reference, or by its id where a problem names it."""
    return await payment_page(request, seat, await payment_at(request, seat, name))


async def payment_page(request: Request, seat: Seat, p: PaymentView, error: KauntaError | None = None) -> Response:
    rt = runtime(request)
    timeline = await views.timeline(rt, p.id)
    now = await desk.standing(rt, p.id)
    paid = p.status == "completed"
    return counter_page(
        request,
        "payment.html",
        seat,
        error.status if error else 200,
        version=(p.status, p.irregularities, p.receipt, len(timeline), now),
        live=error is None,
        environment=p.environment,
        p=p,
        why=None if paid else meaning(p.status, p.failure_reason, p.result_code, p.result_desc),
        timeline=timeline,
        as_text=as_text,
        now=now,
        decides=why_not_decide(seat, p, now),
        acts=desk.Act,
        problem=error.detail if error else None,
        key=rt.entropy.token(),
    )


def why_not_decide(seat: Seat, p: PaymentView, now: desk.Standing) -> str | None:
    """Why this person may not say how the payment ended; None where they may."""
    if not seat.may(May.RESOLVE):
        return "Ask a cashier or a manager to say how this payment ended."
    if seat.bar.role == "cashier" and p.amount > now.resolve_limit:
        return f"Above {kes(now.resolve_limit)} a manager says how a payment ended."
    return None


@router.post("/staff/payments/{name}/check")
async def check(request: Request, name: str, post: Posted) -> Response:
    """Ask Safaricom now."""
    p = await payment_at(request, post.seat, name)
    pushes: Pushes = request.app.state.pushes
    try:
        await desk.ask(runtime(request), pushes.daraja, p.id)
    except KauntaError as error:
        return await payment_page(request, post.seat, p, error)
    return RedirectResponse(f"/staff/payments/{p.reference}", 303)


@router.post("/staff/payments/{name}/push")
async def push(request: Request, name: str, post: Posted) -> Response:
    """Another prompt to the same phone, as a new attempt."""
    p, rt = await payment_at(request, post.seat, name), runtime(request)
    amount = post.text("amount")
    again = Again(
        amount=int(amount) if amount.isascii() and amount.isdigit() and len(amount) <= 7 else 0,
        key=f"staff:{post.text('key')[:100]}" if post.text("key") else None,
        acknowledge_unknown=post.text("no_sms") == "yes",
        started_by=f"staff:{post.seat.account_id}",
    )
    try:
        started = await retry(rt, request.app.state.pushes, p.id, again)
    except KauntaError as error:
        return await payment_page(request, post.seat, p, error)
    return RedirectResponse(f"/staff/payments/{started.transaction_id}", 303)


@router.post("/staff/payments/{name}/resolve")
async def decide(request: Request, name: str, post: Posted) -> Response:
    """A person says how an unknown payment ended: reason, evidence, and the M-Pesa code where they have it."""
    p, rt, seat = await payment_at(request, post.seat, name), runtime(request), post.seat
    if refusal := why_not_decide(seat, p, await desk.standing(rt, p.id)):
        raise RoleRefused(refusal)
    try:
        if post.text("ended") not in ("paid", "not_paid"):
            raise BadRequest("Say how it ended: paid or not paid.")
        resolution = Resolution(
            paid=post.text("ended") == "paid",
            reason=post.text("reason")[:500],
            evidence=post.text("evidence")[:500],
            by=f"staff:{seat.account_id}",
            receipt=post.text("receipt").strip().upper() or None,
        )
        await resolve(rt, p.id, resolution)
    except KauntaError as error:
        return await payment_page(request, seat, p, error)
    return RedirectResponse(f"/staff/payments/{p.reference}", 303)


@router.post("/staff/payments/{name}/note")
async def take_note(request: Request, name: str, post: Posted) -> Response:
    """A note beside the payment."""
    p, rt, seat = await payment_at(request, post.seat, name), runtime(request), post.seat
    try:
        await desk.note(rt, seat.bar_id, p.id, post.text("note"), by=f"staff:{seat.account_id}")
    except BadRequest as error:
        return await payment_page(request, seat, p, error)
    return RedirectResponse(f"/staff/payments/{p.reference}", 303)


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

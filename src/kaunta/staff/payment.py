"""One payment at the counter: what it is, what to tell the guest, what may be done, and everything that happened.

How an unknown payment ended is said on pages of its own (`resolve_wizard.py`).
"""

import json

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.web import runtime
from kaunta.payments import bundle, desk, refund_views, views
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.queries import proposals
from kaunta.payments.retry import Again, retry
from kaunta.payments.timeline import Kind, attempts
from kaunta.payments.under_way import Pushes
from kaunta.payments.views import PaymentView
from kaunta.staff.actors import names
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: What the timeline can be narrowed to.
KINDS = {
    Kind.STATE: "Changes",
    Kind.CALLBACK: "Callbacks",
    Kind.QUERY: "Questions",
    Kind.REQUEST: "Requests",
    Kind.LEDGER: "Ledger",
    Kind.REFUND: "Refunds",
    Kind.PERSON: "People",
    Kind.SHOWN: "Shown to the guest",
    Kind.NOTICE: "Notifications",
}


@router.get("/staff/payments/{name}")
async def show_payment(request: Request, name: str, seat: AtCounter) -> Response:
    """A payment by its reference, or by its id where a problem names it."""
    seat.require(May.SERVE)
    return await payment_page(request, seat, await payment_at(request, seat, name))


async def payment_page(
    request: Request, seat: Seat, p: PaymentView, error: KauntaError | None = None, phone: str | None = None
) -> Response:
    rt = runtime(request)
    asked = request.query_params.get("kind", "")
    kind = Kind(asked) if asked in {kind.value for kind in Kind} else None
    tries = await attempts(rt, p.id)
    now = await desk.standing(rt, p.id)
    async with rt.db.acquire() as db:
        name = await names(db, seat.bar_id)
        waits = await proposals.open_about(db, p.id, rt.clock.now())
    credits = await refund_views.of_payment(rt, p.id)
    return counter_page(
        request,
        "payment.html",
        seat,
        error.status if error else 200,
        version=(p.status, p.irregularities, p.receipt, [len(each.moments) for each in tries], now, waits),
        live=error is None and phone is None,
        environment=p.environment,
        p=p,
        phone=phone,
        may_see_phone=seat.may(May.EXPORT),
        tries=tries,
        kinds=KINDS,
        kind=kind,
        as_text=as_text,
        name=name,
        now=now,
        waits=waits,
        own=waits is not None and waits.proposed_by == f"staff:{seat.account_id}",
        may_approve=seat.may(May.APPROVE),
        not_resolved=why_not_resolved(seat, now),
        credits=credits,
        not_refunded=why_not_refunded(seat, p, any(each.left for each in credits)),
        acts=desk.Act,
        problem=error.detail if error else None,
        key=rt.entropy.token(),
    )


def why_not_decide(seat: Seat) -> str | None:
    """Why this person may not say how a payment ended; None where they may."""
    return None if seat.may(May.RESOLVE) else "Ask a cashier or a manager to say how this payment ended."


def why_not_resolved(seat: Seat, now: desk.Standing) -> str | None:
    """Why nothing can be said here about how it ended; None where something can."""
    if now.may(desk.Act.PAID) or now.may(desk.Act.NOT_PAID):
        return why_not_decide(seat)
    return now.refused[desk.Act.PAID]


def why_not_refunded(seat: Seat, p: PaymentView, left: bool) -> str | None:
    """Why no money can be given back from here; None where it can."""
    if p.status != "completed":
        return "Only what was paid can be given back."
    if not seat.may(May.REFUND):
        return "Ask a manager to give money back."
    return None if left else "All of it has been given back, or is on its way."


@router.post("/staff/payments/{name}/check")
async def check(request: Request, name: str, post: Posted) -> Response:
    """Ask Safaricom now."""
    post.seat.require(May.SERVE)
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
    post.seat.require(May.SERVE)
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


@router.post("/staff/payments/{name}/note")
async def take_note(request: Request, name: str, post: Posted) -> Response:
    """A note beside the payment."""
    post.seat.require(May.SERVE)
    p, rt, seat = await payment_at(request, post.seat, name), runtime(request), post.seat
    try:
        await desk.note(rt, seat.bar_id, p.id, post.text("note"), by=f"staff:{seat.account_id}")
    except (BadRequest, desk.NotesFull) as error:
        return await payment_page(request, seat, p, error)
    return RedirectResponse(f"/staff/payments/{p.reference}", 303)


@router.post("/staff/payments/{name}/phone")
async def show_phone(request: Request, name: str, post: Posted) -> Response:
    """The payer's whole number on this one page, to ring them back."""
    post.seat.require(May.EXPORT)
    p, seat = await payment_at(request, post.seat, name), post.seat
    try:
        phone = await desk.payer_phone(runtime(request), p, by=f"staff:{seat.account_id}")
    except desk.PhoneErased as error:
        return await payment_page(request, seat, p, error)
    return await payment_page(request, seat, p, phone=phone)


@router.post("/staff/payments/{name}/bundle")
async def download_bundle(request: Request, name: str, post: Posted) -> Response:
    """The support bundle, as a file: redacted JSON that may leave the bar."""
    post.seat.require(May.SERVE)
    p, rt = await payment_at(request, post.seat, name), runtime(request)
    made = await bundle.support_bundle(rt, p, by=f"staff:{post.seat.account_id}")
    headers = {
        "Content-Disposition": f'attachment; filename="{p.reference}.support.json"',
        "Cache-Control": "no-store",
    }
    return Response(json.dumps(made, indent=2), headers=headers, media_type="application/json")


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

"""Money's way back at the counter: asked for with a fresh password, agreed to by another person above a limit, and
followed until Safaricom says that it has gone.
"""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.access.sessions import require_proof
from kaunta.core.errors import KauntaError
from kaunta.core.web import runtime
from kaunta.payments import initiators, refund_views, reversals
from kaunta.payments import refunds as use
from kaunta.payments.queries import refundable
from kaunta.payments.queries import refunds as queries
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.refunds import RefundNotFound, RefundWanted
from kaunta.payments.under_way import Pushes
from kaunta.staff.actors import names
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.payment import payment_at
from kaunta.staff.receipts import receipt_at
from kaunta.staff.session import AtCounter, Post, Posted, Seat
from kaunta.staff.words import shillings, uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: Refunds the list shows: those of this many days.
SHOWN_SECONDS = 60 * 86_400.0
STATES = {
    "requested": ("wait", "asked for"),
    "processing": ("wait", "on its way"),
    "unknown": ("wait", "not known yet"),
    # Green is for money that came.
    "refunded": ("done", "given back"),
    "failed": ("no", "not given back"),
    "withdrawn": ("no", "withdrawn"),
}
METHODS = {"reversal": "reversed by M-Pesa", "by_hand": "sent by hand", "taken_back": "taken back by the payer"}


@router.get("/staff/refunds")
async def show_refunds(request: Request, seat: AtCounter) -> Response:
    """The bar's refunds, newest first."""
    seat.require(May.REFUND)
    rt = runtime(request)
    found = await refund_views.of_bar(rt, seat.bar_id, rt.clock.before(SHOWN_SECONDS))
    async with rt.db.acquire() as db:
        name = await names(db, seat.bar_id)
    return counter_page(
        request, "refunds.html", seat, version=(found,), live=True, refunds=found, states=STATES, methods=METHODS,
        name=name,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """What money is given back of. `place`: its page; `of`: what people call it; `receipt_id` None: Safaricom has not
    told a code, so nothing but a refund by hand is possible."""

    place: str
    of: str
    environment: str
    left: int
    receipt_id: UUID | None = None
    credit_id: UUID | None = None


async def target_of_receipt(request: Request, seat: Seat, name: str) -> Target:
    """Raises `ReceiptNotFound`."""
    receipt = await receipt_at(request, seat, name)
    async with runtime(request).db.acquire() as db:
        found = await refundable.refundable_receipt(db, receipt.id)
    left = found.left if found else 0
    return Target(f"/staff/receipts/{receipt.id}", receipt.receipt, receipt.environment, left, receipt_id=receipt.id)


async def target_of_payment(request: Request, seat: Seat, name: str) -> Target:
    """A payment's credit that has no receipt, else its last receipt. Raises `PaymentNotFound`, `RefundNotFound`."""
    payment = await payment_at(request, seat, name)
    credits = await refund_views.of_payment(runtime(request), payment.id)
    if not credits:
        raise RefundNotFound("Nothing was credited for this payment.")
    last = credits[-1]
    if last.receipt_id is not None:
        return await target_of_receipt(request, seat, str(last.receipt_id))
    place = f"/staff/payments/{payment.reference}"
    return Target(place, payment.reference, last.environment, last.left, credit_id=last.credit_id)


async def form_page(
    request: Request, seat: Seat, target: Target, error: KauntaError | None = None, post: Post | None = None
) -> Response:
    rt = runtime(request)
    async with rt.db.acquire() as db:
        limit = await queries.alone_limit(db, seat.bar_id)
        reversible = await initiators.available(db, rt, seat.bar_id, target.environment)
    return counter_page(
        request,
        "refund_form.html",
        seat,
        error.status if error else 200,
        environment=target.environment,
        problem=error.detail if error else None,
        place=target.place,
        of=target.of,
        left=target.left,
        codeless=target.receipt_id is None,
        limit=limit,
        reversible=reversible,
        key=post.text("key") if post else rt.entropy.ref(),
        amount=post.text("amount") if post else "",
        reason=post.text("reason") if post else "",
        code=post.text("code") if post else "",
    )


@router.get("/staff/receipts/{name}/refund")
async def refund_form(request: Request, name: str, seat: AtCounter) -> Response:
    """How much, why, and which way. Asks for the password first, so that nothing typed is lost afterwards."""
    seat.require(May.REFUND)
    target = await target_of_receipt(request, seat, name)
    require_proof(runtime(request), seat.session)
    return await form_page(request, seat, target)


@router.post("/staff/receipts/{name}/refund")
async def ask(request: Request, name: str, post: Posted) -> Response:
    """Ask for a refund. One that needs nobody else goes off at once; a double click is one refund."""
    post.seat.require(May.REFUND)
    return await ask_for(request, post, await target_of_receipt(request, post.seat, name))


@router.get("/staff/payments/{name}/refund")
async def payment_form(request: Request, name: str, seat: AtCounter) -> Response:
    """The same of a payment: by its receipt, or, where nobody knows its code, recorded by hand."""
    seat.require(May.REFUND)
    target = await target_of_payment(request, seat, name)
    require_proof(runtime(request), seat.session)
    return await form_page(request, seat, target)


@router.post("/staff/payments/{name}/refund")
async def ask_of_payment(request: Request, name: str, post: Posted) -> Response:
    """What was sent back by hand is on record. Had the payment found its receipt since, it counts as of that."""
    post.seat.require(May.REFUND)
    return await ask_for(request, post, await target_of_payment(request, post.seat, name))


async def ask_for(request: Request, post: Post, target: Target) -> Response:
    rt = runtime(request)
    require_proof(rt, post.seat.session)
    by_hand = target.receipt_id is None or post.text("method") == "by_hand"
    try:
        made = await use.request(
            rt,
            RefundWanted(
                bar_id=post.seat.bar_id,
                amount=shillings(post.text("amount")),
                reason=post.text("reason"),
                method="by_hand" if by_hand else "reversal",
                key=post.text("key")[:200],
                receipt_id=target.receipt_id,
                credit_id=target.credit_id,
                code=post.text("code")[:20] if by_hand else None,
            ),
            by=f"staff:{post.seat.account_id}",
        )
    except KauntaError as error:
        return await form_page(request, post.seat, target, error, post)
    await send(request, made)
    return RedirectResponse(f"/staff/refunds/{made.id}", 303)


async def send(request: Request, refund: Refund) -> None:
    """Off to Safaricom, where nobody has to agree any more; the worker does it too, and it is done once."""
    if refund.method == "reversal" and refund.ready and refund.state == "requested":
        pushes: Pushes = request.app.state.pushes
        await reversals.send(runtime(request), pushes.daraja, refund.id)


async def refund_at(request: Request, seat: Seat, refund_id: str) -> Refund:
    """The bar's refund. Raises `RefundNotFound`, for another bar's too."""
    id_ = uuid_of(refund_id)
    async with runtime(request).db.acquire() as db:
        found = await queries.refund(db, id_) if id_ else None
    if found is None or found.bar_id != seat.bar_id:
        raise RefundNotFound
    return found


async def refund_page(request: Request, seat: Seat, refund: Refund, error: KauntaError | None = None) -> Response:
    rt = runtime(request)
    async with rt.db.acquire() as db:
        name = await names(db, seat.bar_id)
    timeline = await refund_views.timeline(rt, refund.id)
    own = refund.requested_by == f"staff:{seat.account_id}"
    return counter_page(
        request,
        "refund.html",
        seat,
        error.status if error else 200,
        version=(refund, timeline),
        live=error is None,
        environment=refund.environment,
        problem=error.detail if error else None,
        refund=refund,
        timeline=timeline,
        states=STATES,
        methods=METHODS,
        name=name,
        waits=refund.state == "requested" and not refund.ready,
        may_approve=seat.may(May.APPROVE) and not own,
        own=own,
    )


@router.get("/staff/refunds/{refund_id}")
async def show_refund(request: Request, refund_id: str, seat: AtCounter) -> Response:
    """One refund and everything that happened to it."""
    seat.require(May.REFUND)
    return await refund_page(request, seat, await refund_at(request, seat, refund_id))


@router.post("/staff/refunds/{refund_id}/approve")
async def approve(request: Request, refund_id: str, post: Posted) -> Response:
    """A second person agrees, and it goes off."""
    post.seat.require(May.APPROVE)
    refund = await refund_at(request, post.seat, refund_id)
    require_proof(runtime(request), post.seat.session)
    try:
        await send(request, await use.approve(runtime(request), refund.id, by=f"staff:{post.seat.account_id}"))
    except KauntaError as error:
        return await refund_page(request, post.seat, refund, error)
    return RedirectResponse(f"/staff/refunds/{refund.id}", 303)


@router.post("/staff/refunds/{refund_id}/withdraw")
async def withdraw(request: Request, refund_id: str, post: Posted) -> Response:
    """It is not to be after all."""
    post.seat.require(May.REFUND)
    refund = await refund_at(request, post.seat, refund_id)
    reason = post.text("reason").strip() or "withdrawn at the counter"
    try:
        await use.withdraw(runtime(request), refund.id, by=f"staff:{post.seat.account_id}", reason=reason[:300])
    except KauntaError as error:
        return await refund_page(request, post.seat, refund, error)
    return RedirectResponse(f"/staff/refunds/{refund.id}", 303)


@router.post("/staff/refunds/{refund_id}/settle")
async def settle(request: Request, refund_id: str, post: Posted) -> Response:
    """How an unknown reversal ended, as a person saw it on the statement or heard from Safaricom."""
    post.seat.require(May.REFUND)
    refund = await refund_at(request, post.seat, refund_id)
    require_proof(runtime(request), post.seat.session)
    try:
        await use.settle_by_hand(
            runtime(request),
            refund.id,
            refunded=post.text("ended") == "refunded",
            by=f"staff:{post.seat.account_id}",
            reason=post.text("reason")[:300],
            code=post.text("code").strip().upper()[:20] or None,
        )
    except KauntaError as error:
        return await refund_page(request, post.seat, refund, error)
    return RedirectResponse(f"/staff/refunds/{refund.id}", 303)

"""How an unknown payment ended, said by a person in three steps: ask Safaricom, look at what there is, decide.

Above the bar's limits the decision is a proposal, and a second person agrees or declines.
"""

from datetime import timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.queries import people
from kaunta.access.roles import May, RoleRefused, may
from kaunta.access.sessions import require_proof
from kaunta.core.errors import BadRequest, Conflict, KauntaError
from kaunta.core.web import runtime
from kaunta.payments import approval, desk, matching
from kaunta.payments.checking import CodeAnswer, check_code
from kaunta.payments.desk import Act
from kaunta.payments.queries import proposals
from kaunta.payments.resolve import NotResolved, Resolution, resolve
from kaunta.payments.under_way import Pushes
from kaunta.payments.views import PaymentView
from kaunta.staff.actors import names
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.payment import payment_at, payment_page, why_not_decide
from kaunta.staff.receipts import CHANNELS, STANDINGS
from kaunta.staff.session import AtCounter, Post, Posted, Seat
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: Money of the same amount this far before or after the payment is shown as evidence.
NEAR = timedelta(hours=2)
TYPED = ("ended", "receipt", "evidence", "reason")


class ProposerGone(Conflict):
    """Whoever proposed this may not decide payments here any more. Decline it, and decide anew."""

    code = "proposer_gone"


async def wizard_page(
    request: Request,
    seat: Seat,
    p: PaymentView,
    error: KauntaError | None = None,
    post: Post | None = None,
    answer: CodeAnswer | None = None,
) -> Response:
    rt = runtime(request)
    now = await desk.standing(rt, p.id)
    about = p.sent_at or p.created_at
    async with rt.db.acquire() as db:
        found = await proposals.receipts_near(db, p.bar_id, p.environment, p.amount, about - NEAR, about + NEAR)
        typed = await proposals.codes_typed(db, p.id, p.tab_id)
        said = await proposals.last_answer(db, p.id)
        waits = await proposals.open_about(db, p.id, rt.clock.now())
        name = await names(db, seat.bar_id)
    return counter_page(
        request,
        "resolve.html",
        seat,
        error.status if error else 200,
        environment=p.environment,
        problem=error.detail if error else None,
        p=p,
        now=now,
        acts=Act,
        found=found,
        typed=typed,
        said=said,
        waits=waits,
        channels=CHANNELS,
        answer=answer,
        standing=STANDINGS[answer.standing] if answer else None,
        second=now.needs_second(seat.bar.role, p.amount),
        given={field: post.text(field) for field in TYPED} if post else dict.fromkeys(TYPED, ""),
        may_match=seat.may(May.MATCH),
        name=name,
    )


async def payment_to_decide(request: Request, seat: Seat, name: str) -> PaymentView:
    """The bar's payment, for who may say how it ended. Raises `PaymentNotFound`, `RoleRefused`."""
    p = await payment_at(request, seat, name)
    if refusal := why_not_decide(seat):
        raise RoleRefused(refusal)
    return p


@router.get("/staff/payments/{name}/resolve")
async def show_wizard(request: Request, name: str, seat: AtCounter) -> Response:
    """The steps as far as they have come."""
    return await wizard_page(request, seat, await payment_to_decide(request, seat, name))


@router.post("/staff/payments/{name}/resolve/check")
async def check_first(request: Request, name: str, post: Posted) -> Response:
    """Step 1: ask Safaricom. What it answers may be the end of the matter."""
    p, pushes = await payment_to_decide(request, post.seat, name), request.app.state.pushes
    by = f"staff:{post.seat.account_id}"
    try:
        await desk.check_before_deciding(runtime(request), pushes.daraja, p.bar_id, p.id, by)
    except KauntaError as error:
        return await wizard_page(request, post.seat, p, error)
    return RedirectResponse(f"/staff/payments/{p.reference}/resolve", 303)


@router.post("/staff/payments/{name}/resolve/code")
async def ask_about_code(request: Request, name: str, post: Posted) -> Response:
    """Step 2: is a code that the guest shows real, and whose is it?"""
    p, seat = await payment_to_decide(request, post.seat, name), post.seat
    pushes: Pushes = request.app.state.pushes
    code = post.text("receipt")[:40]
    try:
        answer = await check_code(runtime(request), pushes.daraja, seat.bar_id, code, by=f"staff:{seat.account_id}")
    except KauntaError as error:
        return await wizard_page(request, seat, p, error, post)
    return await wizard_page(request, seat, p, None, post, answer)


@router.post("/staff/payments/{name}/resolve")
async def decide(request: Request, name: str, post: Posted) -> Response:
    """Step 3: what a person says, booked at once or put before a second one."""
    p, seat, rt = await payment_to_decide(request, post.seat, name), post.seat, runtime(request)
    try:
        now = await desk.standing(rt, p.id)
        ended, _, receipt_id = post.text("ended").partition(":")
        paid = ended in ("paid", "receipt")
        if not paid and ended != "not_paid":
            raise BadRequest("Say how it ended: paid or not paid.")
        if refusal := now.refused[Act.PAID if paid else Act.NOT_PAID]:
            raise NotResolved(refusal)
        if not now.checked:
            raise desk.CheckFirst
        by, reason = f"staff:{seat.account_id}", post.text("reason")[:500]
        if ended == "receipt":
            await match(request, seat, p, receipt_id, reason)
            return RedirectResponse(f"/staff/payments/{p.reference}", 303)
        code = "".join(post.text("receipt").split()).upper()
        if paid and not code:
            raise BadRequest("The M-Pesa code of the money you saw is needed.", field="receipt")
        resolution = Resolution(paid, reason, post.text("evidence")[:500], by, code[:20] if paid else None)
        if now.needs_second(seat.bar.role, p.amount):
            await approval.propose(rt, p.id, resolution)
        else:
            await resolve(rt, p.id, resolution)
    except RoleRefused:
        raise
    except KauntaError as error:
        return await wizard_page(request, seat, p, error, post)
    return RedirectResponse(f"/staff/payments/{p.reference}", 303)


async def match(request: Request, seat: Seat, p: PaymentView, receipt_id: str, reason: str) -> None:
    """It was paid by money that is proven, which needs no limit."""
    seat.require(May.MATCH)
    id_ = uuid_of(receipt_id)
    if id_ is None:
        raise BadRequest("Say which receipt it is.")
    by = f"staff:{seat.account_id}"
    await matching.match_to_payment(runtime(request), seat.bar_id, id_, p.id, by=by, reason=reason)


@router.post("/staff/payments/{name}/resolve/approve")
async def approve(request: Request, name: str, post: Posted) -> Response:
    """A second person agrees, with a fresh password; everything is asked again."""
    seat, rt = post.seat, runtime(request)
    p = await payment_at(request, seat, name)
    seat.require(May.APPROVE)
    require_proof(rt, seat.session)
    try:
        proposal_id = uuid_of(post.text("proposal"))
        async with rt.db.acquire() as db:
            proposal = await proposals.proposal(db, proposal_id) if proposal_id else None
            roles = {f"staff:{person.account_id}": person for person in await people(db, seat.bar_id)}
        if proposal is None or proposal.transaction_id != p.id:
            raise approval.ProposalNotFound
        proposer = roles.get(proposal.proposed_by)
        if proposer is None or not proposer.active or not may(proposer.role, May.RESOLVE):
            raise ProposerGone
        await approval.approve(rt, proposal.id, by=f"staff:{seat.account_id}")
    except KauntaError as error:
        return await payment_page(request, seat, await payment_at(request, seat, name), error)
    return RedirectResponse(f"/staff/payments/{p.reference}", 303)


@router.post("/staff/payments/{name}/resolve/decline")
async def decline(request: Request, name: str, post: Posted) -> Response:
    """A second person says no, or who proposed it takes it back."""
    post.seat.require(May.RESOLVE)
    seat, rt = post.seat, runtime(request)
    p, by = await payment_at(request, seat, name), f"staff:{post.seat.account_id}"
    try:
        proposal_id = uuid_of(post.text("proposal"))
        async with rt.db.acquire() as db:
            proposal = await proposals.proposal(db, proposal_id) if proposal_id else None
        if proposal is None or proposal.transaction_id != p.id:
            raise approval.ProposalNotFound
        if proposal.proposed_by != by:
            seat.require(May.APPROVE)
        await approval.decline(rt, proposal.id, by=by, reason=post.text("reason")[:500])
    except RoleRefused:
        raise
    except KauntaError as error:
        return await payment_page(request, seat, p, error)
    return RedirectResponse(f"/staff/payments/{p.reference}", 303)

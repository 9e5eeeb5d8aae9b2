"""Receipts at the counter: is this code real, whose is this money, and how it is put on a tab.

A guest shows an SMS: the code is checked here against what Safaricom itself has told us, and asked for where it has
not. Money that fits no payment waits in the queue until somebody says whose it is.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.access.sessions import require_proof
from kaunta.bars.queries import switch
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.web import runtime
from kaunta.payments import matching
from kaunta.payments.checking import CodeAnswer, Standing, check_code
from kaunta.payments.desk import standing
from kaunta.payments.matching import Ground, ReceiptNotFound
from kaunta.payments.queries import sightings
from kaunta.payments.queries.refundable import refundable_receipt
from kaunta.payments.queries.sightings import SeenReceipt
from kaunta.payments.refund_views import of_receipt
from kaunta.payments.under_way import Pushes
from kaunta.staff.actors import names
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Post, Posted, Seat
from kaunta.staff.words import uuid_of
from kaunta.tabs import views

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

CHANNELS = {
    "stk": "paid on a prompt",
    "c2b": "paid straight to the till",
    "status": "found by its code",
    "pull": "found on Safaricom’s list",
    "statement": "found on a statement",
}
GROUNDS = {
    Ground.CODE_TYPED: "a guest typed this code",
    Ground.PAYMENT_FITS: "a payment of this amount, at this time, has no end",
    Ground.BALANCE_FITS: "the tab owes exactly this",
}
#: What a checked code's answer says to whoever holds the guest's phone.
STANDINGS = {
    Standing.BOOKED: ("paid", "Real, and on a tab already. It cannot pay a second one."),
    Standing.UNMATCHED: ("paid", "Real: Safaricom took this money, and it is on no tab yet."),
    Standing.SET_ASIDE: ("wait", "Real, and somebody said that it is nobody’s bill here."),
    Standing.ELSEWHERE: ("no", "This code paid somebody else, not this bar."),
    Standing.ASKED: ("wait", "Safaricom is being asked. Check again in a minute."),
    Standing.NOT_FOUND: ("no", "Safaricom has no such payment to this bar. Do not accept this message."),
    Standing.CANNOT_ASK: (
        "wait",
        "Not heard of yet, and this bar cannot ask Safaricom. Wait, or look on the till’s phone.",
    ),
    Standing.NO_ANSWER: ("wait", "Safaricom does not answer. Check again in a minute."),
}


async def queue_page(
    request: Request, seat: Seat, error: KauntaError | None = None, answer: CodeAnswer | None = None, code: str = ""
) -> Response:
    rt = runtime(request)
    waiting = await matching.unmatched(rt, seat.bar_id)
    async with rt.db.acquire() as db:
        now = await switch(db, seat.bar_id)
    told = {one.receipt_id: await matching.suggestions(rt, one.receipt_id) for one in waiting[:20]}
    return counter_page(
        request,
        "receipts.html",
        seat,
        error.status if error else 200,
        version=(waiting, told) if answer is None else (),
        live=error is None and answer is None,
        environment=now.environment if now else None,
        problem=error.detail if error else None,
        waiting=waiting,
        told=told,
        grounds=GROUNDS,
        channels=CHANNELS,
        answer=answer,
        standing=STANDINGS[answer.standing] if answer else None,
        code=code,
        may_match=seat.may(May.MATCH),
    )


@router.get("/staff/receipts")
async def show_queue(request: Request, seat: AtCounter) -> Response:
    """Money that is on no tab yet, and the box for a code."""
    seat.require(May.SERVE)
    return await queue_page(request, seat)


@router.post("/staff/receipts/check")
async def check(request: Request, post: Posted) -> Response:
    """Is this code real? Asked again, it says what has come of the question."""
    post.seat.require(May.SERVE)
    pushes: Pushes = request.app.state.pushes
    code = post.text("code")[:40]
    try:
        answer = await check_code(
            runtime(request), pushes.daraja, post.seat.bar_id, code, by=f"staff:{post.seat.account_id}"
        )
    except KauntaError as error:
        return await queue_page(request, post.seat, error, code=code)
    if answer.receipt_id is not None:
        return RedirectResponse(f"/staff/receipts/{answer.receipt_id}", 303)
    return await queue_page(request, post.seat, answer=answer, code=answer.code)


async def receipt_at(request: Request, seat: Seat, name: str) -> SeenReceipt:
    """The bar's receipt by its id, or by its code in the bar's environment. Raises `ReceiptNotFound`, for another
    bar's too."""
    id_ = uuid_of(name)
    async with runtime(request).db.acquire() as db:
        if id_ is not None:
            found = await sightings.seen(db, id_)
        else:
            now = await switch(db, seat.bar_id)
            found = await sightings.seen_by_code(db, now.environment, name.upper()) if now else None
    if found is None or found.bar_id != seat.bar_id:
        raise ReceiptNotFound
    return found


async def receipt_page(
    request: Request, seat: Seat, receipt: SeenReceipt, error: KauntaError | None = None
) -> Response:
    rt = runtime(request)
    free = receipt.ledger_id is None
    async with rt.db.acquire() as db:
        shown = await matching.shown(db, rt, receipt)
        tabs = await views.board(db, seat.bar_id)
        tab = await views.tab_of_bar(db, seat.bar_id, receipt.tab_id) if receipt.tab_id else None
        name = await names(db, seat.bar_id)
        left = await refundable_receipt(db, receipt.id)
    refunds = await of_receipt(rt, receipt.id)
    return counter_page(
        request,
        "receipt.html",
        seat,
        error.status if error else 200,
        version=(receipt, tabs, refunds),
        live=error is None,
        environment=receipt.environment,
        problem=error.detail if error else None,
        receipt=receipt,
        shown=shown,
        tab=tab,
        tabs=tabs if free else [],
        suggestions=await matching.suggestions(rt, receipt.id) if free else [],
        grounds=GROUNDS,
        channels=CHANNELS,
        refunds=refunds,
        left=left.left if left else 0,
        name=name,
        may_match=seat.may(May.MATCH),
        may_refund=seat.may(May.REFUND),
    )


@router.get("/staff/receipts/{name}")
async def show_receipt(request: Request, name: str, seat: AtCounter) -> Response:
    """One receipt: whose it is, or who it may be of."""
    seat.require(May.SERVE)
    return await receipt_page(request, seat, await receipt_at(request, seat, name))


@router.post("/staff/receipts/{name}/match")
async def match(request: Request, name: str, post: Posted) -> Response:
    """Somebody says whose money it is: a tab's, or what an unknown payment came to."""
    post.seat.require(May.MATCH)
    receipt = await receipt_at(request, post.seat, name)
    rt, by, reason = runtime(request), f"staff:{post.seat.account_id}", post.text("reason")
    tab_id, payment_id = uuid_of(post.text("tab_id")), uuid_of(post.text("payment_id"))
    try:
        if payment_id is not None:
            await matching.match_to_payment(rt, post.seat.bar_id, receipt.id, payment_id, by=by, reason=reason)
        elif tab_id is not None:
            await matching.match_to_tab(rt, post.seat.bar_id, receipt.id, tab_id, by=by, reason=reason)
        else:
            raise BadRequest("Say which tab the money is for.")
    except KauntaError as error:
        return await again(request, post, receipt, error)
    return RedirectResponse(f"/staff/receipts/{receipt.id}", 303)


@router.post("/staff/receipts/{name}/aside")
async def aside(request: Request, name: str, post: Posted) -> Response:
    """It is nobody's bill here: rent, a deposit, somebody's mistake."""
    post.seat.require(May.MATCH)
    receipt = await receipt_at(request, post.seat, name)
    by = f"staff:{post.seat.account_id}"
    try:
        await matching.set_aside(runtime(request), post.seat.bar_id, receipt.id, by=by, reason=post.text("reason"))
    except KauntaError as error:
        return await again(request, post, receipt, error)
    return RedirectResponse("/staff/receipts", 303)


@router.post("/staff/receipts/{name}/take-back")
async def take_back(request: Request, name: str, post: Posted) -> Response:
    """The match was a mistake: the tab is debited and the receipt waits again."""
    post.seat.require(May.MATCH)
    receipt = await receipt_at(request, post.seat, name)
    by = f"staff:{post.seat.account_id}"
    if receipt.transaction_id is not None:
        now = await standing(runtime(request), receipt.transaction_id)
        if now.needs_second(post.seat.bar.role, receipt.amount):
            # What two people may have decided one alone does not undo.
            post.seat.require(May.APPROVE)
            require_proof(runtime(request), post.seat.session)
    try:
        await matching.take_back(runtime(request), post.seat.bar_id, receipt.id, by=by, reason=post.text("reason"))
    except KauntaError as error:
        return await again(request, post, receipt, error)
    return RedirectResponse(f"/staff/receipts/{receipt.id}", 303)


async def again(request: Request, post: Post, receipt: SeenReceipt, error: KauntaError) -> Response:
    """The receipt's page as it is now, with why that did not work."""
    return await receipt_page(request, post.seat, await receipt_at(request, post.seat, str(receipt.id)), error)

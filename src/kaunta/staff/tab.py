"""One tab at the counter: its orders and money; cash, card or a prompt to the guest's phone, items, closing."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.bars.payment_methods import payment_methods
from kaunta.core.errors import KauntaError
from kaunta.core.web import runtime
from kaunta.payments.errors import UnknownUnacknowledged
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.queries.limits import open_amount
from kaunta.payments.views import payments_of_tab
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Post, Posted, Seat
from kaunta.staff.words import cause, shillings, uuid_of
from kaunta.tabs import queries, views
from kaunta.tabs.errors import AmountRefused, OrderDecided, OrderRefused, TabNotFound
from kaunta.tabs.orders import OrderRequest, confirm_order, place_order
from kaunta.tabs.settle import record_payment
from kaunta.tabs.tabs import close_tab
from kaunta.tabs.values import TabView

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


async def tab_at(request: Request, seat: Seat, tab_id: str) -> TabView:
    """The bar's tab. Raises `TabNotFound`, for another bar's too."""
    id_ = uuid_of(tab_id)
    async with runtime(request).db.acquire() as db:
        tab = await views.tab_of_bar(db, seat.bar_id, id_) if id_ else None
    if tab is None:
        raise TabNotFound
    return tab


async def tab_page(
    request: Request, seat: Seat, tab: TabView, error: KauntaError | None = None, phone: str = ""
) -> Response:
    """`phone`: what was typed for a prompt that was refused, to be mended."""
    rt = runtime(request)
    async with rt.db.acquire() as db:
        methods = await payment_methods(db, rt, seat.bar_id)
        menu = await queries.menu(db, seat.bar_id)
        reserved = await open_amount(db, tab.id)
    payments = await payments_of_tab(rt, tab.id)
    return counter_page(
        request,
        "tab.html",
        seat,
        error.status if error else 200,
        version=(tab, methods, menu, reserved, [(p.id, p.status, p.irregularities) for p in payments]),
        live=error is None,
        environment=methods.environment if methods else None,
        problem=error.detail if error else None,
        tab=tab,
        methods=methods,
        menu=menu,
        payments=payments,
        cause=cause,
        key=rt.entropy.ref(),
        payable=max(tab.balance - reserved, 0),
        phone=phone,
        asks_for_sms=isinstance(error, UnknownUnacknowledged),
    )


@router.get("/staff/tabs/{tab_id}")
async def show_tab(request: Request, tab_id: str, seat: AtCounter) -> Response:
    """The tab, or its `<main>` for the script."""
    seat.require(May.SERVE)
    return await tab_page(request, seat, await tab_at(request, seat, tab_id))


@router.post("/staff/tabs/{tab_id}/payments")
async def take_payment(request: Request, tab_id: str, post: Posted) -> Response:
    """Cash or card was taken."""
    post.seat.require(May.SERVE)
    seat, tab = post.seat, await tab_at(request, post.seat, tab_id)
    key, amount = post.text("key")[:200], shillings(post.text("amount"))
    methods: dict[str, Literal["cash", "card"]] = {"cash": "cash", "card": "card"}
    method = methods.get(post.text("method"))
    try:
        if method is None or not key:
            raise AmountRefused("Say whether it was cash or card.")
        await record_payment(runtime(request), seat.bar_id, tab.id, amount, method, seat.account_id, key)
    except KauntaError as error:
        return await tab_page(request, seat, tab, error)
    return RedirectResponse(f"/staff/tabs/{tab.id}", 303)


@router.post("/staff/tabs/{tab_id}/push")
async def push(request: Request, tab_id: str, post: Posted) -> Response:
    """A prompt to the phone of a guest at this tab: the guest's own rules and limits, started by staff."""
    post.seat.require(May.SERVE)
    seat, tab = post.seat, await tab_at(request, post.seat, tab_id)
    phone = post.text("phone")[:40]
    intent = Intent(
        tab_ref=tab.ref,
        phone=phone,
        amount=shillings(post.text("amount")),
        key=f"staff:{post.text('key')[:100]}" if post.text("key") else None,
        acknowledge_unknown=post.text("no_sms") == "yes",
        started_by=f"staff:{seat.account_id}",
    )
    try:
        started = await initiate(runtime(request), request.app.state.pushes, intent)
    except KauntaError as error:
        return await tab_page(request, seat, tab, error, phone)
    return RedirectResponse(f"/staff/payments/{started.transaction_id}", 303)


@router.post("/staff/tabs/{tab_id}/items")
async def add_items(request: Request, tab_id: str, post: Posted) -> Response:
    """Staff's own order: placed and confirmed in one go."""
    post.seat.require(May.SERVE)
    seat, tab = post.seat, await tab_at(request, post.seat, tab_id)
    try:
        await place_and_confirm(request, post, tab)
    except KauntaError as error:
        return await tab_page(request, seat, tab, error)
    return RedirectResponse(f"/staff/tabs/{tab.id}", 303)


async def place_and_confirm(request: Request, post: Post, tab: TabView) -> None:
    """Raises what placing and confirming raise; a repeated form finds its order confirmed and is content."""
    rt, seat = runtime(request), post.seat
    lines = {}
    for name, value in post.form.items():
        item, number = uuid_of(name.removeprefix("q.")), shillings(str(value))
        if name.startswith("q.") and item and value:
            lines[item] = number
    if not post.text("key"):
        raise OrderRefused
    placed = await place_order(
        rt,
        OrderRequest(
            bar_id=seat.bar_id,
            lines=lines,
            key=f"staff:{post.text('key')[:100]}",
            by="staff",
            tab_ref=tab.ref,
            account_id=seat.account_id,
        ),
    )
    fresh = await tab_at(request, seat, str(placed.tab_id))
    order = next(order for order in fresh.orders if order.number == placed.order_number)
    try:
        await confirm_order(rt, seat.bar_id, order.id, seat.account_id)
    except OrderDecided:
        if order.status != "confirmed":
            raise


@router.post("/staff/tabs/{tab_id}/close")
async def close(request: Request, tab_id: str, post: Posted) -> Response:
    """Close a settled tab."""
    post.seat.require(May.SERVE)
    seat, tab = post.seat, await tab_at(request, post.seat, tab_id)
    try:
        await close_tab(runtime(request), seat.bar_id, tab.id, seat.account_id)
    except KauntaError as error:
        return await tab_page(request, seat, tab, error)
    return RedirectResponse("/staff/board", 303)

"""The board: the orders that wait, the open tabs and the newest payments, kept true line by line."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.bars.payment_methods import payment_methods
from kaunta.core import web
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.money import kes
from kaunta.core.runtime import Runtime
from kaunta.core.web import runtime
from kaunta.payments.attention import Waiting, waiting
from kaunta.payments.views import PaymentView, recent_of_bar
from kaunta.staff.actors import names
from kaunta.staff.attention import id_of, may_see
from kaunta.staff.lines import Line, Lists, age, asked_for_lines, difference, macro, packed, tag_of
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.together import Together
from kaunta.staff.words import cause, uuid_of
from kaunta.tabs import queries, views
from kaunta.tabs.errors import OrderNotFound
from kaunta.tabs.orders import confirm_order, reject_order
from kaunta.tabs.tabs import open_tab

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: Payments the board shows; older ones are in the history.
NEWEST = 100
#: What a bar's open boards have in common.
Common = tuple[dict[str, list[Line]], list[Waiting]]


async def common(rt: Runtime, bar_id: UUID) -> Common:
    """The board of a bar as it is now, whoever looks at it."""
    async with rt.db.acquire() as db:
        orders = await views.pending_orders(db, bar_id)
        tabs = await views.board(db, bar_id)
        name = await names(db, bar_id)
    payments = await recent_of_bar(rt, bar_id, NEWEST)
    order, tab, payment = macro("order"), macro("tab"), macro("payment")
    lists: dict[str, list[Line]] = {"orders": [], "tabs": [], "payments": []}
    for one in orders:
        tag = tag_of(one)
        html = order(one, tag, age(rt.clock.elapsed(one.order.created_at)))
        lists["orders"].append(Line(f"o-{one.order.id}", tag, "pending", "", html))
    for each in tabs:
        tag = tag_of(each)
        lists["tabs"].append(Line(f"t-{each.id}", tag, each.status, "", tab(each, tag)))
    for p in payments:
        by = name(p.started_by) if p.started_by.startswith("staff:") else ""
        tag, id_ = payment_tag(p), f"p-{p.id}"
        html = payment(p, tag, age(rt.clock.elapsed(p.created_at)), cause(p), took(rt, p), by)
        words = f"{p.reference}: {kes(p.received or p.amount)}"
        lists["payments"].append(Line(id_, tag, p.status.value, words, html))
    return lists, await waiting(rt, bar_id)


def payment_tag(p: PaymentView) -> str:
    """What of a payment is on the board."""
    return tag_of(
        p.id, p.status, p.irregularities, p.amount, p.received, p.receipt, p.result_code, p.failure_reason,
        p.phone_masked, p.table_label, p.settled_at, p.tried,
    )  # fmt: skip


def took(rt: Runtime, p: PaymentView) -> str:
    """How long it took to be paid."""
    if p.settled_at is None or p.status != "completed":
        return ""
    seconds = round((p.settled_at - p.created_at).total_seconds() * rt.clock.factor)
    return f"after {seconds} s" if seconds < 120 else f"after {age(seconds)}"


async def shown_to(request: Request, seat: Seat) -> Lists:
    """The board as this person sees it; everybody who asks at the same time shares one reading."""
    rt = runtime(request)
    state = request.app.state
    if not hasattr(state, "boards"):
        state.boards = Together[Common]()
    boards: Together[Common] = state.boards
    lists, matters = await boards.ask(seat.bar_id, lambda: common(rt, seat.bar_id))
    return Lists(lists, [id_of(one) for one in matters if may_see(seat, one.row.kind)])


async def board_page(request: Request, seat: Seat, error: KauntaError | None = None) -> Response:
    shown, rt = await shown_to(request, seat), runtime(request)
    if error is None and asked_for_lines(request):
        return difference(request, shown)
    async with rt.db.acquire() as db:
        tables = await queries.tables(db, seat.bar_id)
        methods = await payment_methods(db, rt, seat.bar_id)
    page = counter_page(
        request,
        "board.html",
        seat,
        error.status if error else 200,
        version=(shown.tag,),
        live=error is None,
        environment=methods.environment if methods else None,
        problem=error.detail if error else None,
        shown=shown,
        tables=tables,
        now=rt.clock.now().timestamp(),
    )
    return packed(request, page)


@router.get("/staff/board")
async def show_board(request: Request, seat: AtCounter) -> Response:
    """The board, or what of it the script has not."""
    seat.require(May.SERVE)
    return await board_page(request, seat)


@router.get("/staff/events")
async def events(request: Request, seat: AtCounter) -> Response:
    """Tells the counter's open pages that something at the bar changed."""
    seat.require(May.SERVE)
    return web.event_stream(request, [f"bar:{seat.bar_id}"])


@router.post("/staff/orders/{order_id}")
async def decide(request: Request, order_id: str, post: Posted) -> Response:
    """Confirm or reject an order, and go back to where the button was."""
    post.seat.require(May.SERVE)
    rt, id_ = runtime(request), uuid_of(order_id)
    if id_ is None:
        raise OrderNotFound
    try:
        match post.text("decision"):
            case "confirm":
                await confirm_order(rt, post.seat.bar_id, id_, post.seat.account_id)
            case "reject":
                await reject_order(rt, post.seat.bar_id, id_, post.seat.account_id)
            case _:
                raise BadRequest
    except OrderNotFound:
        raise
    except KauntaError as error:
        return await board_page(request, post.seat, error)
    return RedirectResponse(way_back(post.text("back")), 303)


def way_back(tab_id: str) -> str:
    return f"/staff/tabs/{id_}" if (id_ := uuid_of(tab_id)) else "/staff/board"


@router.post("/staff/tabs")
async def open_new_tab(request: Request, post: Posted) -> Response:
    """Open a tab for a guest without a phone."""
    post.seat.require(May.SERVE)
    rt = runtime(request)
    async with rt.db.acquire() as db:
        tables: set[UUID] = {table.id for table in await queries.tables(db, post.seat.bar_id)}
    wanted = uuid_of(post.text("table_id"))
    table_id = wanted if wanted in tables else None
    tab_id = await open_tab(rt, post.seat.bar_id, table_id, post.seat.account_id)
    return RedirectResponse(f"/staff/tabs/{tab_id}", 303)

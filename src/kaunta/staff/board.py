"""The board: what needs attention, the orders that wait, the open tabs and the newest payments, kept true."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.bars.payment_methods import payment_methods
from kaunta.core import web
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.queries import open_problems
from kaunta.core.web import runtime
from kaunta.payments.views import recent_of_bar
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.words import attention, cause, uuid_of
from kaunta.tabs import queries, views
from kaunta.tabs.errors import OrderNotFound
from kaunta.tabs.orders import confirm_order, reject_order
from kaunta.tabs.tabs import open_tab

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: Payments the board shows; older ones are in the history.
NEWEST = 30


async def board_page(request: Request, seat: Seat, error: KauntaError | None = None) -> Response:
    rt = runtime(request)
    async with rt.db.acquire() as db:
        tabs = await views.board(db, seat.bar_id)
        pending = await views.pending_orders(db, seat.bar_id)
        tables = await queries.tables(db, seat.bar_id)
        methods = await payment_methods(db, rt, seat.bar_id)
        problems = [attention(problem, seat.bar_id) for problem in await open_problems(db, seat.bar_id)]
    payments = await recent_of_bar(rt, seat.bar_id, NEWEST)
    return counter_page(
        request,
        "board.html",
        seat,
        error.status if error else 200,
        version=(tabs, pending, tables, methods, problems, [(p.id, p.status, p.irregularities) for p in payments]),
        live=error is None,
        environment=methods.environment if methods else None,
        problem=error.detail if error else None,
        problems=problems,
        pending=pending,
        tabs=tabs,
        tables=tables,
        payments=payments,
        cause=cause,
    )


@router.get("/staff")
async def show_board(request: Request, seat: AtCounter) -> Response:
    """The board, or its `<main>` for the script."""
    return await board_page(request, seat)


@router.get("/staff/events")
async def events(request: Request, seat: AtCounter) -> Response:
    """Tells the counter's open pages that something at the bar changed."""
    return web.event_stream(request, [f"bar:{seat.bar_id}"])


@router.post("/staff/orders/{order_id}")
async def decide(request: Request, order_id: str, post: Posted) -> Response:
    """Confirm or reject an order, and go back to where the button was."""
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
    return f"/staff/tabs/{id_}" if (id_ := uuid_of(tab_id)) else "/staff"


@router.post("/staff/tabs")
async def open_new_tab(request: Request, post: Posted) -> Response:
    """Open a tab for a guest without a phone."""
    rt = runtime(request)
    async with rt.db.acquire() as db:
        tables: set[UUID] = {table.id for table in await queries.tables(db, post.seat.bar_id)}
    wanted = uuid_of(post.text("table_id"))
    table_id = wanted if wanted in tables else None
    tab_id = await open_tab(rt, post.seat.bar_id, table_id, post.seat.account_id)
    return RedirectResponse(f"/staff/tabs/{tab_id}", 303)

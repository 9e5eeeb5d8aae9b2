"""The cards on the tables: what each says, a page to print them, and a new code for one that has left the house."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.core import qr, web
from kaunta.core.errors import KauntaError
from kaunta.core.web import runtime
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.words import uuid_of
from kaunta.tabs import queries
from kaunta.tabs.errors import TableNotFound
from kaunta.tabs.tables import add_table, replace_card
from kaunta.tabs.values import Table

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


async def tables_of(request: Request, seat: Seat) -> list[Table]:
    async with runtime(request).db.acquire() as db:
        return await queries.tables(db, seat.bar_id)


def address_of(request: Request, seat: Seat, table: Table) -> str:
    """What the card's code opens."""
    return f"{runtime(request).settings.public_url}/b/{seat.bar.bar_slug}/t/{table.code}"


async def tables_page(request: Request, seat: Seat, error: KauntaError | None = None) -> Response:
    tables = await tables_of(request, seat)
    return counter_page(
        request,
        "tables.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        tables=[(table, address_of(request, seat, table)) for table in tables],
    )


@router.get("/staff/tables")
async def show_tables(request: Request, seat: AtCounter) -> Response:
    """Every table with its card's address."""
    seat.require(May.MENU)
    return await tables_page(request, seat)


@router.post("/staff/tables")
async def add(request: Request, post: Posted) -> Response:
    """A table more."""
    post.seat.require(May.MENU)
    try:
        await add_table(runtime(request), post.seat.bar_id, post.text("label"), post.seat.account_id)
    except KauntaError as error:
        return await tables_page(request, post.seat, error)
    return RedirectResponse("/staff/tables", 303)


@router.post("/staff/tables/{table_id}/card")
async def new_card(request: Request, table_id: str, post: Posted) -> Response:
    """Another code: the old card opens nothing any more."""
    post.seat.require(May.MENU)
    id_ = uuid_of(table_id)
    if id_ is None:
        raise TableNotFound
    await replace_card(runtime(request), post.seat.bar_id, id_, f"staff:{post.seat.account_id}")
    return RedirectResponse(f"/staff/tables#t-{id_}", 303)


@router.get("/staff/tables/cards")
async def show_cards(request: Request, seat: AtCounter) -> Response:
    """Cards to print and cut, all or (`?table=`) one; the browser prints them, or saves them as a PDF."""
    seat.require(May.MENU)
    wanted = uuid_of(request.query_params.get("table", ""))
    tables = [table for table in await tables_of(request, seat) if wanted in (None, table.id)]
    response = web.page(
        request,
        "staff/cards.html",
        bar=seat.bar,
        cards=[(table, qr.inline(address_of(request, seat, table), error="q")) for table in tables],
    )
    response.headers["Cache-Control"] = "no-store"
    return response

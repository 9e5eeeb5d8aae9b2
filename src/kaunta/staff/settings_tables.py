"""Settings › Tables: tables come, change their name and go. Their cards are printed and replaced beside it."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.core.errors import BadRequest, Conflict, KauntaError
from kaunta.core.web import runtime
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.words import uuid_of
from kaunta.tabs import queries
from kaunta.tabs.errors import TableNotFound
from kaunta.tabs.tables import add_table, rename_table, retire_table

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

PAGE = "/staff/settings/tables"


async def tables_page(request: Request, seat: Seat, error: KauntaError | None = None) -> Response:
    async with runtime(request).db.acquire() as db:
        tables = await queries.tables(db, seat.bar_id)
    return counter_page(
        request,
        "settings_tables.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        tables=tables,
    )


def table_named(text: str) -> UUID:
    id_ = uuid_of(text)
    if id_ is None:
        raise TableNotFound
    return id_


@router.get(PAGE)
async def show_tables(request: Request, seat: AtCounter) -> Response:
    """Every table, with what can be done about it."""
    seat.require(May.MENU)
    return await tables_page(request, seat)


@router.post(PAGE)
async def add(request: Request, post: Posted) -> Response:
    """A table more, with a card of its own."""
    post.seat.require(May.MENU)
    try:
        id_ = await add_table(runtime(request), post.seat.bar_id, post.text("label"), post.seat.account_id)
    except BadRequest as error:
        return await tables_page(request, post.seat, error)
    return RedirectResponse(f"{PAGE}#t-{id_}", 303)


@router.post(PAGE + "/{table_id}")
async def rename(request: Request, table_id: str, post: Posted) -> Response:
    """Another name; the printed card still opens the table."""
    post.seat.require(May.MENU)
    id_ = table_named(table_id)
    try:
        await rename_table(
            runtime(request), post.seat.bar_id, id_, post.text("label"), f"staff:{post.seat.account_id}"
        )  # fmt: skip
    except BadRequest as error:
        return await tables_page(request, post.seat, error)
    return RedirectResponse(f"{PAGE}#t-{id_}", 303)


@router.post(PAGE + "/{table_id}/retire")
async def retire(request: Request, table_id: str, post: Posted) -> Response:
    """The table is gone; its card opens nothing."""
    post.seat.require(May.MENU)
    try:
        await retire_table(
            runtime(request), post.seat.bar_id, table_named(table_id), f"staff:{post.seat.account_id}"
        )  # fmt: skip
    except Conflict as error:
        return await tables_page(request, post.seat, error)
    return RedirectResponse(PAGE, 303)

"""Settings › Menu: what there is, what it costs, what is sold out; a dish at a time, or the whole menu as a file.

An order keeps the name and price it was made with, whatever is changed here.
"""

from itertools import groupby
from typing import Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile

from kaunta.access.roles import May
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import KauntaError
from kaunta.core.web import runtime
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Post, Posted, Seat, form_of
from kaunta.staff.words import shillings, uuid_of
from kaunta.statements.spreadsheet import line
from kaunta.tabs import menus, queries
from kaunta.tabs.errors import ItemNotFound, MenuRefused
from kaunta.tabs.menu_file import COLUMNS, MenuFileRefused, read_menu
from kaunta.tabs.menus import Wanted
from kaunta.tabs.values import MenuItem

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

PAGE = "/staff/settings/menu"
#: A menu up to here lies open; a longer one opens by category.
SHORT = 40
#: Rows of a refused file that are told of at once.
TOLD = 20


async def menu_of(request: Request, seat: Seat) -> list[MenuItem]:
    async with runtime(request).db.acquire() as db:
        return await queries.menu(db, seat.bar_id)


async def menu_page(
    request: Request, seat: Seat, error: KauntaError | None = None, *, typed: Wanted | None = None, tell: str = ""
) -> Response:
    """`typed`: the dish that was refused; `tell`: what was done."""
    items = await menu_of(request, seat)
    wanted = request.query_params.get("q", "").strip()[:80]
    words = wanted.casefold().split()
    found = [item for item in items if all(word in f"{item.category} {item.name}".casefold() for word in words)]
    rows = error.rows if isinstance(error, MenuFileRefused) else ()
    return counter_page(
        request,
        "settings_menu.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        rows=rows[:TOLD],
        more_rows=max(0, len(rows) - TOLD),
        typed=typed,
        tell=tell,
        total=len(items),
        sold_out=sum(not item.available for item in items),
        wanted=wanted,
        categories=[(name, list(group)) for name, group in groupby(found, key=lambda item: item.category)],
        names=list(dict.fromkeys(item.category for item in items)),
        all_open=bool(wanted) or len(items) <= SHORT,
        open_one=request.query_params.get("open", ""),
    )


def typed_in(post: Post) -> Wanted:
    """The dish of a form; what is no price becomes 0, which the menu refuses."""
    price = shillings(post.text("price").upper().removeprefix("KES"))
    return Wanted(post.text("category"), post.text("name"), price, post.text("available") == "yes")


def actor(post: Post) -> str:
    return f"staff:{post.seat.account_id}"


def item_named(text: str) -> UUID:
    id_ = uuid_of(text)
    if id_ is None:
        raise ItemNotFound
    return id_


def back(category: str, anchor: str = "") -> Response:
    """To the menu, with the category open in which something was done."""
    return RedirectResponse(f"{PAGE}?{urlencode({'open': category})}{anchor and f'#{anchor}'}", 303)


@router.get(PAGE)
async def show_menu(request: Request, seat: AtCounter) -> Response:
    """The menu by category; `?q=` finds in it."""
    seat.require(May.MENU)
    return await menu_page(request, seat)


@router.post(PAGE)
async def add(request: Request, post: Posted) -> Response:
    """A dish more."""
    post.seat.require(May.MENU)
    typed = typed_in(post)
    try:
        id_ = await menus.add_item(runtime(request), post.seat.bar_id, typed, actor(post))
    except MenuRefused as error:
        return await menu_page(request, post.seat, error, typed=typed)
    category = next((item.category for item in await menu_of(request, post.seat) if item.id == id_), "")
    return back(category, f"i-{id_}")


@router.get(PAGE + ".csv")
async def download(request: Request, seat: AtCounter) -> Response:
    """The menu as a file, which can be changed and sent back."""
    seat.require(May.MENU)
    items = await menu_of(request, seat)
    text = line(COLUMNS, bom=True) + "".join(
        line([item.category, item.name, item.price, "yes" if item.available else "no"]) for item in items
    )
    rt = runtime(request)
    async with transaction(rt.db) as db:
        await audit(
            db, rt.clock, f"staff:{seat.account_id}", "menu.exported", "bar", seat.bar_id, bar_id=seat.bar_id,
            items=len(items),
        )  # fmt: skip
    headers = {
        "Content-Disposition": f'attachment; filename="menu-{seat.bar.bar_slug}.csv"',
        "Cache-Control": "no-store",
    }
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.post(PAGE + "/import")
async def take_file(request: Request, seat: AtCounter) -> Response:
    """A menu from a file, all of it or nothing."""
    seat.require(May.MENU)
    form = await form_of(request, seat.session, files=1)
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise MenuFileRefused("Choose the file first.")
        done = await menus.import_menu(
            runtime(request),
            seat.bar_id,
            read_menu(await file.read()),
            f"staff:{seat.account_id}",
            retire_others=form.get("others") == "retire",
        )
    except MenuRefused as error:
        return await menu_page(request, seat, error)
    finally:
        await form.close()
    return await menu_page(
        request, seat, tell=f"Imported: {done.added} added, {done.changed} changed, {done.retired} retired."
    )  # fmt: skip


@router.post(PAGE + "/categories")
async def change_category(request: Request, post: Posted) -> Response:
    """A category moves up or down, or gets another name."""
    post.seat.require(May.MENU)
    rt, category, do = runtime(request), post.text("category"), post.text("do")
    try:
        if do == "rename":
            category = await menus.rename_category(rt, post.seat.bar_id, category, post.text("name"), actor(post))
        else:
            where: menus.Move = "up" if do == "up" else "down"
            await menus.move_category(rt, post.seat.bar_id, category, where, actor(post))
    except MenuRefused as error:
        return await menu_page(request, post.seat, error)
    return back(category)


async def item_page(
    request: Request, seat: Seat, item_id: UUID, error: KauntaError | None = None, typed: Wanted | None = None
) -> Response:
    items = await menu_of(request, seat)
    item = menus.find(items, item_id)
    return counter_page(
        request,
        "settings_menu_item.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        item=item,
        said=typed or menus.said(item),
        names=list(dict.fromkeys(one.category for one in items)),
        beside=[one for one in items if one.category == item.category and one.id != item_id],
    )


@router.get(PAGE + "/{item_id}")
async def show_item(request: Request, item_id: str, seat: AtCounter) -> Response:
    """One dish."""
    seat.require(May.MENU)
    return await item_page(request, seat, item_named(item_id))


@router.post(PAGE + "/{item_id}")
async def change(request: Request, item_id: str, post: Posted) -> Response:
    """Another name, price, category or place."""
    post.seat.require(May.MENU)
    id_, typed, place = item_named(item_id), typed_in(post), post.text("after")
    after: UUID | Literal["first"] | None = "first" if place == "first" else uuid_of(place)
    try:
        await menus.change_item(runtime(request), post.seat.bar_id, id_, typed, actor(post), after=after)
    except MenuRefused as error:
        return await item_page(request, post.seat, id_, error, typed)
    item = menus.find(await menu_of(request, post.seat), id_)
    return back(item.category, f"i-{id_}")


@router.post(PAGE + "/{item_id}/available")
async def change_available(request: Request, item_id: str, post: Posted) -> Response:
    """Sold out, or there again."""
    post.seat.require(May.MENU)
    id_, there = item_named(item_id), post.text("available") == "yes"
    item = await menus.set_available(runtime(request), post.seat.bar_id, id_, there, actor(post))
    return back(item.category, f"i-{id_}")


@router.post(PAGE + "/{item_id}/retire")
async def retire(request: Request, item_id: str, post: Posted) -> Response:
    """Off the menu for good."""
    post.seat.require(May.MENU)
    await menus.retire_item(runtime(request), post.seat.bar_id, item_named(item_id), actor(post))
    return RedirectResponse(PAGE, 303)

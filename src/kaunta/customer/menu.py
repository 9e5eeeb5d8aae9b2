"""The table's card opens here: the menu, an order, and the guest's own tab below one thumb.

Without script the plus and minus buttons post the form and come back with the draft in the address; with it they
count on the spot. Either way nothing is ordered before "Send order", and nothing owed before staff confirm.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from kaunta.bars import queries as bar_queries
from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.values import Bar, PaymentMethods
from kaunta.core.errors import KauntaError
from kaunta.core.runtime import Runtime
from kaunta.customer.device import Device, device_of, remember
from kaunta.customer.pages import GuestRoute, guest_page, listen, not_found, tag_of
from kaunta.customer.words import SENTENCES, sentence
from kaunta.payments import views as payment_views
from kaunta.payments.views import PaymentView
from kaunta.tabs import guests, queries, views
from kaunta.tabs.errors import OrderRefused
from kaunta.tabs.orders import OrderRequest, place_order
from kaunta.tabs.values import MenuItem, Table, TabView

router = APIRouter(route_class=GuestRoute, include_in_schema=False)

MOST_OF_ONE = 20


class AtTable(NamedTuple):
    """Everything a menu page shows. `table` is None on the bar's own page, where nothing can be ordered."""

    bar: Bar
    table: Table | None
    device: Device
    tab: TabView | None
    methods: PaymentMethods
    items: list[MenuItem]
    payments: list[PaymentView]

    def facts(self) -> tuple[object, ...]:
        """What the live part shows: as long as this is the same, an open page need not change."""
        return self.tab, [(p.id, p.status, p.received) for p in self.payments], self.methods


async def at_table(request: Request, rt: Runtime, slug: str, code: str | None) -> AtTable | None:
    """What lies on the table; None for a code that is not in use."""
    device = device_of(request, rt)
    async with rt.db.acquire() as db:
        bar = await bar_queries.bar_by_slug(db, slug)
        methods = await payment_methods(db, bar.id, rt.clock) if bar else None
        if bar is None or methods is None:
            return None
        table = await queries.table_by_code(db, bar.id, code) if code else None
        if code and table is None:
            return None
        ref = await guests.tab_of_device(db, bar.id, device.hash) if device.known else None
        tab = await views.tab_by_ref(db, ref) if ref else None
        items = await queries.menu(db, bar.id)
    payments = await payment_views.payments_of_tab(rt, tab.id) if tab else []
    return AtTable(bar, table, device, tab, methods, items, payments)


def menu_page(
    request: Request,
    rt: Runtime,
    at: AtTable,
    draft: dict[UUID, int],
    problem: str | None = None,
    status: int = 200,
) -> Response:
    response = guest_page(
        request,
        "menu.html",
        styles=("menu.css",),
        scripts=() if problem else ("live.js", "menu.js"),
        version=at.facts(),
        status=status,
        bar=at.bar,
        bar_name=at.bar.name,
        test=at.methods.environment == "sandbox",
        table=at.table,
        tab=at.tab,
        methods=at.methods,
        payments=at.payments,
        own=at.device.payment,
        categories=[(name, list(items)) for name, items in groupby(at.items, key=lambda item: item.category)],
        draft=draft,
        key=rt.entropy.token(),
        problem=problem,
    )
    return remember(response, rt, at.device)


@router.get("/b/{slug}")
@router.get("/b/{slug}/t/{code}")
async def show_menu(request: Request, slug: str, code: str | None = None) -> Response:
    """S1; S0 for a code that is not in use."""
    rt: Runtime = request.app.state.runtime
    at = await at_table(request, rt, slug, code)
    if at is None:
        return not_found(request)
    return menu_page(request, rt, at, draft_of(request.query_params.getlist("d")))


@router.get("/b/{slug}/events")
@router.get("/b/{slug}/t/{code}/events")
async def menu_events(request: Request, slug: str, code: str | None = None) -> Response:
    """Tells the open page that the guest's tab or the bar's ways to pay changed."""
    rt: Runtime = request.app.state.runtime
    at = await at_table(request, rt, slug, code)
    if at is None:
        return not_found(request)

    async def now() -> str:
        fresh = await at_table(request, rt, slug, code)
        return tag_of(request, *fresh.facts()) if fresh else ""

    return listen(request, [f"switch:{at.bar.id}", *([f"tab:{at.tab.id}"] if at.tab else [])], now)


@router.post("/b/{slug}/t/{code}/order")
async def order(request: Request, slug: str, code: str) -> Response:
    """Take the order and go back to the menu; or count one item up or down and do the same."""
    rt: Runtime = request.app.state.runtime
    at = await at_table(request, rt, slug, code)
    if at is None or at.table is None:
        return not_found(request)
    form = await request.form(max_files=0)
    draft = draft_of(f"{name.removeprefix('q.')}.{value}" for name, value in form.items() if name.startswith("q."))
    home = f"/b/{at.bar.slug}/t/{at.table.code}"
    if step := form.get("step"):
        return RedirectResponse(stepped(home, draft, str(step)), 303)
    try:
        if not draft:
            return menu_page(request, rt, at, draft, SENTENCES["order_empty"], 400)
        await place_order(rt, order_request(at, form, draft))
    except KauntaError as error:
        return menu_page(request, rt, at, draft, sentence(error), error.status)
    return remember(RedirectResponse(home, 303), rt, at.device)


def order_request(at: AtTable, form: FormData, draft: dict[UUID, int]) -> OrderRequest:
    key = form.get("key")
    if not isinstance(key, str) or not key:
        raise OrderRefused
    # The key is the device's own: nobody else's order can be mistaken for this one.
    return OrderRequest(
        bar_id=at.bar.id,
        lines=draft,
        key=f"{at.device.hash.hex()[:16]}:{key[:100]}",
        by="customer",
        tab_ref=at.tab.ref if at.tab else None,
        table_id=at.table.id if at.table else None,
        device_hash=at.device.hash,
    )


def draft_of(texts: Iterable[str]) -> dict[UUID, int]:
    """Quantities by item from texts like `uuid.2`; whatever cannot be read is left out."""
    draft = {}
    for text in texts:
        item, _, quantity = text[:48].partition(".")
        try:
            id_, number = UUID(item), int(quantity)
        except ValueError:
            continue
        if 1 <= number <= MOST_OF_ONE:
            draft[id_] = number
    return draft


def stepped(home: str, draft: dict[UUID, int], step: str) -> str:
    """The menu's address after one plus or minus, at the same item."""
    direction, _, item = step.partition(".")
    try:
        id_ = UUID(item)
    except ValueError:
        return home
    number = draft.get(id_, 0) + (-1 if direction == "minus" else 1)
    counted = {**draft, id_: max(0, min(MOST_OF_ONE, number))}
    query = "&".join(f"d={one}.{count}" for one, count in counted.items() if count)
    return f"{home}?{query}#i{id_}"

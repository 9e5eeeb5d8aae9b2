"""The table's card opens here: the menu, an order, and the guest's own tab below one thumb.

Without script the plus and minus buttons post the form and come back with the draft in the address, and the search is a
form too; with it both answer on the spot. Either way nothing is ordered before "Send order", and nothing owed before
staff confirm.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from kaunta.bars import queries as bar_queries
from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.values import Bar, PaymentMethods
from kaunta.core.errors import KauntaError
from kaunta.core.runtime import Runtime
from kaunta.customer.device import Device, device_of, payments_of_device, remember
from kaunta.customer.pages import GuestRoute, guest_page, listen, not_found, tag_of
from kaunta.customer.typed import NotPlain, matches, plain
from kaunta.customer.words import SENTENCES, sentence
from kaunta.payments import views as payment_views
from kaunta.payments.slowness import mpesa_is_slow
from kaunta.payments.states import Status
from kaunta.payments.views import PaymentView
from kaunta.tabs import guests, queries, views
from kaunta.tabs.errors import OrderRefused
from kaunta.tabs.joining import guessed_at, join_by_code, long_code
from kaunta.tabs.orders import OrderRequest, place_order
from kaunta.tabs.values import MenuItem, Table, TabView

router = APIRouter(route_class=GuestRoute, include_in_schema=False)

MOST_OF_ONE = 20
#: Hexadecimal digits of a dish's id that name it on its menu.
HANDLE = 8
#: A payment that may still become paid: the guest who lost its page finds it here.
UNDECIDED = (Status.PENDING, Status.SENT, Status.TIMEOUT)


class AtTable(NamedTuple):
    """Everything a menu page shows. `table` is None on the bar's own page, where nothing can be ordered. `code` is what
    a friend types to join the tab; `company` whether somebody has an open tab at this table; `own` are the payments of
    this phone that it should be led back to, `mine` the ids of all it started."""

    bar: Bar
    table: Table | None
    device: Device
    tab: TabView | None
    code: str | None
    company: bool
    methods: PaymentMethods
    slow: bool
    items: list[MenuItem]
    payments: list[PaymentView]
    own: list[PaymentView]
    mine: frozenset[UUID]

    def facts(self) -> tuple[object, ...]:
        """What the live part shows: as long as this is the same, an open page need not change."""
        payments = [(p.id, p.status, p.received) for p in (*self.payments, *self.own)]
        return self.tab, self.code, self.company, payments, self.methods, self.slow


async def at_table(request: Request, rt: Runtime, slug: str, code: str | None) -> AtTable | None:
    """What lies on the table; None for a code that is not in use."""
    device = device_of(request, rt)
    async with rt.db.acquire() as db:
        bar = await bar_queries.bar_by_slug(db, slug)
        methods = await payment_methods(db, rt, bar.id) if bar else None
        if bar is None or methods is None:
            return None
        table = await queries.table_by_code(db, bar.id, code) if code else None
        if code and table is None:
            return None
        ref = await guests.tab_of_device(db, bar.id, device.hash) if device.known else None
        tab = await views.tab_by_ref(db, ref) if ref else None
        shown_code = None
        if tab is not None:
            guessed = await guessed_at(db, rt, tab.table_id)
            shown_code = long_code(tab.ref, tab.join_code) if guessed else tab.join_code
        company = table is not None and tab is None and await queries.tab_open_at(db, table.id)
        items = await queries.menu(db, bar.id)
        slow = methods.mpesa and await mpesa_is_slow(db, rt, bar.id)
        mine = await payments_of_device(db, rt, device, bar.id)
    payments = await payment_views.payments_of_tab(rt, tab.id) if tab else []
    own = await led_back_to(rt, mine, payments, tab)
    return AtTable(
        bar, table, device, tab, shown_code, company, methods, slow, items, payments, own, frozenset(mine)
    )  # fmt: skip


async def led_back_to(
    rt: Runtime, mine: list[UUID], payments: list[PaymentView], tab: TabView | None
) -> list[PaymentView]:
    """This phone's payments that are not decided; without a tab, its last one, whatever became of it."""
    known = {p.id: p for p in payments}
    own = [p for id_ in mine if (p := known.get(id_) or await payment_views.payment(rt, id_))]
    return [p for place, p in enumerate(own) if p.status in UNDECIDED or (tab is None and place == 0)]


def menu_page(
    request: Request,
    rt: Runtime,
    at: AtTable,
    draft: dict[UUID, int],
    problem: str | None = None,
    status: int = 200,
    *,
    joining: bool = False,
) -> Response:
    """S1. `joining`: the problem is with the code of a tab."""
    wanted = request.query_params.get("q", "")
    try:
        wanted = plain(wanted)
    except NotPlain:
        wanted, problem, status = "", SENTENCES["search_refused"], 400
    found = [item for item in at.items if item.id in draft or matches(wanted, item.name, item.category)]
    response = guest_page(
        request,
        "menu.html",
        styles=("menu.css",),
        scripts=() if problem else ("live.js", "menu.js"),
        version=at.facts(),
        status=status,
        at=at,
        bar=at.bar,
        bar_name=at.bar.name,
        test=at.methods.environment == "sandbox",
        table=at.table,
        home=home_of(at),
        tab=at.tab,
        methods=at.methods,
        payments=at.payments,
        wanted=wanted,
        searchable=bool(at.items),
        categories=[(name, list(items)) for name, items in groupby(found, key=lambda item: item.category)],
        handles=handles(at.items),
        draft=draft,
        key=rt.entropy.token(),
        problem=problem,
        joining=joining,
    )
    return remember(response, rt, at.device)


def home_of(at: AtTable) -> str:
    return f"/b/{at.bar.slug}" + (f"/t/{at.table.code}" if at.table else "")


@router.get("/b/{slug}")
@router.get("/b/{slug}/t/{code}")
async def show_menu(request: Request, slug: str, code: str | None = None) -> Response:
    """S1; S0 for a code that is not in use."""
    rt: Runtime = request.app.state.runtime
    at = await at_table(request, rt, slug, code)
    if at is None:
        return await to_own_table(request, rt, slug)
    draft, _ = draft_of(request.query_params.getlist("d"), at.items)
    return menu_page(request, rt, at, draft)


async def to_own_table(request: Request, rt: Runtime, slug: str) -> Response:
    """S0; but a guest with a tab, whose table got a new card, is led on to it, and to the bar's page if it is gone."""
    at = await at_table(request, rt, slug, None)
    if at is not None and at.tab is not None and at.tab.table_code:
        own = f"/b/{slug}/t/{at.tab.table_code}"
        return RedirectResponse(f"/b/{slug}" if request.url.path.startswith(own) else own, 303)
    return not_found(request)


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
        return await to_own_table(request, rt, slug)
    form = await request.form(max_files=0)
    lines = (f"{name.removeprefix('q.')}.{value}" for name, value in form.items() if name.startswith("q."))
    draft, unknown = draft_of(lines, at.items)
    if step := form.get("step"):
        return RedirectResponse(stepped(at, draft, str(step), str(form.get("find", ""))), 303)
    try:
        if unknown:
            raise OrderRefused
        if not draft:
            return menu_page(request, rt, at, draft, SENTENCES["order_empty"], 400)
        await place_order(rt, order_request(at, form, draft))
    except KauntaError as error:
        return menu_page(request, rt, at, draft, sentence(error), error.status)
    return remember(RedirectResponse(home_of(at), 303), rt, at.device)


@router.post("/b/{slug}/t/{code}/join")
async def join(request: Request, slug: str, code: str) -> Response:
    """Join the open tab at this table whose code the guest knows."""
    rt: Runtime = request.app.state.runtime
    at = await at_table(request, rt, slug, code)
    if at is None or at.table is None:
        return await to_own_table(request, rt, slug)
    form = await request.form(max_files=0)
    try:
        await join_by_code(rt, at.table, at.device.hash, str(form.get("code", "")))
    except KauntaError as error:
        return menu_page(request, rt, at, {}, sentence(error), error.status, joining=True)
    return remember(RedirectResponse(home_of(at), 303), rt, at.device)


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


def handles(items: list[MenuItem]) -> dict[UUID, str]:
    """A short name for each dish of a menu: its id's first digits, where no other dish has the same. Every name is sent
    twice a dish, and a menu has 150."""
    shared = Counter(item.id.hex[:HANDLE] for item in items)
    return {item.id: item.id.hex[:HANDLE] if shared[item.id.hex[:HANDLE]] == 1 else item.id.hex for item in items}


def draft_of(texts: Iterable[str], items: list[MenuItem]) -> tuple[dict[UUID, int], bool]:
    """Quantities by item from texts like `5f1c02aa.2`, and whether something was named that is not on the menu; what
    is no quantity is left out."""
    known = {handle: id_ for id_, handle in handles(items).items()} | {str(item.id): item.id for item in items}
    draft, unknown = {}, False
    for text in texts:
        item, _, quantity = text[:48].partition(".")
        if not quantity.isascii() or not quantity.isdigit() or not 1 <= int(quantity) <= MOST_OF_ONE:
            continue
        if id_ := known.get(item):
            draft[id_] = int(quantity)
        else:
            unknown = True
    return draft, unknown


def stepped(at: AtTable, draft: dict[UUID, int], step: str, wanted: str) -> str:
    """The menu's address after one plus or minus, at the same item of the same search."""
    direction, _, named = step.partition(".")
    one, _ = draft_of([f"{named}.1"], at.items)
    if not one:
        return home_of(at)
    (id_,) = one
    number = draft.get(id_, 0) + (-1 if direction == "minus" else 1)
    counted = {**draft, id_: max(0, min(MOST_OF_ONE, number))}
    names = handles(at.items)
    query = [("d", f"{names[item]}.{count}") for item, count in counted.items() if count]
    with suppress(NotPlain):
        query += [("q", plain(wanted))] if wanted else []
    return f"{home_of(at)}?{urlencode(query)}#i{names[id_]}"

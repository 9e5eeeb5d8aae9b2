"""Nobody gets in without a session, and nobody from another bar: tried at every door there is.

Bars are kept apart by their id in each query and by nothing below that (docs/adr/0007), so a door that is not tried
here fails the first test.
"""

import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from kaunta.access.accounts import Role
from kaunta.access.api_keys import add_api_key
from kaunta.access.blocks import Target, block
from kaunta.access.roles import ALLOWED, May
from kaunta.access.sessions import SESSION_SECONDS
from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.problems import open_problem
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.receipts import Sighting, sighted
from kaunta.payments.refunds import RefundWanted, request
from kaunta.payments.saved_views import keep
from kaunta.payments.views import payments_of_tab
from kaunta.statements.importing import read_in
from kaunta.tabs import views
from kaunta.tabs.guests import device_hash
from kaunta.tabs.orders import OrderRequest, place_order
from tests.callers import CALLERS, Keyed, Open
from tests.doors import OPEN, TRIES, Try, doors
from tests.statements.files import Row, as_csv, portal
from tests.support.bars import SeededBar, add_staff
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Unchanged = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody with a browser who knows every id of a bar that is not theirs."""

    http: aiohttp.ClientSession
    ids: dict[str, str]
    csrf: str = "0" * 64
    headers: dict[str, str] = field(default_factory=dict)

    async def go(self, tried: Try) -> Answer:
        def filled(values: Any) -> dict[str, Any]:
            return {name: v.format(**self.ids) if isinstance(v, str) else v for name, v in values.items()}

        sent: dict[str, Any] = {"headers": self.headers}
        if tried.method == "POST":
            sent |= {"json": filled(tried.json)} if tried.json else {"data": filled(tried.form) | {"csrf": self.csrf}}
        async with self.http.request(tried.method, tried.path.format(**self.ids), **sent) as response:
            return Answer(response.status, response.url.path, await response.text())


@pytest_asyncio.fixture
async def ids(application: Served, simulator: Safaricom, bar: SeededBar) -> dict[str, str]:
    """Everything of a bar that an address or a form can name: a paid payment and a waiting order among them."""
    rt = application.rt
    started = await initiate(rt, application.pushes, Intent(bar.tab.ref, "0708374149", 400))
    await started.answered()
    await simulator.settle()
    await application.pushes.drain()
    device = rt.entropy.token()
    lines = {bar.items["Soda"]: 1}
    await place_order(
        rt, OrderRequest(bar_id=bar.id, lines=lines, key=device, by="customer", device_hash=device_hash(device))
    )
    async with rt.db.acquire() as db:
        order = (await views.pending_orders(db, bar.id))[-1].order.id
    payment = (await payments_of_tab(rt, bar.tab.id))[0]
    return {
        "bar": str(bar.id),
        "tab": str(bar.tab.id),
        "table": str(bar.table_id),
        "item": str(bar.items["Soda"]),
        "order": str(order),
        "payment": str(payment.id),
        "reference": payment.reference,
        "view": str(await keep(rt, bar.id, bar.waiter.account_id, "The waiter's", "status=completed")),
        "problem": await matter(application, bar),
        "waiter": str(bar.waiter.account_id),
        "block": await pestering(application, bar),
        **await moneys(application, bar),
    }


async def matter(application: Served, bar: SeededBar) -> str:
    """A problem that only a person ends."""
    async with application.rt.db.acquire() as db:
        await open_problem(db, application.rt.clock, "duplicate", bar.tab.id, bar_id=bar.id)
        return str(await db.fetchval("select id from problems where kind = 'duplicate'"))


async def pestering(application: Served, bar: SeededBar) -> str:
    """An address that gets no prompts at the bar."""
    rt = application.rt
    await block(rt, bar.id, Target(source="203.0.113.66"), 100, "40 numbers within an hour", by="kaunta")
    return str(await rt.db.fetchval("select id from prompt_blocks"))


async def moneys(application: Served, bar: SeededBar) -> dict[str, str]:
    """A receipt that is on no tab, a refund of it that waits for a second person, and a statement that was read."""
    rt, code = application.rt, "SKK1A2B3C4"
    placed = await sighted(rt, Sighting(bar.id, "sandbox", "174379", code, 2_000, "c2b", rt.clock.now()))
    wanted = RefundWanted(bar.id, 1_500, "paid twice", "by_hand", "12345678", placed.receipt_id, code="SKK1A2B3C5")
    refund = await request(rt, wanted, by=f"staff:{bar.owner.account_id}")
    data = as_csv(portal([Row(code, paid_in="2,000.00")]))
    statement = await read_in(rt, bar.id, io.BytesIO(data), "statement.csv", "staff:test", shortcode="174379")
    return {
        "receipt": code,
        "receipt_id": str(placed.receipt_id),
        "refund": str(refund.id),
        "statement": str(statement),
    }


@pytest_asyncio.fixture
async def neighbour(http: aiohttp.ClientSession, ids: dict[str, str], other_bar: SeededBar) -> Stranger:
    """The owner of another bar, signed in."""
    who = {"user": other_bar.owner.username, "password": other_bar.owner.password}
    async with http.post("/staff/login", json=who) as response:
        return Stranger(http, ids, (await response.json())["csrf"])


BOOKS = """
    select (select jsonb_agg(to_jsonb(t) order by id) from tabs t where bar_id = $1) as tabs,
           (select jsonb_agg(to_jsonb(o) order by id) from tab_orders o where bar_id = $1) as orders,
           (select jsonb_agg(to_jsonb(p) order by id) from tab_payments p where bar_id = $1) as ledger,
           (select to_jsonb(b) from bars b where id = $1) as bar,
           (select jsonb_agg(to_jsonb(m) order by id) from menu_items m where bar_id = $1) as menu,
           (select jsonb_agg(to_jsonb(t) order by id) from table_codes t where bar_id = $1) as tables,
           (select jsonb_agg(to_jsonb(c) order by id) from mpesa_credentials c where tenant_id = $1) as credentials,
           (select jsonb_agg(to_jsonb(r) order by id) from mpesa_receipts r where bar_id = $1) as receipts,
           (select jsonb_agg(to_jsonb(f) order by id) from mpesa_refunds f where bar_id = $1) as refunds,
           (select jsonb_agg(to_jsonb(s) order by id) from statement_imports s where bar_id = $1) as statements,
           (select jsonb_agg(to_jsonb(v) order by id) from saved_views v where bar_id = $1) as views,
           (select jsonb_agg(to_jsonb(q) order by id) from problems q where bar_id = $1) as problems,
           (select jsonb_agg(to_jsonb(k) order by id) from prompt_blocks k where bar_id = $1) as blocks
"""


@pytest_asyncio.fixture
async def unchanged(application: Served, bar: SeededBar, ids: dict[str, str]) -> AsyncIterator[Unchanged]:
    """`await unchanged()`: the bar's books are what they were. So they are at the end, whoever asked."""
    before = await application.rt.db.fetchrow(BOOKS, bar.id)

    async def look(door: str = "") -> None:
        assert await application.rt.db.fetchrow(BOOKS, bar.id) == before, door

    yield look
    await look()


async def test_every_door_is_open_on_purpose_or_tried_here(application: Served) -> None:
    kept = {door for door in doors(application.app) if not door.split()[1].startswith(OPEN)}
    assert kept == {tried.door for tried in TRIES}


@pytest.mark.failure(87)
async def test_every_door_has_its_callers(application: Served) -> None:
    assert set(CALLERS) == doors(application.app), "a route is missing in tests/callers.py, or is no more"
    assert {tried.door for tried in TRIES} == {door for door, who in CALLERS.items() if not isinstance(who, Open)}


@pytest.mark.failure(87)
async def test_without_a_session_nobody_gets_in(
    http: aiohttp.ClientSession, ids: dict[str, str], unchanged: Unchanged, bar: SeededBar
) -> None:
    for tried in TRIES:
        # Each comes with nothing, not even with the cookie that the one before was left with.
        http.cookie_jar.clear()
        answer = await Stranger(http, ids).go(tried)
        assert answer.path == "/staff/login" or answer.status == 401, tried.door
        assert bar.slug not in answer.text, tried.door
        assert ids["reference"] not in answer.text, tried.door
        await unchanged(tried.door)


@pytest.mark.failure(85, 87, 88)
async def test_another_bars_things_do_not_exist(neighbour: Stranger, unchanged: Unchanged, bar: SeededBar) -> None:
    for tried in TRIES:
        if tried.own:
            continue
        answer = await neighbour.go(tried)
        assert answer.status == 404, tried.door
        assert bar.slug not in answer.text, tried.door
        assert "completed" not in answer.text, tried.door
        await unchanged(tried.door)


async def test_what_names_nothing_shows_ones_own_bar(
    neighbour: Stranger, unchanged: Unchanged, application: Served, other_bar: SeededBar
) -> None:
    board = next(tried for tried in TRIES if tried.door == "GET /staff")
    answer = await neighbour.go(board)
    assert other_bar.name in answer.text
    assert neighbour.ids["reference"] not in answer.text
    opened = next(tried for tried in TRIES if tried.door == "POST /staff/tabs")
    assert (await neighbour.go(opened)).status == 200


@pytest.mark.failure(87)
async def test_an_expired_session_opens_nothing(
    neighbour: Stranger, unchanged: Unchanged, clock: ManualClock, other_bar: SeededBar
) -> None:
    clock.advance(SESSION_SECONDS + 1)
    for tried in TRIES:
        answer = await neighbour.go(tried)
        assert answer.path == "/staff/login" or answer.status == 401, tried.door
        assert other_bar.slug not in answer.text, tried.door


@pytest.mark.failure(87, 88)
@pytest.mark.parametrize("role", ["waiter", "cashier", "manager", "owner", None])
async def test_each_role_may_what_the_table_says_and_no_more(
    http: aiohttp.ClientSession, ids: dict[str, str], bar: SeededBar, application: Served, password_hash: str,
    unchanged: Unchanged, role: Role | None,
) -> None:  # fmt: skip
    """`None`: a machine of the bar's that may read its payments. What changes something is tried by those only who may
    not; what each role does with it is for the tests of its page."""
    csrf, headers = "", {}
    async with transaction(application.rt.db) as db:
        if role is None:
            key = await add_api_key(db, application.rt, "till", bar.id, ["payments:read"], by="test")
            headers = {"Authorization": f"Bearer {key}"}
        else:
            who = await add_staff(db, application.rt, bar.id, role, f"the-{role}", password_hash)
    if role is not None:
        async with http.post("/staff/login", json={"user": who.username, "password": who.password}) as response:
            csrf = (await response.json())["csrf"]
    somebody = Stranger(http, ids, csrf, headers)
    for tried in TRIES:
        caller = CALLERS[tried.door]
        if role is None:
            answer = await somebody.go(tried)
            refused = answer.path == "/staff/login" or answer.status in (401, 403)
            assert refused or caller is Keyed.MEMBER, tried.door
        elif isinstance(caller, May) and role not in ALLOWED[caller]:
            assert (await somebody.go(tried)).status == 403, tried.door
        elif tried.method == "GET" and tried.path != "/staff/events":
            allowed = caller is not Keyed.ADMINISTRATOR
            assert ((await somebody.go(tried)).status != 403) is allowed, tried.door


@pytest.mark.failure(34, 39)
async def test_what_can_be_read_over_a_shoulder_is_no_reference(
    http: aiohttp.ClientSession, ids: dict[str, str], bar: SeededBar, unchanged: Unchanged
) -> None:
    """A tab's or a table's id in the database, its number, a payment's spoken reference, another kind's reference."""
    known = [ids["tab"], ids["table"], str(bar.tab.number), ids["reference"], ids["order"], ids["receipt_id"]]
    for door, caller in CALLERS.items():
        method, path = door.split()
        if caller is not Open.GUEST or "{" not in path or "{slug}" in path:
            continue
        for wrong in [*known, ids["payment"]] if "{payment_id}" not in path else [*known, bar.tab.ref]:
            at = re.sub(r"\{\w+\}", wrong, path)
            async with http.request(method, at, data={} if method == "POST" else None) as response:
                text = await response.text()
            assert response.status in (400, 404), (door, at)
            assert bar.name not in text, (door, at)

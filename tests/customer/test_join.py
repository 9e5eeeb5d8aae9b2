"""Several phones on one tab: joining by code or link, guesses that stay guesses, and what each sees of the others."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from kaunta.tabs.joining import LONG, PER_DEVICE, PER_TABLE, long_code
from kaunta.tabs.settle import record_payment
from kaunta.tabs.tabs import close_tab, open_tab
from tests.customer.conftest import Outcome, Read
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom


@dataclass(frozen=True, slots=True)
class Phone:
    """A guest's browser of its own."""

    http: aiohttp.ClientSession

    async def go(self, path: str, **data: str) -> Read:
        async with self.http.request("POST" if data else "GET", path, data=data or None) as response:
            return Read(response.status, response.url.path, await response.text(), response.headers)


Phones = Callable[[], Awaitable[Phone]]


@pytest_asyncio.fixture
async def phone(application: Served) -> AsyncIterator[Phones]:
    """`await phone()`: another guest."""
    async with AsyncExitStack() as stack:

        async def another() -> Phone:
            jar = aiohttp.CookieJar(unsafe=True)
            session = aiohttp.ClientSession(application.url, cookie_jar=jar)
            return Phone(await stack.enter_async_context(session))

        yield another


@pytest.fixture
def home(bar: SeededBar) -> str:
    return f"/b/{bar.slug}/t/{bar.table_code}"


@pytest.fixture
def wrong(application: Served, bar: SeededBar) -> Callable[[int], Awaitable[str]]:
    """`await wrong(4)`: digits that open no tab."""

    async def code(length: int) -> str:
        taken = await application.rt.db.fetchval("select join_code from tabs where id = $1", bar.tab.id)
        return str((int(taken) + 1) % 10_000).rjust(4, "0").ljust(length, "0")

    return code


@pytest_asyncio.fixture
async def code(application: Served, bar: SeededBar) -> str:
    """The four digits of the bar's tab."""
    found = await application.rt.db.fetchval("select join_code from tabs where id = $1", bar.tab.id)
    return str(found)


async def test_the_first_phone_shows_the_code_and_the_second_joins_by_it(
    phone: Phones, bar: SeededBar, home: str
) -> None:
    first, second = await phone(), await phone()
    await first.go(home)
    await first.go(f"{home}/order", key="k", **{f"q.{bar.items['Soda']}": "2"})
    page = await first.go(home)
    shown = re.search(r'<b class="code">(\d{4})</b>', page.text)
    assert shown is not None
    stranger = await second.go(home)
    assert "There is an open tab at this table" in stranger.text
    assert "KES 200 waiting" not in stranger.text
    joined = await second.go(f"{home}/join", code=f"{shown[1][:2]} {shown[1][2:]}")
    assert (joined.status, joined.path) == (200, home)
    assert "KES 200 waiting for staff" in joined.text
    await second.go(f"{home}/order", key="k", **{f"q.{bar.items['Soda']}": "1"})
    both = await first.go(home)
    assert "KES 300 waiting for staff" in both.text
    assert both.text.count("waiting for staff</span>") == 2


async def test_each_sees_what_the_others_pay(
    phone: Phones, bar: SeededBar, home: str, code: str, outcome: Outcome, simulator: Safaricom
) -> None:
    payer, friend = await phone(), await phone()
    for guest in (payer, friend):
        await guest.go(f"{home}/join", code=code)
    mine = await payer.go(f"/pay/{bar.tab.ref}", amount="400", phone="0708 374 149", key="k")
    seen = await friend.go(home)
    assert "KES 400 from 0708 ••• 149" in seen.text
    assert "being paid" in seen.text
    assert mine.path not in seen.text
    assert mine.path in (await payer.go(home)).text
    await outcome()
    assert "Pay KES 600" in (await friend.go(home)).text


@pytest.mark.parametrize(
    "typed", ["", "12", "12345", "not-a-code", "１２３４", "<b>1</b>", "1" * 10_000, "12\x0034", "\u202e1234"]
)
async def test_what_is_no_code_is_refused_and_not_shown_again(phone: Phones, home: str, typed: str) -> None:
    guest = await phone()
    page = await guest.go(f"{home}/join", code=typed)
    assert page.status in (400, 422)
    assert "No open tab at this table has this code." in page.text
    assert not typed or len(typed) < 4 or typed not in page.text


async def test_a_code_opens_no_tab_of_another_table_or_bar(
    phone: Phones, application: Served, bar: SeededBar, other_bar: SeededBar, code: str
) -> None:
    guest = await phone()
    page = await guest.go(f"/b/{other_bar.slug}/t/{other_bar.table_code}/join", code=code)
    assert page.status == 422
    assert (await guest.go(f"/b/{bar.slug}/t/{other_bar.table_code}/join", code=code)).status == 404
    assert await application.rt.db.fetchval("select count(*) from guest_devices where tab_id = $1", bar.tab.id) == 1


async def test_staff_say_the_code_of_a_tab_without_a_table(
    phone: Phones, application: Served, bar: SeededBar, home: str
) -> None:
    tab_id = await open_tab(application.rt, bar.id, None, bar.waiter.account_id)
    code = await application.rt.db.fetchval("select join_code from tabs where id = $1", tab_id)
    guest = await phone()
    joined = await guest.go(f"{home}/join", code=code)
    assert joined.path == home
    assert f'<b class="code">{code}</b>' in joined.text


async def test_a_phone_that_guesses_has_to_wait_and_then_may_try_again(
    phone: Phones, home: str, code: str, wrong: Callable[[int], Awaitable[str]], simulator: Safaricom
) -> None:
    guest = await phone()
    for _ in range(PER_DEVICE):
        assert (await guest.go(f"{home}/join", code=await wrong(4))).status == 422
    page = await guest.go(f"{home}/join", code=code)
    assert page.status == 429
    assert "Too many wrong codes." in page.text
    await simulator.advance(601)
    assert (await guest.go(f"{home}/join", code=code)).path == home


async def test_a_stranger_who_guesses_with_ever_new_phones_makes_the_code_longer_and_locks_nobody_out(
    phone: Phones, application: Served, bar: SeededBar, home: str, code: str, wrong: Callable[[int], Awaitable[str]]
) -> None:
    first = await phone()
    await first.go(f"{home}/join", code=code)
    for _ in range(PER_TABLE):
        await (await phone()).go(f"{home}/join", code=await wrong(4))
    friend = await phone()
    # Right and wrong read the same now: four digits answer no question any more.
    for four in (code, await wrong(4)):
        page = await friend.go(f"{home}/join", code=four)
        assert page.status == 422
        assert "Type all 8 digits" in page.text
    long = long_code(bar.tab.ref, code)
    assert len(long) == LONG
    assert f"{long[:4]} {long[4:]}" in (await first.go(home)).text
    assert (await friend.go(f"{home}/join", code=await wrong(8))).status == 422
    assert (await friend.go(f"{home}/join", code=long)).path == home


async def test_every_guess_is_a_row(
    phone: Phones, application: Served, home: str, code: str, wrong: Callable[[int], Awaitable[str]]
) -> None:
    guest = await phone()
    await guest.go(f"{home}/join", code=await wrong(4))
    await guest.go(f"{home}/join", code=code)
    rows = await application.rt.db.fetch("select succeeded from join_attempts order by id")
    assert [row["succeeded"] for row in rows] == [False, True]


async def test_the_link_on_the_first_phone_lets_a_friend_in_without_a_code(
    phone: Phones, bar: SeededBar, home: str, code: str
) -> None:
    first, friend = await phone(), await phone()
    await first.go(f"{home}/join", code=code)
    shown = await first.go(f"/pay/{bar.tab.ref}/join")
    assert "Let friends in" in shown.text
    assert code in shown.text
    assert "<svg" in shown.text
    asked = await friend.go(f"/pay/{bar.tab.ref}/join")
    assert "Join this tab?" in asked.text
    assert code not in asked.text
    # Reading the page is no joining: a preview of the link in a chat would join otherwise.
    assert f"Tab {bar.tab.number}" not in (await friend.go(home)).text
    joined = await friend.go(f"/pay/{bar.tab.ref}/join", join="1")
    assert joined.path == home
    assert f"Tab {bar.tab.number}" in joined.text


@pytest.mark.parametrize("path", ["/pay/nothing/join", "/pay/nothing/split", "/b/nowhere/t/XXXXXXXXXX/join"])
async def test_what_does_not_exist_is_a_code_not_in_use(phone: Phones, path: str) -> None:
    guest = await phone()
    for page in (await guest.go(path, x="1"), await guest.go(path)):
        assert page.status in (404, 405)


async def test_a_closed_tab_lets_go_of_its_phones(
    phone: Phones, application: Served, bar: SeededBar, home: str, code: str
) -> None:
    first, friend = await phone(), await phone()
    await first.go(f"{home}/join", code=code)
    rt, staff = application.rt, bar.waiter.account_id
    await record_payment(rt, bar.id, bar.tab.id, bar.tab.owed, "cash", staff, "k")
    await close_tab(rt, bar.id, bar.tab.id, staff)
    assert f"Tab {bar.tab.number}" not in (await first.go(home)).text
    assert (await friend.go(f"{home}/join", code=code)).status == 422
    assert (await friend.go(f"/pay/{bar.tab.ref}/join")).status == 404
    assert (await friend.go(f"/pay/{bar.tab.ref}/join", join="1")).status == 409
    await first.go(f"{home}/order", key="new", **{f"q.{bar.items['Soda']}": "1"})
    tabs = await application.rt.db.fetchval("select count(*) from tabs where bar_id = $1", bar.id)
    assert tabs == 2


async def test_open_tabs_of_a_bar_have_codes_of_their_own(application: Served, bar: SeededBar) -> None:
    for _ in range(120):
        await open_tab(application.rt, bar.id, None, bar.waiter.account_id)
    codes = await application.rt.db.fetch("select join_code from tabs where bar_id = $1", bar.id)
    assert len({row["join_code"] for row in codes}) == len(codes) == 121

"""The board as its script reads it: only what changed, never another bar's, and one reading for all who ask at once."""

import asyncio
import gzip
import json
import re
from typing import Any

import aiohttp
import pytest

from kaunta.access.accounts import Role
from kaunta.core.db import transaction
from kaunta.core.problems import open_problem
from kaunta.payments.initiate import Intent, initiate
from kaunta.staff.pages import STATIC
from kaunta.staff.together import Together
from tests.browser.evening import NewTab, evening, order
from tests.staff.conftest import AsRole, Read, Reader
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

#: What a page may weigh when it is opened for the first time, compressed.
FIRST_LOAD = 30_000


async def lines(read: Reader, path: str = "/staff/board", have: str = "", tag: str = "none") -> Read:
    return await read(path, X_Fragment="lines", X_Have=have, If_None_Match=tag)


def having(answer: dict[str, Any]) -> str:
    """What a page that got this answer has."""
    return ",".join(line[1] for shown in answer["lists"].values() for line in shown)


async def prompt(application: Served, bar: SeededBar, amount: int, phone: str) -> None:
    started = await initiate(application.rt, application.pushes, Intent(bar.tab.ref, phone, amount))
    await started.answered()


async def test_an_open_board_gets_only_what_changed(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    await prompt(application, bar, 300, "0708374149")
    first = json.loads((await lines(read)).text)
    assert [len(shown) for shown in first["lists"].values()] == [0, 1, 1]
    assert len(first["lines"]) == 2
    assert (await lines(read, have=having(first), tag=first["v"])).status == 204
    await simulator.advance(1)
    await prompt(application, bar, 200, "0110040401")
    second = json.loads((await lines(read, have=having(first), tag=first["v"])).text)
    new = second["lists"]["payments"][0]
    assert list(second["lines"]) == [new[0]]
    assert new[2] == "sent"
    await simulator.settle()
    await application.pushes.drain()
    third = json.loads((await lines(read, have=having(second), tag=second["v"])).text)
    assert [line[2] for line in third["lists"]["payments"]] == ["completed", "completed"]
    # Both payments, and the tab that they paid.
    assert len(third["lines"]) == 3
    assert "KES 500 paid" in third["lines"][f"t-{bar.tab.id}"]


async def test_a_page_that_missed_everything_gets_the_whole_difference(
    read: Reader, token: str, application: Served, bar: SeededBar
) -> None:
    first = json.loads((await lines(read)).text)
    for sodas in (1, 2, 3):
        await order(application, bar, sodas)
    later = json.loads((await lines(read, have=having(first), tag=first["v"])).text)
    assert len(later["lists"]["orders"]) == 3
    assert len(later["lines"]) == 6
    assert json.loads((await lines(read, have="nonsense,,x=y")).text)["lists"] == later["lists"]


async def test_attention_is_counted_on_the_board_for_the_role_that_looks(
    read: Reader, application: Served, bar: SeededBar, as_role: AsRole
) -> None:
    rt = application.rt
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "underpaid", bar.tab.id, bar_id=bar.id)
        await open_problem(db, rt.clock, "refund_failed", bar.tab.id, bar_id=bar.id)
    for role, count in (("waiter", 1), ("owner", 2)):
        await as_role(role)  # type: ignore[arg-type]
        assert len(json.loads((await lines(read)).text)["keys"]) == count
        assert f'data-count="keys">{count}<' in (await read("/staff/board")).text


@pytest.mark.req("PAY-4.3")
@pytest.mark.parametrize("role", ["waiter", "cashier", "manager", "owner"])
async def test_every_role_works_with_tabs_orders_and_payments(
    read: Reader, application: Served, bar: SeededBar, as_role: AsRole, role: Role
) -> None:
    csrf = await as_role(role)
    await order(application, bar, 2)
    board = await read("/staff/board")
    waiting = re.findall(r'formaction="/staff/orders/([0-9a-f-]{36})"', board.text)
    assert (await read(f"/staff/orders/{waiting[0]}", data={"csrf": csrf, "decision": "confirm"})).status == 200
    tab = (await read("/staff/tabs", data={"csrf": csrf, "table_id": ""})).path
    assert (await read(f"{tab}/items", data={"csrf": csrf, "key": "k1", f"q.{bar.items['Soda']}": "3"})).status == 200
    sent = await read(f"{tab}/push", data={"csrf": csrf, "key": "k2", "phone": "0708374149", "amount": "100"})
    assert sent.path.startswith("/staff/payments/")
    await application.pushes.drain()
    cash = {"csrf": csrf, "key": "k3", "amount": "200", "method": "cash"}
    assert (await read(f"{tab}/payments", data=cash)).status == 200
    # A hundred shillings are on their way: not yet.
    assert (await read(f"{tab}/close", data={"csrf": csrf})).status == 409


@pytest.mark.failure(85, 87)
@pytest.mark.parametrize("path", ["/staff", "/staff/board"])
async def test_lines_are_for_whoever_is_signed_in_at_the_bar(
    read: Reader,
    http: aiohttp.ClientSession,
    application: Served,
    bar: SeededBar,
    other_bar: SeededBar,
    as_role: AsRole,
    path: str,
) -> None:
    rt = application.rt
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "underpaid", other_bar.tab.id, bar_id=other_bar.id)
    async with http.get(path, headers={"X-Fragment": "lines"}, allow_redirects=False) as stranger:
        assert (stranger.status, stranger.headers["Location"]) == (303, "/staff/login")
    await as_role("owner")
    answer = json.loads((await lines(read, path)).text)
    assert answer["keys"] == []
    assert str(other_bar.tab.id) not in json.dumps(answer)


async def test_what_is_on_the_board_is_text(read: Reader, token: str, application: Served, bar: SeededBar) -> None:
    await application.rt.db.execute("update table_codes set label = '<i>&4' where bar_id = $1", bar.id)
    await order(application, bar, 1)
    for page in (await read("/staff/board"), await lines(read)):
        assert "<i>" not in page.text
        assert "&lt;i&gt;&amp;4" in page.text


async def test_the_first_load_is_small_on_a_busy_evening(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar, new_tab: NewTab
) -> None:
    await evening(application, simulator, bar, new_tab)
    for path in ("/staff", "/staff/board"):
        page = await read(path, Accept_Encoding="gzip")
        assert page.headers["Content-Encoding"] == "gzip"
        files = re.findall(r"/static/([a-z]+\.[a-z]+)\?v=", page.text)
        assert sorted(files) == ["board.js", "live.js", "staff.css"]
        weight = int(page.headers["Content-Length"])
        for name in files:
            file = await read(f"/static/{name}", Accept_Encoding="gzip")
            assert file.text == (STATIC / name).read_text(encoding="utf-8")
            weight += int(file.headers["Content-Length"])
        assert weight <= FIRST_LOAD, (path, weight)


async def test_who_takes_nothing_compressed_gets_it_plain(read: Reader, token: str) -> None:
    for path in ("/static/staff.css", "/staff/board", "/staff"):
        page = await read(path, Accept_Encoding="identity")
        assert "Content-Encoding" not in page.headers
        assert len(gzip.compress(page.text.encode())) < len(page.text.encode())


async def test_whoever_asks_joins_the_next_reading_and_never_one_under_way() -> None:
    together, now, begun = Together[int](), 0, []
    gate = asyncio.Event()

    async def look() -> int:
        begun.append(now)
        seen = now
        await gate.wait()
        return seen

    first = [asyncio.create_task(together.ask("bar", look)) for _ in range(5)]
    await asyncio.sleep(0.01)
    assert begun == [0]
    now = 1
    second = [asyncio.create_task(together.ask("bar", look)) for _ in range(50)]
    other = asyncio.create_task(together.ask("elsewhere", look))
    await asyncio.sleep(0.01)
    second[0].cancel()
    gate.set()
    assert await asyncio.gather(*first) == [0] * 5
    assert await asyncio.gather(*second[1:]) == [1] * 49
    assert await other == 1
    assert len(begun) == 3
    assert (together.now, together.next) == ({}, {})


async def test_a_reading_that_fails_fails_for_those_who_asked_and_for_nobody_after_them() -> None:
    together = Together[int]()

    async def fail() -> int:
        raise ConnectionError

    async def work() -> int:
        return 7

    asked = [asyncio.create_task(together.ask("bar", fail)) for _ in range(3)]
    assert [type(each) for each in await asyncio.gather(*asked, return_exceptions=True)] == [ConnectionError] * 3
    assert await together.ask("bar", work) == 7

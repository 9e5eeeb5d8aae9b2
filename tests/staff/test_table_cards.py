"""The tables' cards: shown, printed, replaced; by those who may."""

import re
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from tests.support.bars import SeededBar, Staff
from tests.support.door import Served

SignIn = Callable[[Staff], Awaitable[str]]


@pytest.fixture
def sign_in(http: aiohttp.ClientSession, application: Served) -> SignIn:
    """`await sign_in(bar.owner)`: the session's token for forms."""

    async def enter(who: Staff) -> str:
        async with http.post("/staff/login", json={"user": who.username, "password": who.password}) as response:
            assert response.status == 200
            return str((await response.json())["csrf"])

    return enter


async def test_every_card_carries_its_table_and_its_address_as_a_code(
    http: aiohttp.ClientSession, sign_in: SignIn, bar: SeededBar
) -> None:
    await sign_in(bar.owner)
    async with http.get("/staff/tables") as response:
        assert f"/b/{bar.slug}/t/{bar.table_code}" in await response.text()
    async with http.get("/staff/tables/cards") as response:
        page = await response.text()
    assert bar.table_label in page
    assert bar.table_code in page
    assert page.count('class="segno"') == 1
    assert "Scan to order and pay" in page
    assert "Changanua kuagiza na kulipa" in page


async def test_a_table_more_has_a_card_of_its_own(
    http: aiohttp.ClientSession, sign_in: SignIn, bar: SeededBar, application: Served
) -> None:
    csrf = await sign_in(bar.owner)
    async with http.post("/staff/tables", data={"csrf": csrf, "label": "Garden 1"}) as response:
        page = await response.text()
    codes = set(re.findall(rf"/b/{bar.slug}/t/([A-Z0-9]{{10}})", page))
    assert len(codes) == 2
    for code in codes:
        async with aiohttp.ClientSession(application.url) as guest, guest.get(f"/b/{bar.slug}/t/{code}") as response:
            assert response.status == 200


@pytest.mark.parametrize("label", ["", "   ", "Table 4", "x" * 31, "<b>7</b>", "a\nb", "a\x07", "...", "\u202eTable"])
async def test_a_name_that_is_none_or_taken_adds_no_table(
    http: aiohttp.ClientSession, sign_in: SignIn, bar: SeededBar, application: Served, label: str
) -> None:
    csrf = await sign_in(bar.owner)
    async with http.post("/staff/tables", data={"csrf": csrf, "label": label}) as response:
        assert response.status == 400
        assert label.strip() in ("", "Table 4", "...") or label not in await response.text()
    assert await application.rt.db.fetchval("select count(*) from table_codes where bar_id = $1", bar.id) == 1


async def test_a_new_code_makes_the_old_card_worthless_and_is_in_the_audit(
    http: aiohttp.ClientSession, sign_in: SignIn, bar: SeededBar, application: Served
) -> None:
    csrf = await sign_in(bar.owner)
    async with http.post(f"/staff/tables/{bar.table_id}/card", data={"csrf": csrf}) as response:
        page = await response.text()
    assert bar.table_code not in page
    async with (
        aiohttp.ClientSession(application.url) as guest,
        guest.get(f"/b/{bar.slug}/t/{bar.table_code}") as response,
    ):
        assert response.status == 404
    rows = await application.rt.db.fetch(
        "select actor, action from audit_events where object_kind = 'table' and object_id = $1", str(bar.table_id)
    )
    assert [tuple(row) for row in rows] == [(f"staff:{bar.owner.account_id}", "table.card_replaced")]
    assert await application.rt.db.fetchval("select status from tabs where id = $1", bar.tab.id) == "open"


async def test_a_waiter_changes_no_tables(http: aiohttp.ClientSession, sign_in: SignIn, bar: SeededBar) -> None:
    csrf = await sign_in(bar.waiter)
    async with http.get("/staff/tables") as response:
        assert response.status == 403
    async with http.post(f"/staff/tables/{bar.table_id}/card", data={"csrf": csrf}) as response:
        assert response.status == 403


async def test_another_bars_table_does_not_exist(
    http: aiohttp.ClientSession, sign_in: SignIn, bar: SeededBar, other_bar: SeededBar, application: Served
) -> None:
    csrf = await sign_in(other_bar.owner)
    async with http.post(f"/staff/tables/{bar.table_id}/card", data={"csrf": csrf}) as response:
        assert response.status == 404
    code = await application.rt.db.fetchval("select code from table_codes where id = $1", bar.table_id)
    assert code == bar.table_code

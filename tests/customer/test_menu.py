"""The menu, an order, and the guest's own tab."""

from html import escape
from uuid import uuid4

import aiohttp
import pytest

from kaunta.core.db import transaction
from kaunta.tabs import queries, views
from kaunta.tabs.orders import confirm_order
from tests.customer.conftest import Reader
from tests.support.bars import SeededBar
from tests.support.door import Served


@pytest.fixture
def home(bar: SeededBar) -> str:
    return f"/b/{bar.slug}/t/{bar.table_code}"


async def test_the_menu_shows_what_there_is_by_category(read: Reader, bar: SeededBar, home: str) -> None:
    page = await read(home)
    assert page.status == 200
    assert "Tusker" in page.text
    assert "KES 350" in page.text
    assert "Soft drinks" in page.text
    assert page.text.count('name="step"') == 2 * len(bar.items)


async def test_the_bars_own_page_asks_to_scan_the_table(read: Reader, bar: SeededBar) -> None:
    page = await read(f"/b/{bar.slug}")
    assert "scan the code on your table" in page.text
    assert "<form" not in page.text


@pytest.mark.parametrize("path", ["/b/nowhere", "/b/nowhere/t/XXXXXXXXXX", "/b/{slug}/t/WRONGCODE1", "/pay/x", "/p/x"])
async def test_a_wrong_code_is_said_to_be_wrong(read: Reader, bar: SeededBar, path: str) -> None:
    page = await read(path.format(slug=bar.slug))
    assert page.status == 404
    assert "This code is not in use." in page.text
    assert page.headers["Content-Type"].startswith("text/html")


async def test_another_bars_table_code_opens_nothing_here(read: Reader, bar: SeededBar, other_bar: SeededBar) -> None:
    assert (await read(f"/b/{bar.slug}/t/{other_bar.table_code}")).status == 404


async def test_an_order_waits_for_staff_and_is_then_owed(
    read: Reader, application: Served, bar: SeededBar, home: str
) -> None:
    await read(home)
    page = await read(f"{home}/order", data={"key": "k1", f"q.{bar.items['Soda']}": "2"})
    assert page.path == home
    assert "waiting for staff" in page.text
    assert "KES 200 waiting for staff" in page.text
    async with application.rt.db.acquire() as db:
        [waiting] = await views.pending_orders(db, bar.id)
    await confirm_order(application.rt, bar.id, waiting.order.id, bar.waiter.account_id)
    page = await read(home)
    assert "Pay KES 200" in page.text


async def test_a_double_tap_orders_once(read: Reader, application: Served, bar: SeededBar, home: str) -> None:
    await read(home)
    for _ in range(2):
        await read(f"{home}/order", data={"key": "same", f"q.{bar.items['Soda']}": "1"})
    async with application.rt.db.acquire() as db:
        assert len(await views.pending_orders(db, bar.id)) == 1


async def test_plus_and_minus_work_without_script(read: Reader, bar: SeededBar, home: str) -> None:
    soda = bar.items["Soda"]
    more = await read(f"{home}/order", data={"key": "k", f"q.{soda}": "1", "step": f"plus.{soda}"})
    assert f'name="q.{soda}" inputmode="numeric" maxlength="2" data-price="100" value="2"' in more.text
    fewer = await read(f"{home}/order", data={"key": "k", f"q.{soda}": "1", "step": f"minus.{soda}"})
    assert 'value="1"' not in fewer.text


async def test_an_empty_order_is_refused_in_words(read: Reader, home: str) -> None:
    page = await read(f"{home}/order", data={"key": "k"})
    assert page.status == 400
    assert "Choose something first." in page.text


async def test_an_order_of_another_bars_dish_is_refused(
    read: Reader, other_bar: SeededBar, home: str, application: Served, bar: SeededBar
) -> None:
    page = await read(f"{home}/order", data={"key": "k", f"q.{other_bar.items['Soda']}": "1"})
    assert page.status == 400
    assert "could not be taken" in page.text
    async with application.rt.db.acquire() as db:
        assert await views.pending_orders(db, bar.id) == []


async def test_nonsense_in_the_form_is_left_out(read: Reader, bar: SeededBar, home: str) -> None:
    data = {"key": "k", "q.x": "1", f"q.{uuid4()}": "-3", f"q.{bar.items['Soda']}": "1e9", "step": "plus.nothing"}
    assert (await read(f"{home}/order", data=data)).status == 200


async def test_the_device_cookie_is_not_for_scripts_and_only_its_hash_is_kept(
    read: Reader, application: Served, http: aiohttp.ClientSession, bar: SeededBar, home: str
) -> None:
    async with http.get(home) as response:
        cookie = response.cookies["kaunta_guest"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "lax", "43200")
    await read(f"{home}/order", data={"key": "k1", f"q.{bar.items['Soda']}": "2"})
    async with application.rt.db.acquire() as db:
        kept = await db.fetch("select device_hash from guest_devices")
    assert bytes.fromhex(cookie.value) not in {row["device_hash"] for row in kept}


@pytest.mark.req("PAY-P10")
async def test_a_hostile_dish_never_comes_out_raw(read: Reader, application: Served, bar: SeededBar, home: str) -> None:
    hostile = '"><script>alert(1)</script>'
    async with transaction(application.rt.db) as db:
        await queries.add_menu_item(db, bar.id, hostile, hostile, 10, 50)
    page = await read(home)
    assert hostile not in page.text
    assert escape(hostile).replace("&quot;", "&#34;") in page.text


async def test_the_open_page_gets_only_what_changed(read: Reader, home: str) -> None:
    page = await read(home)
    tag = page.headers["ETag"]
    assert (await read(home, X_Fragment="main", If_None_Match=tag)).status == 204
    part = await read(home, X_Fragment="main", If_None_Match="older")
    assert part.status == 200
    assert "<!doctype" not in part.text
    assert 'id="live"' in part.text
    assert 'id="foot"' in part.text


@pytest.mark.failure(80)
async def test_switching_mpesa_off_changes_the_pay_button(
    read: Reader, application: Served, bar: SeededBar, home: str
) -> None:
    await read(home)
    await read(f"{home}/order", data={"key": "k1", f"q.{bar.items['Soda']}": "2"})
    async with application.rt.db.acquire() as db:
        [waiting] = await views.pending_orders(db, bar.id)
        await db.execute("update mpesa_credentials set is_active = false where tenant_id = $1", bar.id)
    await confirm_order(application.rt, bar.id, waiting.order.id, bar.waiter.account_id)
    page = await read(home)
    assert "Pay at the counter" in page.text
    assert "Pay KES 200" not in page.text

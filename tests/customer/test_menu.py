"""The menu, an order, and the guest's own tab."""

from html import escape
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
import pytest

from kaunta.core.db import transaction
from kaunta.tabs import queries, views
from kaunta.tabs.menu_file import read_menu
from kaunta.tabs.menus import import_menu
from kaunta.tabs.orders import confirm_order
from kaunta.tabs.tables import replace_card
from tests.customer.conftest import Reader
from tests.support.bars import SeededBar
from tests.support.door import Served

MENU_OF_150 = Path(__file__).parent / "menu_of_150.csv"


@pytest.fixture
def home(bar: SeededBar) -> str:
    return f"/b/{bar.slug}/t/{bar.table_code}"


async def test_the_menu_shows_what_there_is_by_category(read: Reader, bar: SeededBar, home: str) -> None:
    page = await read(home)
    assert page.status == 200
    assert "Tusker" in page.text
    assert "KES 350" in page.text
    assert "Soft drinks" in page.text
    assert page.text.count('name="step"') == len(bar.items)


async def test_the_bars_own_page_asks_to_scan_the_table(read: Reader, bar: SeededBar) -> None:
    page = await read(f"/b/{bar.slug}")
    assert "scan the code on your table" in page.text
    assert "/order" not in page.text
    assert 'name="step"' not in page.text


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
    soda = bar.items["Soda"].hex[:8]
    more = await read(f"{home}/order", data={"key": "k", f"q.{soda}": "1", "step": f"plus.{soda}"})
    assert f'name="q.{soda}" inputmode="numeric" maxlength="2" value="2"' in more.text
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


@pytest.mark.parametrize("lang", ["en", "sw"])
async def test_a_menu_of_150_dishes_weighs_under_ten_kilobytes(
    read: Reader, application: Served, bar: SeededBar, home: str, lang: str
) -> None:
    """A menu as bars here have it: no two names alike, which compresses worse than a pattern."""
    dishes = read_menu(MENU_OF_150.read_bytes())
    await import_menu(application.rt, bar.id, dishes, "staff:test", retire_others=True)
    page = await read(f"{home}?lang={lang}")
    assert page.text.count('value="plus.') == len(dishes) == 150
    weights = []
    for cookies in ({}, {"kaunta_guest": bar.tab.device}):
        async with (
            aiohttp.ClientSession(application.url, cookies=cookies, headers={"Accept-Encoding": "gzip"}) as phone,
            phone.get(f"{home}?lang={lang}") as response,
        ):
            weights.append(int(response.headers["Content-Length"]))
            assert ("1,000" in await response.text()) == bool(cookies)
    assert max(weights) < 10_000, weights


@pytest.mark.parametrize(("wanted", "there"), [("sod", "Soda"), ("NYAMA", "Nyama choma"), ("beer", "Tusker")])
async def test_the_search_finds_names_and_categories(read: Reader, home: str, wanted: str, there: str) -> None:
    page = await read(f"{home}?q={wanted}")
    assert there in page.text
    assert page.text.count('value="plus.') == 1
    assert f'value="{wanted}"' in page.text


async def test_a_search_keeps_what_was_chosen(read: Reader, bar: SeededBar, home: str) -> None:
    soda, choma = bar.items["Soda"].hex[:8], bar.items["Nyama choma"].hex[:8]
    page = await read(f"{home}?q=choma&d={soda}.2")
    assert page.text.count('value="plus.') == 2
    assert f'<input type="hidden" name="d" value="{soda}.2">' in page.text
    more = await read(f"{home}/order", data={"key": "k", f"q.{soda}": "2", "find": "choma", "step": f"plus.{choma}"})
    assert 'value="choma"' in more.text
    assert f'name="q.{choma}" inputmode="numeric" maxlength="2" value="1"' in more.text


async def test_a_search_without_a_find_says_so_and_leads_back(read: Reader, home: str) -> None:
    page = await read(f"{home}?q=pizza")
    assert '<p class="empty" id="nothing">' in page.text
    assert f'<a href="{home}">Show all</a>' in page.text


@pytest.mark.req("PAY-P10")
@pytest.mark.parametrize("text", ["<b>x</b>", "so\x00da", "\u202esoda", "９９９", "x" * 10_000, "a\nb", '"><script>'])
async def test_a_hostile_search_is_refused_in_words_and_not_shown_again(read: Reader, home: str, text: str) -> None:
    page = await read(f"{home}?{urlencode({'q': text})}")
    assert page.status == 400
    assert "Search with plain words" in page.text
    assert text not in page.text
    assert escape(text) not in page.text
    assert page.text.count('value="plus.') == 3


async def test_the_page_that_answers_a_form_changes_its_language_at_its_own_address(
    read: Reader, home: str, bar: SeededBar
) -> None:
    page = await read(f"{home}/order", data={"key": "k"})
    assert f'href="{home}?lang=sw"' in page.text
    page = await read(f"/pay/{bar.tab.ref}/split", data={"people": "1"})
    assert f'href="/pay/{bar.tab.ref}?lang=sw"' in page.text


async def test_a_guest_whose_table_got_a_new_card_is_led_on_and_a_stranger_is_not(
    read: Reader, application: Served, bar: SeededBar, home: str
) -> None:
    await read(home)
    await read(f"{home}/order", data={"key": "k1", f"q.{bar.items['Soda']}": "2"})
    await replace_card(application.rt, bar.id, bar.table_id, "test")
    page = await read(home)
    assert page.path != home
    assert "waiting for staff" in page.text
    again = await read(f"{home}/order", data={"key": "k2", f"q.{bar.items['Soda']}": "1"})
    assert again.path == page.path
    async with aiohttp.ClientSession(application.url) as stranger, stranger.get(home) as response:
        assert response.status == 404

"""The menu as the counter keeps it: changed by those who may, and never behind the back of an order."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.access.accounts import Role
from kaunta.core.runtime import Runtime
from kaunta.tabs import menus, queries
from kaunta.tabs.menu_file import MenuFileRefused, read_menu
from kaunta.tabs.menus import Wanted
from kaunta.tabs.orders import OrderRequest, place_order
from tests.staff.conftest import Reader
from tests.support.bars import SeededBar, Staff, add_staff
from tests.support.door import Served

Enter = Callable[[Staff], Awaitable[str]]
PAGE = "/staff/settings/menu"
HEAD = "category,name,price,available\n"
Names = Callable[[], Awaitable[list[tuple[str, str, int, bool]]]]
Send = Callable[..., Awaitable[tuple[int, str]]]
#: What a form may say wrongly, and what the page says to it.
WRONG: list[tuple[dict[str, str], str]] = [
    ({"price": "12.50"}, "whole number of shillings"),
    ({"price": "0"}, "whole number of shillings"),
    ({"price": "-5"}, "whole number of shillings"),
    ({"price": "1000001"}, "whole number of shillings"),
    ({"price": "٣٥٠"}, "whole number of shillings"),
    ({"name": " "}, "The name is missing."),
    ({"name": "x" * 81}, "at most 80 characters"),
    ({"name": "a\u202eb"}, "nobody can see"),
    ({"name": "a\x07b"}, "nobody can see"),
    ({"category": ""}, "The category is missing."),
    ({"name": "TUSKER"}, "TUSKER is in Beer already."),
]
WRONG_FILES: list[tuple[str | bytes, list[str]]] = [
    (HEAD + "Beer,White Cap,320,yes\nBeer,Pilsner,3.20,yes\nBeer,,100,\n", ["Row 3: The price", "Row 4: The name"]),
    (HEAD + "Beer,A,1,yes\nBeer,a,2,yes\n", ["Row 3: a in Beer stands in row 2 already."]),
    (HEAD + "Beer,A,1,perhaps\n", ["Row 2: Available is yes or no."]),
    (HEAD + "Beer,<b>\u202e,1,yes\n", ["Row 2: The name holds a character that nobody can see."]),
    (HEAD + "".join(f"Beer,B{n},x,\n" for n in range(25)), ["Row 21:", "and 5 more"]),
    (HEAD + "".join(f"Beer,B{n},1,\n" for n in range(501)), ["A menu has at most 500 items."]),
    (HEAD, ["There is no item in this file."]),
    ("", ["missing: category, name, price"]),
    ("what,is,this\n1,2,3\n", ["missing: category, name, price"]),
    (b"PK\x03\x04\xff\xfe", ["This is no CSV file in UTF-8."]),
    (HEAD + 'Beer,"A\x00",1,yes\n', ["nobody can see"]),
]


@pytest.fixture
def on_menu(application: Served, bar: SeededBar) -> Names:
    """`await on_menu()`: the menu, in the guests' order."""

    async def read() -> list[tuple[str, str, int, bool]]:
        async with application.rt.db.acquire() as db:
            return [(i.category, i.name, i.price, i.available) for i in await queries.menu(db, bar.id)]

    return read


@pytest.fixture
def send_file(http: aiohttp.ClientSession, signed_in: Enter, bar: SeededBar) -> Send:
    """`await send_file("category,…")`: the owner imports it; status and page."""

    session: list[str] = []

    async def send(content: str | bytes, **fields: str) -> tuple[int, str]:
        csrf = session[0] if session else await signed_in(bar.owner)
        session[:] = [csrf]
        form = aiohttp.FormData({"csrf": csrf, **fields})
        form.add_field("file", content if isinstance(content, bytes) else content.encode(), filename="menu.csv")
        async with http.post(f"{PAGE}/import", data=form) as response:
            return response.status, await response.text()

    return send


async def test_an_item_is_added_changed_and_retired_and_each_is_in_the_audit(
    read: Reader, signed_in: Enter, bar: SeededBar, on_menu: Names, application: Served
) -> None:
    csrf = await signed_in(bar.owner)
    dish = {"csrf": csrf, "category": "beer", "name": "  White   Cap ", "price": "KES 1,320", "available": "yes"}
    page = await read(PAGE, data=dish)
    assert (page.status, page.path, "White Cap" in page.text) == (200, PAGE, True)
    # In the spelling the category has, and with its own kind.
    assert (await on_menu())[:2] == [("Beer", "Tusker", 350, True), ("Beer", "White Cap", 1_320, True)]
    async with application.rt.db.acquire() as db:
        item = next(i.id for i in await queries.menu(db, bar.id) if i.name == "White Cap")
    await read(f"{PAGE}/{item}", data=dish | {"name": "White Cap", "price": "330", "after": "first"})
    assert (await on_menu())[0] == ("Beer", "White Cap", 330, True)
    await read(f"{PAGE}/{item}/retire", data={"csrf": csrf})
    assert "White Cap" not in [name for _, name, _, _ in await on_menu()]
    rows = await application.rt.db.fetch(
        "select action, detail from audit_events where object_id = $1 order by id", str(item)
    )
    assert [row["action"] for row in rows] == ["menu.item_added", "menu.item_changed", "menu.item_retired"]
    assert (rows[1]["detail"]["was"], rows[1]["detail"]["now"]) == ({"price": 1_320}, {"price": 330})
    # The row stays, as orders may name it.
    assert await application.rt.db.fetchval("select retired_at is not null from menu_items where id = $1", item)
    assert (await read(f"{PAGE}/{item}")).status == 404


async def test_an_order_keeps_the_price_it_was_made_with(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served
) -> None:
    csrf, tusker = await signed_in(bar.owner), bar.items["Tusker"]
    orders = "select jsonb_agg(to_jsonb(o) order by id) from tab_orders o"
    before = await application.rt.db.fetchval(orders)
    await read(f"{PAGE}/{tusker}", data={"csrf": csrf, "category": "Beer", "name": "Dear", "price": "9000"})
    await read(f"{PAGE}/{tusker}/retire", data={"csrf": csrf})
    assert await application.rt.db.fetchval(orders) == before
    tab = await read(f"/staff/tabs/{bar.tab.id}")
    assert "2 × Tusker" in tab.text
    assert "KES 1,000" in tab.text


async def test_what_is_sold_out_or_retired_cannot_be_ordered(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served
) -> None:
    csrf, soda = await signed_in(bar.owner), bar.items["Soda"]
    request = OrderRequest(bar_id=bar.id, lines={soda: 1}, key="k", by="customer", tab_ref=bar.tab.ref)
    page = await read(f"{PAGE}/{soda}/available", data={"csrf": csrf, "available": "no"})
    assert "Back on: Soda" in page.text
    with pytest.raises(Exception, match="Not available now: Soda"):
        await place_order(application.rt, request)
    await read(f"{PAGE}/{soda}/available", data={"csrf": csrf, "available": "yes"})
    await read(f"{PAGE}/{soda}/retire", data={"csrf": csrf})
    with pytest.raises(Exception, match="not on the menu"):
        await place_order(application.rt, request)
    menu = await read(f"/b/{bar.slug}/t/{bar.table_code}")
    assert "Soda" not in menu.text


async def test_what_cannot_stand_on_the_menu_is_refused_and_changes_nothing(
    read: Reader, signed_in: Enter, bar: SeededBar, on_menu: Names
) -> None:
    csrf, before = await signed_in(bar.owner), await on_menu()
    good = {"csrf": csrf, "category": "Beer", "name": "White Cap", "price": "320", "available": "yes"}
    for wrong, says in WRONG:
        for path in (PAGE, f"{PAGE}/{bar.items['Soda']}"):
            page = await read(path, data=good | wrong)
            assert (page.status, says in page.text) == (422, True), (wrong, page.text)
    assert await on_menu() == before


async def test_categories_move_and_are_renamed_as_a_whole(
    read: Reader, signed_in: Enter, bar: SeededBar, on_menu: Names
) -> None:
    csrf = await signed_in(bar.owner)
    await read(PAGE, data={"csrf": csrf, "category": "Beer", "name": "White Cap", "price": "320"})
    order = [category for category, *_ in await on_menu()]
    assert order == ["Beer", "Beer", "Soft drinks", "Kitchen"]
    await read(f"{PAGE}/categories", data={"csrf": csrf, "category": "Kitchen", "do": "up"})
    assert [category for category, *_ in await on_menu()] == ["Beer", "Beer", "Kitchen", "Soft drinks"]
    await read(f"{PAGE}/categories", data={"csrf": csrf, "category": "Beer", "do": "down"})
    page = await read(f"{PAGE}/categories", data={"csrf": csrf, "category": "Beer", "do": "rename", "name": "Bia"})
    assert page.status == 200
    assert [category for category, *_ in await on_menu()] == ["Kitchen", "Bia", "Bia", "Soft drinks"]
    gone = await read(f"{PAGE}/categories", data={"csrf": csrf, "category": "Beer", "do": "up"})
    assert gone.status == 404


async def test_a_menu_goes_out_as_a_file_and_comes_back_the_same(
    read: Reader, signed_in: Enter, bar: SeededBar, on_menu: Names, application: Served, send_file: Send
) -> None:
    by = "staff:test"
    for name in ('=1+1 "Special"', "Wali, maharagwe; soda", "Nyama ½ kg — “choma”"):
        await menus.add_item(application.rt, bar.id, Wanted("+Grill", name, 450, available=False), by)
    before = await on_menu()
    await signed_in(bar.owner)
    csv = (await read(f"{PAGE}.csv")).text
    assert csv.startswith("\ufeffcategory,name,price,available\r\n")
    assert "'=1+1" in csv
    status, page = await send_file(csv, others="retire")
    assert (status, "Imported: 0 added, 0 changed, 0 retired." in page) == (200, True)
    assert await on_menu() == before


async def test_a_file_changes_adds_orders_and_only_where_told_retires(send_file: Send, on_menu: Names) -> None:
    content = "Name;PRICE;Category\nWhite Cap;320;Beer\nsoda;120;soft drinks\n;;\n"
    status, page = await send_file(content)
    assert (status, "Imported: 1 added, 1 changed, 0 retired." in page) == (200, True)
    assert await on_menu() == [
        ("Beer", "White Cap", 320, True),
        ("Beer", "Tusker", 350, True),
        ("Soft drinks", "soda", 120, True),
        ("Kitchen", "Nyama choma", 800, True),
    ]
    await send_file(HEAD + "Beer,White Cap,330,no\n", others="retire")
    assert await on_menu() == [("Beer", "White Cap", 330, False)]


async def test_a_file_with_one_wrong_row_imports_nothing_and_says_which(send_file: Send, on_menu: Names) -> None:
    before = await on_menu()
    for content, says in WRONG_FILES:
        status, page = await send_file(content)
        assert status == 422, content
        assert [words for words in says if words not in page] == []
    assert await on_menu() == before


@given(st.text() | st.text(alphabet="abc,;\"'\n\r\t 0123456789=").map(lambda text: HEAD + text))
def test_any_text_is_a_menu_or_is_refused(text: str) -> None:
    try:
        dishes = read_menu(text.encode("utf-8", "surrogatepass"))
    except MenuFileRefused as error:
        assert error.detail
        return
    assert dishes
    assert [menus.checked(dish) for dish in dishes] == dishes


async def test_a_hundred_and_fifty_items_are_found_and_stay_within_the_counters_budget(
    read: Reader, signed_in: Enter, bar: SeededBar, rt: Runtime, application: Served
) -> None:
    rows = [Wanted(f"Category {n // 15}", f"Something to eat or drink, number {n}", 100 + n) for n in range(150)]
    done = await menus.import_menu(application.rt, bar.id, rows, "staff:test", retire_others=True)
    assert asdict(done) == {"added": 150, "changed": 0, "retired": 3}
    await signed_in(bar.owner)
    page = await read(PAGE)
    assert "150 items" in page.text
    assert len(page.text) < 150_000
    assert '<details class="card" id="c-1" open' not in page.text
    found = await read(f"{PAGE}?q=number+77+SOMETHING")
    assert (found.text.count("Sold out</button>"), "number 77" in found.text) == (1, True)
    assert "Nothing on the menu has these words." in (await read(f"{PAGE}?q=zzz")).text


@pytest.mark.parametrize("role", ["waiter", "cashier", "manager"])
async def test_managers_and_owners_change_the_menu_and_nobody_else(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, on_menu: Names, password_hash: str, role: Role
) -> None:
    async with application.rt.db.acquire() as db:
        who = await add_staff(db, application.rt, bar.id, role, f"{role}-two", password_hash)
    csrf, before = await signed_in(who), await on_menu()
    expected = 200 if role == "manager" else 403
    item = f"{PAGE}/{bar.items['Soda']}"
    for path, data in (
        ("/staff/settings", None),
        (PAGE, None),
        (f"{PAGE}.csv", None),
        (item, None),
        (PAGE, {"csrf": csrf, "category": "A", "name": "B", "price": "1"}),
        (item, {"csrf": csrf, "category": "A", "name": "C", "price": "1"}),
        (f"{item}/available", {"csrf": csrf, "available": "no"}),
        (f"{PAGE}/categories", {"csrf": csrf, "category": "Kitchen", "do": "up"}),
        (f"{item}/retire", {"csrf": csrf}),
    ):
        assert (await read(path, data=data)).status == expected, path
    assert ("/staff/settings" in (await read("/staff")).text) == (role == "manager")
    assert (await on_menu() == before) == (role != "manager")

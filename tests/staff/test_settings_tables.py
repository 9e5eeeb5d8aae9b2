"""Tables at the counter's settings: they come, change their name, and go when nobody sits there."""

from collections.abc import Awaitable, Callable

import pytest

from kaunta.access.accounts import Role
from tests.staff.conftest import Reader
from tests.support.bars import SeededBar, Staff, add_staff
from tests.support.door import Served

Enter = Callable[[Staff], Awaitable[str]]
PAGE = "/staff/settings/tables"


@pytest.mark.parametrize("label", ["Terrace (left)", "Table 4", "table 4"])
async def test_a_table_is_renamed_and_its_card_still_opens_it(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, label: str
) -> None:
    csrf = await signed_in(bar.owner)
    page = await read(f"{PAGE}/{bar.table_id}", data={"csrf": csrf, "label": label})
    assert (page.status, page.path, f"<b>{label}</b>" in page.text) == (200, PAGE, True)
    assert label in (await read(f"/b/{bar.slug}/t/{bar.table_code}")).text
    rows = await application.rt.db.fetch("select detail from audit_events where action = 'table.renamed'")
    changes = [(row["detail"]["was"], row["detail"]["now"]) for row in rows]
    assert changes == ([] if label == "Table 4" else [("Table 4", label)])


async def test_a_name_that_is_none_or_taken_is_refused(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served
) -> None:
    csrf = await signed_in(bar.owner)
    await read(PAGE, data={"csrf": csrf, "label": "Garden"})
    for label in ("", "GARDEN", "<b>7</b>", "a\u202eb", "x" * 31):
        page = await read(f"{PAGE}/{bar.table_id}", data={"csrf": csrf, "label": label})
        assert (page.status, 'role="alert"' in page.text) == (400, True), label
    labels = await application.rt.db.fetch("select label from table_codes order by label")
    assert [row["label"] for row in labels] == ["Garden", "Table 4"]


async def test_a_table_goes_when_its_tabs_are_closed_and_past_tabs_keep_its_name(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served
) -> None:
    csrf = await signed_in(bar.owner)
    refused = await read(f"{PAGE}/{bar.table_id}/retire", data={"csrf": csrf})
    assert (refused.status, "Somebody has an open tab at Table 4." in refused.text) == (409, True)
    paid = {"csrf": csrf, "amount": "1000", "method": "cash", "key": "k"}
    await read(f"/staff/tabs/{bar.tab.id}/payments", data=paid)
    if await application.rt.db.fetchval("select status from tabs where id = $1", bar.tab.id) != "closed":
        await read(f"/staff/tabs/{bar.tab.id}/close", data={"csrf": csrf})
    done = await read(f"{PAGE}/{bar.table_id}/retire", data={"csrf": csrf})
    assert (done.status, "Table 4" in done.text) == (200, False)
    assert (await read(f"/b/{bar.slug}/t/{bar.table_code}")).status == 404
    assert "Table 4" in (await read(f"/staff/tabs/{bar.tab.id}")).text
    assert (await read(f"{PAGE}/{bar.table_id}/retire", data={"csrf": csrf})).status == 404
    assert (await read(f"{PAGE}/{bar.table_id}", data={"csrf": csrf, "label": "Back"})).status == 404


async def test_a_guest_whose_table_is_gone_is_led_to_the_bars_page_and_not_in_a_circle(
    read: Reader, bar: SeededBar, application: Served
) -> None:
    await application.rt.db.execute("update table_codes set active = false")
    address = f"/b/{bar.slug}/t/{bar.table_code}"
    assert (await read(address)).status == 404
    page = await read(address, cookie=f"kaunta_guest={bar.tab.device}")
    assert (page.status, page.path) == (200, f"/b/{bar.slug}")
    assert "KES 1,000" in page.text


@pytest.mark.parametrize("role", ["waiter", "cashier", "manager"])
async def test_managers_and_owners_change_tables_and_nobody_else(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, password_hash: str, role: Role
) -> None:
    async with application.rt.db.acquire() as db:
        who = await add_staff(db, application.rt, bar.id, role, f"{role}-two", password_hash)
    csrf = await signed_in(who)
    expected = 200 if role == "manager" else 403
    assert (await read(PAGE)).status == expected
    assert (await read(PAGE, data={"csrf": csrf, "label": "Garden"})).status == expected
    assert (await read(f"{PAGE}/{bar.table_id}", data={"csrf": csrf, "label": "Hall"})).status == expected
    gone = await read(f"{PAGE}/{bar.table_id}/retire", data={"csrf": csrf})
    assert gone.status == (409 if role == "manager" else 403)

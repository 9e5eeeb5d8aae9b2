"""A bar's own settings: what guests see changes for them, limits hold, and each change says from what to what."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kaunta.access.accounts import Role
from kaunta.access.sessions import PROVED_SECONDS
from kaunta.core.clock import Clock, ManualClock
from tests.staff.conftest import Reader
from tests.support.bars import SeededBar, Staff, add_staff
from tests.support.door import Served

Enter = Callable[[Staff], Awaitable[str]]
PAGE = "/staff/settings/bar"
ROW = """
    select name, mpesa_business_name, payment_cash_enabled, payment_card_enabled, resolve_limit,
           resolve_alone_limit, refund_alone_limit, mpesa_most
    from bars where id = $1
"""
Row = Callable[[], Awaitable[tuple[Any, ...]]]
WRONG_NAMES = [
    ({"name": "  "}, "A bar needs a name."),
    ({"name": "x" * 121}, "at most 120 characters"),
    ({"name": "a\u202eb"}, "nobody can see"),
    ({"prompt_name": "x" * 61}, "at most 60 characters"),
    ({"prompt_name": "a\x00b"}, "nobody can see"),
]
WRONG_LIMITS = [
    {"resolve": ""},
    {"resolve": "-1"},
    {"resolve": "12.5"},
    {"resolve_alone": ""},
    {"resolve_alone": "-1"},
    {"resolve_alone": "1000001"},
    {"resolve_alone": "1e3"},
    {"refund": "1000001"},
    {"refund": "many"},
    {"most": "0"},
    {"most": "250001"},
    {"most": "x"},
]
CHANGES = "select detail - 'request' as detail from audit_events where action = 'bar.changed' order by id"


@pytest.fixture
def row(application: Served, bar: SeededBar) -> Row:
    """`await row()`: the bar's settings as committed."""

    async def read() -> tuple[Any, ...]:
        return tuple(await application.rt.db.fetchrow(ROW, bar.id) or ())

    return read


async def test_name_and_ways_to_pay_reach_the_guest_and_the_audit(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, row: Row
) -> None:
    csrf = await signed_in(bar.owner)
    form = {"csrf": csrf, "name": "  Njeri’s   Garden ", "prompt_name": "NJERI GARDEN", "card": "yes"}
    page = await read(PAGE, data=form)
    assert (page.status, "Saved." in page.text) == (200, True)
    assert (await row())[:4] == ("Njeri’s Garden", "NJERI GARDEN", False, True)
    assert "Njeri’s Garden" in (await read(f"/b/{bar.slug}/t/{bar.table_code}")).text
    told = [each["detail"] for each in await application.rt.db.fetch(CHANGES)]
    assert told == [
        {"field": "name", "was": bar.name, "now": "Njeri’s Garden"},
        {"field": "prompt_name", "was": None, "now": "NJERI GARDEN"},
        {"field": "cash", "was": True, "now": False},
        {"field": "card", "was": False, "now": True},
    ]
    await read(PAGE, data=form)
    assert len(await application.rt.db.fetch(CHANGES)) == 4


async def test_a_name_that_is_none_changes_nothing(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, row: Row
) -> None:
    csrf, before = await signed_in(bar.owner), await row()
    for wrong, says in WRONG_NAMES:
        page = await read(PAGE, data={"csrf": csrf, "name": "Njeri", "prompt_name": "", "cash": "yes"} | wrong)
        assert (page.status, says in page.text, "Nothing was changed." in page.text) == (422, True, True), wrong
    assert await row() == before
    assert await application.rt.db.fetch(CHANGES) == []


async def test_the_last_way_to_pay_may_be_switched_off_and_the_page_says_so(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served
) -> None:
    await application.rt.db.execute("update mpesa_credentials set is_active = false")
    await application.rt.db.execute("update bars set mpesa_enabled = false")
    csrf = await signed_in(bar.owner)
    page = await read(PAGE, data={"csrf": csrf, "name": bar.name, "prompt_name": ""})
    assert "Guests have no way to pay now" in page.text


async def test_limits_are_kept_and_hold(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, row: Row
) -> None:
    csrf = await signed_in(bar.owner)
    form = {"csrf": csrf, "resolve": "2,500", "resolve_alone": "KES 7,500", "refund": "0", "most": "400"}
    assert "Saved." in (await read(f"{PAGE}/limits", data=form)).text
    assert (await row())[4:] == (2_500, 7_500, 0, 400)
    told = [each["detail"] for each in await application.rt.db.fetch(CHANGES)]
    assert told == [
        {"field": "resolve", "was": 5_000, "now": 2_500},
        {"field": "resolve_alone", "was": 20_000, "now": 7_500},
        {"field": "refund", "was": 1_000, "now": 0},
        {"field": "most", "was": None, "now": 400},
    ]
    # The guest is proposed no more, and not let through with more.
    assert "Pay KES 400 with M-Pesa" in (await read(f"/pay/{bar.tab.ref}")).text
    refused = await read(f"/pay/{bar.tab.ref}", data={"amount": "401", "phone": "0708 374 149", "key": "k"})
    assert (refused.status, "This is more than M-Pesa takes at once." in refused.text) == (422, True)
    assert await application.rt.db.fetchval("select count(*) from mpesa_transactions") == 0
    # Emptied, the installation's own holds again.
    await read(f"{PAGE}/limits", data=form | {"most": ""})
    assert (await row())[-1] is None


async def test_a_limit_that_is_none_changes_nothing(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, row: Row
) -> None:
    csrf, before = await signed_in(bar.owner), await row()
    for wrong in WRONG_LIMITS:
        right = {"csrf": csrf, "resolve": "1", "resolve_alone": "1", "refund": "1", "most": "9"}
        page = await read(f"{PAGE}/limits", data=right | wrong)
        assert (page.status, "is a whole number of shillings" in page.text) == (422, True), wrong
    assert await row() == before


async def test_limits_need_a_recent_proof(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, row: Row, clock: Clock
) -> None:
    assert isinstance(clock, ManualClock)
    csrf, before = await signed_in(bar.owner), await row()
    clock.advance(PROVED_SECONDS + 1)
    limits = {"csrf": csrf, "resolve": "1", "resolve_alone": "1", "refund": "1", "most": ""}
    page = await read(f"{PAGE}/limits", data=limits)
    assert page.path == "/staff/prove"
    assert await row() == before


@pytest.mark.parametrize("role", ["waiter", "cashier", "manager"])
async def test_a_manager_changes_all_but_the_limits_and_others_nothing(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, row: Row, password_hash: str, role: Role
) -> None:
    async with application.rt.db.acquire() as db:
        who = await add_staff(db, application.rt, bar.id, role, f"{role}-two", password_hash)
    csrf = await signed_in(who)
    expected = 200 if role == "manager" else 403
    shown = await read(PAGE)
    assert (shown.status, "Only an owner changes these." in shown.text) == (expected, role == "manager")
    assert f"{PAGE}/limits" not in shown.text
    assert (await read(PAGE, data={"csrf": csrf, "name": "New", "prompt_name": ""})).status == expected
    limits = {"csrf": csrf, "resolve": "1000000", "resolve_alone": "1000000", "refund": "1000000", "most": ""}
    assert (await read(f"{PAGE}/limits", data=limits)).status == 403
    assert (await row())[0] == ("New" if role == "manager" else bar.name)
    assert (await row())[4:] == (5_000, 20_000, 1_000, None)

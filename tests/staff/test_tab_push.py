"""A prompt sent from a tab: the guest's own rules and limits, in the name of whoever sent it."""

import pytest

from kaunta.bars.mpesa_switch import sync_mpesa_status
from kaunta.core.db import transaction
from kaunta.payments.views import payments_of_tab
from tests.staff.conftest import Reader
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

PHONE = "0708 374 149"


def form(token: str, amount: object = 400, phone: str = PHONE, key: str = "k1", **more: str) -> dict[str, str]:
    return {"csrf": token, "amount": str(amount), "phone": phone, "key": key, **more}


async def test_a_prompt_goes_out_in_the_name_of_who_sent_it(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    page = await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token, "1,000"))
    assert page.path.startswith("/staff/payments/")
    await application.pushes.drain()
    assert [push.wanted.amount for push in simulator.simulator.pushes.values()] == [1_000]
    payment = (await payments_of_tab(application.rt, bar.tab.id))[0]
    assert payment.started_by == f"staff:{bar.waiter.account_id}"
    board = await read("/staff/board")
    assert f"by {bar.waiter.username.title()}" in board.text
    assert "708374149" not in board.text.replace(" ", "")
    event = await application.rt.db.fetchval("select actor from payment_events where kind = 'created'")
    assert event == f"staff:{bar.waiter.account_id}"
    assert "Prompts for all that is owed are on their way." in (await read(f"/staff/tabs/{bar.tab.id}")).text


async def test_the_same_form_sent_twice_is_one_prompt(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    first = await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token))
    second = await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token))
    await application.pushes.drain()
    assert first.path == second.path
    assert len(simulator.simulator.pushes) == 1


@pytest.mark.parametrize(
    ("amount", "phone", "status", "says"),
    [
        ("1001", PHONE, 422, "more than what is still to pay"),
        ("0", PHONE, 422, "at least 1 shilling"),
        ("ten", PHONE, 422, "at least 1 shilling"),
        ("100", "0712", 400, "Kenyan mobile number"),
        ("100", "", 400, "Kenyan mobile number"),
    ],
)
async def test_what_a_guest_may_not_staff_may_not_either(
    read: Reader, token: str, simulator: Safaricom, bar: SeededBar, amount: str, phone: str, status: int, says: str
) -> None:
    page = await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token, amount, phone))
    assert page.status == status
    assert says in page.text
    assert f'value="{phone}"' in page.text
    assert not simulator.simulator.pushes


async def test_a_phone_that_has_a_prompt_gets_no_second_one(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    simulator.simulator.queue_scenario("person")
    await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token, 100))
    await application.pushes.drain()
    page = await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token, 100, key="k2"))
    assert page.status == 409
    assert "still on its way" in page.text
    assert len(simulator.simulator.pushes) == 1


async def test_no_phone_is_flooded_from_the_counter(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    statuses = []
    for n in range(4):
        simulator.simulator.queue_scenario("cancelled")
        page = await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token, 100, key=f"k{n}"))
        statuses.append(page.status)
        await application.pushes.drain()
        await simulator.settle()
        await application.pushes.drain()
    assert statuses == [200, 200, 200, 429]
    assert "Too many tries" in page.text


async def test_after_an_unknown_payment_the_guests_sms_is_asked_for_first(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    simulator.simulator.queue_scenario("ignored")
    await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token, 100))
    await application.pushes.drain()
    async with application.rt.db.acquire() as db:
        await db.execute("update mpesa_transactions set status = 'timeout' where status = 'sent'")
    await simulator.advance(600)
    refused = await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token, 100, key="k2"))
    assert refused.status == 409
    assert 'name="no_sms"' in refused.text
    again = await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token, 100, key="k3", no_sms="yes"))
    assert again.path.startswith("/staff/payments/")
    await application.pushes.drain()


async def test_where_mpesa_is_off_the_tab_says_so(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    async with transaction(application.rt.db) as db:
        await sync_mpesa_status(db, application.rt.clock, bar.id, False, environment="sandbox", by="test")
    page = await read(f"/staff/tabs/{bar.tab.id}")
    assert "M-Pesa is not available here right now." in page.text
    assert (await read(f"/staff/tabs/{bar.tab.id}/push", data=form(token))).status == 503
    assert not simulator.simulator.pushes


async def test_a_tab_says_why_it_does_not_close(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    assert "A tab closes when its balance is zero." in (await read(f"/staff/tabs/{bar.tab.id}")).text
    cash = {"csrf": token, "amount": "1000", "method": "cash", "key": "k1"}
    page = await read(f"/staff/tabs/{bar.tab.id}/payments", data=cash)
    assert "Everything is paid." in page.text

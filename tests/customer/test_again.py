"""Whatever the guest's browser does, there is one push, and it is found again."""

import re
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.views import payments_of_tab
from tests.customer.conftest import Outcome, Read, Reader
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Paying = Callable[..., Awaitable[Read]]


async def test_a_push_whose_answer_never_arrived_is_found_by_scanning_the_card_again(
    read: Reader, http: aiohttp.ClientSession, application: Served, bar: SeededBar, simulator: Safaricom
) -> None:
    """The redirect is lost on the way: the phone knows nothing of its payment, the server knows the phone."""
    home = f"/b/{bar.slug}/t/{bar.table_code}"
    await read(home)
    form = {"amount": "400", "phone": "0708374149", "key": "k"}
    async with http.post(f"/pay/{bar.tab.ref}", data=form, allow_redirects=False):
        pass
    page = await read(home)
    [payment] = await payments_of_tab(application.rt, bar.tab.id)
    assert "Your payment of KES 400" in page.text
    assert f'href="/p/{payment.id}"' in page.text
    pay = await read(f"/pay/{bar.tab.ref}")
    assert f'href="/p/{payment.id}"' in pay.text
    assert len(simulator.simulator.pushes) == 1


async def test_the_pay_pages_own_link_is_enough_to_be_known_by(
    read: Reader, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    async with http.get(f"/pay/{bar.tab.ref}") as response:
        assert "kaunta_guest" in response.cookies


async def test_a_payment_that_somebody_else_started_is_not_led_to(
    read: Reader, application: Served, bar: SeededBar
) -> None:
    started = await initiate(application.rt, application.pushes, Intent(bar.tab.ref, "0708374149", 400))
    page = await read(f"/b/{bar.slug}/t/{bar.table_code}")
    assert str(started.transaction_id) not in page.text


async def test_an_unknown_payment_stays_on_the_card_until_it_is_known(
    paying: Paying, read: Reader, application: Served, bar: SeededBar
) -> None:
    mine = await paying(400)
    await application.rt.db.execute("update mpesa_transactions set status = 'timeout'")
    page = await read(f"/b/{bar.slug}/t/{bar.table_code}")
    assert mine.path in page.text
    assert "not known yet" in page.text
    assert "is not known yet" in (await read(f"/pay/{bar.tab.ref}")).text


async def test_paid_and_closed_the_last_payment_is_still_shown(
    paying: Paying, read: Reader, outcome: Outcome, bar: SeededBar
) -> None:
    mine = await paying(1_000)
    await outcome()
    page = await read(f"/b/{bar.slug}/t/{bar.table_code}")
    assert mine.path in page.text
    assert re.search(r"Your payment of KES 1,000</b><small>paid", page.text)


async def test_after_tries_that_came_to_nothing_the_till_comes_first(
    paying: Paying, read: Reader, application: Served, bar: SeededBar, simulator: Safaricom, outcome: Outcome
) -> None:
    await application.rt.db.execute("update mpesa_credentials set till_number = '123456'")
    page = await read(f"/pay/{bar.tab.ref}")
    assert page.text.index('name="phone"') < page.text.index("Pay by till number instead")
    for number in range(2):
        simulator.simulator.queue_scenario("cancelled")
        await paying(400, key=f"k{number}")
        await outcome()
    page = await read(f"/pay/{bar.tab.ref}")
    assert page.text.index("Pay by till number instead") < page.text.index('name="phone"')


@pytest.mark.req("PAY-P12")
async def test_the_fourth_try_that_may_come_to_nothing_is_refused_by_the_server(
    paying: Paying, simulator: Safaricom, outcome: Outcome, clock: object
) -> None:
    for number in range(3):
        simulator.simulator.queue_scenario("cancelled")
        assert (await paying(400, key=f"k{number}")).path.startswith("/p/")
        await outcome()
        await simulator.advance(61)
    page = await paying(400, key="k3")
    assert page.status == 429
    assert "Too many tries for now." in page.text
    assert len(simulator.simulator.pushes) == 3


async def test_a_slow_mpesa_is_said_before_a_number_is_typed(
    paying: Paying, read: Reader, application: Served, bar: SeededBar
) -> None:
    slow = "M-Pesa is slow right now."
    for number in range(3):
        assert slow not in (await read(f"/pay/{bar.tab.ref}")).text
        await paying(10, phone=f"25470000000{number}", key=f"k{number}")
        await application.rt.db.execute("update mpesa_transactions set status = 'timeout' where status = 'sent'")
    for path in (f"/pay/{bar.tab.ref}", f"/b/{bar.slug}/t/{bar.table_code}"):
        assert slow in (await read(path)).text


async def test_a_suspended_mpesa_is_not_offered(read: Reader, application: Served, bar: SeededBar) -> None:
    await application.rt.db.execute("update bars set mpesa_suspended_reason = 'refused twice' where id = $1", bar.id)
    page = await read(f"/pay/{bar.tab.ref}")
    assert "M-Pesa is not available here right now." in page.text
    assert "refused twice" not in page.text
    assert 'name="phone"' not in page.text


async def test_a_bar_that_is_closed_has_no_code_in_use(read: Reader, application: Served, bar: SeededBar) -> None:
    await application.rt.db.execute("update bars set active = false where id = $1", bar.id)
    for path in (f"/b/{bar.slug}", f"/b/{bar.slug}/t/{bar.table_code}", f"/pay/{bar.tab.ref}"):
        page = await read(path)
        assert page.status == 404
        assert "This code is not in use." in page.text

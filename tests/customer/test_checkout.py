"""Paying: the form, its refusals, and that there is one push however often it is sent."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kaunta.payments.views import payments_of_tab
from tests.customer.conftest import Read, Reader
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Paying = Callable[..., Awaitable[Read]]


async def test_the_pay_page_names_the_sum_and_promises_nothing_else(read: Reader, bar: SeededBar) -> None:
    page = await read(f"/pay/{bar.tab.ref}")
    assert "Pay KES 1,000 with M-Pesa" in page.text
    assert "We never see your M-Pesa PIN." in page.text
    assert "Cash: ask staff." in page.text


async def test_a_part_is_proposed_by_the_address(read: Reader, bar: SeededBar) -> None:
    page = await read(f"/pay/{bar.tab.ref}?amount=400")
    assert "Pay KES 400 with M-Pesa" in page.text
    assert 'name="amount" value="400"' in page.text


@pytest.mark.parametrize(("amount", "says"), [("1001", "Pay between 1 shilling"), ("4x", "whole shillings")])
async def test_a_part_that_cannot_be_is_refused(read: Reader, bar: SeededBar, amount: str, says: str) -> None:
    page = await read(f"/pay/{bar.tab.ref}?amount={amount}")
    assert page.status == 422
    assert says in page.text


async def test_paying_leads_to_the_payments_page(paying: Paying) -> None:
    page = await paying(400)
    assert page.path.startswith("/p/")
    assert "Check your phone" in page.text
    assert "0708 ••• 149" in page.text


@pytest.mark.failure(71)
@pytest.mark.parametrize("phone", ["0110 040 401", "0708374149", "254708374149", "+254 708 374 149", "708374149"])
async def test_every_form_of_a_kenyan_number_is_taken(paying: Paying, phone: str) -> None:
    assert (await paying(100, phone)).path.startswith("/p/")


@pytest.mark.req("PAY-P9")
@pytest.mark.parametrize(
    ("phone", "says"),
    [
        ("", "Enter a Kenyan mobile number"),
        ("0712 34", "too short"),
        ("+255 712 345 678", "Kenyan number"),
        ("020 222 2222", "not a mobile number"),
        ("+254 0712 345 678", "Leave out the 0"),
        ("call me", "digits only"),
    ],
)
async def test_a_number_that_cannot_pay_is_explained_beside_its_field(
    paying: Paying, application: Served, bar: SeededBar, phone: str, says: str
) -> None:
    page = await paying(400, phone)
    assert page.status == 400
    assert says in page.text
    assert 'aria-invalid="true"' in page.text
    assert 'href="#phone"' in page.text
    assert await payments_of_tab(application.rt, bar.tab.id) == []


@pytest.mark.req("PAY-P10")
@pytest.mark.parametrize(
    "phone", ["<script>alert(1)</script>", "0712\u202e345678", "07" * 5_000, "0712\x00345678", "０７１２３４５６７８"]
)
async def test_hostile_numbers_are_refused_and_never_echoed_raw(paying: Paying, phone: str) -> None:
    page = await paying(400, phone)
    # Direction marks ride along when a number is copied from a chat; such a one is taken, without them.
    assert page.status == 400 or page.path.startswith("/p/")
    assert phone not in page.text


@pytest.mark.parametrize(("amount", "status"), [("1001", 422), ("0", 422), ("", 400), ("12.5", 400), ("١٢", 400)])
async def test_an_amount_that_does_not_fit_is_refused(
    paying: Paying, application: Served, bar: SeededBar, amount: str, status: int
) -> None:
    assert (await paying(amount)).status == status
    assert await payments_of_tab(application.rt, bar.tab.id) == []


async def test_the_same_form_sent_twice_is_one_payment(
    paying: Paying, application: Served, bar: SeededBar, simulator: Safaricom
) -> None:
    first, second = await asyncio.gather(paying(400), paying(400))
    assert first.path == second.path
    assert len(simulator.simulator.pushes) == 1


async def test_another_form_of_the_same_payer_leads_to_the_open_payment(paying: Paying, simulator: Safaricom) -> None:
    first = await paying(400, key="one")
    second = await paying(300, key="two")
    assert second.path == first.path
    assert len(simulator.simulator.pushes) == 1


async def test_a_form_without_a_key_sends_nothing(paying: Paying, simulator: Safaricom) -> None:
    assert (await paying(400, key="")).status == 400
    assert not simulator.simulator.pushes


async def test_a_friend_sees_that_a_payment_waits_and_not_whose_page_it_is(
    paying: Paying, read: Reader, bar: SeededBar, application: Served
) -> None:
    mine = await paying(400)
    assert mine.path in (await read(f"/pay/{bar.tab.ref}")).text
    others = await read(f"/pay/{bar.tab.ref}", Cookie="kaunta_payment=none")
    assert "A payment of KES 400 from 0708 ••• 149 is waiting" in others.text


async def test_mpesa_off_means_the_counter(read: Reader, paying: Paying, application: Served, bar: SeededBar) -> None:
    async with application.rt.db.acquire() as db:
        await db.execute("update mpesa_credentials set is_active = false where tenant_id = $1", bar.id)
    page = await read(f"/pay/{bar.tab.ref}")
    assert "M-Pesa is not available here right now." in page.text
    assert 'name="phone"' not in page.text
    assert (await paying(400)).status == 503


async def test_safaricom_not_answering_is_said_and_nothing_is_called_failed_that_may_be_sent(
    paying: Paying, simulator: Safaricom
) -> None:
    await simulator.stop_listening()
    page = await paying(400)
    assert "M-Pesa is not answering" in page.text
    assert "Try again with KES 400" in page.text


async def test_an_answer_that_never_comes_leaves_the_guest_on_the_sending_page(
    paying: Paying, simulator: Safaricom
) -> None:
    simulator.simulator.queue_scenario("ack_lost")
    page = await paying(400)
    assert "Asking M-Pesa to send the prompt…" in page.text
    assert "Not paid" not in page.text

"""The list finds what no message told, and finds it once."""

from dataclasses import replace

from kaunta.payments import pull
from kaunta.payments.states import Status

from .conftest import DirectMoney


async def test_acknowledgement_and_callback_lost_are_found_by_the_list(subscribed: DirectMoney) -> None:
    """Each alone suffices: here the list."""
    evening = subscribed.evening
    payment = await evening.pay(500, scenario="ack_and_callback_lost")
    await evening.settle()
    await evening.live_on(320)
    assert (await evening.view(payment)).status is Status.TIMEOUT
    await subscribed.pull()
    view = await evening.view(payment)
    assert (view.status, view.receipt) == (Status.COMPLETED, subscribed.ledger[0].receipt)
    assert (await evening.tab()).paid == 500


async def test_a_direct_payment_is_found_and_put_before_a_person(subscribed: DirectMoney) -> None:
    code = await subscribed.pay_till(350)
    await subscribed.pull()
    receipt = await subscribed.known(code)
    assert (receipt.amount, receipt.first_channel, receipt.ledger_id) == (350, "pull", None)
    assert "receipt_unmatched" in await subscribed.evening.problems(receipt.id)


async def test_pulling_every_few_minutes_changes_nothing_more(subscribed: DirectMoney) -> None:
    evening = subscribed.evening
    await evening.pay(500)
    await evening.settle()
    code = await subscribed.pay_till(350)
    for _ in range(4):
        await evening.wait(300)
        assert await subscribed.pull() == 1
    assert await subscribed.pull() == 0, "not sooner than due"
    assert await subscribed.sightings(code) == ["pull"]
    assert (await evening.tab()).paid == 500
    assert await evening.rt.db.fetchval("select count(*) from mpesa_receipts") == 2


async def test_a_shortcode_that_may_not_be_pulled_is_the_owners_matter(subscribed: DirectMoney) -> None:
    evening = subscribed.evening
    evening.simulator.simulator.merchants.pulling.clear()
    await evening.wait(300)
    await subscribed.pull()
    error = await evening.rt.db.fetchval("select error from pull_subscriptions")
    assert error == "400.002.02"


async def test_a_list_in_pages_is_read_to_its_end(subscribed: DirectMoney) -> None:
    evening = subscribed.evening
    safaricom = evening.simulator.simulator
    safaricom.options = replace(safaricom.options, pull_page=2)
    for _ in range(5):
        await evening.simulator.simulator.pay_till("174379", "254700000050", 20)
        await evening.wait(2)
    await subscribed.pull()
    assert await evening.rt.db.fetchval("select count(*) from mpesa_receipts") == 5


async def test_stopping_stops(subscribed: DirectMoney) -> None:
    evening = subscribed.evening
    await pull.stop(evening.rt, evening.bar.id, "sandbox", by="staff:owner")
    assert await subscribed.pull() == 0

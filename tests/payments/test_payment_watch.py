"""What payments and callbacks say of themselves opens a problem and closes it: few are paid, nobody calls back, or
strangers do."""

from dataclasses import replace

import pytest

from kaunta.alerts.payment_watch import NO_CALLBACKS, SELDOM_PAID, UNBELIEVED, watch_payments
from kaunta.core.clock import ManualClock
from kaunta.core.runtime import Runtime
from kaunta.settings import CallbackSources, Mode
from tests.payments.conftest import FRIENDS, Evening
from tests.support.bars import SeededBar


async def pay(evening: Evening, scenarios: str) -> None:
    """A payment a letter, each of another guest: `p`aid, `c`ancelled, with its callback `l`ost."""
    names = {"p": "paid", "c": "cancelled", "l": "callback_lost"}
    for number, letter in enumerate(scenarios):
        await evening.pay(10, phone=FRIENDS[number], scenario=names[letter])
        await evening.settle()
        if letter == "l":
            await evening.live_on(140, step=20)


async def reason(rt: Runtime, kind: str) -> str | None:
    row = await rt.db.fetchrow("select detail ->> 'reason' as reason from problems where kind = $1 and closed_at is null", kind)  # fmt: skip  # noqa: E501
    return row["reason"] if row else None


@pytest.mark.req("FIX-6.4")
async def test_few_paid_of_the_last_ten_is_told_and_passes(evening: Evening, other_bar: SeededBar) -> None:
    rt = evening.rt
    await pay(evening, "ppppp" + "cccc")
    await watch_payments(rt)
    assert await reason(rt, SELDOM_PAID) is None, "nine say nothing yet"
    await evening.pay(10, phone=FRIENDS[9], scenario="cancelled")
    await evening.settle()
    for _ in range(2):
        await watch_payments(rt)
    assert await reason(rt, SELDOM_PAID) == "5 of the last 10 were paid"
    [row] = await rt.db.fetch("select bar_id, severity from problems where kind = $1", SELDOM_PAID)
    assert (row["bar_id"], row["severity"]) == (evening.bar.id, "error")
    # One more is paid, and the oldest paid one is the eleventh now: still five.
    await pay_one(evening, 10)
    await watch_payments(rt)
    assert await reason(rt, SELDOM_PAID) is not None
    for number in range(11, 16):
        await pay_one(evening, number)
    await watch_payments(rt)
    assert await reason(rt, SELDOM_PAID) is None


async def pay_one(evening: Evening, number: int) -> None:
    await evening.pay(10, phone=FRIENDS[number], scenario="paid")
    await evening.settle()


async def test_an_hour_in_which_nobody_pays_says_nothing(evening: Evening) -> None:
    await pay(evening, "c" * 10)
    await watch_payments(evening.rt)
    assert await reason(evening.rt, SELDOM_PAID) == "0 of the last 10 were paid"
    await evening.wait(3_700)
    await watch_payments(evening.rt)
    assert await reason(evening.rt, SELDOM_PAID) is None


async def test_nobody_called_back_is_told_until_somebody_does(evening: Evening) -> None:
    rt = evening.rt
    await pay(evening, "pll")
    await evening.wait(130)
    await watch_payments(rt)
    assert await reason(rt, NO_CALLBACKS) is None, "the third last was called back about"
    await evening.pay(10, phone=FRIENDS[3], scenario="callback_lost")
    await evening.settle()
    await evening.live_on(140, step=20)
    await evening.wait(130)
    await watch_payments(rt)
    assert "no callback came" in (await reason(rt, NO_CALLBACKS) or "")
    await pay_one(evening, 4)
    await evening.wait(130)
    await watch_payments(rt)
    assert await reason(rt, NO_CALLBACKS) is None


async def test_strangers_callbacks_are_told_from_five_on(evening: Evening, clock: ManualClock) -> None:
    rt = evening.rt
    for number in range(4):
        assert await evening.hear(b'{"Body": {"stkCallback": {"MerchantRequestID": "1", "CheckoutRequestID": "ws_CO_%d", "ResultCode": 1032, "ResultDesc": "no"}}}' % number, None, "198.51.100.7") == "orphan"  # fmt: skip  # noqa: E501
    await watch_payments(rt)
    assert await reason(rt, UNBELIEVED) is None
    await evening.hear(b'{"Body": {"stkCallback": {"MerchantRequestID": "1", "CheckoutRequestID": "ws_CO_9", "ResultCode": 1032, "ResultDesc": "no"}}}', None, "198.51.100.8")  # fmt: skip  # noqa: E501
    await watch_payments(rt)
    assert await reason(rt, UNBELIEVED) == "5 within ten minutes, from 2 addresses"
    clock.advance(601)
    await watch_payments(rt)
    assert await reason(rt, UNBELIEVED) is None


async def test_where_real_money_is_taken_callbacks_from_elsewhere_count_though_they_know_the_address(
    evening: Evening,
) -> None:
    await pay(evening, "ppppp")
    await evening.rt.db.execute("update mpesa_callbacks set source = '198.51.100.7'")
    await watch_payments(evening.rt)
    assert await reason(evening.rt, UNBELIEVED) is None, "a stand-in calls from wherever it runs"
    real = replace(
        evening.rt,
        settings=evening.rt.settings.model_copy(
            update={"mode": Mode.PRODUCTION, "callback_sources": CallbackSources.LOG}
        ),
    )
    await watch_payments(real)
    assert await reason(real, UNBELIEVED) == "5 within ten minutes, from 1 address"
    await evening.rt.db.execute("update mpesa_callbacks set source = '196.201.214.200'")
    await evening.wait(1)
    await watch_payments(real)
    assert await reason(real, UNBELIEVED) is None, "Safaricom's own"

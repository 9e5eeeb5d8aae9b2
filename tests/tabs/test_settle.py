"""Cash and card at the counter, and when a tab may be closed."""

import asyncio
from typing import Literal

import pytest

from kaunta.core.runtime import Runtime
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.under_way import Pushes
from kaunta.tabs.errors import AmountRefused, TabClosed, TabNotFound, TabNotSettled
from kaunta.tabs.settle import record_payment
from kaunta.tabs.tabs import close_tab
from tests.support.bars import SeededBar
from tests.support.safaricom import Safaricom

from .conftest import Counter


@pytest.mark.parametrize("method", ["cash", "card"])
async def test_what_staff_take_lowers_the_balance_and_is_audited(
    rt: Runtime, counter: Counter, method: Literal["cash", "card"]
) -> None:
    entry = await counter.take(400, method)
    view = await counter.view()
    assert (view.paid, view.balance, view.orders[0].payment_state) == (400, 600, "part_paid")
    assert [(each.id, each.kind, each.method, each.amount) for each in view.entries] == [
        (entry, "payment", method, 400)
    ]
    line = await rt.db.fetchrow("select * from audit_events where action = $1", f"payment.{method}")
    assert line is not None
    assert (line["actor"], line["object_id"], line["detail"]) == (
        f"staff:{counter.bar.waiter.account_id}",
        str(counter.bar.tab.id),
        {"amount": 400},
    )


@pytest.mark.failure(79)
@pytest.mark.parametrize("amount", [-5, 0, 1_001])
async def test_more_than_is_owed_or_nothing_is_not_taken(counter: Counter, amount: int) -> None:
    with pytest.raises(AmountRefused) as refusal:
        await counter.take(amount)
    assert refusal.value.fields == {"balance": 1_000}
    assert (await counter.view()).paid == 0


@pytest.mark.failure(38, 79)
async def test_two_waiters_at_once_take_no_more_than_is_owed(counter: Counter) -> None:
    results = await asyncio.gather(*(counter.take(400) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, AmountRefused) for result in results) == 3
    assert (await counter.view()).balance == 200


async def test_a_double_tap_is_taken_once(counter: Counter) -> None:
    entries = await asyncio.gather(*(counter.take(300, key="tap") for _ in range(10)))
    assert len(set(entries)) == 1
    assert (await counter.view()).paid == 300


@pytest.mark.failure(85, 87)
async def test_staff_of_another_bar_reach_no_tab_of_this_one(
    rt: Runtime, counter: Counter, other_bar: SeededBar
) -> None:
    tab, stranger = counter.bar.tab.id, other_bar.owner.account_id
    with pytest.raises(TabNotFound):
        await record_payment(rt, other_bar.id, tab, 100, "cash", stranger, "key")
    with pytest.raises(TabNotFound):
        await close_tab(rt, other_bar.id, tab, stranger)


# Closing


async def test_a_settled_tab_closes_and_takes_nothing_more(rt: Runtime, counter: Counter) -> None:
    bar = counter.bar
    await counter.take(1_000)
    assert (await counter.view()).status == "open"
    await close_tab(rt, bar.id, bar.tab.id, bar.waiter.account_id)
    assert (await counter.view()).status == "closed"
    with pytest.raises(TabClosed):
        await close_tab(rt, bar.id, bar.tab.id, bar.waiter.account_id)
    with pytest.raises(TabClosed):
        await counter.take(1)


@pytest.mark.failure(75)
async def test_a_tab_that_is_owed_for_stays_open(rt: Runtime, counter: Counter) -> None:
    bar = counter.bar
    await counter.take(999)
    with pytest.raises(TabNotSettled) as refusal:
        await close_tab(rt, bar.id, bar.tab.id, bar.waiter.account_id)
    assert refusal.value.fields == {"balance": 1}


async def test_a_tab_with_an_undecided_order_stays_open(rt: Runtime, counter: Counter) -> None:
    bar = counter.bar
    await counter.take(1_000)
    placed = await counter.order({bar.items["Soda"]: 1})
    with pytest.raises(TabNotSettled):
        await close_tab(rt, bar.id, bar.tab.id, bar.waiter.account_id)
    await counter.decide(placed, "reject")
    await close_tab(rt, bar.id, bar.tab.id, bar.waiter.account_id)


async def test_a_tab_with_a_payment_on_its_way_stays_open(
    rt: Runtime, counter: Counter, pushes: Pushes, simulator: Safaricom
) -> None:
    bar = counter.bar
    simulator.simulator.queue_scenario("person")
    await (await initiate(rt, pushes, Intent(bar.tab.ref, "0708374149", 500))).answered()
    await counter.take(1_000)
    with pytest.raises(TabNotSettled):
        await close_tab(rt, bar.id, bar.tab.id, bar.waiter.account_id)


async def test_an_overdue_tab_closes_by_itself_when_the_last_shilling_is_taken(rt: Runtime, counter: Counter) -> None:
    await rt.db.execute("update tabs set status = 'overdue' where id = $1", counter.bar.tab.id)
    await counter.take(999)
    assert (await counter.view()).status == "overdue"
    await counter.take(1)
    assert (await counter.view()).status == "closed"

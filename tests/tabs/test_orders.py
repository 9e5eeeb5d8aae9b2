"""Orders: a guest asks, staff decide, and only then is something owed."""

import asyncio
from uuid import uuid4

import pytest

from kaunta.core.runtime import Runtime
from kaunta.tabs import views
from kaunta.tabs.errors import OrderDecided, OrderNotFound, OrderRefused, TabClosed, TabNotFound
from kaunta.tabs.guests import device_hash, tab_of_device
from kaunta.tabs.orders import MOST_LINES, MOST_OF_ONE, OrderRequest, confirm_order, place_order, reject_order
from kaunta.tabs.tabs import close_tab, open_tab
from tests.support.bars import SeededBar

from .conftest import Counter


async def test_an_order_is_owed_when_it_is_confirmed_and_not_before(counter: Counter) -> None:
    soda = counter.bar.items["Soda"]
    placed = await counter.order({soda: 2})
    waiting = await counter.view()
    assert (waiting.ordered, waiting.pending_total, waiting.orders[-1].status) == (1_000, 200, "pending")
    await counter.decide(placed, "confirm")
    confirmed = await counter.view()
    assert (confirmed.ordered, confirmed.pending_total, confirmed.balance) == (1_200, 0, 1_200)
    assert [(line.name, line.quantity, line.price) for line in confirmed.orders[-1].lines] == [("Soda", 2, 100)]


async def test_an_order_that_was_turned_down_is_never_owed(counter: Counter) -> None:
    placed = await counter.order({counter.bar.items["Soda"]: 2})
    await counter.decide(placed, "reject")
    view = await counter.view()
    assert (view.ordered, view.pending_total, view.orders[-1].status) == (1_000, 0, "cancelled")


async def test_an_order_is_decided_once(counter: Counter) -> None:
    placed = await counter.order({counter.bar.items["Soda"]: 1})
    results = await asyncio.gather(
        *(counter.decide(placed, how) for how in ("confirm", "reject", "confirm", "reject")), return_exceptions=True
    )
    assert sum(isinstance(result, OrderDecided) for result in results) == 3
    assert (await counter.view()).orders[-1].status in ("confirmed", "cancelled")


async def test_a_double_tap_is_one_order(counter: Counter) -> None:
    lines = {counter.bar.items["Soda"]: 1}
    placed = await asyncio.gather(*(counter.order(lines, key="tap") for _ in range(10)))
    assert len(set(placed)) == 1
    assert len((await counter.view()).orders) == 2


async def test_a_double_tap_of_the_first_order_opens_one_tab(rt: Runtime, bar: SeededBar) -> None:
    request = OrderRequest(
        bar_id=bar.id, lines={bar.items["Soda"]: 1}, key="first", by="customer", device_hash=device_hash("phone")
    )
    placed = await asyncio.gather(*(place_order(rt, request) for _ in range(6)))
    orders = await rt.db.fetchval("select count(*) from tab_orders where idempotency_key = 'first'")
    assert (len({one.tab_ref for one in placed}), orders) == (1, 1)
    async with rt.db.acquire() as db:
        assert await tab_of_device(db, bar.id, device_hash("phone")) == placed[0].tab_ref


async def test_a_later_price_changes_no_order(rt: Runtime, counter: Counter) -> None:
    soda = counter.bar.items["Soda"]
    placed = await counter.order({soda: 1})
    await rt.db.execute("update menu_items set price = 900, name = 'Dear soda' where id = $1", soda)
    await counter.decide(placed, "confirm")
    assert (await counter.view()).ordered == 1_100
    await counter.order({soda: 1}, confirm=True)
    assert (await counter.view()).ordered == 2_000


@pytest.mark.parametrize("quantity", [-1, 0, MOST_OF_ONE + 1])
async def test_a_quantity_that_nobody_means_is_refused(counter: Counter, quantity: int) -> None:
    with pytest.raises(OrderRefused):
        await counter.order({counter.bar.items["Soda"]: quantity})


async def test_an_order_of_nothing_or_of_everything_is_refused(counter: Counter) -> None:
    for lines in ({}, {uuid4(): 1 for _ in range(MOST_LINES + 1)}):
        with pytest.raises(OrderRefused):
            await counter.order(lines)
    assert len((await counter.view()).orders) == 1


@pytest.mark.failure(39, 85)
async def test_only_what_is_on_this_bars_menu_can_be_ordered(
    rt: Runtime, counter: Counter, other_bar: SeededBar
) -> None:
    for item in (uuid4(), other_bar.items["Soda"]):
        with pytest.raises(OrderRefused):
            await counter.order({item: 1})
    await rt.db.execute("update menu_items set available = false where id = $1", counter.bar.items["Soda"])
    with pytest.raises(OrderRefused, match="Soda"):
        await counter.order({counter.bar.items["Soda"]: 1})


@pytest.mark.failure(39, 87)
async def test_another_bars_tab_and_orders_are_out_of_reach(
    rt: Runtime, counter: Counter, other_bar: SeededBar
) -> None:
    with pytest.raises(TabNotFound):
        await counter.order({counter.bar.items["Soda"]: 1}, other_bar.tab)
    placed = await counter.order({counter.bar.items["Soda"]: 1})
    order = (await counter.view(placed.tab_ref)).orders[-1]
    for act in (confirm_order, reject_order):
        with pytest.raises(OrderNotFound):
            await act(rt, other_bar.id, order.id, other_bar.owner.account_id)
    assert (await counter.view()).orders[-1].status == "pending"
    async with rt.db.acquire() as db:
        assert await views.tab_of_bar(db, other_bar.id, counter.bar.tab.id) is None
        assert {pending.order.id for pending in await views.pending_orders(db, counter.bar.id)} == {order.id}
        assert await views.pending_orders(db, other_bar.id) == []


async def test_a_closed_tab_takes_no_order(rt: Runtime, counter: Counter) -> None:
    await counter.take(1_000)
    await close_tab(rt, counter.bar.id, counter.bar.tab.id, counter.bar.waiter.account_id)
    with pytest.raises(TabClosed):
        await counter.order({counter.bar.items["Soda"]: 1})


async def test_a_bar_that_is_not_active_takes_no_order(rt: Runtime, bar: SeededBar) -> None:
    await rt.db.execute("update bars set active = false where id = $1", bar.id)
    with pytest.raises(TabNotFound):
        await open_tab(rt, bar.id, None, bar.waiter.account_id)


async def test_tabs_are_numbered_through_even_when_many_open_at_once(rt: Runtime, bar: SeededBar) -> None:
    opened = await asyncio.gather(*(open_tab(rt, bar.id, None, bar.waiter.account_id) for _ in range(10)))
    numbers = await rt.db.fetch("select tab_number from tabs where id = any($1)", opened)
    assert sorted(row["tab_number"] for row in numbers) == list(range(2, 12))

"""What the machine and those who built it found, each as an evening of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest_asyncio

from kaunta.core.db import connect
from kaunta.payments import silence
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.resolve import Resolution, resolve
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.pushes import Message as Letter
from kaunta.simulator.scenarios import Callback, Query, Receipt, Scenario
from kaunta.tabs.tabs import close_tab

from .books import check
from .guests import PHONES
from .house import House, World, open_house
from .looking import Books, Expected
from .reconciliation import turns

PAID, STUCK = CATALOGUE["paid"], Query(stuck=True)
#: Paid, and told after a quarter of an hour; a query would never say so.
TOLD_LATE = replace(PAID, callbacks=(Callback(after=1_000),), query=STUCK)


@dataclass
class Found:
    """A house and what a test does in it; the books are checked whenever it is done with something."""

    house: House
    expected: Expected = field(default_factory=Expected)

    async def pay(self, tab: int, payer: int, amount: int, scenario: Scenario) -> UUID:
        intent = Intent(self.house.tabs[tab].ref, PHONES[payer], amount)
        self.house.simulator.queue_scenario(scenario, phone=intent.phone)
        started = await initiate(self.house.rt, self.house.pushes, intent)
        self.expected.started.add(started.transaction_id)
        await self.house.quiet()
        return started.transaction_id

    async def passes(self, seconds: float) -> Books:
        await self.house.passes(seconds)
        return await check(self.house, self.expected)

    async def works(self) -> Books:
        await turns(self.house)
        return await check(self.house, self.expected)

    async def close(self, tab: int) -> Books:
        chosen = self.house.tabs[tab]
        bar = next(bar for bar in self.house.bars if bar.id == chosen.bar_id)
        await close_tab(self.house.rt, bar.id, chosen.id, bar.waiter.account_id)
        return await check(self.house, self.expected)

    async def believe(self, payment: UUID, receipt: str | None) -> Books:
        """A person books a payment on somebody's word."""
        await resolve(self.house.rt, payment, Resolution(True, "the guest insists", "an SMS", "staff:test", receipt))
        self.expected.said_paid.add(payment)
        return await check(self.house, self.expected)

    async def arrives(self, payment: UUID, books: Books) -> Books:
        """The letter about a payment that the post has kept."""
        push = books.evidence[payment].push
        letter: Letter = next(each for each in self.house.post.kept if push and each.checkout_id == push.checkout_id)
        await self.house.post.send(letter)
        await self.house.quiet()
        return await check(self.house, self.expected)


@pytest_asyncio.fixture
async def found(world: World) -> AsyncIterator[Found]:
    house = await open_house(world)
    yield Found(house)
    await house.close()


async def test_a_credit_taken_back_for_a_wrong_code_returns_with_its_own_receipt(found: Found) -> None:
    typed, owner = await found.pay(0, 0, 300, TOLD_LATE), await found.pay(0, 1, 200, TOLD_LATE)
    books = await found.passes(5)
    push = books.evidence[owner].push
    assert push is not None
    await found.believe(typed, push.receipt)
    found.house.post.keeps_back = True
    books = await found.passes(1_100)
    books = await found.arrives(owner, books)
    assert (books.credited(typed), books.credited(owner)) == (0, 200)
    books = await found.arrives(typed, books)
    assert (books.credited(typed), books.credited(owner)) == (300, 200)


async def test_what_is_taken_back_from_a_closed_tab_breaks_no_invariant(found: Found) -> None:
    typed, owner = await found.pay(0, 0, 1_000, TOLD_LATE), await found.pay(2, 1, 200, TOLD_LATE)
    push = (await found.passes(5)).evidence[owner].push
    assert push is not None
    await found.believe(typed, push.receipt)
    await found.close(0)
    books = await found.passes(1_100)
    assert books.payments[owner].status == "completed"


async def test_a_receipt_that_lowers_a_closed_tabs_credit_breaks_no_invariant(found: Found) -> None:
    told = (Callback(receipt=Receipt.NONE), Callback(after=300))
    payment = await found.pay(0, 0, 1_000, replace(PAID, amount_off_by=-10, callbacks=told))
    await found.passes(5)
    await found.works()
    await found.close(0)
    books = await found.passes(400)
    assert books.credited(payment) == 990
    assert (str(payment), "underpaid") in books.problems


async def test_a_refusal_that_comes_after_paid_was_said_ends_nothing(found: Found) -> None:
    told = (Callback(receipt=Receipt.NONE),)
    payment = await found.pay(0, 0, 1_000, replace(PAID, answer="busy", answer_after=400, callbacks=told, query=STUCK))
    # The callback is understood before the long wait begins.
    await found.passes(10)
    await found.passes(300)
    assert (await found.works()).payments[payment].status == "timeout"
    books = await found.passes(100)
    assert books.payments[payment].status == "timeout"
    assert (str(payment), "contradicted") in books.problems


async def test_two_workers_spend_two_bars_budgets_in_one_order(found: Found) -> None:
    """Each has payments of both bars; both wait for the first budget, then one after the other goes on."""
    house, silent = found.house, replace(PAID, callbacks=(), query=STUCK)
    for payer, tab in enumerate((0, 1, 1, 0)):
        await found.pay(tab, payer, 10, silent)
        await found.passes(1)
    await found.passes(31)
    await silence.ask_about_due(house.rt, house.pushes.daraja)
    await found.passes(60)
    async with connect(house.database_url) as other, other.transaction():
        await other.execute("select from daraja_budgets for update")
        working = [
            asyncio.create_task(silence.ask_about_due(house.rt, house.pushes.daraja, 2)),
            asyncio.create_task(silence.ask_about_due(house.rt, house.pushes.daraja, 2)),
        ]
        async with asyncio.timeout(20):
            while await house.eyes.fetchval("select count(*) from pg_locks where not granted") < 2:
                await asyncio.sleep(0.001)
    assert await asyncio.gather(*working) == [2, 2]

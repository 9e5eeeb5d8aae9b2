"""A payment's callbacks are understood in the order in which they came, whoever wakes first."""

import asyncio
from collections.abc import Sequence
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.payments import inbox, inbox_work
from kaunta.payments.callback_url import token_hash
from kaunta.payments.queries.inbox import Stored
from kaunta.payments.states import Status
from kaunta.payments.verdict import Verdict
from tests.support.bars import OpenTab, open_tab

from .conftest import Evening, Said

OWED = 900
payers = count(1)


class Letters:
    """One payment of a tab of its own, and what is said about it: stored, and not yet understood by anybody."""

    def __init__(self, evening: Evening, said: Said, tab: OpenTab, payment: UUID, number: int) -> None:
        self.evening, self.said, self.tab, self.payment, self.number = evening, said, tab, payment, number
        self.hashed = token_hash(evening.token())
        self.stored: list[tuple[Stored, bytes]] = []

    def body(self, word: str) -> bytes:
        """A result code, or the letter of a receipt."""
        if word.isdigit():
            return self.said.result(int(word))
        return self.said.paid(f"{word}{self.number:09d}", 500)

    async def arrive(self, *words: str) -> None:
        for word in words:
            body = self.body(word)
            stored = await inbox.receive(self.evening.rt, body, token_hash=self.hashed, source=None)
            self.stored.append((stored, body))

    async def understand(self, which: int) -> Verdict | None:
        stored, body = self.stored[which]
        return await inbox.process(self.evening.rt, stored, body, self.hashed)

    async def outcome(self) -> tuple[object, ...]:
        """What the books, the pages and the inbox say in the end; receipts by their letter."""
        view, tab = await self.evening.view(self.payment), await self.evening.tab(self.tab)
        ids = [stored.id for stored, _ in self.stored]
        rows = await self.evening.rt.db.fetch("select verdict from mpesa_callbacks where id = any($1) order by id", ids)
        return (
            view.status,
            view.irregularities,
            view.receipt and view.receipt[0],
            sorted((entry.amount, entry.receipt and entry.receipt[0]) for entry in tab.entries),
            await self.evening.problems(self.payment),
            [row["verdict"] for row in rows],
            await self.evening.events(self.payment),
        )


async def begin(evening: Evening, said: Said) -> Letters:
    number = next(payers)
    tab = await open_tab(evening.rt, evening.bar.id, OWED, evening.bar.waiter.account_id)
    payment = await evening.pay(500, tab=tab, phone=f"2547{number:08d}", scenario="person")
    return Letters(evening, said, tab, payment, number)


#: Two receipts, a success without one, a doubtful failure, a final one, a cancel, a code nobody knows.
words = st.sampled_from(["A", "A", "B", "0", "1037", "1", "1032", "7777"])


@pytest.mark.req("PAY-P6", "PAY-P7")
@pytest.mark.failure(52, 57)
@given(told=st.lists(words, min_size=2, max_size=5), data=st.data())
async def test_whoever_wakes_first_the_end_is_that_of_the_order_in_which_they_came(
    evening: Evening, said: Said, told: Sequence[str], data: st.DataObject
) -> None:
    waking = data.draw(st.permutations(range(len(told))))
    at_once = data.draw(st.booleans())
    evening.clock.advance(86_400)
    one_by_one = await begin(evening, said)
    for number, word in enumerate(told):
        await one_by_one.arrive(word)
        await one_by_one.understand(number)
    expected = await one_by_one.outcome()
    shuffled = await begin(evening, said)
    await shuffled.arrive(*told)
    if at_once:
        await asyncio.gather(*(shuffled.understand(number) for number in waking))
    else:
        for number in waking:
            await shuffled.understand(number)
    assert await shuffled.outcome() == expected


@pytest.mark.failure(52)
async def test_a_failure_that_wakes_before_the_success_it_followed_is_a_contradiction(
    evening: Evening, said: Said
) -> None:
    letters = await begin(evening, said)
    await letters.arrive("A", "1037")
    verdict = await letters.understand(1)
    assert verdict is not None
    assert verdict.name == "contradictory"
    assert await letters.understand(0) is None
    view = await evening.view(letters.payment)
    assert (view.status, view.irregularities) == (Status.COMPLETED, ("contradicted",))


@pytest.mark.req("PAY-7.5", "PAY-P16")
@pytest.mark.failure(53)
async def test_a_callback_that_cannot_be_understood_does_not_keep_back_the_money_behind_it(
    evening: Evening, said: Said
) -> None:
    letters = await begin(evening, said)
    await letters.arrive("1037", "A")
    spoilt, _ = letters.stored[0]
    await evening.rt.db.execute("update mpesa_callbacks set body_enc = '\\x00' where id = $1", spoilt.id)
    assert await letters.understand(1) is not None
    assert (await evening.view(letters.payment)).status is Status.COMPLETED
    await evening.wait(inbox.LEASE_SECONDS)
    assert await inbox_work.work_off(evening.rt) == 1
    # Still kept, still waiting, and in the end shown to a person.
    assert await evening.rt.db.fetchval("select attempts from mpesa_callbacks where id = $1", spoilt.id) == 1


async def test_a_worker_that_claims_many_keeps_the_order_of_each_payment(evening: Evening, said: Said) -> None:
    letters = await begin(evening, said)
    await letters.arrive("A", "1")
    # The later one is due first.
    await evening.rt.db.execute("update mpesa_callbacks set next_attempt_at = received_at - id * interval '1 s'")
    await evening.wait(inbox.LEASE_SECONDS)
    await inbox_work.work_off(evening.rt)
    assert await evening.verdicts() == ["applied", "contradictory"]

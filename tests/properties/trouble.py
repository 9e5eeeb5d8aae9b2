"""What breaks: processes that die at the worst moments, a database that goes away, everything at once.

The worst moments are made, not hoped for: somebody holds the tab's lock, or Safaricom holds its answer, until the
process is where it shall die.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule

from kaunta.core.db import connect
from kaunta.core.errors import KauntaError
from kaunta.payments.initiate import initiate
from kaunta.payments.reconcile import check_now
from kaunta.simulator.faults import Fault
from kaunta.simulator.pushes import Message as Letter
from kaunta.simulator.scenarios import Scenario

from .counter import TURNS, Counter
from .evidence import Payment
from .guests import Guests, amounts, numbers, phones
from .letters import Letters
from .scenarios import scenarios

WHERE = (
    "anywhere",
    "before the push",
    "before the answer is recorded",
    "before a callback is understood",
    "in a worker's turn",
)


class MoneyMachine(Guests, Letters, Counter):
    """The whole evening: guests, Safaricom, staff, workers, and what breaks."""

    @rule(where=st.sampled_from(WHERE), tab=numbers, phone=phones, amount=amounts, scenario=scenarios, number=numbers)
    def the_process_dies(self, where: str, tab: int, phone: str, amount: int, scenario: Scenario, number: int) -> None:
        match where:
            case "anywhere":
                self.act(self.dies())
            case "before the push":
                self.act(self.dies_before_the_push(tab, phone, amount))
            case "before the answer is recorded":
                self.act(self.dies_before_the_answer_is_recorded(tab, phone, amount, scenario))
            case "before a callback is understood":
                self.act(self.dies_before_a_callback_is_understood(number))
            case _:
                self.act(self.dies_in_the_middle_of_a_workers_turn(tab))

    async def dies(self) -> None:
        await self.house.crash()
        await self.adopt()

    @asynccontextmanager
    async def held(self, tab_id: UUID) -> AsyncIterator[None]:
        """Somebody else holds the tab for the length of the block."""
        async with connect(self.house.database_url) as other, other.transaction():
            await other.execute("select from tabs where id = $1 for update", tab_id)
            yield

    async def somebody_waits(self) -> None:
        """Until a transaction of the process waits for a lock."""
        async with asyncio.timeout(20):
            while not await self.house.eyes.fetchval("select exists (select from pg_locks where not granted)"):
                await asyncio.sleep(0.001)

    async def dies_before_the_push(self, tab: int, phone: str, amount: int) -> None:
        """The intent is committed; the process dies while it asks for an access token."""
        fault, faults = Fault("oauth", "hang"), self.house.simulator.faults
        self.house.simulator.tokens.expire()
        faults.listed.insert(0, fault)
        with suppress(KauntaError):
            await initiate(self.house.rt, self.house.pushes, self.intent(tab, phone, amount, sure=True))
        await self.dies()
        if fault in faults.listed:
            faults.listed.remove(fault)

    async def dies_before_the_answer_is_recorded(self, tab: int, phone: str, amount: int, scenario: Scenario) -> None:
        """The push is out and answered; what Safaricom said never reaches a row."""
        intent = self.intent(tab, phone, amount, sure=True)
        tab_id = next(each.id for each in self.house.tabs if each.ref == intent.tab_ref)
        held = self.house.held
        self.queue(replace(scenario, answer_after=scenario.answer_after or 1.0, callbacks_first=False), phone)
        with suppress(KauntaError):
            await initiate(self.house.rt, self.house.pushes, intent)
            await self.house.quiet()
        if self.house.held > held:
            async with self.held(tab_id):
                await self.house.simulator.advance(scenario.answer_after or 1.0)
                # A push that is never answered keeps its process waiting, and dies there.
                await self.house.until(lambda: self.house.held <= held or scenario.answer == "hang")
                if scenario.answer == "ack":
                    await self.somebody_waits()
                await self.house.crash()
        else:
            await self.house.crash()
        await self.adopt()

    async def dies_before_a_callback_is_understood(self, number: int) -> None:
        """A callback is stored and answered 200; the process dies while it waits for the tab."""
        letter = self.pick(self.house.post.kept or self.house.post.letters, number)
        payment = next((each for each in self.books.payments.values() if letter and self.is_of(each, letter)), None)
        if letter is None or payment is None:
            return
        async with self.held(payment.tab_id):
            await self.house.post.send(letter)
            for _ in range(20):
                await asyncio.sleep(0.001)
            await self.house.crash()
        await self.adopt()

    def is_of(self, payment: Payment, letter: Letter) -> bool:
        push = self.books.evidence[payment.id].push
        return push is not None and push.checkout_id == letter.checkout_id

    async def dies_in_the_middle_of_a_workers_turn(self, tab: int) -> None:
        chosen = self.house.tabs[tab % len(self.house.tabs)]
        async with self.held(chosen.id):
            working = [asyncio.ensure_future(self.turn(name, 50)()) for name in TURNS]
            await asyncio.wait(working, timeout=0.05)
            self.house.rt.db.terminate()
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await self.house.crash()
        await self.adopt()

    @rule(chosen=st.lists(numbers, min_size=1, max_size=3))
    def the_database_goes_away(self, chosen: list[int]) -> None:
        """Letters that come meanwhile are answered 503 and kept on the disk."""
        letters = [letter for number in chosen if (letter := self.pick(self.house.post.letters, number)) is not None]

        async def away() -> list[int | str]:
            self.house.relay.cut()
            await self.house.simulator.advance(5)
            answers = await self.deliver([letter for letter in letters if len(letter.body) < 60_000], at_once=True)
            await self.house.relay.mend()
            await self.adopt()
            assert 200 not in answers, "a callback was answered 200 and the database was away"
            for letter in letters:
                if letter in self.house.post.kept:
                    self.house.post.kept.remove(letter)
            return answers

        self.act(away())

    @rule(tab=numbers, phone=phones, scenario=scenarios, chosen=st.lists(numbers, max_size=3), which=numbers)
    def everything_at_once(self, tab: int, phone: str, scenario: Scenario, chosen: list[int], which: int) -> None:
        """A guest pays, letters arrive, staff take cash, a person asks and two workers work, all in one moment."""
        letters = [letter for number in chosen if (letter := self.pick(self.house.post.letters, number)) is not None]
        intent = self.intent(tab, phone, 100, sure=True)
        payment = self.pick(list(self.books.payments.values()), which)

        async def rushing() -> list[object]:
            work: list[Awaitable[object]] = [
                self.start(intent, scenario),
                self.deliver(letters, at_once=True),
                *(self.turn(name, limit)() for limit in (2, 50) for name in ("inbox", "queries", "silence")),
            ]
            if payment is not None:
                work.append(self.unless_refused(check_now(self.house.rt, self.house.pushes.daraja, payment.id)))
            return list(await asyncio.gather(*work))

        self.act(rushing())

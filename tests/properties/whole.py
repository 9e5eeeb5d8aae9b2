"""The whole evening: everything of trouble.py, and direct money beside it, with what breaks while that is under way."""

import asyncio
from collections.abc import Awaitable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from kaunta.payments import refunds, reversals
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.refunds import RefundWanted
from kaunta.simulator.faults import Fault

from .desk import DIRECT_TURNS
from .guests import Guests, numbers
from .returns import Returns
from .trouble import MoneyMachine


class DirectMoney(Guests, Returns):
    """Evenings on which nothing breaks, so that more of what happens is direct money."""


class WholeEvening(MoneyMachine, Returns):
    """The machine with all its rules."""

    @rule(number=numbers)
    def the_process_dies_while_a_reversal_is_out(self, number: int) -> None:
        self.act(self.dies_while_a_reversal_is_out(number))

    async def dies_while_a_reversal_is_out(self, number: int) -> None:
        """Safaricom has it and carries it out; nobody is there any more to hear that it was taken."""
        receipt, house = self.some_receipt(number, free=False), self.house
        if receipt is None:
            return
        wanted = RefundWanted(receipt.bar_id, 10, "a mistake", "reversal", f"dies {self.steps:04d}", receipt.id)
        asked = await self.unless_refused(refunds.request(house.rt, wanted, by="staff:manager"))
        if not isinstance(asked, Refund):
            return
        heard, fault = len(house.heard), Fault("reversal", latency=1.0)
        house.simulator.faults.listed.insert(0, fault)
        sending = asyncio.ensure_future(reversals.send(house.rt, house.pushes.daraja, asked.id))
        await house.until(lambda: sending.done() or len(house.heard) > heard)
        house.rt.db.terminate()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await self.dies()
        if fault in house.simulator.faults.listed:
            house.simulator.faults.listed.remove(fault)

    @rule(chosen=st.lists(numbers, max_size=3))
    def direct_money_comes_all_at_once(self, chosen: list[int]) -> None:
        """Letters arrive while two workers look after direct money."""
        letters = [letter for number in chosen if (letter := self.pick(self.house.post.letters, number)) is not None]

        async def rushing() -> list[object]:
            turns: list[Awaitable[object]] = [self.turn(name, 50)() for name in DIRECT_TURNS for _ in range(2)]
            return list(await asyncio.gather(self.deliver(letters, at_once=True), *turns))

        self.act(rushing())


#: The machines by name: only pushes and what breaks, only direct money, everything.
MACHINES = {"pushes": MoneyMachine, "direct": DirectMoney, "whole": WholeEvening}

"""What guests do: pay, tap twice, try again, pay together."""

import asyncio
from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from kaunta.core.errors import KauntaError
from kaunta.payments.initiate import Initiated, Intent, initiate
from kaunta.payments.retry import Again, retry
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.scenarios import Scenario

from .books import UNPAID
from .evening import Evening
from .looking import look
from .scenarios import named, patient, scenarios

#: Nobody of the simulator's test numbers.
PHONES = tuple(f"25470000000{number}" for number in range(1, 9))
#: An amount, or what is still free on the tab.
ALL = 0
amounts = st.one_of(st.integers(1, 300), st.integers(1, 300), st.just(ALL), st.integers(1, 4_000))
numbers = st.integers(0, 11)
phones = st.sampled_from(PHONES)
keys = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))


class Guests(Evening):
    """Rules of the guest's door."""

    def intent(self, tab: int, phone: str, amount: int, key: str | None = None, *, sure: bool = False) -> Intent:
        chosen = self.house.tabs[tab % len(self.house.tabs)]
        return Intent(chosen.ref, phone, amount or max(1, self.free(chosen.id)), key=key, acknowledge_unknown=sure)

    async def start(self, intent: Intent, scenario: Scenario) -> Initiated | KauntaError:
        self.queue(scenario, intent.phone)
        return await self.begin(initiate(self.house.rt, self.house.pushes, intent))

    @initialize(chosen=st.tuples(patient, patient, patient))
    def the_first_friends_pay(self, chosen: tuple[Scenario, Scenario, Scenario]) -> None:
        self.friends_pay_together(0, {phone: (200, each) for phone, each in zip(PHONES, chosen, strict=False)})

    @rule(tab=numbers, phone=phones, amount=st.integers(1, 300), name=named)
    def pays_a_part(self, tab: int, phone: str, amount: int, name: str) -> None:
        self.pays(tab, phone, amount, None, CATALOGUE[name], True)

    @rule(tab=numbers, phone=phones, amount=amounts, key=keys, scenario=scenarios, sure=st.booleans())
    def pays_as_it_comes(
        self, tab: int, phone: str, amount: int, key: str | None, scenario: Scenario, sure: bool
    ) -> None:
        self.pays(tab, phone, amount, key, scenario, sure)

    def pays(self, tab: int, phone: str, amount: int, key: str | None, scenario: Scenario, sure: bool) -> None:
        intent = self.intent(tab, phone, amount, key, sure=sure)
        most = self.free(next(each.id for each in self.house.tabs if each.ref == intent.tab_ref))

        async def paying() -> Initiated | KauntaError:
            came_to = await self.start(intent, scenario)
            if isinstance(came_to, Initiated) and not came_to.replayed:
                assert intent.amount <= most, f"{intent.amount} was asked for where {most} was free"
            return came_to

        self.act(paying())

    @rule(tab=numbers, phone=phones, amount=amounts, scenario=scenarios, taps=st.integers(2, 5), at_once=st.booleans())
    def taps_twice(self, tab: int, phone: str, amount: int, scenario: Scenario, taps: int, at_once: bool) -> None:
        intent = self.intent(tab, phone, amount, f"tap {self.steps}", sure=True)

        async def tapping() -> list[Initiated | KauntaError]:
            self.queue(scenario, phone)
            if at_once:
                came_to = await asyncio.gather(*(self.again(intent) for _ in range(taps)))
            else:
                came_to = [await self.again(intent) for _ in range(taps)]
            ids = {each.transaction_id for each in came_to if isinstance(each, Initiated)}
            assert len(ids) <= 1, "two payments of one key"
            assert sum(isinstance(each, Initiated) and not each.replayed for each in came_to) == len(ids)
            return came_to

        self.act(tapping())

    async def again(self, intent: Intent) -> Initiated | KauntaError:
        return await self.begin(initiate(self.house.rt, self.house.pushes, intent))

    @rule(tab=numbers, shares=st.dictionaries(phones, st.tuples(amounts, patient), min_size=2, max_size=6))
    def friends_pay_together(self, tab: int, shares: dict[str, tuple[int, Scenario]]) -> None:
        chosen = self.house.tabs[tab % len(self.house.tabs)]
        most, before = self.free(chosen.id), set(self.books.payments)
        intents = [
            (self.intent(tab, phone, amount and min(amount, most // 2 + 1), sure=True), scenario)
            for phone, (amount, scenario) in shares.items()
        ]

        async def paying() -> list[Initiated | KauntaError]:
            came_to = await asyncio.gather(*(self.start(*each) for each in intents))
            await self.house.quiet()
            after = (await look(self.house)).payments.values()
            asked = sum(each.amount for each in after if each.id not in before and each.status not in UNPAID)
            assert asked <= max(most, 0), f"friends were asked for {asked} where {most} was free"
            return came_to

        self.act(paying())

    @rule(which=numbers, amount=st.one_of(st.none(), amounts), scenario=scenarios, key=keys, sure=st.booleans())
    def tries_again(self, which: int, amount: int | None, scenario: Scenario, key: str | None, sure: bool) -> None:
        earlier = self.pick(list(self.books.payments.values()), which)
        if earlier is None:
            return
        again = Again(amount=amount or None, key=key, acknowledge_unknown=sure)
        before = Counter(each.status for each in self.books.payments.values())

        async def trying() -> Initiated | KauntaError:
            # Whose phone it was is not the machine's to know; only one prompt can go out meanwhile.
            self.house.simulator.queue_scenario(scenario)
            came_to = await self.begin(retry(self.house.rt, self.house.pushes, earlier.id, again))
            if earlier.status in ("pending", "sent", "completed"):
                assert isinstance(came_to, KauntaError), f"a {earlier.status} payment was tried again: {before}"
            return came_to

        self.act(trying())

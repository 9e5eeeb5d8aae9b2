"""The machine's footing: a house for each example, its books checked after every step and reconciled in the end."""

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, invariant

from kaunta.core.errors import KauntaError
from kaunta.payments.initiate import Initiated
from kaunta.simulator.scenarios import Scenario

from .books import OPEN, balance, check
from .evidence import Payment
from .house import House, World, open_house
from .looking import Books, Expected, look
from .reconciliation import reconcile

T = TypeVar("T")


class Evening(RuleBasedStateMachine):
    """What every rule stands on. Choices are plain numbers, taken modulo what there is: a race that ends otherwise in
    a replay must not change what the machine draws."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.sound = True
        self.expected = Expected()
        self.steps = 0
        self.house: House = world.runner.run(open_house(world))
        self.books: Books = self.run(look(self.house))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the machine's one loop; what fails ends the evening without a reconciliation."""
        try:
            return self.world.runner.run(work)
        except BaseException:
            self.sound = False
            raise

    def act(self, work: Coroutine[Any, Any, Any]) -> None:
        """A rule's work, until everything that follows from it by itself is done."""

        async def done() -> None:
            came_to = await work
            await self.house.quiet()
            self.house.simulator.choice.queue.clear()
            if came_to is not None:
                note(f"  {self.house.clock.now():%d %H:%M:%S} {shown(came_to)}")

        self.run(done())

    @invariant()
    def the_books_are_right(self) -> None:
        self.books = self.run(check(self.house, self.expected))
        self.world.count("steps", int(self.steps > 0))
        self.steps += 1

    def teardown(self) -> None:
        try:
            if self.sound:
                self.run(reconcile(self.house, self.expected))
                self.world.count("examples")
        finally:
            self.world.runner.run(self.house.close())

    # What rules share

    @staticmethod
    def pick(among: Sequence[T], number: int) -> T | None:
        return among[number % len(among)] if among else None

    def free(self, tab_id: UUID) -> int:
        """What may still be asked for on a tab: its balance without what open attempts hold."""
        tab = next(tab for tab in self.house.tabs if tab.id == tab_id)
        held = sum(
            each.amount for each in self.books.payments.values() if each.tab_id == tab_id and each.status in OPEN
        )
        return balance(self.house, self.books, self.expected, tab.id) - held

    def on_tab(self, tab_id: UUID) -> list[Payment]:
        return [each for each in self.books.payments.values() if each.tab_id == tab_id]

    async def begin(self, work: Coroutine[Any, Any, Initiated]) -> Initiated | KauntaError:
        """Start a payment; a refusal is an answer like any other."""
        try:
            started = await work
        except KauntaError as refusal:
            self.world.count(f"refused: {refusal.code}")
            return refusal
        self.expected.started.add(started.transaction_id)
        self.world.count("payments", int(not started.replayed))
        return started

    async def adopt(self) -> None:
        """After a crash: payments may exist whose guest was told nothing, and errors may have been logged."""
        await self.house.quiet()
        self.expected.started = set((await look(self.house)).payments)
        self.house.logs.clear()

    def queue(self, scenario: Scenario, phone: str) -> None:
        self.house.simulator.queue_scenario(scenario, phone=phone)


def shown(came_to: object) -> str:
    if isinstance(came_to, list | tuple):
        return ", ".join(shown(each) for each in came_to)
    if isinstance(came_to, KauntaError):
        return f"{came_to.code} {came_to.fields}"
    if isinstance(came_to, Initiated):
        return f"{'again ' if came_to.replayed else ''}{came_to.transaction_id}"
    return str(came_to)

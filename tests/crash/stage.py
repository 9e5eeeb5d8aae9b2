"""The stage of a crash: a bar, guests, Safaricom who lives on, a process that dies, and the restart.

`crashes` repeats a scene: first whole, to count its steps, then once for each place at which it may die. Whatever the
scene, the same must be true after the restart: `Stage.settle_accounts`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.payments import inbox
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.queries.inbox import Stored
from kaunta.payments.under_way import Pushes
from kaunta.settings import Settings
from kaunta.simulator.pushes import Push
from kaunta.simulator.scenarios import Scenario
from kaunta.worker import Worker
from tests.crash.accounts import account_for, accounts_hold, token_of
from tests.crash.forks import Ended, Forks
from tests.crash.steps import CRASHED, Crash, Step
from tests.support.bars import OpenTab, SeededBar, open_tab
from tests.support.safaricom import Safaricom

#: Policy seconds between the worker's turns after a restart; together longer than five minutes and every lease.
TURNS = (0, 21, 31, 31, 60, 200, 60, 300, 600, 120, 300)
#: The loops that bring a payment to its end. The others are not asked for at each of a thousand deaths: the invariants
#: are looked at anyway, and that a whole turn survives a death is a scene of its own.
LOOPS = frozenset({"spool", "inbox", "queries", "silence"})
#: An ordinary run dies at so many decisive places, and beside them so often within a transaction; `make prove` tries
#: every place there is.
MOST, MORE = 7, 1


@dataclass
class Scene:
    """One performance, with one crash or none."""

    stage: "Stage"
    crash: Crash | None
    number: int
    ended: Ended | None = None
    recovered: bool = False

    @property
    def phone(self) -> str:
        """A guest of the scene's own: prompts to one number are limited."""
        return self.friend(0)

    def friend(self, number: int) -> str:
        """Another guest of the scene."""
        return f"2547{number:02d}0{self.number:05d}"

    @property
    def crashed(self) -> bool:
        return self.ended is not None and self.ended.code == CRASHED

    async def act(self, act: str, **said: Any) -> None:
        """The process that may die does one thing."""
        await self.perform(act, self.stage.settings, said)

    async def serve(self, meanwhile: Callable[[], Awaitable[None]], settings: Settings | None = None) -> None:
        """The process that may die answers requests while something happens."""
        await self.perform("serve", settings or self.stage.settings, {}, meanwhile)

    async def again(self, act: str, **said: Any) -> None:
        """The same or another thing, in a process that lives."""
        stage = self.stage
        ended = await stage.forks.run(act, stage.settings, stage.clock.now().isoformat(), None, said)
        assert ended.code == 0, f"ended with {ended.code}:\n{stage.forks.last_words()}"

    async def perform(
        self,
        act: str,
        settings: Settings,
        said: dict[str, Any],
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        stage = self.stage
        self.ended = await stage.forks.run(act, settings, stage.clock.now().isoformat(), self.crash, said, meanwhile)
        assert self.ended.code in (0, CRASHED), f"ended with {self.ended.code}:\n{stage.forks.last_words()}"

    async def recover(self) -> None:
        """Somebody starts the program again, and everything must be right."""
        self.recovered = True
        try:
            await self.stage.recover()
            await self.stage.settle_accounts()
        except AssertionError as wrong:
            raise AssertionError(f"{wrong}\n(died {self.place})") from wrong

    @property
    def passed_by(self) -> bool:
        """Whether the step before which it was to die was taken after all."""
        taken = {(step.what, step.time) for step in self.ended.steps} if self.ended else set()
        crash = self.crash
        return crash is not None and crash.when == "before" and (crash.what, crash.time) in taken

    @property
    def place(self) -> str:
        """Where it died, for people."""
        steps = self.ended.steps if self.ended else []
        return f"{self.crash.when} {steps[-1].what}" if self.crash and self.crashed else "nowhere"


@dataclass
class Stage:
    """What the scenes of one test share."""

    settings: Settings
    clock: ManualClock
    rt: Runtime
    pushes: Pushes
    simulator: Safaricom
    bar: SeededBar
    forks: Forks
    restarted: Callable[[], Any]
    full: bool
    #: Is told, in the end, at how many places the process died and how many steps there were.
    tell: Callable[[int, int], None]
    #: What the restarted worker does, and how many places an ordinary run tries.
    loops: frozenset[str] = LOOPS
    most: int = MOST
    more: int = MORE
    #: Where the process died, over all scenes.
    died: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    settled: int = 0

    async def crashes(self) -> AsyncIterator[Scene]:
        """The scene without a crash, then with one at every place. After each, the accounts are settled."""
        whole = Scene(self, None, 0)
        yield whole
        if not whole.recovered:
            await whole.recover()
        assert whole.ended is not None and whole.ended.code == 0, "the scene never acted"
        self.steps = whole.ended.steps
        tried, wanted = 0, 0
        for places, most in self.places():
            wanted += min(most, len(places))
            enough = len(self.died) + most
            for crash in places:
                if len(self.died) == enough:
                    break
                tried += 1
                scene = Scene(self, crash, tried)
                yield scene
                if not scene.recovered:
                    await scene.recover()
                if scene.crashed:
                    self.died.append(scene.place)
                else:
                    assert not scene.passed_by, f"it went on living at {scene.crash}"
        # Two tasks of one process take their steps in another order each time, and on a busy machine one less or more.
        assert self.steps and (len(self.died) >= wanted or len(self.died) >= tried / 2)
        self.tell(len(self.died), len(self.steps))

    def places(self) -> list[tuple[list[Crash], int]]:
        """Where to die, and how often: at every step, before and after; in an ordinary run at the decisive ones and
        within transactions, in an order that nobody chose, until it died so often."""
        every = [(step, Crash(step.what, step.time, when)) for step in self.steps for when in ("before", "after")]
        if self.full:
            return [([crash for _, crash in every], len(every))]
        chance = Random(len(every))
        chosen = []
        for wanted, most in ((True, self.most), (False, self.more)):
            places = [crash for step, crash in every if step.decisive is wanted]
            chosen.append((chance.sample(places, len(places)), most))
        return chosen

    async def recover(self) -> None:
        """A web process and a worker on the same database: time passes until nothing is left to do."""
        async with self.restarted() as running:
            worker = Worker(running.rt, running.pushes.daraja)
            for seconds in TURNS:
                await self.simulator.advance(seconds)
                await running.pushes.drain()
                for loop in worker.loops():
                    while loop.name in self.loops and await loop.work():
                        pass
                if seconds and await self.quiet():
                    return
        raise AssertionError("the worker never comes to rest")

    async def quiet(self) -> bool:
        left = await self.rt.db.fetchval(
            """
            select (select count(*) from mpesa_callbacks where processed_at is null)
                 + (select count(*) from mpesa_transactions where status in ('pending', 'sent')
                    or (status = 'timeout' and next_check_at is not null))
            """
        )
        return left == 0 and not self.simulator.simulator.agenda.errands and not await self.rt.spool.waiting()

    # what scenes arrange

    async def tab(self, owed: int = 500) -> OpenTab:
        return await open_tab(self.rt, self.bar.id, owed, self.bar.waiter.account_id)

    async def begin(self, phone: str, tab: OpenTab, scenario: str | Scenario = "paid") -> UUID:
        """A payment on its way: its push is answered, nothing else has happened."""
        self.simulator.simulator.queue_scenario(scenario, phone=phone)
        started = await initiate(self.rt, self.pushes, Intent(tab.ref, phone, tab.owed))
        await started.answered()
        return started.transaction_id

    def push(self) -> Push:
        """The newest push, as Safaricom knows it."""
        return next(reversed(self.simulator.simulator.pushes.values()))

    async def store(self, push: Push) -> Stored:
        """A callback that found nobody is stored after all: as if its process had died after the commit."""
        return await inbox.receive(self.rt, push.messages[0].body, token_hash=token_of(push), source="127.0.0.1")

    async def hear(self, push: Push) -> None:
        """… and understood."""
        await inbox.process(self.rt, await self.store(push), push.messages[0].body, token_of(push))

    async def overdue(self, tab: OpenTab) -> None:
        async with transaction(self.rt.db) as db:
            await db.execute("update tabs set status = 'overdue' where id = $1", tab.id)

    async def status(self, payment: UUID) -> str:
        found: str = await self.rt.db.fetchval("select status::text from mpesa_transactions where id = $1", payment)
        return found

    async def payments_of(self, tab: OpenTab) -> list[dict[str, Any]]:
        rows = await self.rt.db.fetch(
            "select * from mpesa_transactions where tab_id = $1 order by created_at, id", tab.id
        )
        return [dict(row) for row in rows]

    async def paid(self, tab: OpenTab) -> int:
        amount: int = await self.rt.db.fetchval(
            "select coalesce(sum(amount), 0) from tab_payments where tab_id = $1", tab.id
        )
        return amount

    # what must be true, however a process died

    async def settle_accounts(self) -> None:
        """Every invariant holds; what Safaricom took and told is in the books once, or in front of a person."""
        new = list(self.simulator.simulator.pushes.values())[self.settled :]
        self.settled += len(new)
        async with self.rt.db.acquire() as db:
            for push in new:
                await account_for(db, push)
            await accounts_hold(db, new)
        assert not await self.rt.spool.waiting()

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
from kaunta.payments import invariants
from kaunta.payments.callback_url import token_hash
from kaunta.payments.initiate import Intent, Pushes, initiate
from kaunta.settings import Settings
from kaunta.simulator.pushes import Push
from kaunta.simulator.scenarios import Scenario
from kaunta.worker import Worker
from tests.crash.forks import Ended, Forks
from tests.crash.steps import CRASHED, Crash, Step
from tests.support.bars import OpenTab, SeededBar, open_tab
from tests.support.safaricom import Safaricom

#: Policy seconds between the worker's turns after a restart; together longer than five minutes and every lease.
TURNS = (0, 21, 31, 31, 60, 200, 60, 300, 600)
#: Places inside a transaction that an ordinary run tries beside the decisive ones.
MORE = 2


@dataclass
class Scene:
    """One performance, with one crash or none."""

    stage: "Stage"
    crash: Crash | None
    number: int
    ended: Ended | None = None

    @property
    def phone(self) -> str:
        """A guest of the scene's own: prompts to one number are limited."""
        return f"2547000{self.number:05d}"

    @property
    def crashed(self) -> bool:
        return self.ended is not None and self.ended.code == CRASHED

    async def act(self, act: str, *, meanwhile: Callable[[], Awaitable[None]] | None = None, **said: Any) -> None:
        """The process that may die does one thing."""
        stage = self.stage
        now = stage.clock.now().isoformat()
        self.ended = await stage.forks.run(act, stage.settings, now, self.crash, said, meanwhile)
        assert self.ended.code in (0, CRASHED), f"ended with {self.ended.code}:\n{stage.forks.last_words()}"

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
    #: Where the process died, over all scenes.
    died: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    settled: int = 0

    async def crashes(self) -> AsyncIterator[Scene]:
        """The scene without a crash, then with one at every place. After each, the accounts are settled."""
        whole = Scene(self, None, 0)
        yield whole
        await self.end(whole)
        assert whole.ended is not None and whole.ended.code == 0, "the scene never acted"
        self.steps = whole.ended.steps
        for number, crash in enumerate(self.places(), start=1):
            scene = Scene(self, crash, number)
            yield scene
            await self.end(scene)
            if scene.crashed:
                self.died.append(scene.place)
        # Two tasks of one process may take their steps in another order each time; the number hardly differs.
        assert len(self.died) >= 0.9 * (number if self.steps else 0)

    def places(self) -> list[Crash]:
        """Every step, before and after; an ordinary run takes the decisive ones and a few within transactions."""
        every = [Crash(step.number, when) for step in self.steps for when in ("before", "after")]
        if self.full:
            return every
        decisive = {step.number for step in self.steps if step.decisive}
        rest = [crash for crash in every if crash.step not in decisive]
        chosen = set(Random(len(every)).sample(rest, min(MORE, len(rest))))
        return [crash for crash in every if crash.step in decisive or crash in chosen]

    async def end(self, scene: Scene) -> None:
        """Somebody starts the program again; afterwards everything must be right."""
        try:
            await self.recover()
            await self.settle_accounts()
        except AssertionError as wrong:
            raise AssertionError(f"{wrong}\n(died {scene.place})") from wrong

    async def recover(self) -> None:
        """A web process and a worker on the same database: time passes until nothing is left to do."""
        async with self.restarted() as running:
            worker = Worker(running.rt, running.pushes.daraja)
            for seconds in TURNS:
                await self.simulator.advance(seconds)
                await running.pushes.drain()
                await worker.once()
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

    async def begin(self, scene: Scene, tab: OpenTab, scenario: str | Scenario = "paid") -> UUID:
        """A payment on its way: its push is answered, nothing else has happened."""
        self.simulator.simulator.queue_scenario(scenario, phone=scene.phone)
        started = await initiate(self.rt, self.pushes, Intent(tab.ref, scene.phone, tab.owed))
        await started.answered()
        return started.transaction_id

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
        async with self.rt.db.acquire() as db:
            broken = [finding for finding in await invariants.check_all(db) if not finding.ok]
        assert not broken
        new = list(self.simulator.simulator.pushes.values())[self.settled :]
        self.settled += len(new)
        references = [push.wanted.reference for push in new]
        assert len(references) == len(set(references)), "a payment was pushed twice"
        for push in new:
            await self.account_for(push)
        unprocessed = await self.rt.db.fetchval("select count(*) from mpesa_callbacks where processed_at is null")
        assert unprocessed == 0
        unsent = await self.rt.db.fetch(
            "select reference from mpesa_transactions where failure_reason = 'not_sent' and bar_id = $1", self.bar.id
        )
        assert not {row["reference"] for row in unsent} & set(references), "what was sent is called not sent"

    async def account_for(self, push: Push) -> None:
        row = await self.rt.db.fetchrow(
            """
            select t.id, t.status::text as status, t.checkout_request_id_hash is not null as named,
                   (select coalesce(sum(amount), 0) from tab_payments p where p.transaction_id = t.id) as booked,
                   exists (select from problems where subject = t.id::text and closed_at is null) as shown
            from mpesa_transactions t where bar_id = $1 and reference = $2
            """,
            self.bar.id,
            push.wanted.reference,
        )
        assert row is not None, "a push went out for a payment that nobody wrote down"
        token = token_hash(push.wanted.callback_url.rpartition("/")[2])
        answers = [attempt.status for message in push.messages for attempt in message.attempts]
        kept = await self.rt.db.fetchval("select count(*) from mpesa_callbacks where token_hash = $1", token)
        # 503 says "not stored": then it lies in the spool, and is imported by now.
        told = sum(answer in (200, 503) for answer in answers)
        assert kept >= told, f"{told} callbacks were taken, {kept} are in the inbox"
        taken = sum(payment.amount for payment in push.payments)
        if not taken:
            assert row["booked"] == 0, "booked what nobody paid"
            return
        if told or row["named"]:
            assert row["status"] == "completed", f"paid and told, but {row['status']}"
            assert row["booked"] == taken, f"{taken} were paid, {row['booked']} are booked"
        else:
            # Nobody told us and nothing is left to ask by: unknown, in front of a person, and never "failed".
            assert (row["status"], row["booked"], row["shown"]) == ("timeout", 0, True)



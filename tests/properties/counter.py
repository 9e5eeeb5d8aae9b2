"""What happens behind the counter: cash, orders, closing, a person's word, settings, and the worker's turns."""

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from kaunta.bars.mpesa_switch import sync_mpesa_status
from kaunta.core.db import transaction
from kaunta.core.errors import KauntaError
from kaunta.core.secret import Secret
from kaunta.credentials.store import NewCredential, store
from kaunta.payments import inbox_work, silence
from kaunta.payments.apply import Applied
from kaunta.payments.reconcile import check_now
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.states import Change
from kaunta.tabs import views as tab_views
from kaunta.tabs.orders import OrderRequest, confirm_order, place_order, reject_order
from kaunta.tabs.settle import record_payment
from kaunta.tabs.tabs import close_tab

from .evening import Evening
from .guests import amounts, numbers

TURNS = ("inbox", "queries", "silence", "spool")


class Counter(Evening):
    """Rules of the staff and of the worker."""

    async def unless_refused(self, work: Awaitable[object]) -> object:
        try:
            return await work
        except KauntaError as refusal:
            return refusal

    @rule(tab=numbers, amount=amounts, times=st.integers(1, 3))
    def cash_is_taken(self, tab: int, amount: int, times: int) -> None:
        chosen = self.house.tabs[tab % len(self.house.tabs)]
        bar = next(bar for bar in self.house.bars if bar.id == chosen.bar_id)
        paid = amount or max(1, self.free(chosen.id))
        key = f"cash {self.steps}"

        async def taking() -> object:
            came_to = await asyncio.gather(
                *(
                    self.unless_refused(
                        record_payment(self.house.rt, bar.id, chosen.id, paid, "cash", bar.waiter.account_id, key)
                    )
                    for _ in range(times)
                )
            )
            rows = {each for each in came_to if not isinstance(each, KauntaError)}
            assert len(rows) <= 1, "one key, two payments in cash"
            self.expected.cash[chosen.id] += paid * len(rows)
            return came_to[0]

        self.act(taking())

    @rule(tab=numbers, quantity=st.integers(1, 4), decision=st.sampled_from(["confirm", "confirm", "reject", "wait"]))
    def an_order_comes(self, tab: int, quantity: int, decision: str) -> None:
        chosen = self.house.tabs[tab % len(self.house.tabs)]
        bar = next(bar for bar in self.house.bars if bar.id == chosen.bar_id)
        lines = {bar.items["Soda"]: quantity}

        async def ordering() -> object:
            request = OrderRequest(bar.id, lines, f"order {self.steps}", "customer", tab_ref=chosen.ref)
            placed = await self.unless_refused(place_order(self.house.rt, request))
            if isinstance(placed, KauntaError) or decision == "wait":
                return placed
            view = await tab_views.view(self.house.eyes, chosen.id)
            assert view is not None
            decide = confirm_order if decision == "confirm" else reject_order
            await decide(self.house.rt, bar.id, view.orders[-1].id, bar.waiter.account_id)
            self.expected.ordered[chosen.id] += 100 * quantity if decision == "confirm" else 0
            return decision

        self.act(ordering())

    @rule(tab=numbers, overdue=st.booleans())
    def a_tab_ends(self, tab: int, overdue: bool) -> None:
        """Staff close it, or its time is up."""
        chosen = self.house.tabs[tab % len(self.house.tabs)]
        bar = next(bar for bar in self.house.bars if bar.id == chosen.bar_id)
        if overdue:
            late = "update tabs set status = 'overdue', moved_to_overdue_at = $2 where id = $1 and status = 'open'"
            self.act(self.house.eyes.execute(late, chosen.id, self.house.clock.now()))
        else:
            self.act(self.unless_refused(close_tab(self.house.rt, bar.id, chosen.id, bar.waiter.account_id)))

    @rule(which=numbers, paid=st.booleans(), code=st.sampled_from(["none", "own", "another's", "typed"]), of=numbers)
    def a_person_decides(self, which: int, paid: bool, code: str, of: int) -> None:
        payment = self.pick(list(self.books.payments.values()), which)
        if payment is None:
            return
        push = self.books.evidence[payment.id].push
        others = [each.push.receipt for each in self.books.evidence.values() if each.push and each.push.receipt]
        typed = {"own": push.receipt if push else None, "another's": self.pick(others, of), "typed": f"TYPED{of:05d}"}
        word = Resolution(paid, "asked the guest", "saw the phone", "staff:test", typed.get(code) if paid else None)

        async def deciding() -> object:
            came_to = await self.unless_refused(resolve(self.house.rt, payment.id, word))
            if isinstance(came_to, Applied) and isinstance(came_to.decision, Change):
                (self.expected.said_paid if paid else self.expected.said_unpaid).add(payment.id)
            return came_to

        self.act(deciding())

    @rule(which=numbers)
    def a_person_asks_now(self, which: int) -> None:
        payment = self.pick(list(self.books.payments.values()), which)
        if payment is not None:
            self.act(self.unless_refused(check_now(self.house.rt, self.house.pushes.daraja, payment.id)))

    @rule(which=numbers, what=st.sampled_from(["on", "on", "off", "new credentials"]))
    def the_owner_changes_settings(self, which: int, what: str) -> None:
        bar = self.house.bars[which % len(self.house.bars)]
        fresh = [Secret(f"{name} {self.steps} of {bar.slug}") for name in ("key", "secret", "passkey")]

        async def changing() -> None:
            async with transaction(self.house.rt.db) as db:
                if what == "new credentials":
                    await store(db, self.house.rt, bar.id, NewCredential("sandbox", "174379", None, *fresh), by="test")
                else:
                    await sync_mpesa_status(
                        db, self.house.clock, bar.id, what == "on", environment="sandbox", by="test"
                    )

        self.act(changing())

    @rule(seconds=st.sampled_from([31, 61, 125, 301, 1_900]), rounds=st.integers(1, 3))
    def time_passes_and_workers_work(self, seconds: int, rounds: int) -> None:
        async def living() -> None:
            for _ in range(rounds):
                await self.house.passes(seconds)
                await self.one_by_one([self.turn(name, 50) for name in TURNS])

        self.act(living())

    @rule(turns=st.lists(st.sampled_from(TURNS), min_size=1, max_size=6), limit=st.sampled_from([1, 2, 50]))
    def workers_take_turns(self, turns: list[str], limit: int) -> None:
        self.act(self.one_by_one([self.turn(name, limit) for name in turns]))

    @rule(turns=st.lists(st.sampled_from(TURNS), min_size=2, max_size=8), limit=st.sampled_from([1, 2, 50]))
    def workers_work_at_once(self, turns: list[str], limit: int) -> None:
        async def working() -> object:
            return await asyncio.gather(*(self.turn(name, limit)() for name in turns))

        self.act(working())

    def turn(self, name: str, limit: int) -> Callable[[], Awaitable[int]]:
        rt, daraja = self.house.rt, self.house.pushes.daraja
        return {
            "inbox": lambda: inbox_work.work_off(rt, limit),
            "queries": lambda: silence.ask_about_due(rt, daraja, limit),
            "silence": lambda: silence.time_out_silent(rt, limit),
            "spool": lambda: inbox_work.import_spool(rt),
        }[name]

    async def one_by_one(self, turns: list[Callable[[], Awaitable[int]]]) -> list[int]:
        return [await turn() for turn in turns]

"""What the desk does about direct money: receipts are matched, set aside, taken back; codes checked; lists read."""

from collections.abc import Awaitable, Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from kaunta.core.errors import KauntaError
from kaunta.payments import looking_again, matching, pull, reversals
from kaunta.payments.checking import check_code
from kaunta.simulator.statements import Layout
from kaunta.statements import placing

from .counter import Counter
from .direct_books import paid_in
from .evidence import typed
from .guests import numbers
from .looking import Received
from .settling import import_statement
from .till import Till

DIRECT_TURNS = ("receipts", "refunds", "pulls", "statements")
BY, WHY = "staff:cashier", "the guest showed the SMS"


class Desk(Till, Counter):
    """Rules of whoever looks after money that nobody asked for."""

    def some_receipt(self, which: int, *, free: bool) -> Received | None:
        """A receipt; one that credits nobody where there is one, if `free`."""
        known = list(self.books.receipts.values())
        return self.pick([each for each in known if free and each.ledger_id is None] or known, which)

    @rule(which=numbers, free=st.booleans(), to=st.sampled_from(["a tab", "a tab", "a payment"]), about=numbers)
    def staff_match_a_receipt(self, which: int, free: bool, to: str, about: int) -> None:
        receipt = self.some_receipt(which, free=free)
        payment = self.pick(list(self.books.payments.values()), about)
        if receipt is None or (payment is None and to == "a payment"):
            return
        tab, rt = self.house.tabs[about % len(self.house.tabs)], self.house.rt

        async def matching_it() -> object:
            if to == "a tab" or payment is None:
                work = matching.match_to_tab(rt, receipt.bar_id, receipt.id, tab.id, by=BY, reason=WHY)
                return await self.unless_refused(work)
            came_to = await self.unless_refused(
                matching.match_to_payment(rt, receipt.bar_id, receipt.id, payment.id, by=BY, reason=WHY)
            )
            if not isinstance(came_to, KauntaError):
                self.expected.said_paid.add(payment.id)
            return came_to

        self.act(matching_it())

    @rule(which=numbers, aside=st.booleans())
    def staff_think_again(self, which: int, aside: bool) -> None:
        """A receipt is nobody's bill here, or a match was a mistake."""
        receipt = self.some_receipt(which, free=aside)
        if receipt is None:
            return
        rt = self.house.rt
        undo = matching.set_aside if aside else matching.take_back
        self.act(self.unless_refused(undo(rt, receipt.bar_id, receipt.id, by=BY, reason=WHY)))

    @rule(which=numbers, invented=st.sampled_from([False, False, False, True]), seconds=st.sampled_from([0, 5, 30]))
    def staff_check_a_code(self, which: int, invented: bool, seconds: int) -> None:
        mine = self.house.bars[0].id
        owners = {each.reference: each.bar_id for each in self.books.payments.values()}
        # Only what may be this bar's: the other bar of the shortcode asks for itself.
        known = [each for each in paid_in(self.house).values() if owners.get(typed(each.reference), mine) == mine]
        taken = self.pick(known, which)
        code = f"TYPED{which:05d}" if invented or taken is None else taken.receipt

        async def checking() -> object:
            house = self.house
            said = await self.unless_refused(check_code(house.rt, house.pushes.daraja, house.bars[0].id, code, by=BY))
            await house.passes(seconds)
            return said

        self.act(checking())

    @rule(
        layout=st.sampled_from(Layout), seconds=st.sampled_from([None, None, 30, 600, 86_400]), times=st.integers(1, 2),
        bar=st.sampled_from([0, 0, 0, 1]),
    )  # fmt: skip
    def a_statement_is_imported(self, layout: Layout, seconds: int | None, times: int, bar: int) -> None:
        if not len(self.house.simulator.ledger):
            return
        work = import_statement(self.house, self.house.bars[bar], layout, seconds=seconds, times=times)
        self.act(self.unless_refused(work))

    @rule(
        turns=st.lists(st.sampled_from(DIRECT_TURNS), min_size=1, max_size=4), seconds=st.sampled_from([0, 5, 61, 301])
    )
    def workers_look_after_direct_money(self, turns: list[str], seconds: int) -> None:
        async def working() -> object:
            done = await self.one_by_one([self.turn(name, 50) for name in turns])
            await self.house.passes(seconds)
            return done

        self.act(working())

    def turn(self, name: str, limit: int) -> Callable[[], Awaitable[int]]:
        rt, daraja = self.house.rt, self.house.pushes.daraja
        mine: dict[str, Callable[[], Awaitable[int]]] = {
            "receipts": lambda: looking_again.look_again(rt, limit),
            "refunds": lambda: reversals.work(rt, daraja, limit),
            "pulls": lambda: pull.work(rt, daraja, limit),
            "statements": lambda: placing.place_due(rt, None, limit),
        }
        return mine[name] if name in mine else super().turn(name, limit)

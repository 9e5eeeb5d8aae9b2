"""Money goes back: by a reversal whose answer, Result or money is lost, by hand, by the payer's own SMS to 456."""

import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import rule

from kaunta.payments import refunds, reversals
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.refunds import RefundWanted
from kaunta.simulator.bank import NotPossible
from kaunta.simulator.calls import Api, Fate
from kaunta.simulator.faults import Fault
from kaunta.simulator.pushes import Kind
from kaunta.simulator.rules import Action, Rule

from .desk import Desk
from .guests import numbers
from .looking import GivenBack, Received
from .safaricom import REVERSAL
from .settling import SHORTCODE

#: What goes wrong with a reversal: nothing, its acknowledgement lost (before or after Safaricom took it), refused, its
#: Result lost, doubled or late, the call expired in the queue, or a Result that it failed.
TROUBLE = (
    "nothing", "nothing", "nothing", "acknowledgement lost", "acknowledgement lost", "not taken", "refused",
    "result lost", "result lost", "result twice", "result late", "expired", "failed", "already reversed", "odd code",
)  # fmt: skip
CODES = {"failed": "2001", "already reversed": "R000001", "odd code": "77", "expired": "timeout"}
WHY = "the beer was warm"


class Returns(Desk):
    """Rules of money that goes back."""

    def trouble(self, what: str) -> None:
        simulator = self.house.simulator
        match what:
            case "acknowledgement lost":
                self.house.swallows[REVERSAL] += 1
            case "not taken":
                simulator.faults.add(Fault("reversal", "html_502"))
            case "refused":
                simulator.faults.add(Fault("reversal", "busy"))
            case "result lost":
                simulator.outbox.rules.append(Rule(Action.DROP, kind="reversal"))
            case "result twice":
                simulator.outbox.rules.append(Rule(Action.DUPLICATE, kind="reversal"))
            case "result late":
                simulator.outbox.rules.append(Rule(Action.DELAY, kind="reversal", seconds=700))
            case "nothing":
                pass
            case _:
                simulator.calls.fates.append(Fate(Api.REVERSAL, CODES[what]))

    @rule(
        which=numbers, amount=st.one_of(st.just(0), st.integers(1, 300)), what=st.sampled_from(TROUBLE),
        clicks=st.integers(1, 3), at_once=st.booleans(), seconds=st.sampled_from([0, 5, 61, 700]),
    )  # fmt: skip
    def money_is_sent_back(self, which: int, amount: int, what: str, clicks: int, at_once: bool, seconds: int) -> None:
        """A reversal is asked for, and whoever asked presses again."""
        receipt = self.some_receipt(which, free=False)
        if receipt is None:
            return
        wanted = RefundWanted(
            receipt.bar_id,
            self.some_of(receipt, amount),
            WHY,
            "reversal",
            f"click {self.steps:04d}",
            receipt_id=receipt.id,
        )
        self.trouble(what)

        async def returning() -> object:
            asked = await self.unless_refused(refunds.request(self.house.rt, wanted, by="staff:manager"))
            if not isinstance(asked, Refund):
                return asked
            if asked.needs_approval:
                await self.unless_refused(refunds.approve(self.house.rt, asked.id, by="staff:owner"))
            presses = [self.pressed(wanted) for _ in range(clicks)]
            if at_once:
                await asyncio.gather(*presses)
            else:
                for press in presses:
                    await press
            await self.house.passes(seconds)
            self.world.count("reversals asked for")
            return asked.id

        self.act(returning())

    def some_of(self, receipt: Received, amount: int) -> int:
        """An amount that may be given back; 0: all that is left. Where nothing is, it is asked for all the same."""
        ended = ("failed", "withdrawn")
        of_it = [each for each in self.books.refunds if each.receipt == receipt.receipt and each.state not in ended]
        left = receipt.amount - sum(each.amount for each in of_it)
        return min(amount or left, left) if left > 0 else amount or 1

    async def pressed(self, wanted: RefundWanted) -> None:
        asked = await self.unless_refused(refunds.request(self.house.rt, wanted, by="staff:manager"))
        if isinstance(asked, Refund):
            await reversals.send(self.house.rt, self.house.pushes.daraja, asked.id)

    @rule(which=numbers, amount=st.one_of(st.just(0), st.integers(1, 300)), code=numbers, receiptless=st.booleans())
    def money_is_given_back_by_hand(self, which: int, amount: int, code: int, receiptless: bool) -> None:
        """Of a receipt, or of a credit that has none; the code may be one that was used before."""
        without = [each for each in self.books.payments.values() if each.status == "completed" and not each.receipt]
        payment = self.pick(without, which) if receiptless else None
        receipt = self.some_receipt(which, free=False)
        rows = self.books.credits[payment.id] if payment else []
        credit = next((row for row in rows if row.kind == "payment" and row.receipt is None), None)
        if credit is None and receipt is None:
            return
        of = receipt if credit is None else None
        wanted = RefundWanted(
            of.bar_id if of else next(each.bar_id for each in without if each is payment),
            self.some_of(of, amount) if of else amount or 10,
            WHY,
            "by_hand",
            f"by hand {self.steps:04d}",
            receipt_id=of.id if of else None,
            credit_id=credit.id if credit else None,
            code=f"BYHAND{code:04d}",
        )
        self.act(self.unless_refused(refunds.request(self.house.rt, wanted, by="staff:manager")))

    @rule(which=numbers, what=st.sampled_from(["agree", "withdraw", "look at the statement", "look at the statement"]))
    def a_person_ends_a_refund(self, which: int, what: str) -> None:
        """Somebody agrees to it, withdraws it, or says of an unknown one what the portal shows."""
        if what == "look at the statement":
            refund = self.pick([each for each in self.books.refunds if each.state == "unknown"], which)
        else:
            refund = self.pick([each for each in self.books.refunds if each.state == "requested"], which)
        if refund is None:
            return
        rt = self.house.rt
        match what:
            case "agree":
                work = refunds.approve(rt, refund.id, by="staff:owner")
                self.act(self.unless_refused(work))
            case "withdraw":
                self.act(self.unless_refused(refunds.withdraw(rt, refund.id, by="staff:owner", reason="a mistake")))
            case _:
                gone = self.went(refund)
                settling = refunds.settle_by_hand(
                    rt, refund.id, refunded=gone, by="staff:owner", reason="seen on the portal"
                )
                self.act(self.unless_refused(settling))

    def went(self, refund: GivenBack) -> bool:
        """Whether Safaricom's books show more of this amount going back than ours."""
        back = [each for each in self.house.simulator.ledger if each.reverses == refund.receipt]
        ours = [each for each in self.books.refunds if each.receipt == refund.receipt and each.state == "refunded"]
        ours = [each for each in ours if each.method != "by_hand"]
        theirs = sum(each.amount for each in back) - sum(each.amount for each in ours)
        return any(each.amount == refund.amount for each in back) and theirs >= refund.amount

    @rule(which=numbers, amount=st.one_of(st.none(), st.integers(1, 300)))
    def the_payer_takes_it_back(self, which: int, amount: int | None) -> None:
        """They forward the SMS to 456; Safaricom tells nobody."""
        taken = self.came(which)
        if taken is None:
            return

        async def forwarding() -> object:
            try:
                back = self.house.simulator.bank.give_back(taken.receipt, None, amount, Kind.CUSTOMER_REVERSAL)
            except NotPossible as refusal:
                return refusal.code
            return back.receipt

        self.act(forwarding())

    @rule(amount=st.sampled_from([50, 200, 1_000]))
    def the_business_withdraws(self, amount: int) -> None:
        """A reversal finds nothing to give back then."""

        async def withdrawing() -> object:
            try:
                return self.house.simulator.bank.withdraw(SHORTCODE, amount).receipt
            except NotPossible as refusal:
                return refusal.code

        self.act(withdrawing())

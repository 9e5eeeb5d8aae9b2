"""Whatever happened, our books are Safaricom's after the list was read, or each difference is a named problem."""

import contextlib
from random import Random

import pytest

from kaunta.core.errors import KauntaError
from kaunta.payments import matching, refund_views
from kaunta.payments.refund_results import ReversalSeen, reversal_seen
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.typed_codes import claim_code
from kaunta.simulator.bank import NotPossible
from kaunta.simulator.calls import Api, Fate
from kaunta.simulator.faults import Fault
from kaunta.simulator.pushes import Kind
from tests.plugins.prove import Proof
from tests.support.bars import OpenTab

from .conftest import DirectMoney
from .test_claims_never_steal import NewTab

STEPS = 25
PUSHES = ("paid", "ack_and_callback_lost", "callback_lost", "cancelled", "callback_twice", "late_success", "ack_lost")


class Night:
    """One seeded evening: what guests, staff, Safaricom's post and time do, in any order."""

    def __init__(self, money: DirectMoney, tabs: list[OpenTab], seed: int) -> None:
        self.money, self.tabs, self.chance, self.number = money, tabs, Random(seed), 0
        self.payments: list[tuple[object, str]] = []

    @property
    def codes(self) -> list[str]:
        return [each.receipt for each in self.money.ledger]

    async def step(self) -> None:
        act = self.chance.choice(
            (self.push, self.push, self.by_hand, self.lose, self.type, self.match, self.resolve, self.refund,
             self.refund, self.forward_to_456, self.pull, self.wait, self.take_back)
        )  # fmt: skip
        self.number += 1
        with contextlib.suppress(KauntaError, NotPossible):
            await act()

    async def push(self) -> None:
        tab = self.chance.choice(self.tabs)
        phone = f"2547003{self.number:05d}"
        started = await self.money.evening.pay(
            self.chance.choice((50, 60, 70)), tab=tab, phone=phone, scenario=self.chance.choice(PUSHES)
        )
        self.payments.append((started, tab.ref))

    async def by_hand(self) -> None:
        tab = self.chance.choice(self.tabs)
        account = self.chance.choice(("", "", f"TAB{tab.number}", "rent"))
        await self.money.pay_till(self.chance.choice((50, 60, 70)), account, phone=f"2547004{self.number:05d}")

    async def lose(self) -> None:
        self.money.lose(self.chance.choice(("stk", "confirmation", "reversal", "status")))

    async def type(self) -> None:
        if self.codes:
            tab = self.chance.choice(self.tabs)
            await claim_code(self.money.evening.rt, tab.ref, self.chance.choice(self.codes))

    async def match(self) -> None:
        if self.codes and (receipt := await self.money.receipt(self.chance.choice(self.codes))):
            await self.money.match(receipt.receipt, self.chance.choice(self.tabs).id)

    async def take_back(self) -> None:
        if self.codes and (receipt := await self.money.receipt(self.chance.choice(self.codes))):
            await matching.take_back(
                self.money.evening.rt, receipt.bar_id, receipt.id, by="staff:x", reason="a mistake"
            )

    async def resolve(self) -> None:
        if self.payments:
            code = self.chance.choice([None, *self.codes])
            word = Resolution(True, "they say so", "an SMS", "staff:x", code)
            await resolve(self.money.evening.rt, self.chance.choice(self.payments)[0], word)  # type: ignore[arg-type]

    async def refund(self) -> None:
        if not self.codes:
            return
        simulator = self.money.evening.simulator.simulator
        trouble = self.chance.randrange(6)
        if trouble == 0:
            simulator.faults.add(Fault("reversal", self.chance.choice(("html_502", "busy"))))
        elif trouble == 1:
            simulator.calls.fates.append(Fate(Api.REVERSAL, self.chance.choice(("1", "R000001", "77", "timeout"))))
        code = self.chance.choice(self.codes)
        refund = await self.money.give_back(code, self.chance.choice((20, 50, 60)), key=f"click-{self.number:05d}")
        await self.money.send(refund)
        if self.chance.random() < 0.3:
            await self.money.send(refund)

    async def forward_to_456(self) -> None:
        """The payer takes all that is left back; the statement shows it."""
        evening = self.money.evening
        if not self.codes:
            return
        code = self.chance.choice(self.codes)
        back = evening.simulator.simulator.bank.give_back(code, None, None, Kind.CUSTOMER_REVERSAL)
        await reversal_seen(
            evening.rt,
            ReversalSeen(evening.bar.id, "sandbox", "174379", code, back.amount, back.receipt, evening.clock.now()),
        )

    async def pull(self) -> None:
        await self.money.evening.rt.db.execute("update pull_subscriptions set next_pull_at = '2020-01-01'")
        await self.money.pull()

    async def wait(self) -> None:
        await self.money.evening.live_on(self.chance.choice((10, 60, 320)), step=60)
        await self.money.work_refunds()


async def reconciled(night: Night) -> None:
    """Everything that is on its way arrives, the list is read, and the statement's reversals are seen."""
    evening = night.money.evening
    evening.simulator.simulator.outbox.rules.clear()
    evening.simulator.simulator.calls.fates.clear()
    evening.simulator.simulator.faults.clear()
    await evening.settle()
    await night.pull()
    for each in list(evening.simulator.simulator.ledger):
        if each.reverses is not None:
            await reversal_seen(
                evening.rt,
                ReversalSeen(evening.bar.id, "sandbox", "174379", each.reverses, each.amount, each.receipt, each.at),
            )


async def compared(night: Night) -> None:
    """Receipt by receipt, our books against Safaricom's."""
    evening = night.money.evening
    rt, ledger = evening.rt, evening.simulator.simulator.ledger
    subjects = {row["subject"] for row in await rt.db.fetch("select subject from problems where closed_at is null")}
    for payment in night.money.ledger:
        receipt = await night.money.receipt(payment.receipt)
        assert receipt is not None, "every receipt Safaricom issued is here"
        assert receipt.amount == payment.amount
        given = [each for each in await refund_views.of_receipt(rt, receipt.id) if each.state == "refunded"]
        ours, theirs = sum(each.amount for each in given), ledger.reversed_amount(payment.receipt)
        assert ours == theirs or str(receipt.id) in subjects, (payment.receipt, ours, theirs)
        assert ours <= receipt.amount
        if receipt.ledger_id is None and ours < receipt.amount:
            assert str(receipt.id) in subjects or receipt.set_aside, "nobody's money is in front of a person"
    assert await rt.db.fetchval("select count(*) from mpesa_receipts") == len(night.money.ledger)
    assert await evening.broken() == set()


async def live_through(acting: DirectMoney, new_tab: NewTab, nights: int) -> None:
    tabs = [await new_tab(200_000) for _ in range(3)]
    for seed in range(nights):
        night = Night(acting, tabs, seed)
        night.number = seed * 1_000
        for _ in range(STEPS):
            await night.step()
        await reconciled(night)
        await compared(night)


@pytest.mark.req("PAY-2.4", "PAY-P7")
@pytest.mark.usefixtures("subscribed")
async def test_our_books_are_safaricoms(acting: DirectMoney, new_tab: NewTab) -> None:
    await live_through(acting, new_tab, nights=1)


@pytest.mark.prove
@pytest.mark.usefixtures("subscribed")
async def test_our_books_are_safaricoms_after_twelve_nights(acting: DirectMoney, new_tab: NewTab, proof: Proof) -> None:
    await live_through(acting, new_tab, nights=12)
    proof("direct money: receipts compared with Safaricom's ledger", len(acting.ledger))

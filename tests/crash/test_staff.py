"""A process dies under the hands of staff: what they did is done or not, and doing it again does it once."""

import pytest

from kaunta.payments.silence import time_out_silent
from kaunta.simulator.scenarios import Scenario
from tests.crash.stage import Stage

#: Nobody is told anything, and nobody paid.
UNPAID = Scenario("unpaid", "no money, and nobody is told", answer="reset", result="1", callbacks=())


@pytest.mark.failure(68)
@pytest.mark.parametrize("receipt", [None, "SJL4K7XQ2M"])
async def test_an_unknown_payment_being_resolved_as_paid(stage: Stage, receipt: str | None) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "ack_and_callback_lost")
        await stage.simulator.advance(301)
        assert await time_out_silent(stage.rt) == 1
        code = receipt and f"{receipt[:-3]}{scene.number:03d}"
        said = {"payment": str(payment), "paid": True, "receipt": code}
        await scene.act("decide", **said)
        await scene.recover()
        notes = await stage.rt.db.fetchval(
            "select count(*) from audit_log where action = 'payment.resolved' and object_id = $1", str(payment)
        )
        assert (await stage.status(payment), await stage.paid(tab), notes) in (("timeout", 0, 0), ("completed", 500, 1))


@pytest.mark.failure(68)
async def test_an_unknown_payment_being_resolved_as_not_paid(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, UNPAID)
        await stage.simulator.advance(601)
        assert await time_out_silent(stage.rt) == 1
        await scene.act("decide", payment=str(payment), paid=False, receipt=None)
        await scene.recover()
        assert await stage.status(payment) in ("timeout", "failed")


async def test_cash_being_taken(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        said = {
            "bar": str(stage.bar.id), "tab": str(tab.id), "amount": 300, "by": str(stage.bar.waiter.account_id),
            "key": f"cash-{scene.number}",
        }  # fmt: skip
        await scene.act("take_cash", **said)
        await scene.again("take_cash", **said)
        assert await stage.paid(tab) == 300


async def test_an_order_being_placed_and_confirmed(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        bar, by = str(stage.bar.id), str(stage.bar.waiter.account_id)
        said = {"bar": bar, "tab": tab.ref, "lines": {str(stage.bar.items["Soda"]): 2}, "key": f"o{scene.number}"}
        await scene.act("order", **said)
        await scene.again("order", **said)
        pending = "select id from tab_orders where tab_id = $1 and status = 'pending'"
        (order,) = await stage.rt.db.fetch(pending, tab.id)
        await scene.again("confirm", bar=bar, order=str(order["id"]), by=by)
        assert await stage.rt.db.fetch(pending, tab.id) == []


async def test_an_order_being_confirmed(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        bar, by = str(stage.bar.id), str(stage.bar.waiter.account_id)
        said = {"bar": bar, "tab": tab.ref, "lines": {str(stage.bar.items["Soda"]): 2}, "key": f"c{scene.number}"}
        await scene.again("order", **said)
        ordered = "select id, status from tab_orders where tab_id = $1 and total = 200"
        (order,) = await stage.rt.db.fetch(ordered, tab.id)
        await scene.act("confirm", bar=bar, order=str(order["id"]), by=by)
        (order,) = await stage.rt.db.fetch(ordered, tab.id)
        assert order["status"] in ("pending", "confirmed")
        if order["status"] == "pending":
            await scene.again("confirm", bar=bar, order=str(order["id"]), by=by)

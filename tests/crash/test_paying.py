"""A process dies while a guest pays: the push goes out at most once, and no payment is forgotten."""

import pytest

from tests.crash.stage import Stage


@pytest.mark.failure(46)
async def test_a_payment_being_started(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        await scene.act("pay", tab=tab.ref, phone=scene.phone, amount=500, key="one")
        await scene.recover()
        payments = await stage.payments_of(tab)
        # The intent is there or it is not. Where it is, it ends paid or is shown to a person.
        assert [payment["status"] for payment in payments] in ([], ["timeout"], ["completed"])
        assert await stage.paid(tab) == 500 * sum(payment["status"] == "completed" for payment in payments)
    calls = [step for step in stage.steps if step.what.startswith("HTTP")]
    assert len(calls) == 2
    assert not any(step.inside for step in calls), "Safaricom was asked inside a transaction"


@pytest.mark.req("PAY-P15")
async def test_a_payment_whose_key_is_sent_again(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        said = {"tab": tab.ref, "phone": scene.phone, "amount": 500, "key": "one"}
        await scene.act("pay", **said)
        # The guest's telephone got no answer and sends the form again, with the same key, to the next process.
        await scene.again("pay", **said)
        await scene.recover()
        (payment,) = await stage.payments_of(tab)
        assert payment["status"] in ("completed", "timeout")


@pytest.mark.failure(63)
async def test_a_payment_being_tried_again(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        first = await stage.begin(scene.phone, tab, "cancelled")
        await stage.simulator.advance(7)
        await stage.hear(stage.push())
        await stage.simulator.advance(130)
        await scene.act("pay_again", payment=str(first), key="again")
        await scene.recover()
        assert await stage.status(first) == "cancelled"
        assert [payment["retry_of"] for payment in await stage.payments_of(tab)][1:] in ([], [first])
        assert await stage.paid(tab) in (0, 500)

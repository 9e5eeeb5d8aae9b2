"""A process dies while money goes back: it is asked for once, and its end is known or before a person."""

import pytest

from kaunta.payments import reversals
from tests.crash.direct.stage import DirectStage


async def test_a_refund_being_asked_for_and_sent(acting: DirectStage) -> None:
    async for scene in acting.crashes():
        tab = await acting.tab()
        receipt = await acting.paid_by_prompt(scene, tab)
        said = {
            "bar": str(acting.bar.id),
            "receipt": str(receipt.id),
            "amount": 200,
            "key": f"click-{scene.number:04d}",
        }
        await scene.act("give_back", **said)
        await scene.recover()
        # The wish is there or it is not; where it is, it was sent once, or nobody knows and a person is told.
        states = [refund.state for refund in await acting.refunds_of(receipt.id)]
        assert states in ([], ["refunded"], ["unknown"])
        assert await acting.paid(tab) == (300 if states == ["refunded"] else 500)
    calls = [step for step in acting.steps if step.what.startswith("HTTP")]
    assert calls and not any(step.inside for step in calls), "Safaricom was asked inside a transaction"


async def test_a_refund_whose_button_is_pressed_again(acting: DirectStage) -> None:
    async for scene in acting.crashes():
        tab = await acting.tab()
        receipt = await acting.paid_by_prompt(scene, tab)
        said = {
            "bar": str(acting.bar.id),
            "receipt": str(receipt.id),
            "amount": 200,
            "key": f"click-{scene.number:04d}",
        }
        await scene.act("give_back", **said)
        # The page never came, and the manager presses the button again.
        await scene.again("give_back", **said)
        await scene.recover()
        (refund,) = await acting.refunds_of(receipt.id)
        assert refund.state in ("refunded", "unknown")


async def test_a_refund_that_the_worker_sends(acting: DirectStage) -> None:
    async for scene in acting.crashes():
        tab = await acting.tab()
        receipt = await acting.paid_by_prompt(scene, tab)
        await acting.wanted(receipt, 200, f"click-{scene.number:04d}")
        await scene.act("work_on_refunds")
        await scene.recover()
        (refund,) = await acting.refunds_of(receipt.id)
        assert refund.state in ("refunded", "unknown")


@pytest.mark.failure(48)
async def test_the_result_of_a_reversal_being_heard(acting: DirectStage) -> None:
    async for scene in acting.crashes():
        tab = await acting.tab()
        receipt = await acting.paid_by_prompt(scene, tab)
        refund = await acting.wanted(receipt, 200, f"click-{scene.number:04d}")
        await reversals.send(acting.rt, acting.pushes.daraja, refund.id)
        await scene.serve(acting.simulator.settle)
        await scene.recover()
        # Told and stored, or asked about by the name that Daraja gave the call.
        assert [each.state for each in await acting.refunds_of(receipt.id)] == ["refunded"]
        assert await acting.paid(tab) == 300


async def test_a_question_about_an_unknown_reversal(acting: DirectStage) -> None:
    async for scene in acting.crashes():
        tab = await acting.tab()
        receipt = await acting.paid_by_prompt(scene, tab)
        refund = await acting.wanted(receipt, 200, f"click-{scene.number:04d}")
        acting.lose("reversal")
        await reversals.send(acting.rt, acting.pushes.daraja, refund.id)
        await acting.simulator.advance(601)
        await reversals.work(acting.rt, acting.pushes.daraja)
        assert [each.state for each in await acting.refunds_of(receipt.id)] == ["unknown"]
        await acting.simulator.advance(61)
        await scene.act("work_on_refunds")
        await scene.recover()
        assert [each.state for each in await acting.refunds_of(receipt.id)] == ["refunded"]
        assert await acting.paid(tab) == 300

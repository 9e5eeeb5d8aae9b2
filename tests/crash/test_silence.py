"""A worker dies while it asks, waits or gives up: the next one goes on, and nothing is decided twice."""

import pytest

from kaunta.payments.silence import ask_about_due
from tests.crash.stage import Stage


@pytest.mark.failure(62, 67)
async def test_the_first_question(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "callback_lost")
        await stage.simulator.advance(31)
        await scene.act("ask")
        await scene.recover()
        assert await stage.status(payment) == "completed"
    assert not any(step.inside for step in stage.steps if step.what.startswith("HTTP"))


async def test_the_second_question_which_books_the_money(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "callback_lost")
        await stage.simulator.advance(31)
        assert await ask_about_due(stage.rt, stage.pushes.daraja) == 1
        await stage.simulator.advance(22)
        await scene.act("ask")
        if not scene.crashed:
            assert await stage.status(payment) == "completed"
        await scene.recover()
        assert await stage.paid(tab) == 500


async def test_a_question_of_staff(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "cancelled")
        await stage.simulator.advance(7)
        await scene.act("check", payment=str(payment))
        await scene.recover()
        assert await stage.status(payment) == "cancelled"


@pytest.mark.failure(62)
async def test_giving_up_after_five_minutes(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "late_success")
        await stage.simulator.advance(301)
        await scene.act("time_out")
        if not scene.crashed:
            assert await stage.status(payment) == "timeout"
        await scene.recover()
        assert await stage.status(payment) == "completed"


async def test_a_whole_turn_of_the_worker(stage: Stage) -> None:
    async for scene in stage.crashes():
        stored, silent, lost = [await stage.tab() for _ in range(3)]
        await stage.begin(scene.friend(0), stored)
        told = stage.push()
        await stage.begin(scene.friend(1), silent, "callback_lost")
        unknown = await stage.begin(scene.friend(2), lost, "ack_and_callback_lost")
        await stage.simulator.advance(301)
        await stage.store(told)
        await stage.simulator.advance(21)
        await scene.act("work")
        await scene.recover()
        assert [await stage.paid(tab) for tab in (stored, silent, lost)] == [500, 500, 0]
        assert await stage.status(unknown) == "timeout"

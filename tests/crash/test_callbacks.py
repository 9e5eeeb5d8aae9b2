"""A process dies while Safaricom calls, once: what was answered 200 is applied, what was not is found out by asking."""

import pytest
from pydantic import SecretStr

from kaunta.core.spool import Spooled
from kaunta.payments.silence import time_out_silent
from tests.crash.accounts import token_of
from tests.crash.stage import Stage
from tests.support.relay import relay


@pytest.mark.failure(48, 53, 57)
async def test_a_success_being_heard(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab)
        await scene.serve(stage.simulator.settle)
        await scene.recover()
        assert await stage.status(payment) == "completed"
        assert await stage.paid(tab) == 500


@pytest.mark.failure(53, 57)
async def test_a_success_told_five_times_at_the_same_moment(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "parallel_duplicates")
        await scene.serve(stage.simulator.settle)
        await scene.recover()
        assert await stage.status(payment) == "completed"
        assert await stage.paid(tab) == 500


async def test_a_cancel_being_heard(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "cancelled")
        await scene.serve(stage.simulator.settle)
        await scene.recover()
        assert await stage.status(payment) == "cancelled"


@pytest.mark.failure(52)
async def test_a_late_success_that_closes_the_tab(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "late_success")
        await stage.overdue(tab)
        await stage.simulator.advance(301)
        assert await time_out_silent(stage.rt) == 1
        await scene.serve(stage.simulator.settle)
        await scene.recover()
        assert await stage.status(payment) == "completed"
        # Two questions' word without a receipt books the money; the tab then waits for the receipt or a person.
        proven = await stage.rt.db.fetchval("select receipt is not null from mpesa_transactions where id = $1", payment)
        status = await stage.rt.db.fetchval("select status::text from tabs where id = $1", tab.id)
        assert status == ("closed" if proven else "overdue")


async def test_two_charges_for_one_push(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab, "second_receipt")
        await scene.serve(stage.simulator.settle)
        await scene.recover()
        assert await stage.status(payment) == "completed"


async def test_a_body_that_is_no_callback(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        await stage.begin(scene.phone, tab, "garbage")
        await scene.serve(stage.simulator.settle)
        await scene.recover()
        assert await stage.paid(tab) == 500


@pytest.mark.failure(53)
async def test_a_callback_while_the_database_is_away(stage: Stage, database_url: str) -> None:
    async with relay(database_url) as wire:
        settings = stage.settings.model_copy(update={"database_url": SecretStr(wire.url)})
        async for scene in stage.crashes():
            tab = await stage.tab()
            payment = await stage.begin(scene.phone, tab)

            async def unreachable() -> None:
                wire.cut()
                await stage.simulator.settle()

            await scene.serve(unreachable, settings)
            await wire.mend()
            (answer,) = [attempt.status for message in stage.push().messages for attempt in message.attempts]
            assert answer == (None if scene.crashed else 503)
            await scene.recover()
            assert await stage.status(payment) == "completed"
            row = (await stage.payments_of(tab))[0]
            assert row["receipt"] is not None or scene.crashed
        assert [step.what for step in stage.steps] == ["file fsync", "file rename", "file fsync"]


async def test_the_spool_being_imported(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        payment = await stage.begin(scene.phone, tab)
        await stage.simulator.settle()
        push = stage.push()
        body = push.messages[0].body
        await stage.rt.spool.keep(Spooled(stage.clock.now(), "stk", token_of(push), "127.0.0.1", body))
        await scene.act("import_spool")
        await scene.recover()
        assert await stage.status(payment) == "completed"
        assert (await stage.payments_of(tab))[0]["receipt"] == push.receipt
        assert not await stage.rt.spool.waiting()

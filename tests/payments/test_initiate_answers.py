"""What Safaricom answers to a push, what an answer that never comes means, and what survives a guest who hangs up."""

import asyncio
from dataclasses import replace

import pytest
from pydantic import SecretStr

from kaunta.app import serving
from kaunta.payments import silence
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.states import Status
from kaunta.settings import Settings
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.faults import Fault
from tests.support.bars import SeededBar
from tests.support.relay import relay
from tests.support.safaricom import Safaricom

from .conftest import PHONE, Evening


@pytest.mark.req("PAY-7.1")
@pytest.mark.failure(45)
async def test_what_surely_was_not_sent_has_failed_and_may_be_tried_again_at_once(evening: Evening) -> None:
    await evening.simulator.stop_listening()
    payment = await evening.pay()
    view = await evening.view(payment)
    assert (view.status, view.failure_reason, view.retryable, view.retry_after) == (Status.FAILED, "not_sent", True, 0)
    assert "Nothing was sent to your phone" in view.meaning.guest_en
    await evening.simulator.listen_again()
    again = await evening.pay()
    assert (await evening.view(again)).status is Status.SENT


@pytest.mark.req("PAY-7.1")
async def test_attempts_that_never_left_are_not_held_against_the_payer(evening: Evening) -> None:
    await evening.simulator.stop_listening()
    for _ in range(3):
        await evening.pay()
        await evening.wait(61)
    await evening.simulator.listen_again()
    await evening.pay()


@pytest.mark.req("PAY-7.2")
@pytest.mark.failure(64)
async def test_refused_credentials_fail_the_payment_and_tell_the_owner(evening: Evening) -> None:
    evening.simulator.simulator.faults.add(Fault("oauth", "invalid_authentication", times=None))
    payment = await evening.pay()
    view = await evening.view(payment)
    assert (view.status, view.failure_reason) == (Status.FAILED, "not_sent")
    assert "credentials_refused" in await evening.problems(evening.bar.id)
    assert len(evening.simulator.simulator.pushes) == 0


@pytest.mark.req("PAY-2.5", "PAY-7.1")
@pytest.mark.failure(64)
@pytest.mark.parametrize(
    ("scenario", "klass", "ours"),
    [
        ("rejected", "OUR_FAULT", True),
        ("merchant_unknown", "OUR_FAULT", True),
        ("subscriber_locked", "BUSY_LINE", False),
    ],
)
async def test_a_push_that_safaricom_refuses_has_failed_for_its_reason(
    evening: Evening, scenario: str, klass: str, ours: bool
) -> None:
    payment = await evening.pay(scenario=scenario)
    view = await evening.view(payment)
    assert (view.status, view.failure_reason, view.result_class) == (Status.FAILED, "rejected", klass)
    assert ("push_refused" in await evening.problems(evening.bar.id)) is ours


@pytest.mark.failure(45, 46)
@pytest.mark.parametrize("scenario", ["ack_lost", "ack_html", "ack_empty"])
async def test_no_answer_leaves_the_payment_pending_and_the_push_is_never_repeated(
    evening: Evening, scenario: str
) -> None:
    payment = await evening.pay(scenario=scenario)
    assert (await evening.view(payment)).status is Status.PENDING
    assert await evening.events(payment) == ["created", "no_answer"]
    await evening.live_on(30)
    assert len(evening.simulator.simulator.pushes) == 1
    await evening.settle()
    assert (await evening.view(payment)).status is Status.COMPLETED
    assert (await evening.tab()).paid == 500


@pytest.mark.req("PAY-6.4")
@pytest.mark.failure(67)
async def test_a_push_without_answer_and_callback_becomes_unknown_and_not_failed(evening: Evening) -> None:
    payment = await evening.pay(scenario="ack_and_callback_lost")
    await evening.live_on(290, step=58)
    assert (await evening.view(payment)).status is Status.PENDING
    await evening.live_on(60, step=30)
    view = await evening.view(payment)
    assert (view.status, view.stage, view.failure_reason) == (Status.TIMEOUT, "unknown", None)
    assert "unknown_payment" in await evening.problems(payment)


@pytest.mark.failure(46, 62)
async def test_an_answer_after_the_timeout_stores_its_ids_and_is_asked_about_at_once(evening: Evening) -> None:
    started = await evening.start(scenario=replace(CATALOGUE["paid"], answer_after=320, delay=400))
    await evening.rung()
    await evening.simulator.advance(310)
    await silence.time_out_silent(evening.rt)
    assert (await evening.view(started.transaction_id)).status is Status.TIMEOUT
    await evening.simulator.advance(20)
    await started.answered()
    row = await evening.row(started.transaction_id)
    assert row["status"] == "timeout"
    assert row["checkout_request_id_hash"] is not None
    assert row["next_check_at"] == evening.clock.now()
    await evening.settle()
    view = await evening.view(started.transaction_id)
    assert (view.status, view.irregularities) == (Status.COMPLETED, ("late",))


@pytest.mark.failure(46)
async def test_a_callback_that_overtakes_its_answer_is_believed_and_the_answer_changes_nothing(
    evening: Evening,
) -> None:
    payment = await evening.pay(scenario="callback_first")
    await evening.settle()
    view, row = await evening.view(payment), await evening.row(payment)
    assert (view.status, view.irregularities) == (Status.COMPLETED, ())
    assert row["merchant_request_id"] == evening.push().merchant_id
    assert (await evening.tab()).paid == 500


# Guests who hang up, processes that stop, a database that goes away


@pytest.mark.failure(46, 99)
@pytest.mark.parametrize("moment", [0, 1, 2, 3, 5, 8, 13])
async def test_a_guest_who_hangs_up_leaves_a_payment_that_is_recorded_and_answered(
    evening: Evening, moment: int
) -> None:
    request = asyncio.create_task(evening.pay())
    for _ in range(moment):
        await asyncio.sleep(0)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await evening.pushes.drain()
    rows = await evening.rt.db.fetch("select status::text from mpesa_transactions")
    rang = len(evening.simulator.simulator.pushes)
    # Either nothing was begun, or the push went out once and its answer is on record.
    assert [row["status"] for row in rows] == ["sent"] * rang
    assert rang == (moment > 0)


async def test_a_shutdown_waits_for_the_answers_of_pushes_under_way(
    settings: Settings, bar: SeededBar, simulator: Safaricom, evening: Evening
) -> None:
    simulator.simulator.queue_scenario("slow_answer")
    leaving = asyncio.Event()

    async def process() -> None:
        async with serving(settings, worker=False, clock=evening.clock) as app:
            await initiate(app.state.runtime, app.state.pushes, Intent(bar.tab.ref, PHONE, 500))
            leaving.set()

    stopping = asyncio.create_task(process())
    await leaving.wait()
    await evening.rung()
    assert not stopping.done()
    await simulator.advance(25)
    await stopping
    assert await evening.rt.db.fetchval("select status::text from mpesa_transactions") == "sent"


@pytest.mark.failure(46)
@pytest.mark.parametrize("how", ["the way there is cut", "its sessions are ended"])
async def test_an_answer_that_meets_a_database_that_is_away_is_recorded_when_it_is_back(
    evening: Evening, settings: Settings, database_url: str, how: str
) -> None:
    """A process of its own takes the payment; its database is away just when Safaricom answers."""
    evening.simulator.simulator.queue_scenario("slow_answer")
    async with relay(database_url) as wire:
        there = SecretStr(wire.url)
        process = settings.model_copy(update={"database_url": there, "database_direct_url": there})
        async with serving(process, worker=False, clock=evening.clock) as app:
            started = await initiate(app.state.runtime, app.state.pushes, Intent(evening.bar.tab.ref, PHONE, 500))
            await evening.rung()
            if how == "the way there is cut":
                wire.cut()
            else:
                await evening.rt.db.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and pid <> pg_backend_pid()"
                )
            await evening.simulator.advance(25)
            assert started.push is not None
            if how == "the way there is cut":
                # The answer is back by now, and its recording comes to nothing for a while.
                await asyncio.wait({started.push}, timeout=0.3)
                assert not started.push.done()
                await wire.mend()
            await started.answered()
    row = await evening.row(started.transaction_id)
    assert row["status"] == "sent"
    assert row["checkout_request_id_hash"] is not None
    assert len(evening.simulator.simulator.pushes) == 1

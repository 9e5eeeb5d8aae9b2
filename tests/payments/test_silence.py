"""Payments nobody answered for: when Daraja is asked, how often, and what silence makes of them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from kaunta.core.db import transaction
from kaunta.payments import silence
from kaunta.payments.queries import silence as queries
from kaunta.payments.states import Status
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.faults import Fault
from tests.support.bars import SeededBar

from .conftest import FRIENDS, Evening

STUCK = CATALOGUE["stuck"]


@pytest.mark.failure(62, 67)
async def test_daraja_is_asked_at_the_moments_of_the_schedule_and_then_no_more(evening: Evening) -> None:
    payment = await evening.pay(scenario=STUCK)
    asked_at, passed = [], 0
    for moment in sorted({*silence.SCHEDULE, *(slot - 1 for slot in silence.SCHEDULE), 90_000, 200_000}):
        await evening.wait(moment - passed)
        passed = moment
        before = await evening.queries()
        await silence.ask_about_due(evening.rt, evening.pushes.daraja)
        await silence.time_out_silent(evening.rt)
        asked_at += [moment] * (await evening.queries() - before)
    assert asked_at == list(silence.SCHEDULE)
    row = await evening.row(payment)
    assert (row["next_check_at"], row["checks"], row["status"]) == (None, len(silence.SCHEDULE), "timeout")


@pytest.mark.req("PAY-6.4")
@pytest.mark.failure(62)
async def test_silence_is_counted_from_the_acknowledgement(evening: Evening) -> None:
    started = await evening.start(scenario=replace(STUCK, answer_after=25))
    await evening.rung()
    await evening.simulator.advance(25)
    await started.answered()
    await evening.wait(290)
    assert await silence.time_out_silent(evening.rt) == 0
    await evening.wait(10)
    assert await silence.time_out_silent(evening.rt) == 1
    assert (await evening.view(started.transaction_id)).status is Status.TIMEOUT
    assert await silence.time_out_silent(evening.rt) == 0


@pytest.mark.req("PAY-7.3")
@pytest.mark.failure(67)
async def test_the_question_comes_before_the_timeout(evening: Evening) -> None:
    payment = await evening.pay(scenario="callback_lost")
    await evening.wait(400)
    await evening.work()
    await evening.wait(21)
    await evening.work()
    view = await evening.view(payment)
    assert (view.status, "late" in view.irregularities) == (Status.COMPLETED, True)
    assert await evening.events(payment) == ["created", "changed", "learnt", "changed", "changed"]


@pytest.mark.req("PAY-7.1")
async def test_a_payment_that_timed_out_while_safaricom_was_away_is_settled_when_it_is_back(evening: Evening) -> None:
    payment = await evening.pay(scenario="callback_lost")
    await evening.wait(10)
    await evening.simulator.stop_listening()
    await evening.live_on(310, step=31)
    assert (await evening.view(payment)).status is Status.TIMEOUT
    await evening.simulator.listen_again()
    await evening.live_on(360, step=40)
    view = await evening.view(payment)
    assert (view.status, view.irregularities) == (Status.COMPLETED, ("late", "no_receipt"))


@pytest.mark.failure(65)
@pytest.mark.parametrize("reply", ["processing", "no_message", "unknown_transaction", "html_5xx", "empty_5xx", "reset"])
async def test_an_answer_that_says_nothing_ends_nothing(evening: Evening, reply: str) -> None:
    payment = await evening.pay(scenario=STUCK)
    evening.simulator.simulator.faults.add(Fault("query", reply, times=None))
    await evening.live_on(150, step=30)
    view = await evening.view(payment)
    assert (view.status, view.failure_reason, view.result_code) == (Status.SENT, None, None)


@pytest.mark.failure(32, 49)
async def test_a_payment_is_asked_about_with_the_credentials_it_was_pushed_with(evening: Evening) -> None:
    payment = await evening.pay(scenario="callback_lost")
    await evening.rt.db.execute("update mpesa_credentials set version = 2, business_shortcode = '600000'")
    await evening.wait(31)
    await evening.work()
    assert (await evening.row(payment))["query_success_at"] is not None


async def test_credentials_that_no_longer_open_hold_up_nobody_else(evening: Evening, other_bar: SeededBar) -> None:
    ours = await evening.pay(scenario="callback_lost")
    theirs = await evening.pay(tab=other_bar.tab, phone=FRIENDS[1], scenario="callback_lost")
    await evening.rt.db.execute(
        "update mpesa_credential_versions set passkey_enc = '\\x00' where bar_id = $1", evening.bar.id
    )
    await evening.live_on(60)
    assert (await evening.view(ours)).status is Status.SENT
    assert (await evening.view(theirs)).status is Status.COMPLETED
    assert "credentials_unreadable" in await evening.problems(evening.bar.id)


# The budget (rulings 12)


@pytest.fixture
def tight(evening: Evening) -> Evening:
    """An evening with five questions a minute."""
    settings = evening.rt.settings.model_copy(update={"queries_per_minute": 5.0})
    evening.rt = replace(evening.rt, settings=settings)
    return evening


@pytest.mark.failure(43)
async def test_a_credential_asks_no_more_than_its_budget_and_first_questions_go_first(tight: Evening) -> None:
    payments = []
    for number in range(8):
        payments.append(await tight.pay(100, phone=FRIENDS[number], scenario=STUCK))
    await tight.wait(31)
    assert await silence.ask_about_due(tight.rt, tight.pushes.daraja) == 5
    assert await silence.ask_about_due(tight.rt, tight.pushes.daraja) == 0
    asked = [await tight.row(payment) for payment in payments]
    assert sorted(row["checks"] for row in asked) == [0, 0, 0, 1, 1, 1, 1, 1]
    # A minute later everybody is due again; those never asked about come first.
    await tight.wait(60)
    assert await silence.ask_about_due(tight.rt, tight.pushes.daraja) == 5
    asked = [await tight.row(payment) for payment in payments]
    assert all(row["checks"] >= 1 for row in asked)


async def test_each_credential_has_a_budget_of_its_own(tight: Evening, other_bar: SeededBar) -> None:
    for number in range(5):
        await tight.pay(100, phone=FRIENDS[number], scenario=STUCK)
    await tight.pay(100, phone=FRIENDS[6], tab=other_bar.tab, scenario=STUCK)
    await tight.wait(31)
    assert await silence.ask_about_due(tight.rt, tight.pushes.daraja) == 6


async def test_too_many_makes_us_ask_less_and_time_widens_it_again(tight: Evening) -> None:
    await tight.pay(100, scenario=STUCK)
    tight.simulator.simulator.faults.add(Fault("query", "spike_arrest_fault"))
    await tight.wait(31)
    await tight.work()
    narrowed = await tight.rt.db.fetchrow("select tokens, per_minute from daraja_budgets")
    assert narrowed is not None
    assert (narrowed["tokens"], narrowed["per_minute"]) == (0, 2.5)
    await tight.live_on(620, step=31)
    assert await tight.rt.db.fetchval("select per_minute from daraja_budgets") == pytest.approx(5)


@pytest.mark.failure(62)
async def test_a_worker_that_dies_while_asking_costs_one_question(evening: Evening) -> None:
    payment = await evening.pay(scenario="callback_lost")
    await evening.wait(31)
    # It claimed the payment, and was never heard of again.
    async with transaction(evening.rt.db) as db:
        due = await queries.claim_due(db, evening.clock.now(), 10)
        assert [one.id for one in due] == [payment]
        await queries.schedule(db, payment, silence.next_slot(evening.rt, due[0].waiting_since), asked=True)
    await evening.live_on(60)
    assert (await evening.view(payment)).status is Status.COMPLETED


async def test_two_workers_never_ask_about_the_same_payment(evening: Evening) -> None:
    for number in range(6):
        await evening.pay(100, phone=FRIENDS[number], scenario=STUCK)
    await evening.wait(31)
    asked = await asyncio.gather(*(silence.ask_about_due(evening.rt, evening.pushes.daraja) for _ in range(4)))
    assert (sum(asked), await evening.queries()) == (6, 6)


async def test_what_daraja_was_asked_and_said_is_kept_without_secrets(evening: Evening) -> None:
    payment = await evening.pay(scenario="callback_lost")
    await evening.live_on(60)
    rows = await evening.rt.db.fetch("select kind, outcome, http_status from daraja_exchanges order by id")
    assert [(row["kind"], row["outcome"], row["http_status"]) for row in rows] == [
        ("oauth", "granted", 200),
        ("stk_push", "accepted", 200),
        ("stk_query", "result", 200),
        ("stk_query", "result", 200),
    ]
    assert (await evening.row(payment))["checks"] == 2
    assert timedelta(0) < (await evening.row(payment))["settled_at"] - (await evening.row(payment))["sent_at"]

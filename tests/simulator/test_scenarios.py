"""What becomes of a push, scenario by scenario, in exact order and without waiting."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import aiohttp
import pytest

from kaunta.simulator.catalogue import ALIASES, CATALOGUE, SANDBOX_PHONE, TEST_PHONES, duplicate_parallel
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.replies import REPLIES, Form
from kaunta.simulator.scenarios import UnknownScenario
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.testing import running_simulator

from .merchant import Merchant, Sample, Till

TAKEN = [name for name, each in CATALOGUE.items() if each.accepts and each.answer == "ack" and not each.answer_after]
REFUSED = [name for name, each in CATALOGUE.items() if not each.accepts]


@pytest.fixture
def results(merchant: Merchant) -> Callable[[], list[int | str]]:
    return lambda: [each.told["ResultCode"] for each in merchant.received]


@pytest.mark.parametrize("name", TAKEN)
async def test_money_moves_exactly_when_the_outcome_is_success(till: Till, simulator: Simulator, name: str) -> None:
    simulator.queue_scenario(name)
    checkout_id = await till.pushed()
    await simulator.settle()
    push = simulator.pushes[checkout_id]
    assert push.result == (CATALOGUE[name].result or "1037")
    paid = [payment.checkout_id for payment in simulator.ledger]
    assert paid == [checkout_id] * {"second_receipt": 2}.get(name, push.result == "0")


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refusal_is_answered_at_once_and_nothing_happens(
    till: Till, simulator: Simulator, merchant: Merchant, name: str
) -> None:
    scenario = simulator.queue_scenario(name)
    reply = REPLIES[scenario.answer]
    if reply.form is Form.HANG:
        pushing = asyncio.create_task(till.push())
        while not simulator.agenda.errands:
            await asyncio.sleep(0.001)
        await simulator.settle()
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await pushing
    elif reply.form is Form.RESET:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await till.push()
    else:
        answer = await till.push()
        assert answer.status == reply.status
        match reply.form:
            case Form.ERROR:
                assert (answer.json["errorCode"], answer.json["errorMessage"]) == (reply.code, reply.text)
            case Form.FAULT:
                assert list(answer.json) == ["fault"]
            case Form.HTML:
                assert answer.media == "text/html"
            case _:
                assert answer.body == b""
    await simulator.settle()
    assert not simulator.pushes
    assert not merchant.received


async def test_published_refusals_are_all_there(sample: Sample) -> None:
    ours = {(reply.status, reply.code, reply.text) for reply in REPLIES.values()}
    for published in sample("stk_sync_errors"):
        body = published["body"]
        if isinstance(body, dict) and "errorCode" in body:
            assert (published["http"], body["errorCode"], body["errorMessage"]) in ours


async def test_the_gateways_429_has_its_own_shape(till: Till, simulator: Simulator, sample: Sample) -> None:
    simulator.queue_scenario("spike_arrest_fault")
    answer = await till.push()
    published = next(each for each in sample("stk_sync_errors") if each["http"] == 429)
    assert (answer.status, answer.json) == (429, published["body"])


async def test_a_lost_callback_leaves_the_query_to_tell(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    simulator.queue_scenario("callback_lost")
    checkout_id = await till.pushed()
    assert (await till.query(checkout_id)).json["ResultCode"] == "4999"
    await simulator.settle()
    assert (await till.query(checkout_id)).json["ResultCode"] == "0"
    assert not merchant.received
    assert len(simulator.ledger) == 1


async def test_a_callback_told_twice_is_the_same_both_times(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    simulator.queue_scenario("callback_twice")
    await till.push()
    await simulator.settle()
    first, second = merchant.received
    assert first.body == second.body


async def test_parallel_duplicates_all_arrive(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    simulator.queue_scenario(duplicate_parallel(8))
    await till.push()
    await simulator.settle()
    assert len(merchant.received) == 8
    assert len({each.body for each in merchant.received}) == 1


async def test_the_callback_can_come_before_the_acknowledgement(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    simulator.queue_scenario("callback_first")
    answer = await till.push()
    assert merchant.received[0].told["CheckoutRequestID"] == answer.json["CheckoutRequestID"]


async def test_a_late_success_is_pending_for_more_than_five_minutes(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    simulator.queue_scenario("late_success")
    checkout_id = await till.pushed()
    await simulator.advance(320)
    assert not merchant.received
    assert (await till.query(checkout_id)).json["ResultCode"] == "4999"
    assert not simulator.pushes[checkout_id].ringing
    await simulator.advance(10)
    assert merchant.received[0].told["ResultCode"] == 0


@pytest.mark.parametrize("name", ["ack_lost", "ack_hangs"])
async def test_a_lost_acknowledgement_is_followed_by_the_callback(
    till: Till, simulator: Simulator, merchant: Merchant, name: str
) -> None:
    simulator.queue_scenario(name)
    pushing = asyncio.create_task(till.push())
    while not simulator.pushes:
        await asyncio.sleep(0.001)
    await simulator.advance(30)
    assert merchant.received[0].told["ResultCode"] == 0
    await simulator.settle()
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await pushing


async def test_a_hanging_answer_ends_when_the_caller_gives_up(till: Till, simulator: Simulator) -> None:
    simulator.queue_scenario("ack_hangs")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await till.push()
    await simulator.settle()
    assert len(simulator.ledger) == 1


@pytest.mark.parametrize(("name", "status"), [("ack_html", 502), ("ack_empty", 500)])
async def test_an_error_page_does_not_mean_that_nothing_was_sent(
    till: Till, simulator: Simulator, merchant: Merchant, name: str, status: int
) -> None:
    simulator.queue_scenario(name)
    assert (await till.push()).status == status
    await simulator.settle()
    assert merchant.received[0].told["ResultCode"] == 0


async def test_a_slow_answer_comes_when_its_time_has_come(till: Till, simulator: Simulator) -> None:
    simulator.queue_scenario("slow_answer")
    pushing = asyncio.create_task(till.push())
    while not simulator.pushes:
        await asyncio.sleep(0.001)
    await simulator.advance(19)
    assert not pushing.done()
    await simulator.advance(1)
    assert (await pushing).status == 200


async def test_contradictions_come_in_the_order_of_their_names(
    till: Till, simulator: Simulator, results: Callable[[], list[int | str]]
) -> None:
    simulator.queue_scenario("failure_after_success")
    simulator.queue_scenario("success_after_failure")
    await till.push()
    await simulator.settle()
    assert results() == [0, 1037]
    await till.push()
    await simulator.settle()
    assert results() == [0, 1037, 1037, 0]


async def test_a_second_receipt_is_a_second_charge(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    simulator.queue_scenario("second_receipt")
    await till.push()
    await simulator.settle()
    told = [each.items["MpesaReceiptNumber"] for each in merchant.received]
    assert told == [payment.receipt for payment in simulator.ledger]
    assert len(set(told)) == 2


async def test_another_amount_is_what_was_really_taken(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    simulator.queue_scenario("amount_differs", times=2)
    await till.push(Amount=1450)
    await till.push(Amount=4)
    await simulator.settle()
    assert [payment.amount for payment in simulator.ledger] == [1440, 14]
    assert [each.items["Amount"] for each in merchant.received] == [1440, 14]


@pytest.mark.parametrize("options", [SimulatorOptions(callback_retries=2, callback_retry_after=60)], indirect=True)
async def test_retries_when_configured_stop_at_the_first_success(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    merchant.status = 503
    await till.push()
    await simulator.advance(4)
    assert len(merchant.received) == 1
    merchant.status = 200
    await simulator.advance(60)
    await simulator.settle()
    assert len(merchant.received) == 2
    assert simulator.clock.now() == simulator.pushes[next(iter(simulator.pushes))].messages[0].attempts[-1].at


async def test_a_merchant_who_is_away_is_recorded(till: Till, simulator: Simulator) -> None:
    checkout_id = await till.pushed(CallBackURL="http://127.0.0.1:1/cb")
    await simulator.settle()
    (attempt,) = simulator.pushes[checkout_id].messages[0].attempts
    assert (attempt.status, attempt.problem) == (None, "refused")


async def test_queued_comes_before_phone_before_automatic(
    till: Till, simulator: Simulator, results: Callable[[], list[int | str]]
) -> None:
    cancelling = next(phone for phone, name in TEST_PHONES.items() if name == "cancelled")
    simulator.queue_scenario("wrong_pin", phone=cancelling)
    for phone in (SANDBOX_PHONE, cancelling, cancelling):
        await till.push(PhoneNumber=phone)
        await simulator.settle()
    assert results() == [0, 2001, 1032]


async def test_a_queue_for_one_phone_waits_for_it(
    till: Till, simulator: Simulator, results: Callable[[], list[int | str]]
) -> None:
    simulator.queue_scenario("no_funds", phone="254711040499", times=2)
    for phone in ("254700000000", "254711040499", "254711040499", "254711040499"):
        await till.push(PhoneNumber=phone)
        await simulator.settle()
    assert results() == [0, 1, 1, 0]


@pytest.mark.parametrize("options", [SimulatorOptions(auto="cancel", delay=11)], indirect=True)
async def test_the_automatic_outcome_and_its_delay_can_be_chosen(
    till: Till, simulator: Simulator, results: Callable[[], list[int | str]]
) -> None:
    await till.push()
    await simulator.advance(10.9)
    assert results() == []
    await simulator.advance(0.1)
    assert results() == [1032]


def test_every_alias_and_test_phone_names_a_scenario() -> None:
    assert set(ALIASES.values()) | set(TEST_PHONES.values()) <= set(CATALOGUE)
    assert len(TEST_PHONES) == len(set(TEST_PHONES.values()))


def test_a_scenario_is_data_and_composes(simulator: Simulator) -> None:
    slow = replace(CATALOGUE["cancelled"], delay=90, callbacks=())
    assert simulator.queue_scenario(slow) is slow
    with pytest.raises(UnknownScenario, match="paid"):
        simulator.queue_scenario("payed")


async def test_live_time_runs_by_the_factor(merchant: Merchant) -> None:
    async with (
        running_simulator(SimulatorOptions(clock_factor=200)) as running,
        aiohttp.ClientSession() as session,
    ):
        till = Till(session, running.url, merchant.url)
        await till.sign_in()
        await till.push()
        async with asyncio.timeout(30):
            await merchant.arrived.wait()
    assert merchant.received[0].told["ResultCode"] == 0


async def test_settling_works_in_live_time_too(merchant: Merchant) -> None:
    async with running_simulator() as running, aiohttp.ClientSession() as session:
        till = Till(session, running.url, merchant.url)
        await till.sign_in()
        first, second = await till.pushed(), await till.pushed()
        await running.simulator.settle(second)
        assert [each.told["CheckoutRequestID"] for each in merchant.received] == [second]
        await running.simulator.settle()
        assert [each.told["CheckoutRequestID"] for each in merchant.received] == [second, first]


@pytest.mark.parametrize("options", [SimulatorOptions(keep=3)], indirect=True)
async def test_the_oldest_pushes_are_forgotten(till: Till, simulator: Simulator) -> None:
    pushed = [await till.pushed() for _ in range(5)]
    await simulator.settle()
    assert list(simulator.pushes) == pushed[-3:]
    assert len(simulator.ledger) == 3

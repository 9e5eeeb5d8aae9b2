"""STK query: what it says of a push, and when."""

from dataclasses import replace

import pytest

from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.scenarios import Query
from kaunta.simulator.simulator import Simulator

from .merchant import QUERY, Merchant, Sample, Till


async def test_a_result_is_told_as_published(till: Till, simulator: Simulator, sample: Sample) -> None:
    simulator.queue_scenario("cancelled")
    checkout_id = await till.pushed()
    await simulator.settle()
    answer = await till.query(checkout_id)
    published = sample("stk_query_1032_real_2019")
    assert answer.status == 200
    assert list(answer.json) == list(published)
    assert answer.json["ResponseDescription"] == published["ResponseDescription"]
    assert "successsfully" in answer.json["ResponseDescription"]
    assert answer.json["ResultCode"] == "1032"
    assert answer.json["MerchantRequestID"] == simulator.pushes[checkout_id].merchant_id


async def test_a_success_tells_neither_receipt_nor_amount(till: Till, simulator: Simulator, sample: Sample) -> None:
    checkout_id = await till.pushed()
    await simulator.settle()
    answer = await till.query(checkout_id)
    published = sample("stk_query_success")
    assert sorted(answer.json) == sorted(published)
    assert answer.json["ResultDesc"] == published["ResultDesc"]
    assert simulator.ledger[0].receipt.encode() not in answer.body


@pytest.mark.parametrize(("pending", "row"), [("processing", 0), ("4999", 1)])
async def test_pending_comes_in_both_published_shapes(
    till: Till, simulator: Simulator, sample: Sample, pending: str, row: int
) -> None:
    simulator.queue_scenario(replace(CATALOGUE["paid"], query=Query(pending=pending)))
    checkout_id = await till.pushed()
    answer = await till.query(checkout_id)
    published = sample("stk_query_pending_and_errors")[row]
    assert answer.status == published["http"]
    assert list(answer.json) == list(published["body"])
    same = ("ResponseCode", "ResultCode", "ResultDesc", "errorCode", "errorMessage")
    assert {n: v for n, v in answer.json.items() if n in same} == {
        n: v for n, v in published["body"].items() if n in same
    }


async def test_the_words_of_1037_differ_from_the_callbacks(
    till: Till, simulator: Simulator, merchant: Merchant, sample: Sample
) -> None:
    simulator.queue_scenario("ignored")
    checkout_id = await till.pushed()
    await simulator.settle()
    said = (await till.query(checkout_id)).json["ResultDesc"]
    assert said == sample("stk_query_pending_and_errors")[2]["body"]["ResultDesc"]
    assert merchant.received[0].told["ResultDesc"] == "No response from user."


async def test_a_query_can_be_ahead_of_the_callback(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    simulator.queue_scenario("callback_slow")
    checkout_id = await till.pushed()
    await simulator.advance(10)
    assert (await till.query(checkout_id)).json["ResultCode"] == "0"
    assert not merchant.received


async def test_an_unknown_id_and_a_malformed_one_are_told_apart(till: Till, sample: Sample) -> None:
    unknown = await till.query("ws_CO_20112026203000000708374149")
    malformed = await till.query("12345")
    published = sample("stk_query_pending_and_errors")
    for answer, row in ((unknown, published[4]), (malformed, published[5])):
        assert answer.status == row["http"]
        assert answer.json | {"requestId": "…"} == row["body"]


async def test_a_query_signed_for_another_request_is_refused(till: Till) -> None:
    body = till.signed() | {"CheckoutRequestID": await till.pushed(), "Timestamp": "20261120203001"}
    assert (await till.post(QUERY, body)).json["errorMessage"] == "Wrong credentials"
    body = till.signed() | {"CheckoutRequestID": await till.pushed(), "BusinessShortCode": ""}
    assert (await till.post(QUERY, body)).json["errorMessage"] == "Bad Request - Invalid BusinessShortCode"


async def test_first_answers_come_whatever_is_true(till: Till, simulator: Simulator) -> None:
    simulator.queue_scenario("query_flaky")
    checkout_id = await till.pushed()
    await simulator.settle()
    statuses = [(await till.query(checkout_id)).status for _ in range(6)]
    assert statuses == [200, 500, 503, 500, 429, 200]
    assert (await till.query(checkout_id)).json["ResultCode"] == "0"


@pytest.mark.parametrize(
    ("name", "callback", "query"), [("query_disagrees", 0, "1032"), ("query_says_paid", 1032, "0")]
)
async def test_query_and_callback_can_disagree(
    till: Till, simulator: Simulator, merchant: Merchant, name: str, callback: int, query: str
) -> None:
    simulator.queue_scenario(name)
    checkout_id = await till.pushed()
    await simulator.settle()
    assert merchant.received[0].told["ResultCode"] == callback
    assert (await till.query(checkout_id)).json["ResultCode"] == query
    assert len(simulator.ledger) == (callback == 0)


async def test_a_stuck_push_is_pending_for_ever(till: Till, simulator: Simulator) -> None:
    simulator.queue_scenario("stuck")
    checkout_id = await till.pushed()
    await simulator.advance(3600 - 1)
    assert (await till.query(checkout_id)).json["ResultCode"] == "4999"


@pytest.mark.parametrize("options", [SimulatorOptions(queries_per_minute=5)], indirect=True)
async def test_the_sixth_query_of_a_minute_is_arrested(till: Till, simulator: Simulator) -> None:
    checkout_id = await till.pushed()
    statuses = [(await till.query(checkout_id)).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    await simulator.advance(60)
    assert (await till.query(checkout_id)).status == 200

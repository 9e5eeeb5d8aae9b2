"""The control interface, as another program uses it."""

import asyncio
from typing import Any

import aiohttp
import pytest

from kaunta.simulator.app import create_simulator
from kaunta.simulator.faults import Fault
from kaunta.simulator.options import RefusedInProduction, SimulatorOptions
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.testing import RunningSimulator

from .merchant import TOKEN, Merchant, Till


async def test_a_scenario_can_be_queued_with_changes(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    body = {
        "scenario": "cancelled",
        "phone": "254708374149",
        "times": 2,
        "overrides": {"delay": 1, "result": 2001, "callbacks": [{"after": 2, "copies": 2}], "query": {"final": "1"}},
    }
    queued = await till.ask("POST", "/_sim/scenarios", json=body)
    assert (queued.status, queued.json) == (201, {"queued": "cancelled", "phone": "254708374149", "times": 2})
    checkout_id = await till.pushed()
    await simulator.advance(3)
    assert [each.told["ResultCode"] for each in merchant.received] == [2001, 2001]
    assert (await till.query(checkout_id)).json["ResultCode"] == "1"


async def test_the_catalogue_and_the_queue_can_be_read_and_cleared(till: Till) -> None:
    await till.ask("POST", "/_sim/scenarios", json={"scenario": "no_funds"})
    listed = (await till.ask("GET", "/_sim/scenarios")).json
    assert listed["queued"] == [{"scenario": "no_funds", "phone": None, "times": 1}]
    assert listed["phones"]["254711040401"] == "no_funds"
    assert {"paid", "cancelled", "late_success", "ack_lost"} <= set(listed["scenarios"])
    assert (await till.ask("DELETE", "/_sim/scenarios")).status == 204
    assert (await till.ask("GET", "/_sim/scenarios")).json["queued"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scenario": "payed"},
        {"scenario": "paid", "phone": "0711"},
        {"scenario": "paid", "times": 0},
        {"scenario": "paid", "overrides": {"colour": "red"}},
        {"scenario": "paid", "overrides": {"delay": "soon"}},
        {"scenario": "paid", "overrides": {"callbacks": [{"body": "purple"}]}},
        {"scenario": "paid", "overrides": {"callbacks": 3}},
        {"scenario": "paid", "overrides": {"query": {"when": 1}}},
        [],
    ],
)
async def test_a_scenario_that_makes_no_sense_is_refused(till: Till, body: Any) -> None:
    refused = await till.ask("POST", "/_sim/scenarios", json=body)
    assert refused.status == 400
    assert refused.json["error"]


@pytest.mark.parametrize("options", [SimulatorOptions(auto="person")], indirect=True)
@pytest.mark.parametrize(("result", "told"), [(0, 0), (1032, 1032), ("SFC_IC0003", "SFC_IC0003")])
async def test_a_prompt_is_answered_once(
    till: Till, simulator: Simulator, merchant: Merchant, result: int | str, told: int | str
) -> None:
    checkout_id = await till.pushed()
    (waiting,) = (await till.ask("GET", "/_sim/pushes")).json["pushes"]
    assert (waiting["CheckoutRequestID"], waiting["ringing"], waiting["result"]) == (checkout_id, True, None)
    answered = await till.ask("POST", f"/_sim/pushes/{checkout_id}/answer", json={"result": result})
    assert (answered.status, answered.json["result"]) == (200, str(result))
    await simulator.settle()
    assert [each.told["ResultCode"] for each in merchant.received] == [told]
    again = await till.ask("POST", f"/_sim/pushes/{checkout_id}/answer", json={"result": 0})
    assert again.status == 409


@pytest.mark.parametrize("options", [SimulatorOptions(auto="person")], indirect=True)
async def test_a_prompt_nobody_answers_lapses_after_a_minute(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    checkout_id = await till.pushed()
    await simulator.advance(59)
    assert not merchant.received
    await simulator.advance(1)
    assert merchant.received[0].told["ResultCode"] == 1037
    assert not simulator.pushes[checkout_id].ringing


async def test_a_person_may_be_quicker_than_the_scenario(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    simulator.queue_scenario("ignored")
    checkout_id = await till.pushed()
    simulator.answer(checkout_id, 0)
    await simulator.settle()
    assert [each.told["ResultCode"] for each in merchant.received] == [0]


async def test_a_push_shows_its_callbacks_and_one_can_be_sent_again(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    checkout_id = await till.pushed()
    await simulator.settle()
    shown = (await till.ask("GET", f"/_sim/pushes/{checkout_id}")).json
    (callback,) = shown["callbacks"]
    assert callback["attempts"][0]["status"] == 200
    again = await till.ask("POST", f"/_sim/callbacks/{callback['id']}/resend")
    assert again.json["status"] == 200
    first, second = merchant.received
    assert first.body == second.body


async def test_the_ledger_is_the_truth(till: Till, simulator: Simulator) -> None:
    checkout_id = await till.pushed(Amount=300)
    await simulator.settle()
    body = {"till": "600222", "phone": "254711040411", "amount": 250}
    direct = await till.ask("POST", "/_sim/pay-till", json=body)
    assert direct.status == 201
    pushed, paid = (await till.ask("GET", "/_sim/ledger")).json["payments"]
    assert (pushed["kind"], pushed["amount"], pushed["CheckoutRequestID"]) == ("stk", 300, checkout_id)
    assert (paid["kind"], paid["amount"], paid["CheckoutRequestID"]) == ("till", 250, None)
    assert paid["receipt"] == direct.json["receipt"] != pushed["receipt"]


@pytest.mark.parametrize("path", ["/_sim/pushes/ws_CO_1", "/_sim/nothing"])
async def test_what_is_not_there_is_404(till: Till, path: str) -> None:
    assert (await till.ask("GET", path)).status == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_sim/pushes/ws_CO_1/answer", {"result": 0}),
        ("/_sim/callbacks/ws_CO_1.1/resend", {}),
    ],
)
async def test_an_unknown_push_cannot_be_answered(till: Till, path: str, body: object) -> None:
    assert (await till.ask("POST", path, json=body)).status == 404


async def test_a_fault_applies_its_times_to_its_api(till: Till) -> None:
    await till.ask("POST", "/_sim/faults", json={"api": "push", "reply": "html_5xx", "times": 2})
    statuses = [(await till.push()).status for _ in range(3)]
    assert statuses == [503, 503, 200]


async def test_a_fault_of_one_api_leaves_the_others(till: Till, simulator: Simulator) -> None:
    checkout_id = await till.pushed()
    simulator.faults.add(Fault("query", "busy", times=None))
    simulator.faults.add(Fault("oauth", "empty_400"))
    assert (await till.query(checkout_id)).json["errorCode"] == "500.003.02"
    assert (await till.ask("GET", TOKEN)).body == b""
    assert (await till.push()).status == 200
    listed = (await till.ask("GET", "/_sim/faults")).json["faults"]
    assert listed == [{"api": "query", "reply": "busy", "times": None, "latency": 0.0}]
    await till.ask("DELETE", "/_sim/faults")
    assert (await till.query(checkout_id)).json["ResultCode"] == "4999"


async def test_latency_is_waited_out(till: Till, simulator: Simulator) -> None:
    await till.ask("POST", "/_sim/faults", json={"api": "push", "latency": 25})
    pushing = asyncio.create_task(till.push())
    while not simulator.agenda.errands:
        await asyncio.sleep(0.001)
    assert not simulator.pushes
    await simulator.advance(25)
    assert (await pushing).status == 200


async def test_tokens_can_be_expired_early(till: Till) -> None:
    await till.ask("POST", "/_sim/faults", json={"reply": "expire_tokens"})
    assert (await till.push()).json["errorCode"] == "404.001.03"


@pytest.mark.parametrize("body", [{"reply": "nonsense"}, {"api": "moon", "reply": "busy"}, {}, {"latency": -1}])
async def test_a_fault_that_is_none_is_refused(till: Till, body: object) -> None:
    assert (await till.ask("POST", "/_sim/faults", json=body)).status == 400


async def test_connections_can_be_refused_for_a_while(till: Till, simulator: Simulator) -> None:
    answer = await till.ask("POST", "/_sim/faults", json={"reply": "refuse", "seconds": 10})
    assert answer.status == 201
    await simulator.advance(9)
    with pytest.raises(aiohttp.ClientConnectorError):
        await till.push()
    await simulator.advance(1)
    assert (await till.push()).status == 200


async def test_a_test_can_stop_it_listening_and_nothing_is_forgotten(till: Till, safaricom: RunningSimulator) -> None:
    checkout_id = await till.pushed()
    await safaricom.stop_listening()
    with pytest.raises(aiohttp.ClientConnectorError):
        await till.push()
    await safaricom.listen_again()
    assert (await till.query(checkout_id)).status == 200


async def test_time_can_be_moved_by_another_program(till: Till, merchant: Merchant) -> None:
    await till.push()
    await till.ask("POST", "/_sim/advance", json={"seconds": 3})
    assert not merchant.received
    await till.ask("POST", "/_sim/settle")
    assert len(merchant.received) == 1


def test_it_refuses_to_start_in_production() -> None:
    with pytest.raises(RefusedInProduction):
        create_simulator(environ={"KAUNTA_MODE": "production"})
    create_simulator(environ={"KAUNTA_MODE": "development"})
    create_simulator(environ={})

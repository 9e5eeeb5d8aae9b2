"""What happens to messages on their way, and the record of every exchange."""

import asyncio
import json
from typing import Any

import pytest

from kaunta.simulator.exchanges import UNRECORDED, Way
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.rules import Action, BadRule, Rule

from .merchant import KEY_PAIR, TOKEN, Answered, Merchant, Till
from .staging import GUEST, SHORTCODE, Stage

ITEM = "Body.stkCallback.CallbackMetadata.Item."


async def rule(stage: Stage, **said: object) -> Answered:
    return await stage.till.ask("POST", "/_sim/rules", json=said)


async def test_a_dropped_message_does_not_leave(stage: Stage, merchant: Merchant) -> None:
    await rule(stage, action="drop")
    await stage.till.push()
    await stage.till.push()
    await stage.simulator.settle()
    assert len(merchant.received) == 1
    assert [each.verdict for each in stage.simulator.exchanges.listed if each.way is Way.OUT] == [
        "dropped by a rule",
        "delivered",
    ]


async def test_a_delayed_message_leaves_later(stage: Stage, merchant: Merchant) -> None:
    await rule(stage, action="delay", seconds=90)
    await stage.till.push()
    await stage.simulator.advance(93)
    assert not merchant.received
    await stage.simulator.advance(1)
    assert len(merchant.received) == 1


async def test_a_doubled_message_comes_so_often(stage: Stage, merchant: Merchant) -> None:
    await rule(stage, action="duplicate", copies=3)
    await stage.callback()
    assert len(merchant.received) == 3


async def test_a_held_message_waits_for_its_release(stage: Stage, merchant: Merchant) -> None:
    await rule(stage, action="hold")
    checkout_id = await stage.till.pushed()
    await stage.simulator.settle()
    assert not merchant.received
    (held,) = (await stage.till.ask("GET", "/_sim/callbacks")).json["callbacks"]
    assert (held["about"], held["held"]) == (checkout_id, True)
    answer = await stage.till.ask("POST", f"/_sim/callbacks/{held['id']}/release")
    assert answer.json["status"] == 200
    assert len(merchant.received) == 1
    assert (await stage.till.ask("POST", f"/_sim/callbacks/{held['id']}/release")).status == 404


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        ({"Body.stkCallback.ResultCode": 1032}, ("Body", "stkCallback", "ResultCode"), 1032),
        ({ITEM + "Amount": "5"}, ("Body", "stkCallback", "CallbackMetadata", "Item", 0, "Value"), "5"),
        ({ITEM + "0.Value": 7}, ("Body", "stkCallback", "CallbackMetadata", "Item", 0, "Value"), 7),
        ({ITEM + "1": 7}, ("Body", "stkCallback", "CallbackMetadata", "Item", 1, "Value"), 7),
        ({ITEM + "New": 7}, ("Body", "stkCallback", "CallbackMetadata", "Item", 5), {"Name": "New", "Value": 7}),
    ],
)
async def test_a_message_is_altered_in_places(
    stage: Stage, changes: dict[str, object], path: tuple[Any, ...], value: object
) -> None:
    await rule(stage, action="alter", changes=changes)
    place = await stage.callback()
    for step in path:
        place = place[step]
    assert place == value


async def test_a_place_is_taken_out(stage: Stage) -> None:
    await rule(stage, action="alter", changes={"Body.stkCallback.CallbackMetadata": None, "Body.no.such.place": 1})
    assert "CallbackMetadata" not in (await stage.callback())["Body"]["stkCallback"]


async def test_a_whole_body_is_replaced(stage: Stage, merchant: Merchant) -> None:
    await rule(stage, action="alter", raw="nonsense")
    await stage.till.push()
    await stage.simulator.settle()
    assert merchant.received[0].body == b"nonsense"


async def test_a_rule_is_for_what_it_names(stage: Stage, merchant: Merchant) -> None:
    await stage.register(shortcode="174379")
    await rule(stage, action="drop", kind="confirmation", phone=GUEST, url_contains="/confirmation", times=None)
    await stage.till.push()
    await stage.till.push(PhoneNumber=254700000001)
    await stage.simulator.settle()
    assert sorted(each.path for each in merchant.received) == ["/cb/5f3a", "/cb/5f3a", "/confirmation"]
    (listed,) = (await stage.till.ask("GET", "/_sim/rules")).json["rules"]
    assert (listed["kind"], listed["times"]) == ("confirmation", None)
    await stage.till.ask("DELETE", "/_sim/rules")
    assert not stage.simulator.outbox.rules


async def test_rules_add_up(stage: Stage, merchant: Merchant) -> None:
    await rule(stage, action="alter", changes={"Body.stkCallback.ResultDesc": "x"})
    await rule(stage, action="duplicate")
    await stage.callback()
    assert [each.told["ResultDesc"] for each in merchant.received] == ["x", "x"]


@pytest.mark.parametrize(
    "said",
    [
        {"action": "burn"},
        {},
        {"action": "alter"},
        {"action": "drop", "times": 0},
        {"action": "delay", "seconds": -1},
        {"action": "duplicate", "copies": 5000},
    ],
)
async def test_a_rule_that_cannot_be_is_refused(stage: Stage, said: dict[str, object]) -> None:
    assert (await rule(stage, **said)).status == 400


def test_a_rule_knows_its_limits() -> None:
    with pytest.raises(BadRule):
        Rule(Action.DROP, times=0)


async def test_a_message_is_sent_again_changed_and_elsewhere(stage: Stage, merchant: Merchant) -> None:
    await stage.callback()
    message = next(iter(stage.simulator.outbox.messages.values()))
    elsewhere = f"{stage.base}/elsewhere"
    answer = await stage.till.ask("POST", f"/_sim/callbacks/{message.id}/resend", json={"url": elsewhere, "body": "{}"})
    assert answer.json["status"] == 200
    assert (merchant.received[-1].path, merchant.received[-1].body) == ("/elsewhere", b"{}")
    assert len(message.attempts) == 1


async def test_anything_can_be_sent(stage: Stage, merchant: Merchant) -> None:
    answer = await stage.till.ask("POST", "/_sim/callbacks", json={"url": merchant.url, "body": '{"made": "up"}'})
    assert (answer.status, answer.json["status"]) == (201, 200)
    assert json.loads(merchant.received[0].body) == {"made": "up"}
    assert (await stage.till.ask("POST", "/_sim/callbacks", json={"url": "here", "body": ""})).status == 400


# The record


async def test_every_call_and_callback_is_recorded_with_a_verdict(stage: Stage) -> None:
    await stage.till.ask("GET", TOKEN, headers=KEY_PAIR)
    checkout_id = await stage.till.pushed()
    await stage.simulator.settle()
    await stage.till.push(Amount="x")
    shown = (await stage.till.ask("GET", "/_sim/exchanges", params={"since": "1"})).json["exchanges"]
    assert [(each["way"], each["api"], each["status"], each["verdict"]) for each in shown] == [
        ("in", "oauth", 200, "answered"),
        ("in", "push", 200, "taken on (paid)"),
        ("out", "stk", 200, "delivered"),
        ("in", "push", 400, "refused: 400.002.02 Bad Request - Invalid Amount"),
    ]
    assert shown[1]["about"] == checkout_id
    assert json.loads(shown[1]["body"])["Amount"] == 1450
    assert json.loads(shown[1]["answer"])["CheckoutRequestID"] == checkout_id
    assert shown[0]["headers"]["authorization"] == f"Basic {UNRECORDED}"
    one = await stage.till.ask("GET", f"/_sim/exchanges/{shown[2]['number']}")
    assert one.json == shown[2]
    assert (await stage.till.ask("GET", "/_sim/exchanges/999")).status == 404


async def test_the_record_can_be_narrowed(stage: Stage) -> None:
    await stage.callback()
    for said, ways in (({"way": "out"}, ["out"]), ({"api": "push"}, ["in"]), ({"limit": "1"}, ["out"])):
        shown = (await stage.till.ask("GET", "/_sim/exchanges", params=said)).json["exchanges"]
        assert [each["way"] for each in shown] == ways
    assert (await stage.till.ask("GET", "/_sim/exchanges", params={"way": "up"})).status == 400


async def test_a_gateways_fault_and_a_path_that_is_none_are_recorded(stage: Stage) -> None:
    await stage.till.ask("POST", "/_sim/faults", json={"api": "push", "reply": "spike_arrest_fault"})
    await stage.till.push()
    await stage.till.ask("POST", "/_sim/faults", json={"api": "push", "reply": "html_5xx"})
    await stage.till.push()
    await stage.till.post("/mpesa/b2c/v9/paymentrequest", {})
    verdicts = [each.verdict for each in stage.simulator.exchanges.listed][-3:]
    assert verdicts[0].startswith("refused: Spike arrest violation")
    assert verdicts[1:] == ["refused: HTTP 503", "refused: 404.001.01 Resource not found"]


async def test_an_answer_that_never_came_is_recorded(stage: Stage) -> None:
    stage.simulator.queue_scenario("ack_lost")
    with pytest.raises(Exception, match="Server disconnected"):
        await stage.till.push()
    # The connection is cut before the record is written.
    while stage.simulator.exchanges.listed[-1].api != "push":
        await asyncio.sleep(0.001)
    (last,) = [each for each in stage.simulator.exchanges.listed if each.api == "push"]
    assert (last.status, last.problem, last.verdict) == (None, "no answer", "taken on (ack_lost), not answered")


async def test_pages_hear_of_changes(stage: Stage) -> None:
    news = stage.simulator.news
    seen = news.version
    assert await news.wait(seen, 0.01) == seen
    waiting = asyncio.create_task(news.wait(seen, 30))
    await asyncio.sleep(0)
    await stage.simulator.pay_till(SHORTCODE, GUEST, 5)
    assert await waiting > seen


@pytest.mark.parametrize("options", [SimulatorOptions(seed=7, keep=5, keep_exchanges=5)], indirect=True)
async def test_only_the_last_of_everything_is_kept(till: Till, stage: Stage) -> None:
    for number in range(12):
        await till.push(PhoneNumber=254700000000 + number)
        await stage.simulator.settle()
    simulator = stage.simulator
    kept = (simulator.pushes, simulator.ledger, simulator.outbox.messages, simulator.exchanges.listed)
    assert [len(each) for each in kept] == [5] * 4
    assert [len(each) for each in (simulator.phones.known, simulator.subscribers.known)] == [5] * 2
    assert simulator.ledger.account("174379").utility == 12 * 1450_00

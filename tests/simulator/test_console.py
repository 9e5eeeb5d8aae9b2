"""The console: what passed, what was called back, what happens next, and the command line's way to the same."""

import json
import re
import shlex

import pytest

from kaunta.simulator.console_view import laid_out
from kaunta.simulator.options import Initiator, Shortcode, SimulatorOptions
from kaunta.simulator.simulator import Simulator

from .merchant import Answered, Merchant, Till

CONFIGURED = SimulatorOptions(
    credentials={"a-key": "a-secret-nobody-sees", "key": "secret"},
    shortcodes=(Shortcode("174379", passkey="a-passkey-nobody-sees", till="600222", name="BAA"),),
    initiators=(Initiator("api.operator", "a-password-nobody-sees"),),
    seed=7,
)


async def body_of(till: Till, path: str) -> str:
    answer = await till.ask("GET", path)
    assert answer.status == 200
    return answer.body.decode()


async def submit(till: Till, path: str, **fields: str) -> str:
    """The page that a posted form leads to."""
    answer: Answered = await till.ask("POST", f"/_sim/console/{path}", data=fields)
    assert answer.status == 200
    return answer.body.decode()


async def test_every_request_and_callback_is_listed_with_its_verdict(till: Till, simulator: Simulator) -> None:
    await till.push()
    await till.push(Amount=0)
    await simulator.settle()
    page = await body_of(till, "/_sim/console")
    rows = [re.sub(r"<[^>]+>|\s+", " ", row) for row in re.findall(r'<tr id="row-\d+">(.*?)</tr>', page, re.DOTALL)]
    assert len(rows) == 4
    assert "STK callback" in rows[0] and "0: The service request is processed successfully." in rows[0]
    assert "refused: 400.002.02 Bad Request - Invalid Amount" in rows[1]
    assert "KES 1450 from 254708374149" in rows[2] and "taken on" in rows[2]
    assert "OAuth" in rows[3]


async def test_the_list_is_narrowed_by_way_api_and_words(till: Till, simulator: Simulator) -> None:
    await till.push()
    await till.push(PhoneNumber=254722000001)
    await simulator.settle()
    assert (await body_of(till, "/_sim/console?way=out")).count("<tr id=") == 2
    assert (await body_of(till, "/_sim/console?api=oauth")).count("<tr id=") == 1
    assert (await body_of(till, "/_sim/console?q=254722000001")).count("<tr id=") == 2
    assert "Nothing fits" in await body_of(till, "/_sim/console?q=nowhere")


async def test_an_exchange_shows_all_that_was_said_and_only_the_kind_of_authorization(
    till: Till, simulator: Simulator
) -> None:
    await till.push(AccountReference="<b>x</b>")
    await simulator.settle()
    page = await body_of(till, "/_sim/console/2")
    assert till.token not in page
    assert "Bearer (not shown)" in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "ResponseDescription" in page
    # The push and its callback belong together.
    assert "The same payment" in page
    assert 'href="/_sim/console/3"' in page
    token = await body_of(till, "/_sim/console/1")
    assert "Basic (not shown)" in token
    assert "$CONSUMER_KEY:$CONSUMER_SECRET" in token
    assert (await till.ask("GET", "/_sim/console/99")).status == 404


async def test_the_curl_line_asks_the_same(till: Till, simulator: Simulator) -> None:
    await till.push(TransactionDesc="it's a tab")
    exchange = (await till.ask("GET", "/_sim/console/2")).body.decode()
    line = re.search(r'<pre id="curl"[^>]*>(.*?)</pre>', exchange, re.DOTALL)
    assert line
    words = shlex.split(line[1].replace("&#39;", "'").replace("&#34;", '"'))
    body = json.loads(words[words.index("--data-raw") + 1])
    assert body["TransactionDesc"] == "it's a tab"
    assert "Authorization: Bearer $TOKEN" in words
    assert f"{till.base}/mpesa/stkpush/v1/processrequest" in words


def test_a_body_is_laid_out_without_changing_a_character_of_it() -> None:
    said = b'{"a": 1450.00, "b": [], "c": ["{x}", "q\\"uo,te"], "d": {}, "e": {"f": null}}'
    shown = laid_out(said)
    assert '"a": 1450.00,\n' in shown
    assert '"c": [\n    "{x}",\n    "q\\"uo,te"\n  ],\n' in shown
    assert json.loads(shown) == json.loads(said)
    assert laid_out(b"<html>") == "<html>"


async def test_a_callback_is_sent_again_as_it_was_and_changed(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    checkout_id = await till.pushed()
    await simulator.settle()
    message_id = f"{checkout_id}.1"
    assert "HTTP 200" in await submit(till, "callbacks/resend", id=message_id)
    assert merchant.received[1].body == merchant.received[0].body
    page = await body_of(till, f"/_sim/console/callbacks/{message_id}")
    assert merchant.url in page
    other = json.dumps({"Body": {"stkCallback": {"ResultCode": 1032}}})
    await submit(till, "callbacks/resend", id=message_id, body=other, url=merchant.url, copies="2")
    assert [each.told["ResultCode"] for each in merchant.received[2:]] == [1032, 1032]
    assert "http or https" in await submit(till, "callbacks/resend", id=message_id, body=other, url="ftp://x")
    assert "There is no nothing any more" in await submit(till, "callbacks/resend", id="nothing")


async def test_a_rule_made_on_the_page_interferes_and_can_be_removed(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    await submit(till, "callbacks/rules", action="hold", kind="stk", times="0")
    checkout_id = await till.pushed()
    await simulator.settle()
    assert not merchant.received
    assert "Release" in await body_of(till, "/_sim/console/callbacks")
    await submit(till, "callbacks/resend", id=f"{checkout_id}.1")
    assert len(merchant.received) == 1
    await submit(till, "callbacks/rules/clear")
    await submit(till, "callbacks/rules", action="alter", changes="Body.stkCallback.ResultCode = 17\n")
    await till.pushed()
    await simulator.settle()
    assert merchant.received[1].told["ResultCode"] == 17
    assert "A change is written like" in await submit(till, "callbacks/rules", action="alter", changes="nonsense")
    assert "alter needs changes" in await submit(till, "callbacks/rules", action="alter")


async def test_a_callback_is_made_up_for_a_push(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    checkout_id = await till.pushed()
    await submit(till, "callbacks/send", reference=checkout_id, result="1032")
    assert merchant.received[0].told["ResultCode"] == 1032
    answer = await till.ask("POST", "/_sim/callbacks/for", json={"reference": "TB-7F3K", "result": "SFC_IC0003"})
    assert answer.json["attempt"]["status"] == 200
    assert merchant.received[1].told["ResultCode"] == "SFC_IC0003"
    assert simulator.pushes[checkout_id].result is None
    assert (await till.ask("POST", "/_sim/callbacks/for", json={"reference": "nobody"})).status == 404


async def test_scenarios_shares_and_trouble_are_queued_on_the_page(till: Till, simulator: Simulator) -> None:
    page = await submit(till, "behaviour/scenario", scenario="callback_lost", phone="0722000001", times="2", delay="7")
    assert "<b>callback_lost</b> for 254722000001" in page
    queued = simulator.choice.queue[0]
    assert (queued.phone, queued.times, queued.scenario.delay) == ("254722000001", 2, 7.0)
    await submit(till, "behaviour/rate", scenario="cancelled", share="25")
    assert simulator.choice.rates == {"cancelled": 0.25}
    assert "rates are shares" in await submit(till, "behaviour/rate", scenario="paid", share="80")
    await submit(till, "behaviour/fault", api="push", reply="busy", times="0")
    assert (await till.push()).json["errorCode"] == "500.003.02"
    await submit(till, "behaviour/faults/clear")
    await submit(till, "behaviour/clear")
    assert (simulator.choice.queue, simulator.choice.rates) == ([], {})
    assert "number from 0" in await submit(till, "behaviour/fault", api="push", latency="1e99")


async def test_time_is_moved_and_tokens_end_on_the_page(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    await till.push()
    await submit(till, "behaviour/time", time="advance", seconds="3")
    assert not merchant.received
    await submit(till, "behaviour/time", time="settle")
    assert len(merchant.received) == 1
    await submit(till, "behaviour/time", time="speed", factor="60")
    assert simulator.clock.factor == 60
    await submit(till, "behaviour/tokens")
    assert (await till.push()).status == 404


async def test_a_script_is_begun_watched_and_stopped_on_the_page(till: Till, simulator: Simulator) -> None:
    script = "name: evening\nsteps:\n- answer: {phone: 254700000000, result: 0}\n- at: 900\n  scenario: cancelled\n"
    await submit(till, "behaviour/script", script=script)
    await simulator.advance(1)
    page = await body_of(till, "/_sim/console/behaviour")
    assert "1 of 2 steps" in page
    assert "line 3: the phone 254700000000 shows no prompt" in page
    await submit(till, "behaviour/script/stop", number="1")
    await simulator.settle()
    assert not simulator.choice.queue
    assert "script:2:" in await submit(till, "behaviour/script", script="steps:\n- dance: 1\n")
    assert (await till.ask("POST", "/_sim/scripts", data=script)).status == 201
    assert (await till.ask("DELETE", "/_sim/scripts/2")).json["over"]


@pytest.mark.parametrize("options", [CONFIGURED], indirect=True)
async def test_businesses_are_shown_without_their_secrets(till: Till, simulator: Simulator) -> None:
    await simulator.pay_till("600222", "254722000001", 2_000)
    page = await body_of(till, "/_sim/console/businesses")
    assert "174379" in page and "600222" in page and "api.operator" in page and "a-key" in page
    assert "1,989.00" in page
    assert "nobody-sees" not in page
    assert "Withdrawn" in await submit(till, "businesses/withdraw", shortcode="174379", amount="500")
    assert "does not move" in await submit(till, "businesses/withdraw", shortcode="174379", amount="5000")
    receipt = simulator.ledger[0].receipt
    assert "The merchant is not told" not in page
    await submit(till, "businesses/validation", shortcode="174379")
    assert simulator.merchants.validating == {"174379"}
    assert "Nothing can be taken back" in await submit(till, "businesses/456", receipt=receipt)


@pytest.mark.parametrize("path", ["console", "console/callbacks", "console/behaviour", "console/businesses", "phone"])
async def test_every_page_has_the_strict_policy_and_no_foreign_address(
    till: Till, simulator: Simulator, path: str
) -> None:
    await till.push()
    await simulator.settle()
    async with till.session.get(f"{till.base}/_sim/{path}") as response:
        page, headers = await response.text(), response.headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert "<script>" not in page and " onclick" not in page and " style=" not in page
    assert not re.findall(r'(?:src|href|action)="(?!/|#|data:|http://127\.0\.0\.1)', page)


async def test_a_live_part_is_sent_only_when_it_changed(till: Till) -> None:
    for page, part in (("", "/rows"), ("/callbacks", "/callbacks/rows"), ("/behaviour", "/behaviour/live")):
        shown = await body_of(till, f"/_sim/console{page}")
        version = re.search(r'data-version="([^"]+)"', shown)
        assert version
        assert (await till.ask("GET", f"/_sim/console{part}?seen={version[1]}")).status == 204
        assert (await till.ask("GET", f"/_sim/console{part}?seen=other")).status == 200


async def test_a_push_without_a_client_rings_and_calls_back(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    asked = {"phone": "254722000001", "amount": 5, "callback_url": merchant.url, "scenario": "no_funds", "settle": True}
    answer = await till.ask("POST", "/_sim/pushes", json=asked)
    assert answer.json["result"] == "1"
    assert merchant.received[0].told["ResultCode"] == 1
    for wrong in ({"phone": "12"}, {"callback_url": "nowhere"}, {"scenario": "busy"}, {"scenario": "none"}):
        assert (await till.ask("POST", "/_sim/pushes", json=asked | wrong)).status == 400

"""A customer pays the till or paybill by hand: registration, validation, confirmation; the second notice of a push."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from kaunta.simulator.direct import Declined
from kaunta.simulator.options import Shortcode, SimulatorOptions
from kaunta.simulator.simulator import Simulator

from .conftest import SAMPLES
from .merchant import Merchant, Till
from .staging import GUEST, REGISTER, SHORTCODE, SIMULATE, Stage

STRICT = SimulatorOptions(seed=7, strict=True)
REPLIES: list[dict[str, str]] = json.loads((SAMPLES / "c2b_validation_replies.json").read_text())["payload"]
GOOD = {"ConfirmationURL": "https://pay.example.co.ke/a", "ValidationURL": "https://pay.example.co.ke/b"}


class Judge:
    """A merchant's server whose answers to validations a test chooses: a document, or None for none at all."""

    def __init__(self) -> None:
        self.url = ""
        self.says: dict[str, Any] | None = {"ResultCode": "0", "ResultDesc": "Accepted"}
        self.over = asyncio.Event()
        self.told: dict[str, list[dict[str, Any]]] = {"validation": [], "confirmation": []}

    async def take(self, request: web.Request) -> web.Response:
        self.told[request.path.strip("/")].append(await request.json())
        if request.path == "/validation" and self.says is None:
            await self.over.wait()
        return web.json_response(self.says)


@pytest.fixture
async def judge(till: Till, simulator: Simulator) -> AsyncIterator[Judge]:
    """Registered for SHORTCODE, and asked."""
    judge = Judge()
    app = web.Application()
    app.router.add_post("/{path:.*}", judge.take)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    judge.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    await till.post(REGISTER.format("v2"), urls_of(judge))
    simulator.merchants.validating.add(SHORTCODE)
    yield judge
    judge.over.set()
    await runner.cleanup()


def urls_of(judge: Judge, otherwise: str = "Completed") -> dict[str, str]:
    return {
        "ShortCode": SHORTCODE,
        "ResponseType": otherwise,
        "ConfirmationURL": f"{judge.url}/confirmation",
        "ValidationURL": f"{judge.url}/validation",
    }


async def test_validation_and_confirmation_are_the_same_but_for_the_balance(judge: Judge, simulator: Simulator) -> None:
    payment = await simulator.pay_till(SHORTCODE, GUEST, 500, "TB-7F3K")
    await simulator.settle()
    (asked,), (told,) = judge.told["validation"], judge.told["confirmation"]
    assert asked["TransID"] == told["TransID"] == payment.receipt
    assert (asked.pop("OrgAccountBalance"), told.pop("OrgAccountBalance")) == ("", "500.00")
    assert asked == told
    assert told["TransTime"] == "20261120203000"


@pytest.mark.parametrize("reply", REPLIES)
async def test_the_merchants_word_decides(judge: Judge, simulator: Simulator, reply: dict[str, str]) -> None:
    judge.says = reply
    if reply["ResultCode"] == "0":
        await simulator.pay_till(SHORTCODE, GUEST, 500, "TB-7F3K")
    else:
        with pytest.raises(Declined, match=reply["ResultCode"]):
            await simulator.pay_till(SHORTCODE, GUEST, 500, "TB-7F3K")
    await simulator.settle()
    assert len(simulator.ledger) == len(judge.told["confirmation"]) == (reply["ResultCode"] == "0")
    assert [each["ThirdPartyTransID"] for each in judge.told["confirmation"]] == [
        reply.get("ThirdPartyTransID", "")
    ] * len(judge.told["confirmation"])


@pytest.mark.parametrize("options", [SimulatorOptions(seed=7, validation_timeout=0.2)], indirect=True)
@pytest.mark.parametrize(("otherwise", "paid"), [("Completed", 1), ("Cancelled", 0)])
async def test_where_nobody_answers_the_response_type_decides(
    judge: Judge, till: Till, simulator: Simulator, otherwise: str, paid: int
) -> None:
    judge.says = None
    await till.post(REGISTER.format("v2"), urls_of(judge, otherwise))
    answer = await till.ask("POST", "/_sim/pay-till", json={"till": SHORTCODE, "phone": GUEST, "amount": 500})
    assert answer.status == (201 if paid else 409)
    assert len(simulator.ledger) == paid


async def test_without_the_service_nobody_is_asked(judge: Judge, till: Till, simulator: Simulator) -> None:
    await till.ask("POST", "/_sim/c2b/validation", json={"shortcode": SHORTCODE, "enabled": False})
    await simulator.pay_till(SHORTCODE, GUEST, 500, "TB-7F3K")
    await simulator.settle()
    assert not judge.told["validation"]
    assert len(judge.told["confirmation"]) == 1


async def test_without_registered_urls_money_comes_and_nobody_is_told(stage: Stage) -> None:
    await stage.simulator.pay_till(SHORTCODE, GUEST, 500)
    await stage.simulator.settle()
    assert len(stage.simulator.ledger) == 1
    assert not stage.merchant.received


@pytest.mark.parametrize("kind", ["CustomerPayBillOnline", "CustomerBuyGoodsOnline"])
async def test_a_simulated_payment_is_a_payment(stage: Stage, kind: str) -> None:
    await stage.register()
    wanted = {"ShortCode": SHORTCODE, "CommandID": kind, "Amount": 7, "Msisdn": GUEST}
    reference = {"BillRefNumber": "x" if kind == "CustomerPayBillOnline" else None}
    answer = await stage.answer(SIMULATE, wanted | reference)
    assert answer["body"]["ResponseDescription"] == "Accept the service request successfully."
    told = await stage.last()
    assert told["TransactionType"] == {"CustomerPayBillOnline": "Pay Bill"}.get(kind, "Buy Goods")
    assert told["BillRefNumber"] == (reference["BillRefNumber"] or "")


async def test_a_till_and_its_store_are_one_business(stage: Stage) -> None:
    """A push names the store and the till; whoever pays the till by hand pays the same business."""
    await stage.register(shortcode="600100")
    await stage.push_to_till("600100", "600222")
    await stage.simulator.settle()
    await stage.simulator.pay_till("600222", GUEST, 300, "ignored")
    told = await stage.last()
    assert (told["BusinessShortCode"], told["TransactionType"], told["BillRefNumber"]) == ("600222", "Buy Goods", "")
    assert {payment.shortcode for payment in stage.simulator.ledger} == {"600100"}


async def test_a_push_is_confirmed_too_a_second_earlier_with_the_same_receipt(stage: Stage) -> None:
    callback, notice = await stage.told_twice()
    items = {item["Name"]: item.get("Value") for item in callback["Body"]["stkCallback"]["CallbackMetadata"]["Item"]}
    assert notice["TransID"] == items["MpesaReceiptNumber"]
    assert int(notice["TransTime"]) == items["TransactionDate"] - 1
    assert notice["BillRefNumber"] == "TB-7F3K"


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        ("paid", ["/cb/5f3a", "/confirmation"]),
        ("confirmation_lost", ["/cb/5f3a"]),
        ("confirmation_first", ["/confirmation", "/cb/5f3a"]),
        ("confirmation_only", ["/confirmation"]),
        ("cancelled", ["/cb/5f3a"]),
    ],
)
async def test_which_notices_of_a_push_come(stage: Stage, merchant: Merchant, scenario: str, told: list[str]) -> None:
    await stage.register(shortcode="174379")
    stage.simulator.queue_scenario(scenario)
    await stage.till.push()
    await stage.simulator.settle()
    assert [each.path for each in merchant.received] == told


async def test_the_sandbox_registers_as_often_as_it_is_asked(stage: Stage) -> None:
    assert [(await stage.register(version))["http"] for version in ("v1", "v2", "v2")] == [200, 200, 200]
    assert stage.simulator.merchants.registrations[SHORTCODE].version == "v2"


@pytest.mark.parametrize("options", [STRICT], indirect=True)
async def test_production_registers_once(stage: Stage) -> None:
    wanted = {"ShortCode": SHORTCODE, "ResponseType": "Completed"} | GOOD
    assert (await stage.answer(REGISTER.format("v2"), wanted))["http"] == 200
    again = await stage.answer(REGISTER.format("v2"), wanted)
    assert (again["http"], again["body"]["errorCode"]) == (500, "500.003.1001")
    assert again["body"]["errorMessage"] == "Urls are already registered."
    await stage.till.ask("DELETE", f"/_sim/c2b/registrations/{SHORTCODE}")
    assert (await stage.answer(REGISTER.format("v2"), wanted))["http"] == 200


@pytest.mark.parametrize("options", [STRICT], indirect=True)
@pytest.mark.parametrize(
    "url",
    [
        "http://pay.example.co.ke/a",
        "https://127.0.0.1/a",
        "https://pay.example.co.ke/mpesa/a",
        "https://abc.ngrok.io/a",
        "https://Pay.example.co.ke/a",
    ],
)
async def test_production_takes_public_https_addresses_only(stage: Stage, url: str) -> None:
    wanted = {"ShortCode": SHORTCODE, "ResponseType": "Completed"} | GOOD | {"ConfirmationURL": url}
    refused = await stage.answer(REGISTER.format("v2"), wanted)
    assert refused["body"]["errorMessage"] == "Bad Request - Invalid ConfirmationURL"


@pytest.mark.parametrize("options", [STRICT], indirect=True)
async def test_production_simulates_nothing(stage: Stage) -> None:
    wanted = {"ShortCode": SHORTCODE, "CommandID": "CustomerBuyGoodsOnline", "Amount": 7, "Msisdn": GUEST}
    assert (await stage.answer(SIMULATE, wanted))["http"] == 404


@pytest.mark.parametrize("field", ["ShortCode", "ResponseType", "ConfirmationURL", "ValidationURL"])
async def test_a_registration_with_a_field_missing_is_refused(stage: Stage, field: str) -> None:
    wanted = {"ShortCode": SHORTCODE, "ResponseType": "Completed"} | GOOD
    del wanted[field]
    refused = await stage.answer(REGISTER.format("v1"), wanted)
    assert (refused["http"], refused["body"]["errorMessage"]) == (400, f"Bad Request - Invalid {field}")


async def test_the_response_type_is_in_sentence_case(stage: Stage) -> None:
    refused = await stage.answer(REGISTER.format("v2"), {"ShortCode": SHORTCODE, "ResponseType": "completed"} | GOOD)
    assert refused["body"]["errorMessage"] == "Bad Request - Invalid ResponseType"


@pytest.mark.parametrize(
    "options", [SimulatorOptions(seed=7, shortcodes=(Shortcode("600100", till="600222"),))], indirect=True
)
async def test_nobody_pays_a_till_that_is_not_there(till: Till) -> None:
    pay = {"till": "600222", "phone": GUEST, "amount": 5}
    assert (await till.ask("POST", "/_sim/pay-till", json=pay)).status == 201
    assert (await till.ask("POST", "/_sim/pay-till", json=pay | {"till": "600333"})).status == 400


@pytest.mark.parametrize(
    ("subscriber", "amount", "code"),
    [
        ({"balance": 499}, 500, "1"),
        ({"daily_spent": 499_900}, 200, "4"),
        ({"active": False}, 500, "11"),
    ],
)
async def test_a_customer_who_cannot_pay_does_not(
    till: Till, simulator: Simulator, subscriber: dict[str, object], amount: int, code: str
) -> None:
    await till.ask("POST", f"/_sim/subscribers/{GUEST}", json=subscriber)
    answer = await till.ask("POST", "/_sim/pay-till", json={"till": SHORTCODE, "phone": GUEST, "amount": amount})
    assert (answer.status, answer.json["declined"]) == (409, code)
    assert not len(simulator.ledger)
    assert [failed.reason for failed in simulator.ledger.failed] == [code]

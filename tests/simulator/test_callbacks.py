"""The messages to CallBackURL, compared with published ones."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.scenarios import Balance, Callback
from kaunta.simulator.simulator import Simulator

from .merchant import Doing, Merchant, Received, Sample, Till


@pytest.fixture
def told(till: Till, simulator: Simulator, merchant: Merchant) -> Callable[..., Any]:
    """The callbacks a push of a scenario brings, with nothing left to come."""

    async def run(scenario: Any, **changes: Any) -> list[Received]:
        simulator.queue_scenario(scenario)
        await till.push(**changes)
        await simulator.settle()
        return merchant.received

    return run


def shape(value: Any) -> Any:
    """Keys in order and types, without the values."""
    if isinstance(value, dict):
        return [(name, shape(each)) for name, each in value.items()]
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


async def test_a_success_has_the_shape_of_production(told: Doing, sample: Sample) -> None:
    (received,) = await told("paid")
    published = sample("stk_cb_success_balance_novalue_2024_prod_a")
    assert shape(json.loads(received.body)) == shape(published)
    assert received.told["ResultDesc"] == published["Body"]["stkCallback"]["ResultDesc"]
    names = [item["Name"] for item in received.told["CallbackMetadata"]["Item"]]
    assert names == ["Amount", "MpesaReceiptNumber", "Balance", "TransactionDate", "PhoneNumber"]
    assert {"Name": "Balance"} in received.told["CallbackMetadata"]["Item"]


async def test_a_success_says_amount_receipt_time_and_phone(told: Doing, simulator: Simulator) -> None:
    (received,) = await told("paid")
    assert b'"Value": 1450.00}' in received.body
    assert received.items["MpesaReceiptNumber"] == simulator.ledger[0].receipt
    # Pushed at 20:30:00 in Nairobi, paid four seconds later.
    assert received.items["TransactionDate"] == 20261120203004
    assert received.items["PhoneNumber"] == 254708374149


async def test_the_older_success_without_balance_can_be_had(told: Doing, sample: Sample) -> None:
    (received,) = await told(replace(CATALOGUE["paid"], callbacks=(Callback(balance=Balance.ABSENT),)))
    assert shape(json.loads(received.body)) == shape(sample("stk_cb_success_official"))


@pytest.mark.parametrize("balance", [Balance.NUMBER, Balance.TEXT])
async def test_balance_can_carry_a_value(told: Doing, balance: Balance) -> None:
    (received,) = await told(replace(CATALOGUE["paid"], callbacks=(Callback(balance=balance),)))
    assert isinstance(received.items["Balance"], float if balance is Balance.NUMBER else str)


@pytest.mark.parametrize(
    ("scenario", "file"),
    [
        ("cancelled", "stk_cb_1032_official"),
        ("no_funds", "stk_cb_1_insufficient_2021"),
        ("wrong_pin", "stk_cb_2001_2020"),
        ("unreachable", "stk_cb_1037_2024_prod"),
        ("ignored", "stk_cb_1037_sandbox_2026"),
        ("expired", "stk_cb_1019_expired_2022_sandbox"),
        ("rule_limited", "stk_cb_17_rule_limited_2021"),
        ("till_mismatch", "stk_cb_string_resultcode_SFC_IC0003_2021a"),
    ],
)
async def test_a_failure_is_the_published_one_but_for_its_ids(
    told: Doing, sample: Sample, scenario: str, file: str
) -> None:
    (received,) = await told(scenario)
    published = sample(file)["Body"]["stkCallback"]
    ids = {name: received.told[name] for name in ("MerchantRequestID", "CheckoutRequestID")}
    assert json.loads(received.body) == {"Body": {"stkCallback": published | ids}}
    assert "CallbackMetadata" not in received.told


async def test_headers_are_safaricoms_and_nothing_is_signed(told: Doing) -> None:
    (received,) = await told("paid")
    assert received.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert received.headers["Businessshortcode"] == "174379"
    assert not [name for name in received.headers if "sign" in name.lower() or name == "Authorization"]
    assert received.path == "/cb/5f3a"


async def test_reference_and_description_are_never_echoed(told: Doing) -> None:
    (received,) = await told("paid", AccountReference="ECHOREF", TransactionDesc="ECHODESC")
    assert b"ECHO" not in received.body


async def test_a_merchant_who_answers_500_is_not_told_again(
    told: Doing, merchant: Merchant, simulator: Simulator
) -> None:
    merchant.status = 500
    assert len(await told("paid")) == 1
    (push,) = simulator.pushes.values()
    assert [attempt.status for attempt in push.messages[0].attempts] == [500]


async def test_a_masked_phone_is_a_text(told: Doing) -> None:
    (received,) = await told("masked_phone")
    assert received.items["PhoneNumber"] == "0708374***"


async def test_odd_successes_are_as_odd_as_named(told: Doing, merchant: Merchant, sample: Sample) -> None:
    await told("success_without_receipt")
    await told("success_without_metadata")
    await told("success_empty_items")
    bare, without, empty = merchant.received
    assert "MpesaReceiptNumber" not in bare.items
    assert "CallbackMetadata" not in without.told
    assert empty.told["CallbackMetadata"] == {"Item": []}
    assert all(each.told["ResultCode"] == 0 for each in merchant.received)
    assert shape(json.loads(without.body)) == shape(sample("variant_success_without_metadata"))


async def test_garbage_and_emptiness_are_not_json(told: Doing, merchant: Merchant) -> None:
    await told("garbage")
    await told("empty_callback")
    assert [each.body[:5] for each in merchant.received] == [b"<?xml", b""]


async def test_a_big_body_is_big_and_true(told: Doing) -> None:
    (received,) = await told("big_body")
    assert len(received.body) > 1_000_000
    assert re.fullmatch(r"[0-9A-Z]{10}", received.items["MpesaReceiptNumber"])

"""Requests as the portal prints them and as public clients send them are taken, with what they have too much."""

import json
from typing import Any

import pytest

from .conftest import SAMPLES
from .merchant import KEY_PAIR, PUSH, QUERY
from .staging import BALANCE, PULL, REGISTER, REVERSE, SIMULATE, STATUS, Stage

#: Where the portal's page has an explanation in a value's place.
URLS: dict[str, object] = {
    "ConfirmationURL": "https://pay.example.co.ke/a",
    "ValidationURL": "https://pay.example.co.ke/b",
}
OFFICIAL: dict[str, tuple[str, dict[str, object]]] = {
    "AccountBalance_01_request_body": (BALANCE, {}),
    "CustomerToBusiness_01_register_urls": (REGISTER.format("v2"), {"ResponseType": "Cancelled"} | URLS),
    "CustomerToBusiness_02_simulate_transactions": (SIMULATE, {"CommandID": "CustomerPayBillOnline"}),
    "MpesaExpressSimulate_01_request_body": (PUSH, {}),
    "PullTransaction_01_sample_request_body": (PULL.format("register"), {}),
    "PullTransaction_03_sample_request_body": (PULL.format("query"), {}),
    "PullTransaction_05_2_query_pull_transaction": (PULL.format("query"), {}),
    "Reversal_01_request_body": (REVERSE, {}),
    "TransactionStatus_01_request_body": (STATUS, {}),
}
CAPTURED: list[dict[str, Any]] = json.loads((SAMPLES / "client_requests.json").read_text())["payload"]


def official(name: str) -> dict[str, object]:
    said: dict[str, object] = json.loads((SAMPLES / "official" / f"{name}.json").read_text())["payload"]
    return said


@pytest.mark.parametrize("name", OFFICIAL)
async def test_the_portals_request_is_taken(stage: Stage, name: str) -> None:
    path, changes = OFFICIAL[name]
    if path == PULL.format("query"):
        await stage.answer(PULL.format("register"), official("PullTransaction_01_sample_request_body"))
    answered = await stage.answer(path, official(name) | changes)
    assert answered["http"] == 200, answered


@pytest.mark.parametrize("number", range(len(CAPTURED)))
async def test_a_clients_request_is_taken_as_it_was_sent(stage: Stage, number: int) -> None:
    sent = CAPTURED[number]
    if sent["method"] == "GET":
        assert (await stage.till.ask("GET", sent["path"], headers=KEY_PAIR)).status == 200
        return
    changes = {}
    if sent["path"] == QUERY:
        changes = {"CheckoutRequestID": await stage.till.pushed()}
    assert (await stage.answer(sent["path"], sent["body"] | changes))["http"] == 200

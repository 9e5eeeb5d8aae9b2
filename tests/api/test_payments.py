"""The payments' JSON API as the contract has it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import uuid4

import aiohttp
import pytest

from kaunta.core.runtime import Runtime
from tests.support.bars import OWED, PASSWORD, OpenTab, SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

from .conftest import INITIATE, PHONE, RETRY, STATUS, TRANSACTIONS, NewKey, Starting

FIELDS = {
    "transactionId", "status", "irregularity", "irregularities", "amount", "amountReceived", "phoneNumber",
    "mpesaReceiptNumber", "transactionDate", "failureReason", "customerMessage", "retryable", "retryAfter",
    "createdAt", "updatedAt",
}  # fmt: skip


@pytest.mark.req("PAY-1.1", "PAY-6.2", "PAY-6.5", "PAY-3.6")
async def test_a_payment_from_the_prompt_to_the_receipt(
    application: Served, start: Starting, http: aiohttp.ClientSession, simulator: Safaricom
) -> None:
    status, started = await start()
    assert status == 202
    assert set(started) == {"success", "transactionId", "checkoutRequestId", "status", "customerMessage"}
    assert (started["success"], started["status"]) == (True, "sent")
    assert started["checkoutRequestId"].startswith("ws_CO_")
    path = f"{STATUS}/{started['transactionId']}"
    async with http.get(path) as answer:
        body = await answer.json()
    assert set(body) == FIELDS
    assert (body["status"], body["mpesaReceiptNumber"], body["failureReason"]) == ("sent", None, None)
    await simulator.settle()
    await application.pushes.drain()
    async with http.get(path) as answer:
        body = await answer.json()
    assert (body["status"], body["amount"], body["amountReceived"]) == ("completed", 400, 400)
    assert (body["irregularity"], body["irregularities"], body["retryable"]) == (None, [], False)
    assert len(body["mpesaReceiptNumber"]) == 10
    for moment in ("transactionDate", "createdAt", "updatedAt"):
        assert datetime.fromisoformat(body[moment]).tzinfo is not None


@pytest.mark.failure(91)
async def test_the_status_shows_no_more_of_the_phone_than_its_owner_needs(
    start: Starting, http: aiohttp.ClientSession, application: Served
) -> None:
    _, started = await start()
    async with http.get(f"{STATUS}/{started['transactionId']}") as answer:
        text = await answer.text()
    assert PHONE not in text
    assert "708374" not in text
    assert (await answer.json())["phoneNumber"].endswith("149")


@pytest.mark.req("PAY-6.5")
async def test_an_unchanged_status_costs_a_304(
    application: Served, start: Starting, http: aiohttp.ClientSession, simulator: Safaricom
) -> None:
    _, started = await start()
    path = f"{STATUS}/{started['transactionId']}"
    async with http.get(path) as answer:
        tag = answer.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        async with http.get(path, headers={"If-None-Match": known}) as answer:
            assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", tag)
    async with http.get(path, headers={"If-None-Match": tag, "Accept-Language": "sw"}) as answer:
        assert answer.status == 200
    await simulator.settle()
    await application.pushes.drain()
    async with http.get(path, headers={"If-None-Match": tag}) as answer:
        assert answer.status == 200
        assert answer.headers["ETag"] != tag


@pytest.mark.req("PAY-7.4", "PAY-P15")
async def test_the_same_key_is_the_same_payment_and_another_body_is_refused(
    application: Served, start: Starting, rt: Runtime
) -> None:
    first = await start(key="k-1")
    assert await start(key="k-1") == first
    status, body = await start(key="k-1", amount=300)
    assert (status, body["code"]) == (422, "idempotency_key_reused")
    assert await rt.db.fetchval("select count(*) from mpesa_transactions") == 1


@pytest.mark.req("PAY-3.3", "PAY-P9", "PAY-7.4")
async def test_each_refusal_has_its_status_its_code_and_the_seeds_fields(
    application: Served, start: Starting, rt: Runtime, bar: SeededBar
) -> None:
    for fields, status, code in (
        ({"tabId": "nobody"}, 404, "tab_not_found"),
        ({"tabId": str(bar.tab.id)}, 404, "tab_not_found"),
        ({"phoneNumber": "020 123 4567"}, 400, "phone_invalid"),
        ({"phoneNumber": ""}, 400, "bad_request"),
        ({"amount": 0}, 422, "amount_refused"),
        ({"amount": OWED + 1}, 422, "amount_refused"),
        ({"amount": 10**30}, 422, "amount_refused"),
        ({"amount": "400"}, 400, "bad_request"),
        ({"amount": 400.5}, 400, "bad_request"),
        ({"amount": True}, 400, "bad_request"),
        ({"amount": None}, 400, "bad_request"),
        ({"tabId": {"$ne": ""}}, 400, "bad_request"),
    ):
        got, body = await start(**fields)
        assert (got, body["code"], body["success"]) == (status, code, False), fields
        assert body["message"] == body["detail"]
    assert await rt.db.fetchval("select count(*) from mpesa_transactions") == 0
    _, first = await start()
    status, body = await start(amount=100)
    assert (status, body["code"]) == (409, "attempt_open")
    assert (body["transactionId"], body["status"]) == (first["transactionId"], 409)
    assert body["paymentStatus"] == "sent"
    await rt.db.execute("update bars set mpesa_suspended_reason = 'the owner did not pay'")
    status, body = await start(phoneNumber="0710000001")
    assert (status, body["code"]) == (503, "mpesa_unavailable")
    assert "owner" not in str(body)


@pytest.mark.req("PAY-5.4", "PAY-P12")
async def test_too_many_prompts_say_when_to_come_back(
    application: Served, start: Starting, http: aiohttp.ClientSession, bar: SeededBar,
    new_tab: Callable[[int], Awaitable[OpenTab]],
) -> None:  # fmt: skip
    for _ in range(3):
        tab = await new_tab(100)
        assert (await start(tabId=tab.ref, amount=100))[0] == 202
    async with http.post(INITIATE, json={"tabId": bar.tab.ref, "phoneNumber": PHONE, "amount": 1}) as answer:
        body = await answer.json()
    assert (answer.status, body["code"]) == (429, "too_many_prompts")
    assert answer.headers["Retry-After"] == str(body["retryAfter"]) == "60"


async def test_a_refusal_by_safaricom_is_a_failed_payment_and_no_error(
    application: Served, start: Starting, simulator: Safaricom
) -> None:
    await simulator.stop_listening()
    status, body = await start()
    assert (status, body["success"], body["status"], body["checkoutRequestId"]) == (202, False, "failed", None)


@pytest.mark.req("PAY-3.7")
async def test_a_retry_is_a_new_payment_of_the_same_amount(
    application: Served, start: Starting, http: aiohttp.ClientSession, simulator: Safaricom
) -> None:
    simulator.simulator.queue_scenario("cancelled")
    _, first = await start()
    async with http.post(f"{RETRY}/{first['transactionId']}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (409, "attempt_open")
    await simulator.settle()
    await application.pushes.drain()
    async with http.get(f"{STATUS}/{first['transactionId']}") as answer:
        ended = await answer.json()
    assert (ended["status"], ended["failureReason"], ended["retryable"]) == ("cancelled", "CANCELLED", True)
    await simulator.advance(ended["retryAfter"] + 1)
    async with http.post(f"{RETRY}/{first['transactionId']}", json={}) as answer:
        second = await answer.json()
    assert (answer.status, second["status"]) == (202, "sent")
    assert second["transactionId"] != first["transactionId"]
    for nobody in (uuid4(), "nobody"):
        async with http.post(f"{RETRY}/{nobody}") as answer:
            assert answer.status in (404, 400)


@pytest.mark.req("PAY-4.3")
@pytest.mark.failure(85)
async def test_history_is_paged_by_a_cursor_newest_first_and_only_ones_own(
    application: Served, start: Starting, http: aiohttp.ClientSession, bar: SeededBar, other_bar: SeededBar,
    simulator: Safaricom, key: dict[str, str],
) -> None:  # fmt: skip
    for number in range(5):
        await simulator.advance(0.1)
        assert (await start(phoneNumber=f"25471000000{number}", amount=10 + number))[0] == 202
    await start(tabId=other_bar.tab.ref, phoneNumber="254711000000")
    seen: list[int] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        async with http.get(TRANSACTIONS, params=query, headers=key) as answer:
            page = await answer.json()
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert all(set(row) == FIELDS | {"reference"} for row in page["transactions"])
        seen += [row["amount"] for row in page["transactions"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert seen == [14, 13, 12, 11, 10]
    for wish, count in ((["sent"], 5), (["failed"], 0), (["failed", "sent"], 5)):
        async with http.get(TRANSACTIONS, params=[("status", one) for one in wish], headers=key) as answer:
            assert len((await answer.json())["transactions"]) == count


async def test_a_cursor_or_filter_that_was_not_ours_is_a_bad_request(
    application: Served, http: aiohttp.ClientSession, key: dict[str, str]
) -> None:
    for query in (
        {"cursor": "x"}, {"cursor": "%%%"}, {"cursor": "w4PDgw=="}, {"cursor": "a" * 200}, {"limit": "0"},
        {"limit": "201"}, {"status": "stolen"}, {"barId": "1"},
        # 2026-01-01 00:00 (no zone) and year 1 an hour before itself in UTC.
        {"cursor": "MjAyNi0wMS0wMVQwMDowMCAwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDA="},
        {"cursor": "MDAwMS0wMS0wMVQwMDowMDowMCswMTowMCAwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDA="},
    ):  # fmt: skip
        async with http.get(TRANSACTIONS, params=query, headers=key) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "bad_request"), query


@pytest.mark.failure(85, 87)
async def test_history_opens_to_its_own_bars_staff_and_keys_only(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar, other_bar: SeededBar, new_key: NewKey, rt: Runtime
) -> None:
    reading = await new_key("payments:read")
    for headers, bar_id, status in (
        ({}, None, 401),
        ({"Authorization": "Bearer kaunta_" + "0" * 64}, None, 401),
        (reading, None, 200),
        (reading, bar.id, 200),
        (reading, other_bar.id, 404),
        (await new_key("payments:write"), bar.id, 403),
        (await new_key("payments:read", whose=None), bar.id, 403),
        (await new_key("diagnostics", whose=None), None, 403),
        (await new_key("payments:read", whose=other_bar), bar.id, 404),
    ):
        query = {"barId": str(bar_id)} if bar_id else {}
        async with http.get(TRANSACTIONS, params=query, headers=headers) as answer:
            assert answer.status == status
    async with http.post("/staff/login", json={"user": bar.waiter.username, "password": PASSWORD}) as answer:
        assert answer.status == 200
    for bar_id, status in ((None, 200), (bar.id, 200), (other_bar.id, 404)):
        async with http.get(TRANSACTIONS, params={"barId": str(bar_id)} if bar_id else {}) as answer:
            assert answer.status == status
    await rt.db.execute("update staff_accounts set active = false")
    async with http.get(TRANSACTIONS) as answer:
        assert answer.status == 401

"""Safaricom's door: 200 means committed, from whom it is believed, and what happens while the database is away."""

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from kaunta.core.db import Pool
from kaunta.core.runtime import Runtime
from kaunta.payments import inbox_work
from kaunta.settings import CallbackSources, Settings
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.relay import Relay, relay
from tests.support.safaricom import Safaricom

from .conftest import STATUS, Starting

DRIVER_SECONDS = 20.0
SAFARICOM, STRANGER, PROXY = "196.201.214.200", "203.0.113.9", (ip_network("127.0.0.1/32"),)
ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}


@pytest_asyncio.fixture
async def wire(database_url: str) -> AsyncIterator[Relay]:
    """The application's wire to its database."""
    async with relay(database_url) as made:
        yield made


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest, wire: Relay) -> Settings:
    """The usual ones with what the marker `settings_with` says, and the database at the end of the wire."""
    marker = request.node.get_closest_marker("settings_with")
    changes: dict[str, Any] = dict(marker.kwargs) if marker else {}
    url = type(settings.database_url)(wire.url) if settings.database_url else None
    return settings.model_copy(update={"database_url": url} | changes)


@pytest.fixture
def success(simulator: Safaricom) -> bytes:
    """A callback that says paid, about a push nobody made."""
    callback = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": "ws_CO_191220191020363925708374149",
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {
            "Item": [
                {"Name": "Amount", "Value": 400},
                {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"},
                {"Name": "TransactionDate", "Value": 20261120203015},
                {"Name": "PhoneNumber", "Value": 254708374149},
            ]
        },
    }
    return json.dumps({"Body": {"stkCallback": callback}}).encode()


@pytest.mark.failure(51, 53)
async def test_when_the_answer_arrives_the_row_is_there_for_everybody_else(
    application: Served, http: aiohttp.ClientSession, db: Pool, success: bytes, rt: Runtime
) -> None:
    for number in range(1, 21):
        async with http.post("/cb/" + f"{number:064x}", data=success) as answer:
            # `db` is another process's pool: what it sees is committed.
            assert await db.fetchval("select count(*) from mpesa_callbacks") == number
            assert (answer.status, await answer.json()) == (200, ACCEPTED)
    await application.pushes.drain()
    key = await rt.keys.current(None)
    for row in await db.fetch("select body_enc from mpesa_callbacks"):
        assert key.id in row["body_enc"]
        async with db.acquire() as connection:
            assert await rt.keys.open(connection, "callback", row["body_enc"]) == success


@pytest.mark.failure(53)
async def test_while_the_database_is_away_nothing_is_accepted_and_nothing_is_lost(
    application: Served, http: aiohttp.ClientSession, wire: Relay, start: Starting, simulator: Safaricom, db: Pool
) -> None:
    simulator.simulator.queue_scenario("person")
    _, started = await start()
    push = simulator.simulator.pushes[started["checkoutRequestId"]]
    wire.cut()
    async with http.get("/readyz") as answer:
        assert (answer.status, (await answer.json())["checks"]["database"]) == (503, False)
    body = json.dumps(
        {
            "Body": {
                "stkCallback": {
                    "MerchantRequestID": push.merchant_id,
                    "CheckoutRequestID": push.checkout_id,
                    "ResultCode": 1032,
                    "ResultDesc": "Request cancelled by user",
                }
            }
        }
    ).encode()
    path = "/cb/" + push.wanted.callback_url.rpartition("/")[2]
    async with http.post(path, data=body) as answer:
        assert answer.status == 503
        assert (await answer.json())["ResultCode"] == 1
    files = list(Path(application.rt.settings.spool_folder).glob("*.callback"))
    assert len(files) == 1
    assert b"1032" not in files[0].read_bytes()
    assert files[0].stat().st_mode & 0o077 == 0
    await wire.mend()
    assert await inbox_work.import_spool(application.rt) == 1
    assert not files[0].exists()
    await inbox_work.work_off(application.rt)
    async with http.get(f"{STATUS}/{started['transactionId']}") as answer:
        assert (await answer.json())["status"] == "cancelled"


@pytest.mark.req("PAY-7.1")
async def test_while_the_database_is_away_everybody_reads_that_and_nothing_else(
    application: Served, http: aiohttp.ClientSession, wire: Relay, start: Starting, bar: SeededBar
) -> None:
    wire.cut()
    status, body = await start()
    assert (status, body["code"]) == (503, "database_away")
    async with http.get(f"/pay/{bar.tab.ref}", headers={"Accept": "text/html"}) as answer:
        html = await answer.text()
    assert answer.status == 503
    assert "Try again" in html
    assert "127.0.0.1" not in html
    async with http.get("/healthz") as answer:
        assert answer.status == 200
    await wire.mend()
    async with asyncio.timeout(30):
        while (await start())[0] != 202:
            await asyncio.sleep(0.05)


@pytest.mark.failure(26)
async def test_a_database_that_says_nothing_any_more_is_not_ready(
    application: Served, http: aiohttp.ClientSession, wire: Relay
) -> None:
    async def database() -> bool:
        async with http.get("/readyz") as answer:
            found: bool = (await answer.json())["checks"]["database"]
        return found

    assert await database()
    wire.hush()
    # The driver by itself would wait for twenty seconds, longer than anybody who asks.
    async with asyncio.timeout(DRIVER_SECONDS / 2):
        assert not await database()
    wire.speak()
    async with asyncio.timeout(30):
        while not await database():
            await asyncio.sleep(0.05)


async def test_a_callback_without_a_whole_token_is_kept_and_not_believed(
    application: Served, http: aiohttp.ClientSession, success: bytes, db: Pool
) -> None:
    paths = ("/api/payments/mpesa/callback", "/cb/x", "/cb/" + "A" * 64, "/cb/" + "0" * 63)
    for path in paths:
        async with http.post(path, data=success) as answer:
            assert answer.status == 200
    await application.pushes.drain()
    rows = await db.fetch("select token_hash, verdict from mpesa_callbacks")
    assert [tuple(row) for row in rows] == [(None, "orphan")] * len(paths)


@pytest.mark.failure(56)
async def test_a_body_that_is_nobodys_callback_is_turned_away_unread(
    application: Served, http: aiohttp.ClientSession, db: Pool
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 4_096

    for data in (b"x" * (64 * 1024 + 1), endless()):
        async with http.post("/cb/" + "0" * 64, data=data) as answer:
            assert answer.status == 413
    async with http.post("/cb/" + "0" * 64, data=b"x" * 64 * 1024) as answer:
        assert answer.status == 200
    assert await db.fetchval("select count(*) from mpesa_callbacks") == 1


@pytest.mark.req("PAY-2.3", "PAY-P11", "PAY-5.2")
@pytest.mark.failure(55)
@pytest.mark.parametrize(
    ("source", "believed"),
    [
        pytest.param(
            STRANGER, False, id="enforce, a stranger",
            marks=pytest.mark.settings_with(callback_sources=CallbackSources.ENFORCE, trusted_proxies=PROXY),
        ),
        pytest.param(
            SAFARICOM, True, id="enforce, Safaricom",
            marks=pytest.mark.settings_with(callback_sources=CallbackSources.ENFORCE, trusted_proxies=PROXY),
        ),
        pytest.param(
            SAFARICOM, False, id="enforce, a header nobody vouches for",
            marks=pytest.mark.settings_with(callback_sources=CallbackSources.ENFORCE),
        ),
        pytest.param(
            STRANGER, True, id="log, a stranger",
            marks=pytest.mark.settings_with(callback_sources=CallbackSources.LOG, trusted_proxies=PROXY),
        ),
        pytest.param(
            STRANGER, True, id="off, a stranger",
            marks=pytest.mark.settings_with(callback_sources=CallbackSources.OFF, trusted_proxies=PROXY),
        ),
    ],
)  # fmt: skip
async def test_a_callback_is_believed_from_where_the_settings_say(
    application: Served, http: aiohttp.ClientSession, success: bytes, db: Pool, source: str, believed: bool
) -> None:
    headers = {"X-Forwarded-For": f"{SAFARICOM}, {source}"}
    async with http.post("/cb/" + "0" * 64, data=success, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (200, ACCEPTED)
    row = await db.fetchrow("select token_hash, host(source) as source from mpesa_callbacks")
    assert row is not None
    assert (row["token_hash"] is not None) is believed
    assert row["source"] == (source if application.rt.settings.trusted_proxies else "127.0.0.1")

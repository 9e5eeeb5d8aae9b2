"""The database is gone for a while: Safaricom, who calls once, is told 503, and what it said is not lost."""

import json
from pathlib import Path

import aiohttp
import pytest

from kaunta.core.runtime import Runtime
from tests.chaos.evening import Evening, eventually

PHONE = "254708374149"


@pytest.mark.failure(53)
async def test_a_callback_that_comes_while_the_database_is_stopped(chaos: Evening, rt: Runtime, tmp_path: Path) -> None:
    chaos.simulator.simulator.queue_scenario("person", phone=PHONE)
    tab = chaos.tabs[0]
    body = {"tabId": tab.ref, "phoneNumber": PHONE, "amount": 120}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{chaos.urls[0]}/api/payments/mpesa/initiate", json=body) as answer,
    ):
        payment = (await answer.json())["transactionId"]
    (push,) = chaos.simulator.simulator.pushes.values()
    chaos.server.stop()
    chaos.simulator.simulator.answer(push.checkout_id, "0")
    await chaos.simulator.simulator.settle(push.checkout_id)
    assert [attempt.status for attempt in push.messages[0].attempts] == [503]
    (kept,) = tmp_path.glob("spool-a/*.callback")
    # Sealed: neither the phone nor the receipt can be read off the disk.
    assert kept.stat().st_mode & 0o077 == 0
    receipt = push.receipt
    assert receipt is not None
    assert receipt.encode() not in kept.read_bytes()
    assert json.dumps(PHONE).encode() not in kept.read_bytes()
    chaos.server.start()

    async def paid() -> None:
        row = await rt.db.fetchrow("select status::text, receipt from mpesa_transactions where id = $1::uuid", payment)
        assert row is not None
        assert dict(row) == {"status": "completed", "receipt": receipt}
        assert not kept.exists()

    await eventually(paid, 20)

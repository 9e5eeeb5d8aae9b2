"""PostgreSQL is there and does nothing: every process of it is stopped, as by a disk or a host that hangs."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from kaunta.core.runtime import Runtime
from kaunta.core.together import WAIT_SECONDS
from kaunta.simulator.catalogue import scenario_named
from tests.chaos.evening import Evening, eventually

PHONE = "254708374149"


@pytest.mark.req("PAY-7.6")
@pytest.mark.failure(53)
async def test_a_callback_that_comes_while_the_database_hangs(chaos: Evening, rt: Runtime, tmp_path: Path) -> None:
    # Safaricom's own word comes after the test, so that the test's is the only one.
    chaos.simulator.simulator.queue_scenario(replace(scenario_named("cancelled"), delay=10_000), phone=PHONE)
    body = {"tabId": chaos.tabs[0].ref, "phoneNumber": PHONE, "amount": 120}
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{chaos.urls[0]}/api/payments/mpesa/initiate", json=body) as answer:
            payment = (await answer.json())["transactionId"]
        (push,) = chaos.simulator.simulator.pushes.values()
        said = {
            "MerchantRequestID": push.merchant_id,
            "CheckoutRequestID": push.checkout_id,
            "ResultCode": 1032,
            "ResultDesc": "Request cancelled by user",
        }
        with chaos.server.hanging():
            began = asyncio.get_running_loop().time()
            async with http.post(push.wanted.callback_url, json={"Body": {"stkCallback": said}}) as answer:
                assert (answer.status, (await answer.json(content_type=None))["ResultCode"]) == (503, 1)
            # Long before the driver would have given up, and Safaricom with it.
            assert WAIT_SECONDS <= asyncio.get_running_loop().time() - began < WAIT_SECONDS + 10
            (kept,) = tmp_path.glob("spool-a/*.callback")
            assert json.dumps(said["ResultDesc"]).encode() not in kept.read_bytes()

    async def cancelled() -> None:
        status = "select status::text from mpesa_transactions where id = $1::uuid"
        assert await rt.db.fetchval(status, payment) == "cancelled"
        assert not kept.exists()

    await eventually(cancelled, 40)

"""After the move a guest pays on a tab of the old product's, with the credentials that came along."""

import asyncio

import aiohttp
import pytest

from kaunta.core.db import Connection
from kaunta.payments.invariants import check_all
from tests.adopt.conftest import ONE_AND_ALL
from tests.support.door import Served
from tests.support.safaricom import Safaricom


@pytest.mark.parametrize("generation", ONE_AND_ALL)
async def test_a_payment_goes_through(
    application: Served, http: aiohttp.ClientSession, simulator: Safaricom, moved: Connection
) -> None:
    tab = await moved.fetchrow(
        """
        select t.id, t.ref, s.after as owed from tabs t join kaunta_adoption.balances s on s.tab_id = t.id
        join bars b on b.id = t.bar_id
        where t.status = 'open' and s.after > 200 and b.mpesa_enabled and b.mpesa_environment = 'sandbox'
        order by t.opened_at limit 1
        """
    )
    assert tab is not None
    body = {"tabId": tab["ref"], "phoneNumber": "254708374149", "amount": 150}
    async with http.post("/api/payments/mpesa/initiate", json=body) as answer:
        assert answer.status == 202, await answer.text()
        payment = (await answer.json())["transactionId"]
    await simulator.settle()
    # Safaricom has its answer as soon as the callback is stored; it is understood right after.
    status = "sent"
    async with asyncio.timeout(60):
        while status == "sent":
            await asyncio.sleep(0.02)
            async with http.get(f"/api/payments/mpesa/status/{payment}") as answer:
                status = (await answer.json())["status"]
    assert status == "completed"
    paid = await moved.fetchval("select sum(amount) from tab_payments where transaction_id = $1", payment)
    assert paid == 150
    assert [finding for finding in await check_all(moved) if not finding.ok] == []

from kaunta.payments import views
from kaunta.payments.initiate import Intent, initiate
import time, pytest

@pytest.mark.parametrize("n", range(6))
async def test_rt(rt, bar, other_bar, pushes, simulator, n):
    i = await initiate(rt, pushes, Intent(bar.tab.ref, "0712345678", 500)); await i.answered()
    v = await views.payment(rt, i.transaction_id)
    assert v.status == "sent"

@pytest.mark.parametrize("n", range(6))
async def test_http(rt, bar, application, http, simulator, n):
    async with http.post("/api/payments/mpesa/initiate", json={"tabId": bar.tab.ref, "phoneNumber": "0712345678", "amount": 400}) as r:
        assert r.status == 202, await r.text()
        b = await r.json()
    await simulator.settle()
    await application.pushes.drain()
    async with http.get("/api/payments/mpesa/status/" + b["transactionId"]) as r:
        b = await r.json()
    assert b["status"] == "completed", b

@pytest.mark.clock_factor(60)
async def test_worker(rt, bar, application_with_worker, http, simulator):
    simulator.simulator.queue_scenario("callback_lost")
    async with http.get(f"/api/bars/{bar.id}/payment-methods/events") as stream:
        await stream.content.readline()
        async with http.post("/api/payments/mpesa/initiate", json={"tabId": bar.tab.ref, "phoneNumber": "0712345678", "amount": 400}) as r:
            b = await r.json()
        async for line in stream.content:
            async with http.get("/api/payments/mpesa/status/" + b["transactionId"]) as r:
                if (await r.json())["status"] == "completed": break

"""The accounts at Safaricom beside the day's close: asked for by a manager, shown with their time."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from kaunta.core.secret import Secret
from kaunta.payments.initiators import set_initiator
from tests.staff.conftest import Reader
from tests.support.bars import SeededBar, Staff
from tests.support.door import Served
from tests.support.safaricom import Safaricom

SignIn = Callable[[Staff], Awaitable[str]]


async def test_a_manager_asks_and_reads_what_safaricom_holds(
    read: Reader, signed_in: SignIn, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    rt = application.rt
    certificate = rt.settings.sandbox_certificate
    assert certificate is not None
    token = await signed_in(bar.owner)
    assert "At Safaricom" not in (await read("/staff/day")).text, "nobody can ask"
    refused = await read("/staff/day/balance", data={"csrf": token})
    assert refused.status == 409
    Path(certificate).write_bytes(simulator.simulator.initiators.certificate(rt.clock.now()))
    await set_initiator(rt, bar.id, "sandbox", "barapi", Secret("Kaunta#2026"), by="staff:owner")
    await simulator.simulator.pay_till("174379", "254700000050", 350, "")
    assert "Ask what the accounts hold" in (await read("/staff/day")).text
    asked = await read("/staff/day/balance", data={"csrf": token})
    assert (asked.status, asked.path) == (200, "/staff/day")
    assert "is being asked" in asked.text
    await simulator.settle()
    await application.pushes.drain()
    page = await read("/staff/day")
    assert "Merchant Account" in page.text
    assert "KES 348.08" in page.text
    assert "As Safaricom said at" in page.text
    assert "Merchant Account" not in (await read("/staff/day?date=2026-11-19")).text


async def test_a_waiter_does_not_ask(read: Reader, token: str) -> None:
    assert (await read("/staff/day/balance", data={"csrf": token})).status == 403

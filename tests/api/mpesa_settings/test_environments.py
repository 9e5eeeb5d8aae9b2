"""Another environment: saved and switched to in one, confirmed, proven, and never under a payment."""

import asyncio

import pytest

from kaunta.payments.initiate import Intent, initiate
from kaunta.simulator.faults import Fault
from tests.api.mpesa_settings.conftest import BOTH, Office, news
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom
from tests.support.switch import Plot, State


@pytest.mark.req("PAY-8.5", "PAY-8.2", "PAY-8.3", "PAY-P17", "PAY-4.1")
@pytest.mark.failure(33)
@pytest.mark.parametrize("enabled", [True, False])
async def test_production_is_saved_and_switched_to_in_one_with_its_shortcode_typed(
    owner: Office, plot: Plot, production: Safaricom, enabled: bool
) -> None:
    before = await plot.snapshot()
    for typed in (None, "", "174379", "yes"):
        status, answer = await owner.save(**news("production"), mpesa_enabled=enabled, confirm_production=typed)
        assert (status, answer["code"]) == (409, "production_confirmation_required")
        assert await plot.snapshot() == before
    assert len(production.simulator.tokens.until) == 0
    status, answer = await owner.save(**news("production"), mpesa_enabled=enabled, confirm_production=" 600000 ")
    assert (status, answer["sync_status"]) == (200, BOTH)
    assert await plot.state() == State("production", enabled, {"sandbox": True, "production": enabled})
    assert len(production.simulator.tokens.until) == 1


@pytest.mark.req("PAY-8.3")
async def test_stored_credentials_nobody_tried_are_proven_before_they_go_on(
    owner: Office, plot: Plot, production: Safaricom
) -> None:
    await plot.plant(State("production", False, {"production": False}))
    wish = {"mpesa_environment": "production"}
    production.simulator.faults.add(Fault("oauth", "invalid_authentication"))
    status, _ = await owner.save(**wish)
    assert status == 422
    assert (await plot.state()).flag is False
    status, answer = await owner.save(**wish)
    assert (status, answer["settings"]["credentials"][0]["test_status"]) == (200, "success")
    # Once proven, off and on again asks nobody.
    await owner.save(**wish, mpesa_enabled=False)
    await production.stop_listening()
    assert (await owner.save(**wish))[0] == 200


@pytest.mark.req("PAY-8.3", "PAY-P17")
async def test_no_environment_changes_while_payments_are_in_flight_and_off_works_still(
    owner: Office, plot: Plot, application: Served, bar: SeededBar, simulator: Safaricom
) -> None:
    started = await initiate(plot.rt, application.pushes, Intent(bar.tab.ref, "254708374149", 100))
    await started.answered()
    status, answer = await owner.save(**news("production"), confirm_production="600000")
    assert (status, answer["code"]) == (409, "payments_in_flight")
    assert (await owner.save(mpesa_enabled=False))[0] == 200
    assert (await plot.state()).flag is False
    await simulator.settle()
    await application.pushes.drain()
    assert (await owner.save(**news("production"), confirm_production="600000"))[0] == 200


@pytest.mark.req("PAY-8.3", "PAY-P4")
async def test_a_payment_that_begins_while_the_environment_changes_is_waited_for(
    owner: Office, plot: Plot, application: Served, bar: SeededBar
) -> None:
    """It looked at the bar before the switch did, and is not committed yet: a count would not see it."""

    async def waiting(number: int) -> None:
        """Until so many wait for a lock."""
        async with asyncio.timeout(30):
            while await plot.rt.db.fetchval("select count(*) from pg_locks where not granted") < number:
                await asyncio.sleep(0.005)

    async with plot.rt.db.acquire() as somebody:
        busy = somebody.transaction()
        await busy.start()
        await somebody.execute("select true from tabs where id = $1 for no key update", bar.tab.id)
        guest = asyncio.create_task(initiate(plot.rt, application.pushes, Intent(bar.tab.ref, "254708374149", 100)))
        await waiting(1)
        move = {"mpesa_environment": "production", "confirm_production": "600000"}
        saving = asyncio.create_task(owner.save(**move))
        await waiting(2)
        await busy.rollback()
    await (await guest).answered()
    status, answer = await saving
    assert (status, answer["code"]) == (409, "payments_in_flight")
    assert (await plot.state()).environment == "sandbox"

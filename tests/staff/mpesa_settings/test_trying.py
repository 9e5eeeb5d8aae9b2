"""The connection in steps, and a test payment whose end is picked."""

from dataclasses import replace

import pytest

from kaunta.core.runtime import Runtime
from kaunta.staff.settings_mpesa_tests import OUTCOMES, STEPS, outcomes
from tests.staff.mpesa_settings.conftest import Desk, alert
from tests.support.door import Served
from tests.support.safaricom import Safaricom
from tests.support.switch import Plot, State


@pytest.mark.req("PAY-4.2")
@pytest.mark.failure(9, 26)
async def test_the_connection_is_shown_step_by_step(
    owner: Desk, plot: Plot, simulator: Safaricom, production: Safaricom
) -> None:
    page = await owner.send("connection", environment="sandbox")
    assert "Sandbox: the connection works" in page.text
    for name in STEPS.values():
        assert f"<b>{name}</b>" in page.text
    # Nobody has started a worker here: a warning, with what to do.
    assert "Start `kaunta worker`" in page.text
    assert isinstance(production.simulator.options.credentials, dict)
    production.simulator.options.credentials.clear()
    page = await owner.send("connection", environment="production")
    assert "Production: something is in the way" in page.text
    assert "Check that both come from the same production app." in page.text
    assert "refused by Safaricom" in (await owner.see("connection")).text
    await plot.plant(State("sandbox", False, {}))
    assert "No sandbox credentials are stored." in (await owner.send("connection", environment="sandbox")).text
    assert "No keys are stored yet." in (await owner.see("connection")).text


@pytest.mark.req("PAY-8.6", "PAY-P18")
async def test_a_test_payment_ends_as_it_was_picked(
    owner: Desk, application: Served, simulator: Safaricom, production: Safaricom, plot: Plot
) -> None:
    page = await owner.see("payment")
    for name in OUTCOMES:
        assert f'<option value="{name}">' in page.text
    assert "Take KES 1 of real money" not in page.text
    for outcome, ends in (("no_funds", "not paid"), ("cancelled", "cancelled"), ("paid", "paid")):
        page = await owner.send("payment", environment="sandbox", outcome=outcome)
        assert page.path.startswith("/staff/payments/")
        await application.pushes.drain()
        await simulator.settle()
        await application.pushes.drain()
        page = await owner.see(page.path)
        assert f"</svg>{ends}</span>" in page.text, outcome
    assert len(production.simulator.pushes) == 0
    for form in ({"outcome": "a wish"}, {}, {"environment": "production", "outcome": "paid", "confirm": "600000"}):
        assert alert(await owner.send("payment", **{"environment": "sandbox"} | form)) == "Enter the phone to ring."


@pytest.mark.req("PAY-8.5")
@pytest.mark.failure(33, 34)
async def test_in_production_the_shortcode_is_typed_first(
    owner: Desk, application: Served, production: Safaricom, plot: Plot
) -> None:
    wish = {"environment": "production", "phone": "0708 374 149"}
    refused = await owner.send("payment", **wish, confirm="174379")
    assert (refused.status, 'value="0708 374 149"' in refused.text) == (409, True)
    assert alert(refused).startswith("This takes KES 1 of real money")
    assert len(production.simulator.pushes) == 0
    assert (await owner.send("payment", **wish, confirm="600000")).path.startswith("/staff/payments/")
    await application.pushes.drain()
    assert len(production.simulator.pushes) == 1


async def test_where_safaricom_itself_answers_no_end_is_picked_and_real_money_is_called_so(
    owner: Desk, application: Served, plot: Plot, rt: Runtime
) -> None:
    hosts = {"daraja_sandbox_url": "https://sandbox.invalid", "daraja_production_url": "https://api.invalid"}
    there = replace(application.rt, settings=application.rt.settings.model_copy(update=hosts))
    application.app.state.runtime = there
    assert outcomes(there) == ()
    page = await owner.see("payment")
    assert "Take KES 1 of real money" in page.text
    assert "<option>254708374149</option>" in page.text
    refused = await owner.send("payment", environment="sandbox", phone="254711040400")
    assert (refused.status, len(alert(refused)) > 10) == (400, True)
    await plot.plant(State("sandbox", False, {}))
    assert "No production keys are stored." in (await owner.see("payment")).text

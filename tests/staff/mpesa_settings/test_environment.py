"""From the sandbox to money and back: typed, with a reason, behind gates, and never half."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from tests.staff.mpesa_settings.conftest import BASE, Desk, alert
from tests.support.door import Served
from tests.support.switch import Plot, State

LIVE = {"to": "production", "confirm": "600000", "reason": "we open tonight", "on": "yes"}
BACK = {"to": "sandbox", "confirm": "174379", "reason": "to practise"}


@pytest.mark.req("PAY-8.3", "PAY-8.5")
async def test_there_and_back_with_the_reason_on_the_record(owner: Desk, plot: Plot, rt: Runtime) -> None:
    page = await owner.see("environment")
    assert "these are shown, and do not stand in the way" in page.text
    before = await plot.snapshot()
    for form in (LIVE | {"confirm": "174379"}, LIVE | {"confirm": ""}, LIVE | {"reason": " "}, LIVE | {"to": "moon"}):
        refused = await owner.send("environment", **form)
        assert refused.status in (400, 409)
        assert alert(refused)
        assert await plot.snapshot() == before
    assert (await owner.send("environment", **LIVE)).path == BASE
    assert await plot.state() == State("production", True, {"sandbox": True, "production": True})
    # Pressed twice: it is there already.
    assert (await owner.send("environment", **LIVE)).path == BASE
    page = await owner.see("environment")
    assert "Guests will not really pay." in page.text
    assert (await owner.send("environment", **BACK | {"confirm": "600000"})).status == 409
    assert (await owner.send("environment", **BACK)).path == BASE
    # Guests do not order for nothing unless somebody wants them to.
    assert (await plot.state()).environment == "sandbox"
    assert (await plot.state()).flag is False
    rows = await rt.db.fetch("select reason, detail from audit_events where action = 'mpesa.environment' order by id")
    assert [(row["reason"], row["detail"]["before"], row["detail"]["after"]) for row in rows] == [
        ("we open tonight", "sandbox", "production"),
        ("to practise", "production", "sandbox"),
    ]


@pytest.mark.req("PAY-8.5", "PAY-P17")
async def test_where_money_is_real_shut_gates_stand_in_the_way(owner: Desk, application: Served, plot: Plot) -> None:
    real = application.rt.settings.model_copy(update={"daraja_production_url": "https://api.invalid"})
    application.app.state.runtime = replace(application.rt, settings=real)
    page = await owner.see("environment")
    assert "No payment with this version was paid and called back." in page.text
    assert "Not yet: see above what is in the way." in page.text
    before = await plot.snapshot()
    refused = await owner.send("environment", **LIVE)
    assert (refused.status, alert(refused).startswith("M-Pesa cannot go live yet:")) == (409, True)
    assert await plot.snapshot() == before


async def test_while_payments_are_under_way_the_environment_stays(owner: Desk, application: Served, plot: Plot) -> None:
    await owner.send("payment", environment="sandbox", outcome="paid")
    await application.pushes.drain()
    assert "1 payment under way" in (await owner.see("environment")).text
    assert (await owner.send("environment", **LIVE)).status == 409
    assert (await plot.state()).environment == "sandbox"


async def test_without_keys_to_go_to_there_is_nothing_to_press(owner: Desk, plot: Plot) -> None:
    await plot.plant(State("sandbox", True, {"sandbox": True}))
    assert "No production keys are stored." in (await owner.see("environment")).text
    assert alert(await owner.send("environment", **LIVE)) == "No production credentials are stored."
    assert (await plot.state()).environment == "sandbox"


async def test_a_backup_is_made_first_where_backups_are_set_up(
    owner: Desk, application: Served, plot: Plot, tmp_path: Path
) -> None:
    assert "no backup is needed, and none is set up here" in (await owner.see("environment")).text
    rt, folder = application.rt, tmp_path / "backups"
    key = SecretStr(generate_entry(Entropy(), "r1"))
    told = {"backup_folder": str(folder), "recovery_key": key}
    application.app.state.runtime = replace(rt, settings=rt.settings.model_copy(update=told))
    assert "A backup of them is made first" in (await owner.see("environment")).text
    assert (await owner.send("environment", **LIVE | {"confirm": "1"})).status == 409
    assert not folder.exists(), "what is refused for what was typed costs no backup"
    assert (await owner.send("environment", **LIVE)).path == BASE
    [kept] = await rt.db.fetch("select reason, kind, ok, created_by from backups")
    assert (kept["reason"], kept["kind"], kept["ok"]) == ("safety", "credentials", True)
    assert kept["created_by"].startswith("staff:")
    rows = await rt.db.fetch("select action from audit_events where action in ('backup.created', 'mpesa.environment')")
    assert [row["action"] for row in rows] == ["backup.created", "mpesa.environment"]
    assert (await plot.state()).environment == "production"


async def test_a_backup_that_cannot_be_made_is_on_record_and_in_nobodys_way(
    owner: Desk, application: Served, plot: Plot, tmp_path: Path
) -> None:
    rt, file = application.rt, tmp_path / "no-folder"
    file.write_text("in the way")
    told = {"backup_folder": str(file), "recovery_key": SecretStr(generate_entry(Entropy(), "r1"))}
    application.app.state.runtime = replace(rt, settings=rt.settings.model_copy(update=told))
    assert (await owner.send("environment", **LIVE)).path == BASE
    assert (await plot.state()).environment == "production"
    outcome = "select outcome from audit_events where action = 'backup.created'"
    assert [row["outcome"] for row in await rt.db.fetch(outcome)] == ["failed"]

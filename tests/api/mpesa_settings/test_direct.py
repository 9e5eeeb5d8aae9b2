"""The settings of direct money over HTTP: for the owner, and no password comes out."""

import pytest

from .conftest import PATH, Office

PASSWORD = "Kaunta#2026-xyz"


@pytest.mark.failure(87, 90)
async def test_the_owner_registers_sets_an_initiator_and_subscribes(owner: Office) -> None:
    bar = str(owner.plot.bar_id)
    named = {"barId": bar, "mpesa_environment": "sandbox"}
    status, said = await owner.ask("POST", f"{PATH}/c2b", json=named | {"rule": "open_references"})
    assert (status, said["success"]) == (200, True), said
    assert (said["c2b"][0]["state"], said["c2b"][0]["rule"]) == ("registered", "open_references")
    given = {"mpesa_initiator_name": "barapi", "mpesa_initiator_password": PASSWORD}
    status, said = await owner.ask("POST", f"{PATH}/initiator", json=named | given)
    assert (status, said["initiators"][0]["name"]) == (200, "barapi"), said
    status, said = await owner.ask("POST", f"{PATH}/pull", json=named | {"nominated_number": "0700000001"})
    assert status == 200, said
    status, said = await owner.ask("GET", f"{PATH}/direct?barId={bar}")
    assert (status, said["pull"][0]["active"]) == (200, True)
    assert not any(PASSWORD in text for text in owner.said)
    status, said = await owner.ask("POST", f"{PATH}/initiator", json=named | {"mpesa_initiator_name": ""})
    assert (status, said["initiators"]) == (200, [])

"""Who may open what, and that on and off and repair do what they say."""

import pytest

from kaunta.access.accounts import Role
from kaunta.access.sessions import PROVED_SECONDS
from kaunta.core.clock import ManualClock
from kaunta.core.runtime import Runtime
from tests.staff.mpesa_settings.conftest import BASE, INITIATOR_PASSWORD, NEW, Desk, Enter, alert
from tests.support.bars import SeededBar
from tests.support.switch import Plot, State

FOR_MANAGERS = ("", "readiness")
FOR_OWNERS = ("credentials/sandbox", "credentials/production", "connection", "payment", "till", "environment")
OWNERS_FORMS: tuple[tuple[str, dict[str, str]], ...] = (
    ("credentials/sandbox", {"business_shortcode": "174379", "passkey": NEW["passkey"]}),
    ("initiator/sandbox", {"initiator_name": "api", "initiator_password": INITIATOR_PASSWORD}),
    ("initiator/sandbox/forget", {}),
    ("connection", {"environment": "sandbox"}),
    ("payment", {"environment": "sandbox", "outcome": "paid"}),
    ("till/register", {"environment": "sandbox", "unheard": "Completed"}),
    ("till/rule", {"environment": "sandbox", "rule": "all"}),
    ("till/list", {"environment": "sandbox", "stop": "yes"}),
    ("environment", {"to": "production", "confirm": "600000", "reason": "we open"}),
    ("readiness/privacy", {"note": "it hangs at the door", "stands": "yes"}),
)
#: What changes money's way asks for a recent proof; reading and trying does not.
PROVED = (
    "credentials/sandbox", "initiator/sandbox", "initiator/sandbox/forget", "till/register", "till/rule", "till/list",
    "environment",
)  # fmt: skip


@pytest.mark.failure(87, 88)
async def test_each_role_sees_and_does_what_it_may(enter: Enter, plot: Plot) -> None:
    before = await plot.snapshot()
    roles: tuple[Role, ...] = ("waiter", "cashier", "manager", "owner")
    for role in roles:
        desk, manages = await enter(role), role in ("manager", "owner")
        for page in FOR_MANAGERS:
            assert (await desk.see(page)).status == (200 if manages else 403), (role, page)
        for page in FOR_OWNERS:
            assert (await desk.see(page)).status == (200 if role == "owner" else 403), (role, page)
        if role == "owner":
            return
        for page, form in OWNERS_FORMS:
            assert (await desk.send(page, **form)).status == 403, (role, page)
        assert await plot.snapshot() == before
        for page, form in (("switch", {"mpesa": "on"}), ("repair", {})):
            assert (await desk.send(page, **form)).status == (200 if manages else 403), (role, page)


async def test_an_environment_that_does_not_exist_has_no_page(owner: Desk) -> None:
    assert (await owner.see("credentials/live")).status == 404
    assert (await owner.send("connection", environment="live")).status == 404
    assert (await owner.send("payment", environment="")).status == 404
    assert (await owner.send("readiness/worker", note="it runs", stands="yes")).status == 404


async def test_an_old_proof_is_asked_for_again_and_changes_nothing(owner: Desk, plot: Plot, clock: ManualClock) -> None:
    clock.advance(PROVED_SECONDS + 1)
    before = await plot.snapshot()
    for page in ("credentials/sandbox", "credentials/production", "till", "environment"):
        assert (await owner.see(page)).path == "/staff/prove"
    for page, form in OWNERS_FORMS:
        if page in PROVED:
            assert (await owner.send(page, **form)).path == "/staff/prove", page
    assert await plot.snapshot() == before
    assert (await owner.see()).status == 200


async def test_a_form_of_another_session_changes_nothing(owner: Desk, plot: Plot) -> None:
    before = await plot.snapshot()
    for page, form in (*OWNERS_FORMS, ("switch", {"mpesa": "off"}), ("repair", {})):
        assert (await owner.send(page, **form | {"csrf": "0" * 64})).status == 403, page
    assert await plot.snapshot() == before


@pytest.mark.req("SYNC-1.1", "SYNC-4.1", "SYNC-4.3")
async def test_a_manager_switches_both_flags_at_once(manager: Desk, plot: Plot) -> None:
    page = await manager.send("switch", mpesa="off")
    assert "M-Pesa is off. Credentials and bar were written, both or neither." in page.text
    assert await plot.state() == State("sandbox", False, {"sandbox": False, "production": False})
    page = await manager.send("switch", mpesa="on")
    assert "M-Pesa is on." in page.text
    assert await plot.state() == State("sandbox", True, {"sandbox": True, "production": False})
    assert alert(await manager.send("switch", mpesa="perhaps")) == "Say on or off."


async def test_what_is_not_there_cannot_be_switched_on(manager: Desk, plot: Plot) -> None:
    await plot.plant(State("sandbox", False, {}))
    page = await manager.send("switch", mpesa="on")
    assert (page.status, alert(page)) == (409, "No sandbox credentials are stored.")
    assert "None yet." in page.text
    assert (await manager.send("switch", mpesa="off")).status == 200


@pytest.mark.req("SYNC-5.4")
@pytest.mark.failure(1, 5)
async def test_a_switch_that_says_two_things_says_so_and_is_repaired(manager: Desk, plot: Plot) -> None:
    assert "/repair" not in (await manager.see()).text
    await plot.plant(State("sandbox", True, {"sandbox": False}))
    page = await manager.see()
    assert "The switch says two things" in page.text
    assert "Repair: switch it off" in page.text
    done = await manager.send("repair")
    assert "Repaired: M-Pesa is off." in done.text
    assert (await plot.state()).right
    assert "There was nothing to do." in (await manager.send("repair")).text


async def test_the_strip_says_why_guests_do_not_see_it(manager: Desk, plot: Plot, rt: Runtime, bar: SeededBar) -> None:
    await rt.db.execute(
        "update bars set mpesa_suspended_reason = 'two refusals', mpesa_suspended_until = null where id = $1", bar.id
    )
    page = await manager.see()
    assert "M-Pesa is suspended: two refusals" in page.text
    assert f'action="{BASE}/switch"' in page.text

"""What changes where money goes wants password and code just entered, through the API as at the counter."""

from kaunta.access.sessions import PROVED_SECONDS
from kaunta.core.clock import ManualClock
from tests.api.mpesa_settings.conftest import Enter, Office, news
from tests.support.bars import SeededBar
from tests.support.switch import Plot


async def test_an_old_sign_in_reads_and_switches_and_changes_no_credentials(
    owner: Office, enter: Enter, plot: Plot, bar: SeededBar, clock: ManualClock
) -> None:
    clock.advance(PROVED_SECONDS + 1)
    await owner.look()
    assert (await owner.save(mpesa_enabled=False))[0] == 200
    assert (await owner.save(mpesa_enabled=True))[0] == 200
    before = await plot.snapshot()
    for wish in (
        news(),
        news("production", store_only=True),
        {"mpesa_environment": "production", "confirm_production": "600000"},
    ):
        status, answer = await owner.save(**wish)
        assert (status, answer["code"]) == (403, "proof_needed")
    body = {"barId": str(bar.id), "mpesa_environment": "sandbox", "mpesa_initiator_name": "api"}
    status, answer = await owner.ask(
        "POST", "/api/mpesa-settings/initiator", json=body | {"mpesa_initiator_password": "a-password-0123"}
    )
    assert (status, answer["code"]) == (403, "proof_needed")
    assert await plot.snapshot() == before
    # Signed in anew, which is password and code: then it goes.
    assert (await (await enter(bar.owner.username)).save(**news()))[0] == 200

"""What is refused, with which words and status, and that nothing has changed then."""

from typing import Any

import asyncpg
import pytest

from kaunta.core.runtime import Runtime
from kaunta.simulator.faults import Fault
from tests.api.mpesa_settings.conftest import MASK, Office, news
from tests.support.faults import trouble
from tests.support.safaricom import Safaricom
from tests.support.switch import Plot, guard


@pytest.mark.req("SYNC-4.4", "SYNC-P7", "PAY-8.4")
@pytest.mark.failure(7, 23)
@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"mpesa_consumer_key": MASK}, "mpesa_consumer_key"),
        ({"mpesa_consumer_secret": "****************"}, "mpesa_consumer_secret"),
        ({"mpesa_passkey": "YOUR_SANDBOX_PASSKEY"}, "mpesa_passkey"),
        ({"mpesa_passkey": "ab"}, "mpesa_passkey"),
        ({"mpesa_business_shortcode": "12"}, "mpesa_business_shortcode"),
        ({"mpesa_till_number": "till"}, "mpesa_till_number"),
    ],
)
async def test_what_cannot_be_right_is_refused_by_its_field_and_nothing_changes(
    owner: Office, plot: Plot, sent: dict[str, Any], field: str
) -> None:
    before = await plot.snapshot()
    status, answer = await owner.save(**sent)
    assert (status, answer["code"], answer["field"]) == (400, "credential_refused", field)
    assert await plot.snapshot() == before


@pytest.mark.req("SYNC-4.4")
@pytest.mark.parametrize(
    "sent",
    [
        {"mpesa_enabled": "yes"}, {"mpesa_enabled": None}, {"mpesa_environment": "live"}, {"barId": "1"},
        {"mpesa_passkey": 5}, {"mpesa_passkey": "p" * 1_001}, {"mpesa_business_shortcode": "1" * 41},
    ],
)  # fmt: skip
async def test_a_request_of_another_shape_names_its_field_and_repeats_nothing(
    owner: Office, plot: Plot, sent: dict[str, Any]
) -> None:
    before = await plot.snapshot()
    status, answer = await owner.save(**sent)
    assert (status, answer["code"]) == (400, "bad_request")
    (name,) = sent
    assert name in answer["detail"]
    assert "ppp" not in answer["detail"]
    assert await plot.snapshot() == before


@pytest.mark.req("SYNC-4.4", "SYNC-P7", "PAY-4.2", "PAY-8.3")
@pytest.mark.parametrize(
    ("daraja", "status", "code"),
    [
        ("invalid_authentication", 422, "credentials_not_accepted"),
        ("empty_400", 422, "credentials_not_accepted"),
        ("internal_error", 502, "safaricom_unreachable"),
        ("reset", 502, "safaricom_unreachable"),
    ],
)
async def test_what_safaricom_does_not_take_is_not_stored(
    owner: Office, plot: Plot, rt: Runtime, simulator: Safaricom, daraja: str, status: int, code: str
) -> None:
    before = await plot.snapshot()
    simulator.simulator.faults.add(Fault("oauth", daraja))
    answered, answer = await owner.save(**news())
    assert (answered, answer["code"]) == (status, code)
    assert await plot.snapshot() == before


@pytest.mark.req("PAY-8.3", "PAY-P4")
@pytest.mark.failure(33)
async def test_secrets_of_the_other_environment_are_refused_by_its_host(owner: Office, plot: Plot) -> None:
    before = await plot.snapshot()
    status, _ = await owner.save(**news("production", mpesa_environment="sandbox", mpesa_business_shortcode="174379"))
    assert status == 422
    assert await plot.snapshot() == before


@pytest.mark.req("SYNC-4.2", "SYNC-5.3", "SYNC-P6", "SYNC-5.2")
@pytest.mark.failure(2, 3, 10)
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (asyncpg.ConnectionDoesNotExistError, 503, "database_away"),
        (asyncpg.CheckViolationError, 500, "switch_failed"),
    ],
)
@pytest.mark.parametrize(
    "statement", ["update bars set mpesa_enabled", "insert into mpesa_credential_versions", "insert into audit"]
)
async def test_a_database_that_fails_in_the_middle_changes_nothing_and_is_told_in_plain_words(
    owner: Office, plot: Plot, statement: str, error: type[Exception], status: int, code: str
) -> None:
    before = await plot.snapshot()
    with trouble(lambda _, text: text.startswith(statement), error=error):
        answered, answer = await owner.save(**news())
    assert (answered, answer["code"]) == (status, code)
    assert await plot.snapshot() == before
    if not statement.endswith("audit"):
        assert await plot.problems() == ["switch_out_of_sync"]
    assert (await owner.save(**news()))[0] == 200
    assert await plot.problems() == []


@pytest.mark.req("SYNC-4.2")
@pytest.mark.failure(10)
@pytest.mark.parametrize("guarded", [True, False])
async def test_what_is_refused_silently_is_no_success(owner: Office, plot: Plot, guarded: bool) -> None:
    """Row-level security that matches no row, say; seen even where no guard would contradict."""
    if not guarded:
        await guard(plot.rt.db, "remove")
    await plot.rt.db.execute(
        "create function swallow() returns trigger language plpgsql as $$ begin return null; end $$;"
        "create trigger aaa before update of is_active on mpesa_credentials for each row execute function swallow()"
    )
    before = await plot.snapshot()
    status, answer = await owner.save(mpesa_enabled=False)
    assert (status, answer["code"]) == (500, "switch_failed")
    assert await plot.snapshot() == before

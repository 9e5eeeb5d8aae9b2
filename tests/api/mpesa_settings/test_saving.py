"""What is saved over HTTP: proven, whole, kept, and told; and off always works."""

import asyncio
import json
from typing import Any

import pytest

from kaunta.core.runtime import Runtime
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.silence import ask_about_due
from kaunta.simulator.faults import Fault
from tests.api.mpesa_settings.conftest import BOTH, Office, news
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom
from tests.support.switch import Plot, State


@pytest.mark.req("PAY-4.1", "SYNC-4.3")
@pytest.mark.failure(7, 9)
async def test_reading_tells_what_is_stored_and_no_secret_and_no_mask(owner: Office) -> None:
    found = await owner.look()
    assert (found["mpesa_enabled"], found["mpesa_environment"], found["warnings"]) == (True, "sandbox", [])
    rows = {row["environment"]: row for row in found["credentials"]}
    assert rows["sandbox"]["mpesa_business_shortcode"] == "174379"
    assert (rows["sandbox"]["is_active"], rows["production"]["is_active"]) == (True, False)
    assert not {name for row in rows.values() for name in row if "secret" in name or "passkey" in name}
    assert len({print_ for row in rows.values() for print_ in row["fingerprints"].values()}) == 6
    assert "•" not in json.dumps(found, ensure_ascii=False)
    assert "***" not in json.dumps(found)


@pytest.mark.req("SYNC-1.1", "SYNC-1.4", "SYNC-4.1", "SYNC-4.3", "PAY-4.1")
@pytest.mark.failure(2, 9, 10)
async def test_new_credentials_are_proven_then_stored_and_switched_on_together(
    owner: Office, simulator: Safaricom, production: Safaricom
) -> None:
    asked = len(simulator.simulator.tokens.until)
    status, answer = await owner.save(**news(), mpesa_till_number="5550001")
    assert (status, answer["success"], answer["message"], answer["sync_status"]) == (200, True, "M-Pesa is on.", BOTH)
    assert len(simulator.simulator.tokens.until) == asked + 1
    assert len(production.simulator.tokens.until) == 0
    found = await owner.look()
    assert found == answer["settings"]
    row = next(row for row in found["credentials"] if row["environment"] == "sandbox")
    assert (row["version"], row["test_status"], row["mpesa_till_number"]) == (2, "success", "5550001")


@pytest.mark.req("SYNC-1.3")
@pytest.mark.failure(6, 8)
@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"mpesa_consumer_key": "", "mpesa_consumer_secret": "", "mpesa_passkey": ""},
        {"mpesa_consumer_key": None, "mpesa_passkey": "   ", "mpesa_business_shortcode": "174379"},
    ],
    ids=["without", "empty", "as-a-form-sends-it"],
)
@pytest.mark.parametrize("trouble_", ["none", "safaricom", "unreadable"])
async def test_off_needs_no_secrets_keeps_them_and_works_whatever_is_broken(
    owner: Office, plot: Plot, simulator: Safaricom, sent: dict[str, Any], trouble_: str
) -> None:
    if trouble_ == "safaricom":
        await simulator.stop_listening()
    if trouble_ == "unreadable":
        await plot.rt.db.execute("update mpesa_credential_versions set passkey_enc = '\\x00'")
    status, answer = await owner.save(mpesa_enabled=False, **sent)
    assert (status, answer["message"], answer["sync_status"]) == (200, "M-Pesa is off.", BOTH)
    assert await plot.state() == State("sandbox", False, {"sandbox": False, "production": False})
    snapshot = await plot.snapshot()
    assert [row["version"] for row in snapshot["rows"]] == [1, 1]


@pytest.mark.failure(12)
@pytest.mark.req("SYNC-1.3")
async def test_off_works_as_the_last_method_with_a_warning(owner: Office, rt: Runtime) -> None:
    await rt.db.execute("update bars set payment_cash_enabled = false, payment_card_enabled = false")
    status, answer = await owner.save(mpesa_enabled=False)
    assert (status, answer["settings"]["mpesa_enabled"]) == (200, False)
    assert "no way to pay" in answer["message"]


@pytest.mark.failure(8)
async def test_one_new_secret_keeps_the_others(owner: Office, plot: Plot, rt: Runtime) -> None:
    before = {row["environment"]: row for row in (await owner.look())["credentials"]}["sandbox"]["fingerprints"]
    status, _ = await owner.save(mpesa_passkey=news()["mpesa_passkey"])
    assert status == 200
    after = {row["environment"]: row for row in (await owner.look())["credentials"]}["sandbox"]["fingerprints"]
    assert {name for name in before if before[name] != after[name]} == {"passkey"}


@pytest.mark.failure(33)
async def test_a_till_number_stays_with_its_shortcode_and_goes_when_it_is_emptied(
    owner: Office, simulator: Safaricom
) -> None:
    async def till() -> str | None:
        rows = {row["environment"]: row for row in (await owner.look())["credentials"]}
        found: str | None = rows["sandbox"]["mpesa_till_number"]
        return found

    await owner.save(mpesa_till_number="5550001")
    for sent, expected in (
        (news(), "5550001"),
        ({"mpesa_passkey": "another-passkey-0123"}, "5550001"),
        ({"mpesa_till_number": ""}, None),
        ({"mpesa_till_number": "5550002"}, "5550002"),
        ({"mpesa_business_shortcode": "600111"}, None),
    ):
        status, _ = await owner.save(**sent)
        assert (status, await till()) == (200, expected), sent


async def test_two_who_save_at_once_do_not_mix_their_secrets(owner: Office, plot: Plot, simulator: Safaricom) -> None:
    """The slower one was completed with a secret that the faster one has replaced."""
    simulator.simulator.faults.add(Fault("oauth", latency=5))
    slow = asyncio.create_task(owner.save(mpesa_passkey="slow-passkey-0123"))
    async with asyncio.timeout(30):
        while simulator.simulator.faults.listed:
            await asyncio.sleep(0.005)
    assert (await owner.save(mpesa_passkey="fast-passkey-0123"))[0] == 200
    done = await plot.snapshot()
    await simulator.advance(6)
    status, answer = await slow
    assert (status, answer["code"]) == (409, "settings_changed")
    assert await plot.snapshot() == done


@pytest.mark.failure(90)
async def test_every_change_is_on_the_record_without_a_secret(
    owner: Office, rt: Runtime, bar: SeededBar, secrets: list[str]
) -> None:
    await owner.save(**news())
    await owner.save(mpesa_enabled=False)
    await owner.test()
    rows = await rt.db.fetch(
        "select actor, action, detail::text, reason from audit_events where actor = $1 order by id",
        f"staff:{bar.owner.account_id}",
    )
    assert [row["action"] for row in rows] == [
        "signed_in", "credentials.stored", "mpesa.on", "mpesa.off", "credentials.opened", "credentials.tested",
    ]  # fmt: skip
    everything = repr(rows)
    assert not [secret for secret in secrets if secret in everything]


@pytest.mark.req("PAY-4.2")
@pytest.mark.failure(22)
async def test_a_payment_under_way_is_asked_about_with_the_credentials_it_began_with(
    owner: Office, application: Served, simulator: Safaricom, bar: SeededBar, rt: Runtime
) -> None:
    """Rulings 13. The old passkey is the one this shortcode knows: a query with the new one would be refused."""
    simulator.simulator.queue_scenario("callback_lost")
    started = await initiate(rt, application.pushes, Intent(bar.tab.ref, "254708374149", 100))
    await started.answered()
    assert (await owner.save(**news()))[0] == 200
    for _ in range(30):
        await simulator.advance(10)
        await ask_about_due(rt, application.pushes.daraja)
        await application.pushes.drain()
    row = await rt.db.fetchrow("select credential_version, status::text as status from mpesa_transactions")
    assert row is not None
    assert tuple(row) == (1, "completed")

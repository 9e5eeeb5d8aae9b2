"""The same report for machines and at the counter: for whom, and without any value."""

import json
from typing import Any

import aiohttp
import pytest

from kaunta.access.api_keys import Scope, add_api_key
from kaunta.core.db import transaction
from kaunta.settings import Settings
from tests.cli.conftest import SPELT, secrets_of
from tests.support.bars import SeededBar, Staff
from tests.support.door import Served

REPORT = "/api/diagnostics/mpesa"
PAGE = "/staff/settings/diagnosis"


async def signed_in(http: aiohttp.ClientSession, who: Staff) -> None:
    async with http.post("/staff/login", json={"user": who.username, "password": who.password}) as response:
        assert response.status == 200


def quiet(text: str, settings: Settings) -> None:
    for secret in secrets_of(settings):
        assert secret in SPELT or secret not in text


async def with_key(
    application: Served, http: aiohttp.ClientSession, path: str, bar: SeededBar | None, scope: Scope
) -> Any:
    async with transaction(application.rt.db) as db:
        key = await add_api_key(db, application.rt, "a machine", bar.id if bar else None, [scope], by="test")
    async with http.get(path, headers={"Authorization": f"Bearer {key}"}) as response:
        return response.status, await response.text()


@pytest.mark.req("FIX-1.2", "FIX-6.5")
@pytest.mark.failure(27)
async def test_the_report_is_for_an_administrators_key_or_session_and_shows_no_value(
    application: Served, http: aiohttp.ClientSession, settings: Settings, bar: SeededBar
) -> None:
    status, text = await with_key(application, http, REPORT, None, "diagnostics")
    found = json.loads(text)
    assert status == 200
    assert {"success", "ok", "first", "findings", "not_looked_at", "audited"} <= found.keys()
    assert {"check", "category", "severity", "detail", "remedy", "subject"} == found["findings"][0].keys()
    assert found["audited"]
    quiet(text, settings)
    for path in (REPORT, "/api/diagnostics/fingerprints"):
        assert (await with_key(application, http, path, None, "payments:read"))[0] == 403
    await signed_in(http, bar.owner)
    async with http.get(REPORT) as response:
        assert response.status == 403
    await application.rt.db.execute(
        "update staff_accounts set is_administrator = true where id = $1", bar.owner.account_id
    )
    async with http.get(REPORT) as response:
        assert response.status == 200


@pytest.mark.failure(85)
async def test_a_bars_key_sees_nothing_of_another_bar(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar, other_bar: SeededBar
) -> None:
    await application.rt.db.execute("update mpesa_credential_versions set passkey_enc = 'x'::bytea")
    _, whole = await with_key(application, http, REPORT, None, "diagnostics")
    assert {bar.slug, other_bar.slug} <= {one["subject"] for one in json.loads(whole)["findings"]}
    _, own = await with_key(application, http, REPORT, bar, "diagnostics")
    assert bar.slug in own
    assert other_bar.slug not in own


@pytest.mark.req("FIX-1.1")
async def test_each_run_and_each_opening_is_on_the_record(
    application: Served, http: aiohttp.ClientSession, bar: SeededBar
) -> None:
    await with_key(application, http, REPORT, None, "diagnostics")
    rows = await application.rt.db.fetch(
        "select actor, action, outcome, detail from audit_events "
        "where action = 'diagnosis.run' or (action = 'credentials.opened' and actor = 'diagnosis') order by id"
    )
    assert [row["action"] for row in rows] == ["credentials.opened", "diagnosis.run"]
    assert rows[1]["actor"].startswith("api_key:")
    # Nobody runs a worker in this test.
    assert (rows[1]["outcome"], rows[1]["detail"]["failed"]) == (
        "found_problems",
        ["worker.heartbeat"],
    )


@pytest.mark.req("FIX-6.3", "FIX-6.5")
async def test_an_owner_sees_the_installation_and_their_own_bar_and_a_waiter_nothing(
    application: Served, http: aiohttp.ClientSession, settings: Settings, bar: SeededBar, other_bar: SeededBar
) -> None:
    await application.rt.db.execute("update mpesa_credential_versions set passkey_enc = '••••••••'::bytea")
    await signed_in(http, bar.owner)
    async with http.get(PAGE) as response:
        page = await response.text()
        assert response.status == 200
    assert f"{bar.slug}, sandbox, version 1: the passkey is a mask" in page
    assert other_bar.slug not in page
    assert "The first is the cause." in page
    assert page.index("creds.form") < page.index("worker.heartbeat")
    quiet(page, settings)
    await signed_in(http, bar.waiter)
    async with http.get(PAGE) as response:
        assert response.status == 403
        assert "worker.heartbeat" not in await response.text()

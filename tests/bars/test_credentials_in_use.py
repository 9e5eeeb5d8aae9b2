"""Credentials that are switched on and cannot be used: guests are not shown them, and somebody hears of it."""

from dataclasses import replace

import pytest

from kaunta.bars import credentials_in_use
from kaunta.bars.credentials_in_use import check_credentials_in_use
from kaunta.bars.payment_methods import payment_methods
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Keyring, generate_entry
from tests.support.bars import SeededBar
from tests.support.switch import Plot, State

#: What may have happened to the stored secrets, and how staff read it.
TROUBLE = {
    "delete from mpesa_credential_versions": "is not stored",
    "update mpesa_credential_versions set passkey_enc = substring(passkey_enc from 1 for 20)": "end too early",
    "update mpesa_credential_versions set passkey_enc = '\\x00'": "representation is wrong",
    "update mpesa_credential_versions set passkey_enc = consumer_key_enc": "sealed for another place",
    "update mpesa_credential_versions set passkey_enc = set_byte(passkey_enc, 70, 255 - get_byte(passkey_enc, 70))":
        "changed since they were written",
    "update mpesa_credential_versions set environment = 'production'": "sealed for another place",
}  # fmt: skip


async def why_not(rt: Runtime, bar: SeededBar) -> str | None:
    async with rt.db.acquire() as db:
        found = await payment_methods(db, rt, bar.id)
    assert found is not None
    assert found.mpesa is (found.mpesa_reason is None)
    return found.mpesa_reason


async def hurt(rt: Runtime, statement: str) -> None:
    async with rt.db.acquire() as db, db.transaction():
        await db.execute("set local session_replication_role = replica")
        await db.execute(statement)


@pytest.mark.req("PAY-8.4", "SYNC-3.3", "PAY-P13", "FIX-4.3")
@pytest.mark.failure(1, 21)
@pytest.mark.parametrize("statement", TROUBLE)
async def test_secrets_that_do_not_open_are_no_mpesa_and_a_problem_until_they_do(
    rt: Runtime, bar: SeededBar, plot: Plot, statement: str
) -> None:
    assert await why_not(rt, bar) is None
    await check_credentials_in_use(rt)
    assert await plot.problems() == []
    await hurt(rt, statement)
    assert TROUBLE[statement] in (await why_not(rt, bar) or "")
    for _ in range(2):
        await check_credentials_in_use(rt)
    assert await plot.problems() == ["credentials_unreadable"]
    noted = await rt.db.fetch("select outcome, reason from audit_events where action = 'credentials.opened'")
    assert [tuple(row) for row in noted] == [("failed", "a look at what is in use")]
    await plot.plant(State("sandbox", True, {"sandbox": True}))
    await check_credentials_in_use(rt)
    assert (await plot.problems(), await why_not(rt, bar)) == ([], None)


@pytest.mark.failure(18)
@pytest.mark.req("FIX-3.2")
async def test_a_process_with_another_keyring_offers_no_mpesa(rt: Runtime, bar: SeededBar) -> None:
    entry = generate_entry(rt.entropy, "theirs")
    assert "a key that this keyring does not have" in (
        await why_not(replace(rt, keyring=Keyring.parse(entry)), bar) or ""
    )
    same_name = generate_entry(rt.entropy, "test")
    assert "not the one that sealed" in (await why_not(replace(rt, keyring=Keyring.parse(same_name)), bar) or "")


@pytest.mark.failure(22, 32)
@pytest.mark.req("PAY-P13")
async def test_a_row_given_to_another_bar_does_not_take_its_money_along(
    rt: Runtime, bar: SeededBar, other_bar: SeededBar
) -> None:
    """The secrets would open as the first bar's: the row says whose they are, and it lies."""
    await hurt(rt, f"delete from mpesa_credentials where tenant_id = '{other_bar.id}'")
    await rt.db.execute("update mpesa_credentials set tenant_id = $1 where tenant_id = $2", other_bar.id, bar.id)
    assert "sealed for another place" in (await why_not(rt, other_bar) or "")


async def test_every_bar_is_looked_at_a_page_at_a_time(
    rt: Runtime, bar: SeededBar, other_bar: SeededBar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials_in_use, "PAGE", 1)
    await hurt(rt, "delete from mpesa_credential_versions")
    await check_credentials_in_use(rt)
    assert await rt.db.fetchval("select count(*) from problems where closed_at is null") == 2

"""Credentials go in and never come out; what Safaricom does not take changes nothing, and the field is named."""

import re

import pytest

from kaunta.core.runtime import Runtime
from kaunta.credentials import store
from tests.staff.mpesa_settings.conftest import INITIATOR_PASSWORD, NEW, Desk, alert
from tests.support.switch import SECRETS, Plot, State, secret_of

PAGE = "credentials/sandbox"
SAME = {"business_shortcode": "174379", "till_number": ""}
#: What is typed, how it is answered, and which fields are marked.
REFUSED: tuple[tuple[dict[str, str], int, set[str]], ...] = (
    ({"consumer_secret": "not-the-secret-0123"}, 422, {"consumer_key", "consumer_secret"}),
    ({"passkey": "••••••••••••••••"}, 400, {"passkey"}),
    ({"passkey": "x" * 1_001}, 400, {"passkey"}),
    ({"business_shortcode": "12", "consumer_key": NEW["consumer_key"]}, 400, {"business_shortcode"}),
    ({"till_number": "abc", "consumer_key": NEW["consumer_key"]}, 400, {"till_number"}),
    ({}, 400, set()),
)


async def stored(rt: Runtime, plot: Plot, name: str, environment: str = "sandbox") -> str:
    async with rt.db.acquire() as db:
        found = await store.current(db, rt, plot.bar_id, environment)
    assert found is not None
    secret: str = getattr(found, name).reveal()
    return secret


def wrong(text: str) -> set[str]:
    """The fields a page marks."""
    return {name for name, tag in re.findall(r'<input id="(\w+)"([^>]*)>', text) if 'aria-invalid="true"' in tag}


@pytest.mark.req("PAY-4.1", "SYNC-4.1")
@pytest.mark.failure(6, 7, 8)
async def test_one_secret_is_replaced_and_the_others_are_kept(owner: Desk, plot: Plot, rt: Runtime) -> None:
    page = await owner.send(PAGE, **SAME, consumer_key="", consumer_secret="", passkey=NEW["passkey"])
    assert (page.status, "Safaricom took them, and they are stored." in page.text) == (200, True)
    assert await stored(rt, plot, "passkey") == NEW["passkey"]
    assert await stored(rt, plot, "consumer_key") == secret_of("sandbox", "consumer_key")
    # Stored and noted, and nothing was switched by it.
    assert await plot.state() == State("sandbox", True, {"sandbox": True, "production": False})
    assert "by Some-Owner" in page.text
    assert NEW["passkey"][-4:] in page.text


@pytest.mark.req("PAY-4.1", "SYNC-4.4", "SYNC-P7")
@pytest.mark.failure(7, 10)
async def test_what_is_refused_changes_nothing_and_names_the_field(owner: Desk, plot: Plot) -> None:
    before = await plot.snapshot()
    for form, status, fields in REFUSED:
        page = await owner.send(PAGE, **SAME | form)
        assert (page.status, wrong(page.text)) == (status, fields), form
        assert alert(page)
        assert await plot.snapshot() == before
        if "business_shortcode" in form:
            assert 'value="12"' in page.text


async def test_the_first_credentials_want_every_field(owner: Desk, plot: Plot, rt: Runtime) -> None:
    await plot.plant(State("sandbox", False, {}))
    page = await owner.send(PAGE, business_shortcode="174379", consumer_key=NEW["consumer_key"])
    assert (page.status, wrong(page.text)) == (400, {"consumer_secret"})
    page = await owner.send(PAGE, business_shortcode="174379", **NEW)
    assert page.status == 200
    assert await stored(rt, plot, "passkey") == NEW["passkey"]
    assert await plot.state() == State("sandbox", False, {"sandbox": False})


@pytest.mark.req("PAY-4.1")
async def test_productions_keys_are_stored_while_guests_stay_in_the_sandbox(
    owner: Desk, plot: Plot, rt: Runtime
) -> None:
    page = await owner.send("credentials/production", business_shortcode="600000", **NEW)
    assert (page.status, "guests do not pay with these" in page.text) == (200, True)
    assert await stored(rt, plot, "passkey", "production") == NEW["passkey"]
    assert (await plot.state()).environment == "sandbox"


async def test_no_field_of_a_secret_is_filled_in_or_remembered(owner: Desk, plot: Plot) -> None:
    for state in (await owner.see(PAGE), await owner.send(PAGE, **SAME, **NEW | {"passkey": "•" * 16})):
        inputs = re.findall(r"<input[^>]*>", state.text)
        for name in (*SECRETS, "initiator_password"):
            (field,) = [tag for tag in inputs if f'name="{name}"' in tag]
            assert 'type="password"' in field
            assert 'autocomplete="new-password"' in field
            assert "value=" not in field


async def test_of_a_short_secret_nothing_is_shown(owner: Desk, plot: Plot, rt: Runtime) -> None:
    short = "pk-0123456789-x"
    page = await owner.send(PAGE, **SAME, passkey=short)
    assert page.status == 200
    assert await stored(rt, plot, "passkey") == short
    assert page.text.count("last 4") == 2
    assert short[-4:] not in page.text


async def test_secrets_that_do_not_open_are_shown_as_such(owner: Desk, plot: Plot, rt: Runtime) -> None:
    async with rt.db.acquire() as db, db.transaction():
        await db.execute("set local session_replication_role = replica")
        await db.execute("update mpesa_credential_versions set passkey_enc = '\\x00' where bar_id = $1", plot.bar_id)
    assert "does not open: enter it again" in (await owner.see(PAGE)).text
    assert alert(await owner.send(PAGE, **SAME, passkey=NEW["passkey"])).startswith("The stored secrets cannot be read")
    assert (await owner.send(PAGE, **SAME, **NEW)).status == 200


async def test_an_initiator_is_set_kept_renamed_and_taken_away(owner: Desk, plot: Plot, rt: Runtime) -> None:
    form = {"initiator_name": "kaunta-api", "initiator_password": INITIATOR_PASSWORD}
    refused = await owner.send("initiator/sandbox", **form | {"initiator_password": ""})
    assert (refused.status, wrong(refused.text)) == (400, {"initiator_password"})
    page = await owner.send("initiator/sandbox", **form)
    assert "kaunta-api" in page.text
    assert "expires " in page.text
    sealed = await rt.db.fetchval("select password_enc from mpesa_initiators")
    assert INITIATOR_PASSWORD.encode() not in sealed
    page = await owner.send("initiator/sandbox", initiator_name="another", initiator_password="")
    assert "<b>another</b>" in page.text
    page = await owner.send("initiator/sandbox/forget")
    assert "None: refunds are made by hand." in page.text
    assert await rt.db.fetchval("select count(*) from mpesa_initiators") == 0

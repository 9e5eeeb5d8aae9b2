"""Credentials at rest: sealed for their place, versioned, never a mask."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import Keyring, Moved, UnknownKey, VaultError, generate_entry
from kaunta.credentials import store
from kaunta.credentials.store import CredentialRefused, NewCredential
from kaunta.daraja.client import Credential
from tests.support.bars import SeededBar

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*."), min_size=12, max_size=80)


@pytest.fixture
def new() -> NewCredential:
    return NewCredential(
        "sandbox", "174379", None, Secret("new-key-1"), Secret("new-secret-1"), Secret("new-passkey-1")
    )


async def opened(rt: Runtime, bar_id: UUID, environment: str = "sandbox") -> Credential | None:
    async with rt.db.acquire() as db:
        return await store.current(db, rt, bar_id, environment)


@pytest.mark.req("PAY-P13", "PAY-5.6", "FIX-4.1")
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=SECRETS, secret=SECRETS, passkey=SECRETS)
async def test_what_an_owner_stores_is_what_daraja_is_asked_with(
    rt: Runtime, bar: SeededBar, key: str, secret: str, passkey: str
) -> None:
    if any(store.NOT_A_SECRET.fullmatch(text) for text in (key, secret, passkey)):
        return
    async with transaction(rt.db) as db:
        new = NewCredential("sandbox", "600426", "5550001", Secret(key), Secret(secret), Secret(passkey))
        await store.store(db, rt, bar.id, new, by="owner")
    found = await opened(rt, bar.id)
    assert found is not None
    assert [found.consumer_key.reveal(), found.consumer_secret.reveal(), found.passkey.reveal()] == [
        key, secret, passkey,
    ]  # fmt: skip
    assert (found.business_shortcode, found.till_number, found.environment) == ("600426", "5550001", "sandbox")


async def test_a_new_version_leaves_the_one_before_readable(rt: Runtime, bar: SeededBar, new: NewCredential) -> None:
    before = await opened(rt, bar.id)
    assert before is not None
    async with transaction(rt.db) as db:
        credential_id = await store.store(db, rt, bar.id, new, by="owner")
    after = await opened(rt, bar.id)
    assert after is not None
    assert (after.id, after.version, before.version) == (before.id, 2, 1)
    assert credential_id == before.id
    async with rt.db.acquire() as db:
        old = await store.of_version(db, rt, before.id, 1)
        assert old is not None
        assert old.passkey == before.passkey != after.passkey
        assert await store.of_version(db, rt, before.id, 3) is None


@pytest.mark.failure(9)
async def test_a_new_version_voids_the_outcome_of_a_former_test_and_switches_nothing(
    rt: Runtime, bar: SeededBar, new: NewCredential
) -> None:
    await rt.db.execute("update mpesa_credentials set test_status = 'success', tested_version = 1, tested_at = now()")
    async with transaction(rt.db) as db:
        await store.store(db, rt, bar.id, new, by="owner")
    row = await rt.db.fetchrow("select test_status, tested_version, tested_at, is_active from mpesa_credentials")
    assert row is not None
    assert tuple(row) == ("pending", None, None, True)


async def test_first_credentials_are_not_active(rt: Runtime, bar: SeededBar) -> None:
    async with transaction(rt.db) as db:
        first = NewCredential("production", "600000", None, Secret("key-p"), Secret("secret-p"), Secret("passkey-p"))
        await store.store(db, rt, bar.id, first, by="owner")
    row = await rt.db.fetchrow("select is_active, version from mpesa_credentials where environment = 'production'")
    assert row is not None
    assert tuple(row) == (False, 1)


@pytest.mark.failure(7)
@pytest.mark.parametrize(
    "mask",
    [
        "••••••••••••••••", "****************", "bfb2********19e0", "................", "xxxxxxxx", "XXXX",
        "your-consumer-key", "YOUR_CONSUMER_SECRET", "example-key", "placeholder_1", "change-me-please",
        "changeme now", "", "ab", "tab\tchar",
        "new\nline", "zażółć gęślą", "x" * 1_001, "abc\0def",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["consumer_key", "consumer_secret", "passkey"])
def test_a_mask_an_example_or_nonsense_is_refused_by_the_fields_name_and_not_repeated(field: str, mask: str) -> None:
    given_ = {"consumer_key": "k3y-abcdef", "consumer_secret": "s3cret-abcdef", "passkey": "p4ss-abcdef"} | {
        field: mask
    }
    new = NewCredential("sandbox", "174379", None, **{name: Secret(text) for name, text in given_.items()})
    with pytest.raises(CredentialRefused) as caught:
        store.check(new)
    assert caught.value.fields == {"field": field}
    assert len(mask) < 3 or mask not in caught.value.detail


@pytest.mark.failure(23)
@pytest.mark.parametrize("shortcode", ["17437", "174379", "5123456", "500000"])
@pytest.mark.parametrize(
    "secret", ["a" * 3, "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919", "A1/b+c=" * 60]
)
def test_what_daraja_might_take_is_left_to_daraja(shortcode: str, secret: str) -> None:
    store.check(NewCredential("production", shortcode, shortcode, Secret(secret), Secret(secret), Secret(secret)))


@pytest.mark.parametrize(
    ("environment", "shortcode", "till", "field"),
    [
        ("staging", "174379", None, "environment"), ("sandbox", "1743", None, "business_shortcode"),
        ("sandbox", "17437９", None, "business_shortcode"), ("sandbox", "174379 ", None, "business_shortcode"),
        ("sandbox", "174379", "12345678", "till_number"), ("sandbox", "174379", "", "till_number"),
    ],
)  # fmt: skip
def test_numbers_have_five_to_seven_digits(environment: str, shortcode: str, till: str | None, field: str) -> None:
    with pytest.raises(CredentialRefused) as caught:
        store.check(NewCredential(environment, shortcode, till, Secret("key-1"), Secret("sec-1"), Secret("pas-1")))
    assert caught.value.fields == {"field": field}


@pytest.mark.req("PAY-P13")
async def test_a_blob_moved_to_another_bar_environment_field_or_version_does_not_open(
    rt: Runtime, bar: SeededBar, other_bar: SeededBar, new: NewCredential
) -> None:
    async with transaction(rt.db) as db:
        await store.store(db, rt, bar.id, new, by="owner")
    for move in (
        "update mpesa_credential_versions v set passkey_enc = o.passkey_enc from mpesa_credential_versions o"
        " where v.bar_id = $1 and o.bar_id = $2",
        "update mpesa_credential_versions set environment = 'production' where bar_id = $1 and $2::uuid is not null",
        "update mpesa_credential_versions set passkey_enc = consumer_secret_enc"
        " where bar_id = $1 and $2::uuid is not null",
        "update mpesa_credential_versions v set passkey_enc = o.passkey_enc from mpesa_credential_versions o"
        " where v.bar_id = $1 and o.bar_id = $1 and v.version = 2 and o.version = 1 and $2::uuid is not null",
    ):
        async with rt.db.acquire() as db:
            undo = db.transaction()
            await undo.start()
            await db.execute(move, bar.id, other_bar.id)
            with pytest.raises(Moved):
                await store.current(db, rt, bar.id, "sandbox")
            await undo.rollback()
    assert await opened(rt, bar.id) is not None


@pytest.mark.failure(21)
async def test_what_does_not_open_is_an_error_and_never_another_passkey(
    rt: Runtime, bar: SeededBar, database_url: str
) -> None:
    stranger = replace(rt, keyring=Keyring.parse(generate_entry(rt.entropy, "theirs")))
    with pytest.raises(UnknownKey):
        await opened(stranger, bar.id)
    await rt.db.execute("update mpesa_credential_versions set passkey_enc = substring(passkey_enc from 1 for 40)")
    with pytest.raises(VaultError):
        await opened(rt, bar.id)


async def test_no_credentials_are_none(rt: Runtime, bar: SeededBar) -> None:
    assert await opened(rt, bar.id, "production") is None


@pytest.mark.failure(25)
async def test_storing_is_on_the_record_without_the_secrets(rt: Runtime, bar: SeededBar, new: NewCredential) -> None:
    async with transaction(rt.db) as db:
        await store.store(db, rt, bar.id, new, by="njeri")
    rows = await rt.db.fetch("select action, detail::text from audit_events where actor = 'njeri'")
    assert [row["action"] for row in rows] == ["credentials.stored"]
    assert '"version": 2' in rows[0]["detail"]
    for secret in ("new-key-1", "new-secret-1", "new-passkey-1"):
        assert secret not in repr(rows)
        assert secret not in repr(new)

"""Old rows move into envelopes: each proved first, none lost, and the key's fault is told from the row's."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from kaunta.core.db import Connection, connect
from kaunta.core.runtime import Runtime
from kaunta.core.vault import WrongKey as WrongKeyring
from kaunta.core.vault import generate_entry
from kaunta.credentials import store
from kaunta.credentials.legacy import LegacyKeys
from kaunta.credentials.reencrypt import NoCredentialsTable, RowResult, Tools, read_place, reencrypt
from kaunta.credentials.store import place
from tests.credentials.test_legacy import BLOB, KEY, KEYS, PLAIN, buffer, cbc, gcm, hexed
from tests.plugins.databases import Databases
from tests.support.bars import SeededBar

LEGACY_SHAPE = Path(__file__).parents[1] / "legacy_shape.sql"
EVERYTHING = "select * from mpesa_credentials order by id"


@pytest.fixture
def tools(rt: Runtime) -> Tools:
    return Tools(rt.keyring, KEYS, rt.entropy, rt.clock, "operator")


async def gone_through(db: Connection, tools: Tools, *, dry_run: bool = False) -> list[RowResult]:
    return [result async for result in reencrypt(db, await read_place(db), tools, dry_run=dry_run)]


async def imported(db: Connection, key: bytes, secret: bytes, passkey: bytes) -> UUID:
    """A bar that came with its credentials as the old product had them, and no version beside them."""
    bar_id: UUID = await db.fetchval(
        "insert into bars (slug, name) values ('old-' || gen_random_uuid(), 'Old bar') returning id"
    )
    await db.execute(
        """
        insert into mpesa_credentials (tenant_id, environment, business_shortcode, consumer_key_enc,
                                       consumer_secret_enc, passkey_enc)
        values ($1, 'sandbox', '174379', $2, $3, $4)
        """,
        bar_id, key, secret, passkey,
    )  # fmt: skip
    return bar_id


@pytest_asyncio.fixture
async def old(databases: Databases, rt: Runtime) -> AsyncIterator[Connection]:
    """The old product's database, with one bar's credentials as JSON of a Buffer."""
    async with databases.fresh("template0") as url, connect(url) as db:
        await db.execute(LEGACY_SHAPE.read_text(encoding="utf-8"))
        bar_id = await db.fetchval("insert into bars (name) values ('Old bar') returning id")
        await db.execute(
            """
            insert into mpesa_credentials (tenant_id, environment, business_shortcode, consumer_key_enc,
                consumer_secret_enc, passkey_enc, security_credential_enc, callback_url)
            values ($1, 'production', '600426', $2, $2, $2, $3, 'https://pay.example.co.ke')
            """,
            bar_id, buffer(BLOB).encode(), BLOB,
        )  # fmt: skip
        yield db


@pytest.mark.req("FIX-4.4", "PAY-P13")
@pytest.mark.failure(15)
@pytest.mark.failure(16)
async def test_imported_rows_are_moved_and_daraja_is_asked_with_them(rt: Runtime, tools: Tools, bar: SeededBar) -> None:
    async with rt.db.acquire() as db:
        untouched = await db.fetchrow("select * from mpesa_credentials where tenant_id = $1", bar.id)
        bar_id = await imported(
            db, buffer(BLOB).encode(), hexed(gcm(b"the old secret", b"another IV 1")).encode(),
            cbc(b"the old passkey", bytes(16), "an older key").encode(),
        )  # fmt: skip
        (dry,) = await gone_through(db, tools, dry_run=True)
        assert (dry.outcome, dry.bar_id) == ("would_move", bar_id)
        assert await store.current(db, rt, bar_id, "sandbox") is None

        (done,) = await gone_through(db, tools)

        assert (done.outcome, done.table, done.error) == ("moved", "mpesa_credentials", None)
        found = await store.current(db, rt, bar_id, "sandbox")
        assert found is not None
        assert [found.consumer_key.reveal(), found.consumer_secret.reveal(), found.passkey.reveal()] == [
            PLAIN, "the old secret", "the old passkey",
        ]  # fmt: skip
        assert await db.fetchrow("select * from mpesa_credentials where tenant_id = $1", bar.id) == untouched
        assert await gone_through(db, tools) == []  # nothing of the old product's is left
        told = await db.fetchrow("select * from audit_events where action = 'credentials.reencrypted'")
        assert told is not None
        assert (told["bar_id"], told["actor"], len(told["detail"]["legacy_keys"])) == (bar_id, "operator", 2)
        assert PLAIN not in str(dict(told))


async def test_versions_are_moved_as_well(rt: Runtime, tools: Tools, bar: SeededBar) -> None:
    async with rt.db.acquire() as db:
        await db.execute(
            "update mpesa_credential_versions set passkey_enc = $2 where credential_id = $1", bar.credential_id, BLOB
        )
        (done,) = await gone_through(db, tools)
        assert (done.outcome, done.table, done.version) == ("moved", "mpesa_credential_versions", 1)
        found = await store.of_version(db, rt, bar.credential_id, 1)
        assert found is not None
        assert (found.passkey.reveal(), found.consumer_key.reveal()) == (PLAIN, f"consumer-key-of-{bar.id.hex}")


@pytest.mark.req("FIX-4.4")
async def test_the_old_products_own_tables_are_enough(old: Connection, rt: Runtime, tools: Tools) -> None:
    before = await old.fetchrow(EVERYTHING)
    assert before is not None
    (done,) = await gone_through(old, tools)
    assert (done.outcome, done.version) == ("moved", 1)
    row = await old.fetchrow(EVERYTHING)
    assert row is not None
    for field in ("consumer_key", "consumer_secret", "passkey", "security_credential"):
        aad = place(row["tenant_id"], "production", field, 1)
        assert rt.keyring.open(row[f"{field}_enc"], aad) == PLAIN.encode()
    kept = {name for name in dict(before) if not name.endswith("_enc") and name != "updated_at"}
    assert all(row[name] == before[name] for name in kept)


@pytest.mark.req("FIX-4.3", "FIX-3.2")
@pytest.mark.failure(15)
@pytest.mark.failure(21)
async def test_where_others_open_a_row_that_does_not_is_damaged(rt: Runtime, tools: Tools, bar: SeededBar) -> None:
    async with rt.db.acquire() as db:
        # The damaged one is met first or last, as chance will have it: it is judged the same.
        for _ in range(3):
            await imported(db, BLOB, BLOB, BLOB)
        damaged = await imported(db, BLOB[:-1] + b"\x00", BLOB, BLOB)
        before = await db.fetchrow("select * from mpesa_credentials where tenant_id = $1", damaged)
        done = {result.bar_id: result for result in await gone_through(db, tools)}
        assert sorted(result.outcome for result in done.values()) == ["failed", "moved", "moved", "moved"]
        assert (done[damaged].code, done[damaged].field) == ("legacy_damaged", "consumer_key")
        assert await db.fetchrow("select * from mpesa_credentials where tenant_id = $1", damaged) == before

        # Alone now, with another field that opens or without: it is remembered that the key is right.
        await db.execute(
            "update mpesa_credentials set consumer_secret_enc = $2, passkey_enc = $2 where tenant_id = $1",
            damaged, BLOB[:-1] + b"\x00",
        )  # fmt: skip
        (again,) = await gone_through(db, tools)
        assert (again.code, again.key_at_fault) == ("legacy_damaged", False)


@pytest.mark.req("FIX-4.3", "FIX-3.2")
@pytest.mark.failure(15)
async def test_where_no_row_opens_it_is_the_key_and_nothing_is_written(rt: Runtime, tools: Tools) -> None:
    async with rt.db.acquire() as db:
        for _ in range(3):
            await imported(db, BLOB, buffer(BLOB).encode(), BLOB)
        before = await db.fetch(EVERYTHING)
        done = await gone_through(db, replace(tools, keys=LegacyKeys.of(KEY[::-1], None)))
        assert [(result.code, result.key_at_fault) for result in done] == [("legacy_wrong_key", True)] * 3
        assert "MPESA_KMS_KEY" in str(done[0].error)
        missing = await gone_through(db, replace(tools, keys=LegacyKeys()))
        assert [(result.code, result.key_at_fault) for result in missing] == [("legacy_key_missing", True)] * 3
        assert await db.fetch(EVERYTHING) == before


@pytest.mark.req("FIX-4.3")
@pytest.mark.failure(17)
async def test_what_cannot_be_read_is_named_and_stays_and_the_rest_goes_on(rt: Runtime, tools: Tools) -> None:
    bad = {
        b"test_encrypted_value": "legacy_placeholder",
        gcm("••••••••••••••••".encode(), bytes(12)): "legacy_placeholder",
        b"0123456789abcdef" * 4: "legacy_unrecoverable",
        BLOB[:20]: "legacy_length",
        gcm(b"\xff\xff\xff", bytes(12)): "legacy_not_printable",
        b'{"type":"Buffer","data":[1': "legacy_representation",
    }
    async with rt.db.acquire() as db:
        ids = {await imported(db, BLOB, blob, BLOB): (blob, code) for blob, code in bad.items()}
        good = await imported(db, BLOB, BLOB, BLOB)
        done = {result.bar_id: result for result in await gone_through(db, tools)}
        assert done.pop(good).outcome == "moved"
        for bar_id, (blob, code) in ids.items():
            assert (done[bar_id].outcome, done[bar_id].code, done[bar_id].field) == ("failed", code, "consumer_secret")
            stored = "select consumer_secret_enc from mpesa_credentials where tenant_id = $1"
            assert await db.fetchval(stored, bar_id) == blob


@pytest.mark.req("FIX-7.3", "FIX-4.4")
@pytest.mark.failure(17)
async def test_what_does_not_read_back_is_never_committed(rt: Runtime, tools: Tools) -> None:
    async with rt.db.acquire() as db:
        await imported(db, BLOB, BLOB, BLOB)
        await db.execute(
            """
            create function spoil() returns trigger language plpgsql as $$
            begin
                new.passkey_enc = old.passkey_enc;
                return new;
            end $$;
            create trigger spoil before update on mpesa_credentials for each row execute function spoil()
            """
        )
        before = await db.fetch(EVERYTHING)
        (done,) = await gone_through(db, tools)
        assert (done.outcome, done.code) == ("failed", "not_proved")
        assert await db.fetch(EVERYTHING) == before


async def test_a_database_without_the_table_is_refused(databases: Databases) -> None:
    async with databases.fresh("template0") as url, connect(url) as db:
        with pytest.raises(NoCredentialsTable):
            await read_place(db)


async def test_what_was_moved_needs_our_key(old: Connection, rt: Runtime, tools: Tools) -> None:
    await gone_through(old, tools)
    row: Any = await old.fetchrow(EVERYTHING)
    other = type(rt.keyring).parse(generate_entry(rt.entropy, "test"))
    with pytest.raises(WrongKeyring):
        other.open(row["passkey_enc"], place(row["tenant_id"], "production", "passkey", 1))


@pytest.mark.req("FIX-4.4", "FIX-7.3")
@pytest.mark.failure(15)
@pytest.mark.failure(16)
async def test_what_the_old_product_kept_in_bars_is_moved_in_its_place(old: Connection, tools: Tools) -> None:
    """Text, as it was before there was a table: CBC, hex of the bytes, hex of their JSON; and one that nobody reads."""
    secret = gcm(b"the old secret", b"another IV 1")
    bar_id = await old.fetchval(
        """
        insert into bars (name, mpesa_consumer_key_encrypted, mpesa_consumer_secret_encrypted, mpesa_passkey_encrypted)
        values ('A', $1, $2, $3) returning id
        """,
        cbc(b"the old key", bytes(16), "an older key"), hexed(secret), hexed(buffer(BLOB).encode()),
    )  # fmt: skip
    await old.execute("insert into bars (name, mpesa_consumer_key_encrypted) values ('B', 'test_encrypted_value')")
    await old.execute("insert into bars (name, mpesa_consumer_key_encrypted) values ('C', '')")
    dry = {(result.table, result.outcome) for result in await gone_through(old, tools, dry_run=True)}
    assert dry == {("mpesa_credentials", "would_move"), ("bars", "would_move"), ("bars", "failed")}
    done = {result.bar_id: result for result in await gone_through(old, tools) if result.table == "bars"}
    assert (done.pop(bar_id).outcome, [result.code for result in done.values()]) == ("moved", ["legacy_placeholder"])
    row = await old.fetchrow("select * from bars where id = $1", bar_id)
    assert row is not None
    opened = [
        tools.keyring.open(
            bytes.fromhex(row[f"mpesa_{field}_encrypted"].removeprefix("\\x")), place(bar_id, "sandbox", field, 1)
        )
        for field in ("consumer_key", "consumer_secret", "passkey")
    ]
    assert opened == [b"the old key", b"the old secret", PLAIN.encode()]
    assert {result.outcome for result in await gone_through(old, tools)} == {"failed"}
    # The column became bytea later: the same, as bytes.
    await old.execute(
        "alter table bars alter mpesa_passkey_encrypted type bytea using convert_to(mpesa_passkey_encrypted, 'utf8')"
    )
    await old.reload_schema_state()
    await old.execute("update bars set mpesa_passkey_encrypted = $2 where id = $1", bar_id, BLOB)
    assert {result.outcome for result in await gone_through(old, tools)} == {"moved", "failed"}
    blob = await old.fetchval("select mpesa_passkey_encrypted from bars where id = $1", bar_id)
    assert tools.keyring.open(blob, place(bar_id, "sandbox", "passkey", 1)) == PLAIN.encode()

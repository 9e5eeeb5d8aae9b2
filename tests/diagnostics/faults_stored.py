"""Faults in the database: the way there, its schema and rights, and the credentials in it."""

import base64
import json
from collections.abc import Callable
from urllib.parse import urlsplit

from kaunta.core.db import connect
from kaunta.core.vault import MAGIC, VERSION
from kaunta.credentials.store import place
from tests.credentials.test_legacy import BLOB, KEY
from tests.diagnostics.conftest import World
from tests.diagnostics.faults import Fault, Spoil
from tests.docs.test_how_to import LEGACY_SHAPE


def with_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()


async def away(world: World) -> None:
    world.wire.cut()
    world.outside["start"] = world.wire.mend


async def wrong_password(world: World) -> None:
    world.env["KAUNTA_DATABASE_URL"] = with_user(world.env["KAUNTA_DATABASE_URL"], "postgres", "not-the-password")


async def wrong_name(world: World) -> None:
    world.env["KAUNTA_DATABASE_URL"] = world.env["KAUNTA_DATABASE_URL"].rpartition("/")[0] + "/nowhere"


async def no_such_host(world: World) -> None:
    world.env["KAUNTA_DATABASE_URL"] = "postgresql://kaunta@database.invalid/kaunta"


async def less_rights(world: World) -> None:
    """The process has a login of its own, which once could all it must."""
    login = "diagnosed_" + world.wire.url.rpartition("_")[2]
    await world.execute(f"create role {login} login password 'a-word-for-tests' in role kaunta_app, kaunta_worker")
    world.outside["login"] = login
    await world.execute("revoke insert on audit_events from kaunta_app, kaunta_worker")
    world.env["KAUNTA_DATABASE_URL"] = with_user(world.env["KAUNTA_DATABASE_URL"], login, "a-word-for-tests")


async def empty(world: World) -> None:
    url = await world.databases.create("template0")
    world.outside["made"] = url
    world.env["KAUNTA_DATABASE_URL"] = world.wire.url.rpartition("/")[0] + "/" + url.rpartition("/")[2]


async def the_old_products(world: World) -> None:
    await empty(world)
    async with connect(world.outside["made"]) as db:
        await db.execute(LEGACY_SHAPE.read_text(encoding="utf-8"))


def sql(*statements: str) -> Spoil:
    async def spoil(world: World) -> None:
        for statement in statements:
            await world.execute(statement)

    return spoil


def schema(name: str, says: str, *statements: str, often: bool = False) -> Fault:
    return Fault(name, "db.schema", says, sql(*statements), often=often)


NO_MONTHS = """
do $$ declare child text; begin
    for child in select c.relname from pg_class c join pg_inherits i on i.inhrelid = c.oid
                 where i.inhparent = 'daraja_inbox_placeholder'::regclass loop
        execute format('drop table %I', child);
    end loop;
end $$
""".replace("daraja_inbox_placeholder", "payment_events")

DATABASE = (
    Fault("the database is away", "db.connection", "Nobody listens", away, often=True),
    Fault("a wrong password", "db.connection", "does not accept the user and password", wrong_password),
    Fault("a wrong name", "db.connection", "does not exist on that server", wrong_name),
    Fault("a host without an address", "db.connection", "has no address", no_such_host),
    Fault(
        "nothing was migrated", "db.revision", "none of Kaunta’s tables", empty,
        leaves=frozenset({"callback.reached", "worker.heartbeat", "backups.age"}),
    ),
    Fault("the old product’s database", "db.revision", "the old product’s database", the_old_products),
    schema("a table is missing", "The table saved_views is missing", "drop table saved_views"),
    schema(
        "a column is missing", "Missing: column bars.resolve_limit", "alter table bars drop column resolve_limit",
        often=True,
    ),
    schema(
        "an enum has drifted", "Changed: enum transaction_status",
        "alter type transaction_status rename value 'timeout' to 'timed_out'",
    ),
    schema("a guard is missing", "trigger", "drop trigger tab_payments_guard on tab_payments"),
    schema("a guard is switched off", "switched off", "alter table tab_payments disable trigger tab_payments_guard"),
    schema("an index is missing", "Missing: index", "drop index mpesa_transactions_one_open_a_payer_and_tab"),
    schema(
        "a check is missing", "Missing: constraint mpesa_receipts",
        "alter table mpesa_receipts drop constraint mpesa_receipts_amount_check",
    ),
    schema(
        "a function has changed", "Changed: function kaunta_months_ahead",
        "create or replace function kaunta_months_ahead() returns integer language sql as $$ select 12 $$",
    ),
    Fault("a right is missing", "db.rights", "insert on audit_events", less_rights, often=True),
    Fault("no months are ready", "db.months", "ready for 0 coming months", sql(NO_MONTHS)),
)  # fmt: skip

Change = Callable[[World, bytes], bytes]
FIELD = "consumer_key"


def blobs(change: Change, fields: tuple[str, ...] = (FIELD,)) -> Spoil:
    """The first bar's credentials, in both tables that hold them, made from what was sealed."""

    async def spoil(world: World) -> None:
        id_ = world.bar.credential_id
        for field in fields:
            column = f"{field}_enc"
            blob = await world.rt.db.fetchval(f"select {column} from mpesa_credentials where id = $1", id_)
            changed = change(world, blob)
            await world.execute(f"update mpesa_credentials set {column} = $2 where id = $1", id_, changed)
            await world.execute(
                f"update mpesa_credential_versions set {column} = $2 where credential_id = $1", id_, changed
            )

    return spoil


def flipped(_: World, blob: bytes) -> bytes:
    return blob[:-20] + bytes([blob[-20] ^ 4]) + blob[-19:]


def named_otherwise(_: World, blob: bytes) -> bytes:
    """A bit of the key's name in the envelope has changed: no key is missing."""
    return blob[:6] + bytes([blob[6] ^ 1]) + blob[7:]


def unsure(world: World, text: str) -> bytes:
    """A mask that was sealed over the real secret, as a form once posted it back."""
    aad = place(world.bar.id, "sandbox", FIELD, 1)
    return world.rt.keyring.seal(text.encode(), aad, world.rt.entropy)


async def swapped(world: World) -> None:
    for table, id_ in (("mpesa_credentials", "id"), ("mpesa_credential_versions", "credential_id")):
        await world.execute(
            f"""
            with two as (select {id_} as id, consumer_key_enc as k, consumer_secret_enc as s, passkey_enc as p
                         from {table} where {id_} in ($1, $2))
            update {table} t set consumer_key_enc = k, consumer_secret_enc = s, passkey_enc = p
            from two where t.{id_} in ($1, $2) and two.id <> t.{id_}
            """,
            world.bar.credential_id, world.other.credential_id,
        )  # fmt: skip


async def copy_differs(world: World) -> None:
    await world.execute(
        "update mpesa_credentials set passkey_enc = $2 where id = $1", world.bar.credential_id,
        world.rt.keyring.seal(b"another-passkey", place(world.bar.id, "sandbox", "passkey", 1), world.rt.entropy),
    )  # fmt: skip


async def not_kept(world: World) -> None:
    await world.execute("delete from mpesa_credential_versions where credential_id = $1", world.bar.credential_id)


async def legacy(world: World) -> None:
    """All three as the old product wrote them; Safaricom knows that pair too."""
    world.env["MPESA_KMS_KEY"] = world.good["MPESA_KMS_KEY"] = KEY
    known = world.safaricom.simulator.options.credentials
    assert isinstance(known, dict)
    known["ExampleConsumerKey01"] = "ExampleConsumerKey01"
    await blobs(lambda _, __: BLOB, ("consumer_key", "consumer_secret", "passkey"))(world)


def form(name: str, says: str, change: Change, *, often: bool = False) -> Fault:
    return Fault(name, "creds.form", says, blobs(change), often=often)


CREDENTIALS = (
    form("empty", "is empty", lambda *_: b""),
    form("truncated", "ends too early", lambda _, blob: blob[:40]),
    form("base64 of the envelope", "written out as base64", lambda _, blob: base64.b64encode(blob), often=True),
    form("hex of the envelope", "written out as hex", lambda _, blob: ("\\x" + blob.hex()).encode()),
    form(
        "JSON of a Buffer", "wrapped in JSON",
        lambda _, blob: json.dumps({"type": "Buffer", "data": list(blob)}).encode(),
    ),
    form("a mask", "a mask or an example", lambda *_: "••••••••••••••••".encode()),
    form("a placeholder", "a mask or an example", lambda *_: b"YOUR_CONSUMER_KEY"),
    form("noise", "in no form that is known", lambda *_: b"nothing that anybody ever wrote"),
    Fault("the old product’s form", "creds.form", "of the old product", legacy),
    Fault("a bit flipped", "creds.opens", "is damaged", blobs(flipped), often=True),
    Fault("the end missing", "creds.opens", "some are missing", blobs(lambda _, blob: blob[:-3])),
    Fault("a bit of the key’s name flipped", "creds.opens", "is damaged", blobs(named_otherwise)),
    Fault("two rows swapped", "creds.opens", "another bar", swapped),
    Fault("a mask sealed", "creds.opens", "is a mask", blobs(lambda world, _: unsure(world, "••••••••••••"))),
    Fault("an example sealed", "creds.opens", "an example", blobs(lambda world, _: unsure(world, "YOUR_CONSUMER_KEY"))),
    Fault("the copies differ", "creds.copies", "are not the same", copy_differs),
    Fault("the version was not kept", "creds.copies", "is not among the kept ones", not_kept),
)  # fmt: skip

assert (MAGIC, VERSION) == (b"KNTA", 1)

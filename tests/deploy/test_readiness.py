"""`kaunta deploy check`: an item is ready by what was seen a moment ago, and each is seen to turn both ways."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from kaunta.bars.readiness.checklist import OF_THE_HOUSE, checklist
from kaunta.bars.readiness.items import Finding, Kind
from kaunta.bars.readiness.items import State as BarState
from kaunta.core.audit import audit
from kaunta.core.clock import Clock, ManualClock
from kaunta.core.errors import Unforeseen
from kaunta.core.outbound import Outbound
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.spool import Spooled
from kaunta.core.vault import generate_entry
from kaunta.deploy import house, public_address
from kaunta.deploy.check import HOUSE_ITEMS, LOOKS, known_to_the_house
from kaunta.deploy.readiness import Look, Scene, State, looked_at, not_looked_at
from kaunta.settings import CallbackSources, Settings
from tests.cli.conftest import Kaunta
from tests.support.bars import SeededBar
from tests.support.door import Served

BY_NAME = {look.name: look for look in LOOKS}


@pytest_asyncio.fixture
async def scene(rt: Runtime) -> AsyncIterator[Scene]:
    async with Outbound() as outbound, rt.db.acquire() as db:
        yield Scene(rt, db, outbound)


async def state(scene: Scene, name: str) -> State:
    found = await looked_at(scene, BY_NAME[name])
    assert found.evidence
    return found.state


def told(scene: Scene, **settings: object) -> Scene:
    """The scene with other settings."""
    return replace(scene, rt=replace(scene.rt, settings=scene.rt.settings.model_copy(update=settings)))


@pytest.mark.req("FIX-5.2", "FIX-5.4", "PAY-8.5")
@pytest.mark.failure(98)
async def test_a_development_installation_is_told_everything_that_is_in_the_way(
    installed: Kaunta,
    bar: SeededBar,
    application: Served,
) -> None:
    said = await installed("deploy", "check", "--json")
    assert said.code == 3
    items = {item["name"]: item for item in said.data["items"]}
    assert items.keys() >= BY_NAME.keys()
    assert all(item["evidence"] and item["title"] for item in items.values())
    assert all(item["fix"] for item in items.values() if item["state"] == "not_ready")
    for name in ("house.mode", "public.certificate", "house.leftovers", "backups.read", "keys.recovery", "alerts.told"):
        assert items[name]["state"] == "not_ready", items[name]
    for name in ("db.revision", "creds.opens", "house.invariants", "public.callbacks"):
        assert items[name]["state"] == "ready", items[name]
    assert bar.slug in items["house.leftovers"]["evidence"]
    assert said.data["in_the_way"] == sum(i["required"] and i["state"] != "ready" for i in items.values())


@pytest.mark.req("FIX-2.5", "FIX-5.2")
async def test_it_works_where_nothing_else_does(installed: Kaunta) -> None:
    said = await installed("deploy", "check", "--json", KAUNTA_DATABASE_URL=None, KAUNTA_MODE="producton")
    assert said.code == 3
    items = {item["name"]: item for item in said.data["items"]}
    assert items["env.needed"]["state"] == "not_ready"
    assert "KAUNTA_DATABASE_URL" in items["env.needed"]["evidence"]
    assert {items[name]["state"] for name in BY_NAME} == {"not_looked_at"}
    assert "must be mended first" in items["house.mode"]["evidence"]


async def test_a_bar_that_takes_no_real_money_cannot_be_asked_for(installed: Kaunta, bar: SeededBar) -> None:
    said = await installed("deploy", "check", "--bar", bar.slug, "--json")
    assert said.code == 5


@pytest.mark.req("FIX-5.4")
async def test_a_bar_with_production_credentials_brings_its_list_and_is_tested_without_money(
    installed: Kaunta,
    bar: SeededBar,
    rt: Runtime,
) -> None:
    await rt.db.execute("update bars set mpesa_environment = 'production' where id = $1", bar.id)
    await rt.db.execute("alter table mpesa_credential_versions disable trigger user")
    await rt.db.execute("update mpesa_credentials set environment = 'production'")
    said = await installed("deploy", "check", "--bar", bar.slug, "--json")
    items = [item for item in said.data["items"] if item["bar"] == bar.slug]
    assert {item["name"] for item in items} >= {"credentials", "test_payment", "owners", *HOUSE_ITEMS}
    assert next(item for item in items if item["name"] == "backup")["evidence"] == "There is no backup yet."
    # Sealed for the sandbox: it does not open as production's.
    tested = await installed("deploy", "check", "--safe-tests", "--json")
    found = next(item for item in tested.data["items"] if item["name"] == "connection")
    assert found["state"] == "not_ready"
    assert await rt.db.fetchval("select count(*) from mpesa_transactions") == 0


@pytest.mark.failure(30)
async def test_a_look_that_breaks_has_shown_nothing(scene: Scene) -> None:
    async def breaks(_: Scene) -> Finding:
        raise Unforeseen

    found = await looked_at(scene, Look("any", "Any", "Mend it.", breaks))
    assert (found.state, found.in_the_way) == (State.NOT_LOOKED_AT, True)
    assert [item.in_the_way for item in not_looked_at(LOOKS, "env.needed")] == [look.required for look in LOOKS]


async def test_recovery_key(scene: Scene, rt: Runtime) -> None:
    assert await state(scene, "keys.recovery") is State.NOT_READY
    key = Settings.model_validate({"recovery_key": generate_entry(rt.entropy, "r1")}).recovery_key
    assert await state(told(scene, recovery_key=key), "keys.recovery") is State.READY
    assert await state(told(scene, recovery_key=rt.settings.keys), "keys.recovery") is State.NOT_READY


async def test_backups_that_were_read_and_restored(scene: Scene, rt: Runtime) -> None:
    assert {await state(scene, name) for name in ("backups.read", "backups.restored")} == {State.NOT_READY}
    await rt.db.execute(
        """
        insert into backups (id, kind, reason, target, created_at, created_by, size, digest, schema_version, key_ids,
                             verified_at, ok)
        values (gen_random_uuid(), 'credentials', 'scheduled', 'b', $1, 'kaunta', 1, sha256('b'), '0002', '{}', $1,
                true)
        """,
        rt.clock.now(),
    )
    assert await state(scene, "backups.read") is State.READY
    assert (await looked_at(scene, house.BACKUP_AGE)).state is State.READY
    await rt.db.execute(
        "insert into backup_restores (id, backup_id, safety_id, restored_at, restored_by) "
        "values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $1, 'operator')",
        rt.clock.now(),
    )
    assert await state(scene, "backups.restored") is State.READY
    assert isinstance(rt.clock, ManualClock)
    rt.clock.advance(31 * 86_400)
    assert await state(scene, "backups.restored") is State.NOT_READY
    assert (await looked_at(scene, house.BACKUP_AGE)).state is State.NOT_READY
    await rt.db.execute("update backups set ok = false")
    assert await state(scene, "backups.read") is State.NOT_READY


async def test_problems_and_alerts(scene: Scene, rt: Runtime) -> None:
    assert await state(scene, "house.problems") is State.READY
    await open_problem(scene.db, rt.clock, "invariant", "x", bar_id=None, severity=Severity.CRITICAL)
    assert await state(scene, "house.problems") is State.NOT_READY
    await close_problem(scene.db, rt.clock, "invariant", "x", by="test", reason="over")
    assert await state(scene, "house.problems") is State.READY
    assert await state(scene, "alerts.told") is State.NOT_READY
    with_mail = told(scene, smtp_url=SecretStr("smtps://mail.example.co.ke:465"))
    assert await state(with_mail, "alerts.told") is State.NOT_READY
    await audit(scene.db, rt.clock, "operator", "alert.tested", "alert_channel", "email")
    assert await state(with_mail, "alerts.told") is State.READY


async def test_leftovers_of_the_sandbox(scene: Scene, bar: SeededBar, rt: Runtime) -> None:
    clean = told(
        scene, daraja_sandbox_url="https://sandbox.safaricom.co.ke", daraja_production_url="https://api.safaricom.co.ke"
    )
    assert await state(clean, "house.leftovers") is State.NOT_READY
    await rt.db.execute("update mpesa_credentials set is_active = false")
    assert await state(clean, "house.leftovers") is State.READY
    assert await state(scene, "house.leftovers") is State.NOT_READY
    assert await state(told(clean, sandbox_phones=("254708374149",)), "house.leftovers") is State.NOT_READY
    await rt.db.execute("alter table bars add mpesa_passkey_encrypted text")
    assert await state(clean, "house.leftovers") is State.NOT_READY


async def test_the_spool_has_room_a_place_of_its_own_and_nothing_waiting(scene: Scene, rt: Runtime) -> None:
    assert await state(scene, "house.spool") is State.READY
    assert await state(told(scene, spool_folder=".kaunta/spool"), "house.spool") is State.NOT_READY
    await rt.spool.keep(Spooled(rt.clock.now(), "stk", None, None, b"{}"))
    assert await state(scene, "house.spool") is State.NOT_READY


async def test_a_login_that_may_less_and_somebody_who_looks_after_it(scene: Scene, bar: SeededBar, rt: Runtime) -> None:
    assert await state(scene, "db.login") is State.NOT_READY
    async with scene.db.transaction():
        await scene.db.execute("set local role kaunta_app")
        assert await state(scene, "db.login") is State.READY
    assert await state(scene, "house.administrators") is State.NOT_READY
    await rt.db.execute(
        "update staff_accounts set is_administrator = true, totp_secret_enc = 'x', totp_confirmed_at = now() "
        "where id = $1", bar.owner.account_id,
    )  # fmt: skip
    assert await state(scene, "house.administrators") is State.READY


@pytest.mark.failure(55)
async def test_callbacks_that_all_come_from_the_proxy_tell_that_it_is_not_trusted(
    scene: Scene, rt: Runtime, bar: SeededBar
) -> None:
    looking = told(scene, callback_sources=CallbackSources.LOG)
    assert await state(told(scene, callback_sources=CallbackSources.OFF), "public.sources") is State.NOT_READY
    assert await state(looking, "public.sources") is State.NOT_READY

    async def came(source: str) -> None:
        await rt.db.execute(
            "insert into mpesa_callbacks (received_at, channel, source, body_enc, next_attempt_at, processed_at, "
            "verdict, transaction_id) values ($1, 'stk', $2, 'x', $1, $1, 'applied', gen_random_uuid())",
            rt.clock.now(), ip_address(source),
        )  # fmt: skip

    await came("196.201.214.200")
    assert await state(looking, "public.sources") is State.READY
    await came("172.18.0.5")
    assert await state(looking, "public.sources") is State.NOT_READY


async def test_the_public_address_is_kauntas_and_passes_callbacks(scene: Scene, application: Served) -> None:
    assert await state(scene, "public.callbacks") is State.READY
    # No proxy stands between, so figures are shown; and no worker has said that it lives.
    assert await state(scene, "public.metrics") is State.NOT_READY
    assert await state(scene, "public.ready") is State.NOT_READY
    elsewhere = told(scene, public_url="http://127.0.0.1:1")
    for name in ("public.callbacks", "public.metrics", "public.ready", "public.certificate"):
        assert await state(elsewhere, name) is State.NOT_READY


@pytest.mark.req("PAY-4.5", "PAY-8.5")
async def test_what_a_bars_list_waits_for_is_told_by_the_installation(rt: Runtime, bar: SeededBar) -> None:
    found = await known_to_the_house(rt)
    assert found.keys() == HOUSE_ITEMS.keys() == {item.name for item in OF_THE_HOUSE}
    assert (found["limits"].ok, found["backup"].ok) == (True, False)
    items = {item.name: item for item in (await checklist(rt, bar.id, found)).items}
    assert (items["limits"].state, items["limits"].kind) == (BarState.READY, Kind.PROBE)
    assert (items["backup"].state, items["backup"].evidence) == (BarState.NOT_READY, "There is no backup.")


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that a throw-away authority issued for 127.0.0.1. `folder` holds both as files."""

    folder: Path
    trust: ssl.SSLContext


def issue(folder: Path, now: datetime, days: int) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throw-away")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    trust = public_address.trusting()
    trust.load_verify_locations(folder / "certificate.pem")
    return Issued(folder, trust)


@asynccontextmanager
async def answering(issued: Issued, most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> AsyncIterator[int]:
    """A TLS server on a loopback port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = most
    context.load_cert_chain(issued.folder / "certificate.pem", issued.folder / "key.pem")

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.failure(30)
async def test_a_certificate_must_be_believed_and_last(tmp_path: Path, rt: Runtime) -> None:
    now = Clock().now()
    issued = issue(tmp_path, now, 90)
    async with answering(issued) as port:
        good = await public_address.certificate_of("127.0.0.1", port, issued.trust, now)
        assert good.ok
        assert "good for 90 days" in good.evidence
        unknown = await public_address.certificate_of("127.0.0.1", port, public_address.trusting(), now)
        assert not unknown.ok
        assert "not believed" in unknown.evidence
        late = await public_address.certificate_of("127.0.0.1", port, issued.trust, now + timedelta(days=70))
        assert (late.ok, late.evidence[-9:]) == (False, " 20 days.")
    closed = await public_address.certificate_of("127.0.0.1", port, issued.trust, now)
    assert not closed.ok
    assert "No TLS connection" in closed.evidence
    ended = issue(tmp_path, now, -10)
    async with answering(ended) as port:
        assert "expired" in (await public_address.certificate_of("127.0.0.1", port, ended.trust, now)).evidence

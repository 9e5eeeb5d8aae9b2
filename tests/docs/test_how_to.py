"""The how-to pages do what they say: their requests are sent and their commands are run, in the order of the page."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from kaunta.core.clock import ManualClock
from kaunta.core.db import connect
from kaunta.core.runtime import Runtime
from kaunta.settings import Settings
from tests.cli.conftest import Kaunta
from tests.crash.forks import environment
from tests.credentials.test_legacy import BLOB, KEY, buffer, cbc, hexed
from tests.docs.pages import ROOT
from tests.plugins.databases import Databases
from tests.support.bars import PASSWORD, SeededBar
from tests.support.door import Served
from tests.support.hosts import allow, host, with_production
from tests.support.safaricom import Safaricom

PAGES = ROOT / "docs/how-to"
LEGACY_SHAPE = ROOT / "tests/legacy_shape.sql"
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SAYS = re.compile(r"^(?P<words>kaunta .*?)\s*(# exit (?P<code>\d+))?$")
SENDS = re.compile(r"^(?P<method>[A-Z]+) (?P<path>\S+) → (?P<status>\d+)( (?P<code>\w+))?$")


@dataclass(frozen=True, slots=True)
class Command:
    """`kaunta …` and the exit code that the page promises."""

    words: tuple[str, ...]
    code: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, and the status and code that the page promises."""

    method: str
    path: str
    body: dict[str, Any]
    status: int
    code: str | None


def steps(page: str) -> list[Command | Sent]:
    """What a page tells its reader to do, in order."""
    found: list[Command | Sent] = []
    for block in BLOCK.finditer((PAGES / page).read_text(encoding="utf-8")):
        if block["kind"] == "http":
            first, _, body = block["text"].partition("\n")
            head = SENDS.fullmatch(first)
            assert head is not None, first
            found.append(Sent(head["method"], head["path"], json.loads(body), int(head["status"]), head["code"]))
        else:
            for line in block["text"].splitlines():
                said = SAYS.fullmatch(line)
                assert said is not None, line
                words = re.findall(r'"([^"]*)"|(\S+)', said["words"])
                found.append(Command(tuple(a or b for a, b in words[1:]), int(said["code"] or 0)))
    assert len(found) >= 3
    return found


async def follow(kaunta: Kaunta, page: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **told: str) -> None:
    monkeypatch.chdir(folder)
    for step in steps(page):
        assert isinstance(step, Command)
        said = await kaunta(*step.words, **told)
        assert said.code == step.code, (step, said.out, said.err)


@pytest_asyncio.fixture
async def old(databases: Databases) -> AsyncIterator[str]:
    """The old product's database: one bar should be on, one off, and one has its secrets in `bars`."""
    async with databases.fresh("template0") as url:
        async with connect(url) as db:
            await db.execute(LEGACY_SHAPE.read_text(encoding="utf-8"))
            await db.execute(
                """
                with made as (insert into bars (name, mpesa_enabled) values ('A', false), ('B', true)
                              returning id, name)
                insert into mpesa_credentials (tenant_id, environment, business_shortcode, consumer_key_enc,
                                               consumer_secret_enc, passkey_enc, callback_url, is_active)
                select id, 'sandbox', '174379', $1, $1, $1, '', name = 'A' from made
                """,
                buffer(BLOB).encode(),
            )
            await db.execute(
                """
                insert into bars (name, mpesa_consumer_key_encrypted, mpesa_consumer_secret_encrypted,
                                  mpesa_passkey_encrypted) values ('C', $1, $2, $2)
                """,
                cbc(b"an old consumer key", bytes(16), "an older key"), hexed(BLOB),
            )  # fmt: skip
        yield url


@pytest.fixture
def kaunta(keyring_entry: str) -> Kaunta:
    return Kaunta({"KAUNTA_KEYS": keyring_entry})


@pytest.mark.req("SYNC-2.1", "SYNC-2.2", "SYNC-2.3")
async def test_the_page_on_synchronisation_does_what_it_says(
    kaunta: Kaunta, old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await follow(kaunta, "sync.md", tmp_path, monkeypatch, KAUNTA_DATABASE_URL=old)
    assert len((tmp_path / "differ.ndjson").read_text().splitlines()) == 2


@pytest.mark.req("FIX-4.4")
async def test_the_page_on_reencryption_does_what_it_says(
    kaunta: Kaunta, old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"KAUNTA_DATABASE_URL": old, "MPESA_KMS_KEY": KEY, "MPESA_ENCRYPTION_KEY": "an older key"}
    await follow(kaunta, "reencrypt.md", tmp_path, monkeypatch, **told)


@pytest_asyncio.fixture
async def simulator(clock: ManualClock) -> AsyncIterator[Safaricom]:
    async with host("sandbox", clock) as running:
        yield running


@pytest_asyncio.fixture
async def production(clock: ManualClock) -> AsyncIterator[Safaricom]:
    """Production, where the business has the page's passkey."""
    async with host("production", clock, passkey="new-production-passkey-0123") as running:
        yield running


@pytest.fixture
def settings(settings: Settings, production: Safaricom) -> Settings:
    return with_production(settings, production)


@pytest.mark.req("PAY-4.1", "PAY-4.2", "PAY-8.5")
async def test_the_page_on_settings_does_what_it_says(
    application: Served,
    http: aiohttp.ClientSession,
    rt: Runtime,
    settings: Settings,
    bar: SeededBar,
    simulator: Safaricom,
    production: Safaricom,
) -> None:
    for environment_, safaricom in (("sandbox", simulator), ("production", production)):
        allow(safaricom, f"new-{environment_}-key-0123", f"new-{environment_}-secret-0123")
    await rt.db.execute("update bars set slug = 'mama-njeris-bar' where id = $1", bar.id)
    async with http.post("/staff/login", json={"user": bar.owner.username, "password": PASSWORD}) as answer:
        assert answer.status == 200
    kaunta = Kaunta(environment(settings))
    for step in steps("mpesa-settings.md"):
        if isinstance(step, Command):
            said = await kaunta(*step.words)
            assert said.code == step.code, (step, said.out, said.err)
            continue
        body = step.body | {"barId": str(bar.id)}
        async with http.request(step.method, step.path, json=body) as answer:
            told = await answer.json()
            assert (answer.status, told.get("code")) == (step.status, step.code), (step, told)
        assert told["success"] is (step.status < 400), (step, told)
        # The guest's PIN, where a phone rang.
        await production.settle()
        await application.pushes.drain()

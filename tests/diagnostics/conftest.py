"""An installation in which all is well, that a test breaks in one place and a machine mends by the remedy alone.

`world.diagnosed()` is `kaunta diagnose` as an operator calls it. `world.follow(remedy)` does what a remedy says and
knows nothing else: it sets the variable that is named, or runs the command or the SQL that is written there.
"""

import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import structlog

from kaunta.app import daraja_client
from kaunta.core.clock import Clock
from kaunta.core.db import connect
from kaunta.core.entropy import Entropy
from kaunta.core.outbound import Outbound
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from kaunta.diagnostics.environment import given_by
from kaunta.settings import Settings
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.testing import running_simulator
from kaunta.worker import Worker
from tests.cli.conftest import SPELT, Kaunta, Said, secrets_of
from tests.plugins.databases import Databases
from tests.support.bars import SeededBar
from tests.support.relay import Relay, relay
from tests.support.safaricom import Safaricom

COMMAND = re.compile(r"`kaunta ([^`]+)`")
SQL = re.compile(r"`((?:grant|alter) [^`]+)`")
SET = re.compile(r"\bSet (KAUNTA_\w+|MPESA_\w+)")
UNSET = re.compile(r"\b[Uu]nset (KAUNTA_\w+|MPESA_\w+)")


class Pairs(dict[str, str]):
    """The keys and secrets that Safaricom takes: the seeded bars' own, and what a test adds."""

    def get(self, key: str, default: Any = None) -> Any:
        said = super().get(key, default)
        return key.replace("consumer-key-of-", "consumer-secret-of-") if said is None and "-of-" in key else said


@dataclass
class World:
    """`env`: what the host has; `good`: what it had when all was well. `outside` mends what no command can: the
    network's, Safaricom's and the clock's part."""

    kaunta: Kaunta
    rt: Runtime
    bar: SeededBar
    other: SeededBar
    safaricom: Safaricom
    wire: Relay
    databases: Databases
    good: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)
    outside: dict[str, Any] = field(default_factory=dict)
    held: ExitStack = field(default_factory=ExitStack)

    async def said(self, *words: str, typed: str = "") -> Said:
        return await Kaunta(self.env, self.kaunta.said)(*words, typed=typed)

    async def diagnosed(self, what: str = "all") -> dict[str, Any]:
        said = await self.said("diagnose", what, "--json")
        found: dict[str, Any] = said.data
        assert said.code == (0 if found["ok"] else 3)
        return found

    async def execute(self, sql: str, *arguments: object) -> None:
        """As the database's owner, wherever the host's own login points."""
        async with connect(self.outside["owner"]) as db:
            await db.execute(sql, *arguments)

    async def follow(self, remedy: str) -> None:
        """Do what the remedy says, the first thing in it that a machine can do."""
        steps = sorted(
            (found.start(), kind, found[1])
            for kind, pattern in (("set", SET), ("unset", UNSET), ("run", COMMAND), ("sql", SQL))
            for found in pattern.finditer(remedy)
        )
        if "Start PostgreSQL" in remedy and "start" in self.outside:
            await self.outside["start"]()
        elif "timedatectl" in remedy:
            self.outside["clock"]()
        elif remedy.startswith("Wait"):
            self.safaricom.simulator.faults.clear()
        elif remedy.startswith("Make a test payment"):
            await called_back(self)
        else:
            assert steps, f"a machine can do nothing with: {remedy}"
            await self.take(*steps[0][1:])

    async def take(self, kind: str, what: str) -> None:
        match kind:
            case "set" | "unset":
                self.env.pop(what, None)
                if what in self.good and kind == "set":
                    self.env[what] = self.good[what]
            case "sql":
                await self.execute(what)
            case _:
                await self.run(what.split())

    async def run(self, words: list[str]) -> None:
        typed = ""
        if words[:2] == ["creds", "set"]:
            typed = json.dumps(
                {name: f"{name}-of-a-new-app" for name in ("consumer_key", "consumer_secret", "passkey")}
            )
        if words[0] == "worker":
            # `kaunta worker` itself refuses the embedded database of the tests. Its logs go where a test's go.
            structlog.reset_defaults()
            logging.getLogger().handlers.clear()
            async with Outbound() as outbound:
                await Worker(self.rt, daraja_client(self.rt.settings, outbound, self.rt.clock)).once()
            return
        if words[:2] == ["db", "mend"]:
            assert (await self.said("db", "mend", "--dry-run")).code == 3
        said = await self.said(*words, typed=typed)
        assert said.code == 0, (words, said.out, said.err)


async def called_back(world: World) -> None:
    """A callback to one of our payments came in."""
    await world.execute(
        """
        insert into mpesa_callbacks (received_at, channel, token_hash, body_enc, processed_at, verdict, transaction_id,
                                     next_attempt_at)
        values (now(), 'stk', '', '', now(), 'applied', gen_random_uuid(), now())
        """
    )


async def beaten(world: World) -> None:
    """In a while: however slow the machine is, the worker must not be missed during the test."""
    await world.execute(
        "insert into worker_heartbeats (worker, seen_at, detail) values ('here', now() + interval '5 minutes', '{}')"
    )


async def backed_up(world: World, ago: timedelta = timedelta(hours=2)) -> None:
    await world.execute(
        """
        insert into backups (id, kind, reason, target, created_at, created_by, size, digest, schema_version, key_ids)
        values (gen_random_uuid(), 'credentials', 'scheduled', 'gone', $1, 'here', 1, decode(repeat('00', 32), 'hex'),
                '0002', '{test}')
        """,
        Clock().now() - ago,
    )


@pytest.fixture
def kaunta() -> Kaunta:
    """`await kaunta("env", "list", KAUNTA_MODE="production")`: nothing of this process's environment gets through."""
    return Kaunta()


@pytest.fixture
def clock() -> Clock:
    """The wall's: a command reads no other."""
    return Clock()


@pytest_asyncio.fixture
async def simulator() -> AsyncIterator[Safaricom]:
    """Safaricom at the present moment, which takes the seeded bars' keys and those of a new app."""
    pairs = Pairs({"consumer_key-of-a-new-app": "consumer_secret-of-a-new-app"})
    async with running_simulator(SimulatorOptions(credentials=pairs), clock=SimulatedTime()) as running:
        yield Safaricom(running.host)


def fragments(settings: Settings) -> set[str]:
    """Every six characters that follow each other in the key, as it is written and in hex, and in the password."""
    assert settings.keys is not None
    assert settings.database_url is not None
    material = settings.keys.get_secret_value().partition(":")[2]
    password = urlsplit(settings.database_url.get_secret_value()).password or ""
    texts = (material, base64.b64decode(material).hex(), password)
    return {text[at : at + 6] for text in texts for at in range(len(text) - 5)}


@pytest.fixture
def runs(settings: Settings) -> Iterator[Kaunta]:
    """Whatever is run is searched afterwards: no secret may be in any output."""
    kept = Kaunta()
    yield kept
    for said in kept.said:
        for secret in secrets_of(settings):
            # The page of a variable shows Safaricom's own test phone as an example.
            assert secret in SPELT or secret not in said.out + said.err
    whole = "".join(said.out + said.err for said in kept.said)
    for fragment in fragments(settings):
        assert fragment not in whole


@pytest_asyncio.fixture
async def world(
    runs: Kaunta,
    rt: Runtime,
    settings: Settings,
    bar: SeededBar,
    other_bar: SeededBar,
    simulator: Safaricom,
    databases: Databases,
    database_url: str,
    tmp_path: Any,
) -> AsyncIterator[World]:
    """Two bars, a worker that lives, a callback that came, a backup that was made; the database behind a wire."""
    async with relay(database_url) as wire:
        good = given_by(settings) | {
            "KAUNTA_DATABASE_URL": wire.url,
            "KAUNTA_RECOVERY_KEY": generate_entry(Entropy(), "r1"),
            "KAUNTA_BACKUP_FOLDER": str(tmp_path / "backups"),
        }
        del good["KAUNTA_SANDBOX_CERTIFICATE"]
        made = World(runs, rt, bar, other_bar, simulator, wire, databases, good, dict(good), {"owner": database_url})
        for happens in (called_back, beaten, backed_up):
            await happens(made)
        with made.held:
            yield made
        if login := made.outside.get("login"):
            await made.execute(f"drop owned by {login}")
            await made.execute(f"drop role {login}")
        await wire.end()
        if "made" in made.outside:
            await databases.drop(made.outside["made"])

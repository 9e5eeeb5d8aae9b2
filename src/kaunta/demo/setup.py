"""The demo: embedded PostgreSQL, the stand-in for Safaricom, Kaunta itself and one bar, in one process.

Nothing in it takes a shortcut: the guest's form goes over HTTP to Kaunta, from there over HTTP to the stand-in, and
the callback comes back the same way.
"""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from fastapi import FastAPI

from kaunta.app import serving
from kaunta.core.db import connect
from kaunta.core.embedded_postgres import EmbeddedPostgres
from kaunta.core.entropy import Entropy
from kaunta.core.errors import ConfigurationError
from kaunta.core.migrate import upgrade
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from kaunta.demo.bar import DemoBar, prepare
from kaunta.server import listen, served
from kaunta.settings import Mode, Settings, load
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.testing import RunningSimulator, running_simulator

DATABASE = "kaunta"


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    url: str
    simulator: RunningSimulator
    app: FastAPI
    settings: Settings
    bar: DemoBar
    password: str
    database_url: str

    @property
    def rt(self) -> Runtime:
        found: Runtime = self.app.state.runtime
        return found

    @property
    def guest_url(self) -> str:
        return f"{self.url}/b/{self.bar.slug}/t/{self.bar.table_code}"

    @property
    def phone_url(self) -> str:
        return f"{self.simulator.url}/_sim/phone"


@dataclass(frozen=True, slots=True)
class DemoSecrets:
    """The demo's keyring, its owner's password and the key of its audit's seal: made once, kept in the demo's folder,
    readable by its owner."""

    keys: str
    password: str
    seal: str


def kept_secrets(folder: Path) -> DemoSecrets:
    path = folder / "secrets.json"
    there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    made = {
        "keys": generate_entry(Entropy(), "demo"),
        "password": "karibu-" + secrets.token_hex(4),
        "seal": generate_entry(Entropy(), "seal"),
    }
    kept = DemoSecrets(**(made | there))
    if made.keys() - there.keys():
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(kept), file)
        beside.replace(path)
    return kept


@asynccontextmanager
async def database(folder: Path, *, durable: bool) -> AsyncIterator[str]:
    """The embedded PostgreSQL with a migrated database; thrown away afterwards unless it is durable."""
    postgres = EmbeddedPostgres(folder, durable=durable)
    await asyncio.to_thread(postgres.start)
    try:
        async with connect(postgres.url()) as db:
            if not await db.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
                await db.execute(f"create database {DATABASE}")
        url = postgres.url(DATABASE)
        await upgrade(url)
        yield url
    finally:
        await asyncio.to_thread(postgres.stop if durable else postgres.discard)


@asynccontextmanager
async def running_demo(
    folder: Path, *, port: int, durable: bool = True, clock_factor: float = 1.0, auto: str = "person"
) -> AsyncIterator[Demo]:
    """The whole demo for the length of the block. `port` 0: any free one."""
    if os.environ.get("KAUNTA_MODE") == Mode.PRODUCTION:
        raise ConfigurationError("The demo does not run where KAUNTA_MODE is production.")
    kept = await asyncio.to_thread(kept_secrets, folder)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(folder / "postgres", durable=durable))
        options = SimulatorOptions(auto=auto, clock_factor=clock_factor, business_name="MAMA NJERI BAR")
        simulator_port = port + 1 if port else 0
        simulator = await stack.enter_async_context(running_simulator(options, port=simulator_port))
        listening = listen("127.0.0.1", port)
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = load(
            {
                "KAUNTA_MODE": Mode.DEVELOPMENT,
                "KAUNTA_DATABASE_URL": url,
                "KAUNTA_KEYS": kept.keys,
                "KAUNTA_PUBLIC_URL": origin,
                "KAUNTA_DARAJA_SANDBOX_URL": simulator.url,
                "KAUNTA_CALLBACK_SOURCES": "off",
                "KAUNTA_CLOCK_FACTOR": str(clock_factor),
                "KAUNTA_QUERIES_PER_MINUTE": "60",
                "KAUNTA_SANDBOX_CERTIFICATE": str(folder / "safaricom.pem"),
                "KAUNTA_SEAL_KEY": kept.seal,
                "KAUNTA_SEAL_FOLDER": str(folder / "seals"),
            }
        )
        app = await stack.enter_async_context(serving(settings))
        await stack.enter_async_context(served(app, listening))
        bar = await prepare(app.state.runtime, kept.password)
        yield Demo(origin, simulator, app, settings, bar, kept.password, url)

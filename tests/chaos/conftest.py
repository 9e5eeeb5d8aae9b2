"""A durable PostgreSQL of its own, two web processes, a worker, and Safaricom in the test's loop."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import aiohttp
import pytest
import pytest_asyncio

from kaunta.core.clock import Clock
from kaunta.core.migrate import upgrade
from kaunta.core.runtime import Runtime, running
from kaunta.settings import Settings, load
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.testing import RunningSimulator, running_simulator
from tests.chaos.evening import Evening, eventually
from tests.chaos.programs import Program, Server, held_port
from tests.plugins.databases import place
from tests.support.bars import OpenTab, open_tab, seed_bar

#: A policy minute passes in a second: five minutes of silence in five seconds.
FACTOR = 60.0
TABS, OWED = 12, 50_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A PostgreSQL that is meant to last, for as long as the test."""
    folder = place() / f"kaunta-chaos-{os.getpid()}-{tmp_path.name}"
    started = Server(folder)
    started.start()
    yield started
    started.stop()
    shutil.rmtree(started.folder)


@pytest_asyncio.fixture
async def database(server: Server) -> str:
    """The migrated database of the evening."""
    url = server.url()
    await upgrade(url)
    return url


@pytest_asyncio.fixture
async def safaricom() -> AsyncIterator[RunningSimulator]:
    options = SimulatorOptions(clock_factor=FACTOR, callback_timeout=5)
    async with running_simulator(options, clock=SimulatedTime(FACTOR)) as simulator:
        yield simulator


@pytest.fixture
def said(database: str, keyring_entry: str, safaricom: RunningSimulator, tmp_path: Path) -> dict[str, str]:
    """What every program of the evening is told; the doors add their address and their spool."""
    return {
        "KAUNTA_MODE": "development",
        "KAUNTA_DATABASE_URL": database,
        "KAUNTA_KEYS": keyring_entry,
        "KAUNTA_DARAJA_SANDBOX_URL": safaricom.url,
        "KAUNTA_DARAJA_PRODUCTION_URL": safaricom.url,
        "KAUNTA_CALLBACK_SOURCES": "off",
        "KAUNTA_QUERIES_PER_MINUTE": "1000",
        "KAUNTA_CLOCK_FACTOR": str(FACTOR),
        "KAUNTA_SPOOL_FOLDER": str(tmp_path / "spool"),
        "KAUNTA_LOG_FORMAT": "json",
    }


@pytest.fixture
def settings(said: dict[str, str]) -> Settings:
    return load(said, needs=("mode", "database_url", "keys"))


@pytest_asyncio.fixture
async def rt(settings: Settings) -> AsyncIterator[Runtime]:
    """The test's own eyes on the database."""
    async with running(settings, listen=False, clock=Clock(FACTOR)) as runtime:
        yield runtime


@pytest_asyncio.fixture
async def tabs(rt: Runtime, password_hash: str) -> list[OpenTab]:
    bar = await seed_bar(rt, "Mama Njeri's Bar", password_hash)
    return [await open_tab(rt, bar.id, OWED, bar.waiter.account_id) for _ in range(TABS)]


@pytest_asyncio.fixture
async def chaos(
    server: Server, said: dict[str, str], safaricom: RunningSimulator, tabs: list[OpenTab], tmp_path: Path
) -> AsyncIterator[Evening]:
    """Two doors and a worker, up and answering."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("KAUNTA_")}
    async with AsyncExitStack() as stack:
        webs, urls = [], []
        for name in ("a", "b"):
            port = stack.enter_context(held_port()).getsockname()[1]
            url = f"http://127.0.0.1:{port}"
            told = {"KAUNTA_PUBLIC_URL": url, "KAUNTA_SPOOL_FOLDER": str(tmp_path / f"spool-{name}")}
            arguments = ["serve", "--port", str(port), "--no-worker"]
            webs.append(Program(f"web {name}", arguments, plain | said | told, tmp_path / f"web-{name}.log"))
            urls.append(url)
        worker = Program("worker", ["worker"], plain | said, tmp_path / "worker.log")
        for program in (*webs, worker):
            await program.start()
            stack.push_async_callback(program.stop)
        evening = Evening(server, webs, worker, urls, safaricom, tabs, Random(0))
        http = await stack.enter_async_context(aiohttp.ClientSession())

        async def answering() -> None:
            for url, web in zip(urls, webs, strict=True):
                async with http.get(f"{url}/readyz") as answer:
                    assert answer.status == 200, web.last_words()

        await eventually(answering, 120)
        yield evening

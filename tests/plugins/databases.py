"""A database for each test: one throw-away cluster a run, one migrated template in it, a clone a test.

Where there is one, the cluster lives in memory: a clone costs 17 ms there and 90 ms on a disk, dropping it 7 ms.
`KAUNTA_TEST_POSTGRES` names a folder of server programs to run the suite on; default: the embedded ones. Tests that
use a database get the marker `database`: they alone, of the files in the Makefile's ON_EVERY_POSTGRES, are run again on
another PostgreSQL. `KAUNTA_TEST_DATABASES` lends the cluster and the template of the run that started this one
(tests/sabotage).
"""

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from kaunta.core.db import Pool, open_pool
from kaunta.core.embedded_postgres import EmbeddedPostgres
from kaunta.core.migrate import describe, upgrade

TEMPLATE = "kaunta_template"
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 << 30
FOLDER_PREFIX = "kaunta-test-"
ABANDONED_SECONDS = 120
#: Of PostgreSQL's defaults only what many short-lived databases need.
SETTINGS = {"max_connections": "300", "autovacuum": "off"}


@dataclass(frozen=True, slots=True)
class Databases:
    """The run's cluster; `url` is that of its `postgres` database."""

    url: str
    binaries: str

    def url_of(self, name: str) -> str:
        return self.url.rpartition("/")[0] + "/" + name

    async def create(self, template: str = TEMPLATE) -> str:
        """A database of one's own, migrated; `template="template0"` gives an empty one. Returns its URL."""
        name = f"test_{secrets.token_hex(6)}"
        await self.execute(f"create database {name} template {template} strategy file_copy")
        return self.url_of(name)

    async def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        await self.execute(f"drop database {url.rpartition('/')[2]} with (force)")

    @asynccontextmanager
    async def fresh(self, template: str = TEMPLATE) -> AsyncIterator[str]:
        """A database for the length of a block; for a Hypothesis example, say."""
        url = await self.create(template)
        try:
            yield url
        finally:
            await self.drop(url)

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class Cluster:
    """Started by the process that leads the run, at its first need; ended by the same one."""

    def __init__(self) -> None:
        self.server: EmbeddedPostgres | None = None
        self.databases: Databases | None = None

    def need(self) -> Databases:
        if self.databases is None and (lent := os.environ.get("KAUNTA_TEST_DATABASES")):
            self.databases = Databases(**json.loads(lent))
        elif self.databases is None:
            remove_abandoned()
            wanted = os.environ.get("KAUNTA_TEST_POSTGRES", "embedded")
            binaries = None if wanted == "embedded" else Path(wanted)
            folder = place() / f"{FOLDER_PREFIX}{secrets.token_hex(6)}"
            self.server = EmbeddedPostgres(folder, binaries=binaries, durable=False, settings=SETTINGS)
            self.databases = Databases(self.server.start(), str(self.server.binaries))
            asyncio.run(make_template(self.databases))
        return self.databases

    def end(self) -> None:
        if self.server is not None:
            self.server.discard()


async def make_template(databases: Databases) -> None:
    """Migrate the template; a seeded bug (tests/sabotage) may change it by SQL, and must then really change it."""
    await databases.execute(f"create database {TEMPLATE}")
    url = databases.url_of(TEMPLATE)
    await upgrade(url)
    if sabotage := os.environ.get("KAUNTA_SABOTAGE_SQL"):
        connection = await asyncpg.connect(url)
        before = await describe(connection)
        await connection.execute(sabotage)
        if await describe(connection) == before:
            raise pytest.UsageError("the seeded bug's SQL changed nothing")
        await connection.close()


def place() -> Path:
    """Memory where there is plenty, else the folder for temporary files."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
        return MEMORY
    return Path(tempfile.gettempdir())


def remove_abandoned() -> None:
    """Folders of runs that were killed: their claim is free, and not because they are just starting."""
    for claim in place().glob(f"{FOLDER_PREFIX}*/claim"):
        if os.access(claim, os.W_OK) and time.time() - claim.stat().st_mtime > ABANDONED_SECONDS:
            with claim.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                shutil.rmtree(claim.parent, ignore_errors=True)


CLUSTER = pytest.StashKey[Cluster]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "database: uses a database (set by the fixtures it asks for)")
    config.stash[CLUSTER] = Cluster()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: the controller has the cluster, its workers get the address."""
    databases = node.config.stash[CLUSTER].need()
    node.workerinput["kaunta_databases"] = (databases.url, databases.binaries)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[CLUSTER].end()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "databases" in getattr(item, "fixturenames", ()):
            item.add_marker("database")


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Databases:
    """The run's cluster, for tests that need several databases or an empty one."""
    if handed := getattr(request.config, "workerinput", None):
        return Databases(*handed["kaunta_databases"])
    return request.config.stash[CLUSTER].need()


@pytest_asyncio.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with databases.fresh() as url:
        yield url


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's database, as the application opens it."""
    pool = await open_pool(database_url, size=8, name="kaunta-test")
    yield pool
    # What a failed test left open must not hold up the next one.
    pool.terminate()

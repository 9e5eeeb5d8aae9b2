"""Databases of the old product, and the same ones moved in: made once a run and generation, cloned for each test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import asyncpg
import pytest
import pytest_asyncio

from kaunta.adopt.apply import Move, adopt
from kaunta.adopt.connection import opened, pool_of
from kaunta.adopt.decisions import Decisions
from kaunta.adopt.plan import Plan
from kaunta.adopt.steps_queries import NEXT
from kaunta.adopt.switch import undo
from kaunta.adopt.writing import Pen
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, connect
from kaunta.core.entropy import Entropy
from kaunta.core.personal import PersonalKeys
from kaunta.core.vault import Keyring
from kaunta.credentials.legacy import LegacyKeys
from tests.adopt.old_rows import build
from tests.adopt.old_secrets import ENCRYPTION_KEY, KMS_KEY
from tests.cli.conftest import Kaunta
from tests.plugins.databases import Databases

GENERATIONS = (1, 2, 3)
#: Of what takes long: one in every run, the others among the proofs.
ONE_AND_ALL = [2, *(pytest.param(each, marks=pytest.mark.prove) for each in (1, 3))]
BARS, TABS = 10, 20
#: An answer to everything that these databases ask.
ANSWERS = (
    "cents=nearest", "environment=bar", "credentials=off", "placeholders=off", "receipts=first",
    "closed-unpaid=write-off",
)  # fmt: skip


@dataclass
class Mover:
    """Moves databases in with one keyring; `told`: what it said meanwhile."""

    keyring: Keyring
    clock: Clock = field(default_factory=Clock)
    told: list[str] = field(default_factory=list)

    def of(self, db: Connection, url: str) -> Move:
        entropy = Entropy()
        pen = Pen(self.keyring, PersonalKeys(pool_of(db, NEXT), self.keyring, entropy, self.clock), entropy, self.clock)
        return Move(db, url, pen, LegacyKeys.of(KMS_KEY, ENCRYPTION_KEY), self.told.append)

    async def move(self, url: str, *, answers: tuple[str, ...] = ANSWERS, resume: bool = False) -> Plan:
        async with opened(url) as db:
            return await adopt(self.of(db, url), Decisions.parse(answers), resume=resume)

    async def undo(self, url: str) -> dict[str, int]:
        async with opened(url) as db:
            return await undo(db, dry_run=False)


@pytest.fixture(scope="session")
def mover(keyring_entry: str) -> Mover:
    return Mover(Keyring.parse(keyring_entry))


@pytest.fixture(scope="session")
def old_templates(databases: Databases) -> Callable[[int], str]:
    """The name of a database as the old product left it, by generation."""
    made: dict[int, str] = {}

    def template(generation: int) -> str:
        if generation not in made:
            url = asyncio.run(databases.create("template0"))
            asyncio.run(build(url, generation, BARS, TABS))
            made[generation] = url.rpartition("/")[2]
        return made[generation]

    return template


@pytest.fixture(scope="session")
def moved_templates(databases: Databases, old_templates: Callable[[int], str], mover: Mover) -> Callable[[int], str]:
    """The name of a database that was moved in, by generation."""
    made: dict[int, str] = {}

    def template(generation: int) -> str:
        if generation not in made:
            url = asyncio.run(databases.create(old_templates(generation)))
            asyncio.run(mover.move(url))
            made[generation] = url.rpartition("/")[2]
        return made[generation]

    return template


@pytest.fixture
def generation() -> int:
    """The second, which has everything; a test for each asks for `generation` by its parameters."""
    return 2


@pytest_asyncio.fixture
async def old_url(databases: Databases, old_templates: Callable[[int], str], generation: int) -> AsyncIterator[str]:
    """A database of the old product's."""
    template = await asyncio.to_thread(old_templates, generation)
    async with databases.fresh(template) as url:
        yield url


@pytest_asyncio.fixture
async def database_url(
    databases: Databases, moved_templates: Callable[[int], str], generation: int
) -> AsyncIterator[str]:
    """A database that was moved in: what the application of these tests runs on."""
    template = await asyncio.to_thread(moved_templates, generation)
    async with databases.fresh(template) as url:
        yield url


@pytest_asyncio.fixture
async def old(old_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    async with connect(old_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def moved(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    async with connect(database_url) as connection:
        yield connection


@pytest.fixture
def kaunta(keyring_entry: str) -> Kaunta:
    """`await kaunta("db", "adopt", …, KAUNTA_DATABASE_URL=url)` with the old product's keys at hand."""
    return Kaunta(
        {"KAUNTA_KEYS": keyring_entry, "MPESA_KMS_KEY": KMS_KEY, "MPESA_ENCRYPTION_KEY": ENCRYPTION_KEY,
         "KAUNTA_MODE": "development"}
    )  # fmt: skip


@pytest.fixture
def decided() -> list[str]:
    """ANSWERS as the command line has them."""
    return [word for answer in ANSWERS for word in ("--decide", answer)]

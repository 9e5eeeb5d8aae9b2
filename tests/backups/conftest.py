"""A folder for backups, a recovery key, and what backups are made with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kaunta.backups.create import Tools, create
from kaunta.backups.folder import Folder
from kaunta.backups.place import Found, of_id
from kaunta.backups.queries import BackupRow
from kaunta.core.db import Connection, connect
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from kaunta.keys.recovery import recovery_ring
from kaunta.settings import Settings
from tests.support.sealed import full_bar
from tests.support.store import store

__all__ = ["full_bar", "store"]


@pytest.fixture(scope="session")
def recovery_entry() -> str:
    """KAUNTA_RECOVERY_KEY for a whole run."""
    return generate_entry(Entropy(), "r1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def tools(rt: Runtime, recovery_entry: str) -> Tools:
    return Tools(rt.keyring, recovery_ring(recovery_entry), rt.entropy, rt.clock, "operator")


@pytest_asyncio.fixture
async def own(settings: Settings) -> AsyncIterator[Connection]:
    """A connection of the command's own, as the commands use."""
    assert settings.database_url is not None
    async with connect(settings.database_url.get_secret_value(), lock_timeout="10s") as db:
        yield db


@pytest_asyncio.fixture
async def made(own: Connection, tools: Tools, folder: Path, full_bar: object) -> BackupRow:
    """A backup of the full bar."""
    return await create(own, tools, Folder(folder), kind="credentials", reason="by_hand")


@pytest.fixture
def found(folder: Path, made: BackupRow) -> Found:
    return of_id(Folder(folder), made.id)

"""The whole database: written by pg_dump, brought back beside the present one, exchanged by name, and back again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import pytest_asyncio
from pydantic import SecretStr

from kaunta.backups import whole
from kaunta.backups.create import Tools, create
from kaunta.backups.folder import Folder
from kaunta.backups.place import of_id
from kaunta.backups.whole_restore import InUse, NothingToUndo, beside, name_in, named, restore_whole, undo_whole
from kaunta.core.db import connect, transaction
from kaunta.core.entropy import Entropy
from kaunta.core.migrate import drift
from kaunta.core.runtime import running
from kaunta.core.vault import Keyring, generate_entry
from kaunta.credentials import store
from kaunta.keys import rotate
from kaunta.keys.recovery import recovery_ring
from kaunta.payments.invariants import check_all
from kaunta.settings import Settings
from tests.plugins.databases import Databases
from tests.support.bars import seed_bar


@pytest_asyncio.fixture
async def url(databases: Databases, database_url: str) -> AsyncIterator[str]:
    """The test's database, and what a restore leaves beside it is cleared away."""
    yield database_url
    async with connect(databases.url) as db:
        rows = await db.fetch("select datname from pg_database where datname like $1", f"{name_in(database_url)}\\_%")
        for row in rows:
            await db.execute(f'drop database "{row["datname"]}" with (force)')


@pytest.mark.req("FIX-7.2", "FIX-7.4", "FIX-7.5")
@pytest.mark.failure(24)
async def test_a_database_is_lost_and_comes_back_and_goes_again(
    url: str, databases: Databases, settings: Settings, tools_apart: Tools, folder: Path, password_hash: str
) -> None:
    async with running(settings, listen=False, clock=tools_apart.clock) as rt:
        bar = await seed_bar(rt, "Mama Njeri's Bar", password_hash)
    async with connect(url) as db:
        made = await create(db, tools_apart, Folder(folder), kind="whole", reason="by_hand", url=url)
        assert (made.ok, made.counts["bars"]) == (True, 1)
        await db.execute("update bars set name = 'Another name'")
        with pytest.raises(InUse):
            await restore_whole(url, tools_apart, of_id(Folder(folder), made.id), trial=False)
    found = of_id(Folder(folder), made.id)
    trial = await restore_whole(url, tools_apart, found, trial=True)
    assert trial.aside is None
    async with beside(url) as server:
        left = await server.fetchval("select count(*) from pg_database where datname like $1", f"{name_in(url)}\\_%")
    assert left == 0

    done = await restore_whole(url, tools_apart, found, trial=False)
    assert done.aside is not None
    assert done.rows == trial.rows == 3
    async with connect(url) as db:
        assert await db.fetchval("select name from bars") == "Mama Njeri's Bar"
        assert all(finding.ok for finding in await check_all(db))
    assert not await drift(url)
    await undo_whole(url, tools_apart)
    async with connect(url) as db:
        assert await db.fetchval("select name from bars where id = $1", bar.id) == "Another name"
    with pytest.raises(NothingToUndo):
        await undo_whole(url, tools_apart)


@pytest.mark.req("FIX-7.2")
async def test_the_database_and_its_keys_are_gone_and_the_recovery_key_brings_them_back(
    url: str, databases: Databases, settings: Settings, tools_apart: Tools, folder: Path, password_hash: str
) -> None:
    async with running(settings, listen=False, clock=tools_apart.clock) as rt:
        bar = await seed_bar(rt, "Mama Njeri's Bar", password_hash)
    async with connect(url) as db:
        made = await create(db, tools_apart, Folder(folder), kind="whole", reason="by_hand", url=url)
    await databases.drop(url)
    entry = generate_entry(Entropy(), "test")
    fresh, settings = Keyring.parse(entry), settings.model_copy(update={"keys": SecretStr(entry)})
    done = await restore_whole(url, replace(tools_apart, keyring=fresh), of_id(Folder(folder), made.id), trial=False)
    assert done.aside is None
    async with connect(url) as db:
        assert not [fault async for page in rotate.verify(db, fresh) for fault in page.faults]
    async with running(settings, listen=False, clock=tools_apart.clock) as rt, transaction(rt.db) as db:
        found = await store.current(db, rt, bar.id, "sandbox")
    assert found is not None
    assert found.passkey.reveal() == f"passkey-of-{bar.id.hex}"


@pytest.fixture
def tools_apart(settings: Settings, clock: object, recovery_entry: str) -> Tools:
    """Without a runtime: nobody may be connected to a database that is exchanged."""
    assert settings.keys is not None
    keyring = Keyring.parse(settings.keys.get_secret_value())
    return Tools(keyring, recovery_ring(recovery_entry), Entropy(), clock, "operator")  # type: ignore[arg-type]


@pytest.mark.req("FIX-6.2")
def test_programs_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(whole.ProgramsMissing, match="KAUNTA_POSTGRES_FOLDER"):
        whole.programs(160_003, tmp_path)
    with pytest.raises(whole.ProgramsMissing, match="PostgreSQL 99"):
        whole.programs(990_000, None)


@pytest.mark.failure(90)
def test_the_password_is_not_among_the_arguments() -> None:
    url = f"postgresql://kaunta:{quote('p@ss/word', safe='')}@db.example:5433/kaunta?sslmode=require"
    clean, environment = whole.address(url)
    assert clean == "postgresql://kaunta@db.example:5433/kaunta?sslmode=require"
    assert environment["PGPASSWORD"] == "p@ss/word"
    assert not any(name.startswith("KAUNTA_") for name in environment)
    assert urlsplit(named(url, "postgres")).path == "/postgres"

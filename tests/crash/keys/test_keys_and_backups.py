"""A command on keys or backups dies at any step while guests pay: all that is sealed still opens; again, it ends."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kaunta.backups.archive import Reader
from kaunta.backups.folder import Folder
from kaunta.backups.schedule import tools_of
from kaunta.core.db import Connection, transaction
from kaunta.credentials import store
from kaunta.keys import rotate
from kaunta.settings import Settings
from tests.crash.stage import Scene, Stage
from tests.support.bars import seed_bar

SPOILT = "set consumer_key_enc = '\\x00', passkey_enc = '\\x4b4e5441'"


async def unreadable(stage: Stage) -> list[str]:
    async with stage.rt.db.acquire() as db:
        return [fault.row async for page in rotate.verify(db, stage.rt.keyring) for fault in page.faults]


async def needed(db: Connection) -> set[str]:
    return {need.key_id for need in await rotate.all_needs(db)}


def address(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


async def a_guest_pays(stage: Stage, scene: Scene) -> None:
    """Beside the command; the accounts are settled by the scene's recovery."""
    await stage.begin(scene.phone, await stage.tab())


async def acted(scene: Scene, act: str, settings: Settings, **said: Any) -> None:
    """The command runs, and may die, while a guest pays."""
    said |= {"database": address(settings)}
    await asyncio.gather(scene.perform(act, settings, said), a_guest_pays(scene.stage, scene))


async def again(scene: Scene, act: str, settings: Settings, **said: Any) -> None:
    stage = scene.stage
    said |= {"database": address(settings)}
    ended = await stage.forks.run(act, settings, stage.clock.now().isoformat(), None, said)
    assert ended.code == 0, f"ended with {ended.code}:\n{stage.forks.last_words()}"


@pytest.mark.req("FIX-3.4", "FIX-7.3", "FIX-P6")
@pytest.mark.failure(17)
async def test_keys_being_rotated(stage: Stage, settings: Settings, turned_round: Settings) -> None:
    stage.most, stage.more = 3, 1
    async for scene in stage.crashes():
        way = turned_round if scene.number % 2 == 0 else settings
        assert way.keys is not None
        primary = way.keys.get_secret_value().partition(":")[0]
        await acted(scene, "rotate_keys", way)
        assert await unreadable(stage) == []
        await again(scene, "rotate_keys", way)
        async with stage.rt.db.acquire() as db:
            assert await needed(db) == {primary}
        assert await unreadable(stage) == []
        await scene.recover()


@pytest.mark.req("FIX-7.5")
@pytest.mark.failure(24)
async def test_a_backup_being_made(stage: Stage, settings: Settings, tmp_path: Path) -> None:
    stage.most, stage.more = 3, 1
    folder = tmp_path / "backups"
    recovery = tools_of(stage.rt, "test").recovery
    async for scene in stage.crashes():
        await acted(scene, "back_up", settings, folder=str(folder))
        # What has its name is whole, whenever the process died.
        for found in Folder(folder).lying() if folder.is_dir() else []:
            with found.open() as file:
                Reader(file, recovery).check()
        await again(scene, "back_up", settings, folder=str(folder))
        known = await stage.rt.db.fetchval("select count(*) from backups where ok")
        assert 0 < known <= len(Folder(folder).lying())
        await scene.recover()


@pytest.mark.req("FIX-7.4", "FIX-P6")
@pytest.mark.failure(17)
async def test_a_backup_being_brought_back(
    stage: Stage, settings: Settings, tmp_path: Path, password_hash: str
) -> None:
    stage.most, stage.more = 3, 1
    folder = tmp_path / "backups"
    other = await seed_bar(stage.rt, "Kwa Otieno", password_hash)
    secret = f"consumer-secret-of-{other.id.hex}"
    async for scene in stage.crashes():
        if not folder.is_dir():
            await again(scene, "back_up", settings, folder=str(folder))
            (backup,) = Folder(folder).lying()
        said = {"folder": str(folder), "backup": str(backup.header.id)}
        await spoil(stage, other.id)
        spoilt = await unreadable(stage)
        await acted(scene, "restore_backup", settings, **said)
        assert await unreadable(stage) in (spoilt, [])
        await again(scene, "restore_backup", settings, **said)
        assert await unreadable(stage) == []
        async with transaction(stage.rt.db) as db:
            present = await store.current(db, stage.rt, other.id, "sandbox")
        assert present is not None
        assert present.consumer_secret.reveal() == secret
        await scene.recover()


async def spoil(stage: Stage, bar_id: UUID) -> None:
    async with transaction(stage.rt.db) as db:
        await db.execute(f"update mpesa_credential_versions {SPOILT} where bar_id = $1", bar_id)
        await db.execute(f"update mpesa_credentials {SPOILT} where tenant_id = $1", bar_id)

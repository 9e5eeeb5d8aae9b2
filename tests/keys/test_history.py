"""Whatever an installation goes through, in whatever order, every secret opens with the keyring of the moment."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from kaunta.backups.create import Tools, create
from kaunta.backups.folder import Folder
from kaunta.backups.place import of_id
from kaunta.backups.prune import prune
from kaunta.backups.restore import NothingToUndo, restore, undo
from kaunta.backups.retention import Retention
from kaunta.core.db import Connection, connect, transaction
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import generate_entry
from kaunta.credentials import store
from kaunta.credentials.store import NewCredential
from kaunta.keys import rotate
from kaunta.keys.recovery import recovery_ring
from kaunta.keys.retire import StillNeeded, retire
from kaunta.settings import Settings
from tests.support.bars import SeededBar
from tests.support.sealed import with_new_primary, without

RECOVERY = recovery_ring(generate_entry(Entropy.seeded(3), "r1"))
SPOILT = ("consumer_key_enc", "consumer_secret_enc", "passkey_enc")
#: Each step: what happens, and a number that chooses which bar, backup or key.
STEPS = st.tuples(
    st.sampled_from(["store", "rotate", "retire", "backup", "restore", "undo", "spoil", "delete", "prune"]),
    st.integers(0, 5),
)


@dataclass
class House:
    """An installation and what is expected of it: the secret of each bar, and of each backup."""

    rt: Runtime
    db: Connection
    folder: Path
    bars: list[UUID]
    secrets: dict[UUID, str | None]
    backups: list[tuple[UUID, dict[UUID, str | None]]] = field(default_factory=list)
    stored: int = 0

    @property
    def tools(self) -> Tools:
        return Tools(self.rt.keyring, RECOVERY, self.rt.entropy, self.rt.clock, "operator")

    async def read(self, bar: UUID) -> str | None:
        async with transaction(self.rt.db) as db:
            found = await store.current(db, self.rt, bar, "sandbox")
        return found.consumer_secret.reveal() if found else None

    async def step(self, what: str, number: int) -> None:
        bar = self.bars[number % len(self.bars)]
        match what:
            case "store":
                self.stored += 1
                secret = Secret(f"secret number {self.stored}")
                async with transaction(self.rt.db) as db:
                    new = NewCredential("sandbox", "174379", None, secret, secret, secret)
                    await store.store(db, self.rt, bar, new, by="test")
                self.secrets[bar] = secret.reveal()
            case "rotate":
                name = f"k{len(self.rt.keyring.keys)}{self.rt.entropy.digits(6)}"
                self.rt = replace(self.rt, keyring=with_new_primary(self.rt.keyring, name))
                turns = rotate.rotate(self.db, rotate.Tools(self.rt.keyring, self.rt.entropy, self.rt.clock, "test"))
                assert not [fault async for turn in turns for fault in turn.faults if fault.code != "vault_length"]
            case "retire":
                await self.give_up(list(self.rt.keyring.keys)[number % len(self.rt.keyring.keys)].decode())
            case "backup":
                made = await create(self.db, self.tools, Folder(self.folder), kind="credentials", reason="by_hand")
                assert made.ok
                # What is spoilt is spoilt in the backup as well.
                self.backups.append((made.id, dict(self.secrets)))
            case "restore" if self.backups:
                id_, then = self.backups[number % len(self.backups)]
                await restore(self.db, self.tools, Folder(self.folder), of_id(Folder(self.folder), id_), trial=False)
                self.secrets |= {bar: secret for bar, secret in then.items() if secret is not None}
            case "undo":
                before = dict(self.secrets)
                try:
                    await undo(self.db, self.tools, Folder(self.folder), trial=False)
                except NothingToUndo:
                    assert self.secrets == before
                else:
                    self.secrets = {bar: await self.read(bar) for bar in self.bars}
            case "spoil":
                sealed = ", ".join(f"{column} = '\\x4b4e5441'" for column in SPOILT)
                await self.db.execute(f"update mpesa_credential_versions set {sealed} where bar_id = $1", bar)
                await self.db.execute(f"update mpesa_credentials set {sealed} where tenant_id = $1", bar)
                self.secrets[bar] = None
            case "delete":
                await self.db.execute("delete from mpesa_credential_versions where bar_id = $1", bar)
                await self.db.execute("delete from mpesa_credentials where tenant_id = $1", bar)
                self.secrets[bar] = None
            case "prune":
                await prune(self.db, self.tools, Folder(self.folder), Retention(1, 0, 0), dry_run=False)
                there = {row["id"] for row in await self.db.fetch("select id from backups where removed_at is null")}
                self.backups = [each for each in self.backups if each[0] in there]

    async def give_up(self, name: str) -> None:
        try:
            await retire(self.db, self.rt.clock, self.rt.keyring, self.rt.spool, name, by="test")
        except StillNeeded:
            return
        self.rt = replace(self.rt, keyring=without(self.rt.keyring, name))

    async def holds(self) -> None:
        """No secret that was readable is lost, and nothing but what was spoilt fails to open."""
        for bar, secret in self.secrets.items():
            if secret is not None:
                assert await self.read(bar) == secret
        spoilt = {fault.code async for page in rotate.verify(self.db, self.rt.keyring) for fault in page.faults}
        assert spoilt <= {"vault_length"}


@pytest_asyncio.fixture
async def own(settings: Settings) -> AsyncIterator[Connection]:
    assert settings.database_url is not None
    async with connect(settings.database_url.get_secret_value()) as db:
        yield db


@pytest.mark.req("FIX-P2", "FIX-P6", "FIX-7.3", "FIX-3.4")
@pytest.mark.failure(17)
@given(steps=st.lists(STEPS, min_size=2, max_size=6))
async def test_no_secret_is_lost_in_any_history(
    rt: Runtime, own: Connection, bar: SeededBar, other_bar: SeededBar, steps: list[tuple[str, int]]
) -> None:
    with TemporaryDirectory() as folder:
        # Every example begins with a keyring of its own, and nothing that another left behind.
        await own.execute("delete from mpesa_credential_versions; delete from mpesa_credentials; delete from data_keys")
        await own.execute("delete from backups; delete from backup_restores; delete from keyring_holders")
        house = House(rt, own, Path(folder), [bar.id, other_bar.id], dict.fromkeys([bar.id, other_bar.id]))
        for number in range(2):
            await house.step("store", number)
        for what, number in steps:
            await house.step(what, number)
            await house.holds()

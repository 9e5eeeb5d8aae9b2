"""The pages on keys and backups do what they say: their commands are run in the order of the page."""

from contextlib import aclosing
from pathlib import Path

import pytest

from kaunta.core.db import transaction
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.core.vault import Keyring, generate_entry
from kaunta.credentials import store
from kaunta.credentials.store import NewCredential
from kaunta.keys import rotate
from kaunta.keys.recovery import written
from kaunta.settings import Settings
from tests.cli.conftest import Kaunta
from tests.crash.forks import environment
from tests.docs.test_how_to import Command, steps
from tests.support.bars import SeededBar
from tests.support.sealed import only, with_new_primary


@pytest.fixture
def kaunta(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kaunta:
    monkeypatch.chdir(tmp_path)
    told = {
        "KAUNTA_RECOVERY_KEY": generate_entry(Entropy(), "r1"),
        "KAUNTA_BACKUP_FOLDER": str(tmp_path / "backups"),
    }
    return Kaunta(environment(settings) | told)


async def sealed_under_k1(rt: Runtime) -> Keyring:
    """The page's first key, with everything sealed under it."""
    ring = with_new_primary(rt.keyring, "k1")
    tools = rotate.Tools(ring, rt.entropy, rt.clock, "test")
    async with rt.db.acquire() as db, aclosing(rotate.rotate(db, tools)) as turns:
        assert not [fault async for turn in turns for fault in turn.faults]
    return only(ring, "k1")


@pytest.mark.req("FIX-3.1", "FIX-3.4", "FIX-6.5")
async def test_the_page_on_keys_does_what_it_says(kaunta: Kaunta, rt: Runtime, bar: SeededBar) -> None:
    keys = written(with_new_primary(await sealed_under_k1(rt), "k2")).reveal()
    for step in steps("keys.md"):
        assert isinstance(step, Command)
        said = await kaunta(*step.words, KAUNTA_KEYS=keys)
        assert said.code == step.code, (step, said.out, said.err)


@pytest.mark.req("FIX-7.2", "FIX-7.5", "FIX-5.3")
async def test_the_page_on_backups_does_what_it_says(kaunta: Kaunta, rt: Runtime, bar: SeededBar) -> None:
    for step in steps("backups.md"):
        assert isinstance(step, Command)
        if step.words == ("backup", "restore", "latest"):
            # Something to bring back from: an owner who has entered the wrong secrets.
            async with transaction(rt.db) as db:
                wrong = Secret("another bar's secret")
                new = NewCredential("sandbox", "174379", None, wrong, wrong, wrong)
                await store.store(db, rt, bar.id, new, by="test")
        said = await kaunta(*step.words)
        assert said.code == step.code, (step, said.out, said.err)

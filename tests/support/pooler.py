"""PgBouncer in transaction mode before the test's PostgreSQL, as `docs/how-to/pgbouncer.md` has it set up.

A test asks for the fixture `pooler` and is marked `pgbouncer`: where there is none and none can be had, `make test`
says so and leaves those tests out.
"""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from kaunta.core.server_user import ServerUser, free_port
from tests.pgbouncer import pgbouncer

READY_SECONDS, PAUSE = 60.0, 0.02
#: The page on PgBouncer, whose sample is what runs here.
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "pgbouncer.md"


@dataclass(frozen=True, slots=True)
class Pooler:
    """`url`: the test's database through the pooler; `direct`: without it."""

    url: str
    direct: str


def sample() -> str:
    """pgbouncer.ini as the page has it."""
    return PAGE.read_text(encoding="utf-8").partition("```ini\n")[2].partition("```")[0]


def written(url: str, folder: Path, port: int) -> None:
    """The page's settings for this server, and who may come."""
    parts = urlsplit(url)
    settings = sample()
    for line, here in {
        "host=10.0.0.5 port=5432": f"host={parts.hostname} port={parts.port}",
        "listen_port = 6432": f"listen_port = {port}",
        "auth_file = /etc/pgbouncer/userlist.txt": f"auth_file = {folder}/userlist.txt",
        "kaunta = ": f"{parts.path[1:]} = ",
        "default_pool_size = 20": "default_pool_size = 3",
    }.items():
        assert line in settings, line
        settings = settings.replace(line, here)
    (folder / "pgbouncer.ini").write_text(settings)
    (folder / "userlist.txt").write_text(f'"{parts.username}" "{unquote(parts.password or "")}"\n')


@pytest.fixture
def pooler(database_url: str) -> Iterator[Pooler]:
    """Before the test's database."""
    with pooled(database_url) as made:
        yield made


@contextmanager
def pooled(database_url: str) -> Iterator[Pooler]:
    """A pooler before a database, for the length of the block."""
    program = pgbouncer()
    assert program is not None, "install pgbouncer, or leave these tests out: -m 'not pgbouncer'"
    user, folder = ServerUser.needed(), Path(tempfile.mkdtemp(prefix="kaunta-pooler-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        deadline = time.monotonic() + READY_SECONDS
        while process is None:
            port = free_port()
            written(database_url, folder, port)
            for path in (folder, *folder.iterdir()):
                user.give(path)
            with (folder / "log").open("wb") as log:
                process = subprocess.Popen(
                    [program, "--quiet", folder / "pgbouncer.ini"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    **user.popen_arguments(),
                )  # fmt: skip
            if not listens(process, port, deadline):
                # Somebody took the port in between.
                assert time.monotonic() < deadline, (folder / "log").read_text()
                process = None
        parts = urlsplit(database_url)
        through = parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{port}").geturl()
        yield Pooler(through, database_url)
    finally:
        if process is not None:
            process.kill()
            process.wait()
        shutil.rmtree(folder)


def listens(process: "subprocess.Popen[bytes]", port: int, deadline: float) -> bool:
    """Wait until the pooler takes connections; False if it ended instead."""
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        with suppress(subprocess.TimeoutExpired):
            process.wait(PAUSE)
    return False

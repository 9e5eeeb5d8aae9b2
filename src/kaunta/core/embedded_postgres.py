"""A PostgreSQL of our own, for `make demo` and the tests: nothing installed, nothing left running, nothing opened.

It listens on 127.0.0.1 alone and asks for a random password, kept in its folder. PostgreSQL refuses to run as root;
started as root it runs as `nobody`, and if that user cannot reach the folder or the programs, they are placed where
it can: no mode outside the folder is ever changed. It ends with the process that started it, even one that is killed.
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from kaunta.core import postgres_binaries
from kaunta.core.errors import KauntaError
from kaunta.core.server_user import EmbeddedPostgresFailed, ServerUser, free_port, works_in

#: What a throw-away server may do without: its data need not survive a power cut.
NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}

#: Runs the server and a reader of our end of a pipe side by side: when we close it, or are killed, the server is
#: told to stop. The shell ends when the server has.
UNTIL_WE_END = """
exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null & reader=$!
wait "$server"; code=$?
kill "$reader" 2>/dev/null
exit "$code"
"""

#: What the server calls itself, so that `kaunta serve` can tell it from one that is meant to last.
CLUSTER_NAME = "kaunta-embedded"

START_SECONDS = 60
STOP_SECONDS = 20
PAUSE = 0.01


class EmbeddedPostgresRuns(KauntaError):
    """Another process is using this embedded PostgreSQL: stop that one, or choose another folder."""

    status = 409
    code = "already_running"


class EmbeddedPostgres:
    """One cluster in one folder: `start()`, `url()`, `stop()`; also a context manager.

    `binaries` is a folder of server programs (default: the wheel's). `durable=False` is for data to be thrown away.
    `settings` are further PostgreSQL settings. Blocking calls of about a second: from async code use a thread.
    """

    def __init__(
        self,
        data_folder: Path,
        *,
        binaries: Path | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.user = ServerUser.needed()
        self.folder = self.user.reachable_folder(data_folder.absolute())
        self.binaries = binaries or postgres_binaries.embedded_binaries()
        self.embedded = binaries is None
        self.settings = {**({} if durable else NOT_DURABLE), **(settings or {})}
        self.durable = durable
        self.port: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.claim: IO[str] | None = None

    # what callers use

    def start(self) -> str:
        """Start the server, creating the cluster first where there is none; returns `url()` when it answers."""
        if self.running:
            return self.url()
        self.stop()
        self.claim_folder()
        try:
            self.place_binaries()
            self.end_orphan()
            self.create_cluster()
            self.launch()
        except BaseException:
            self.stop()
            raise
        return self.url()

    def stop(self) -> None:
        """Stop the server and give the folder free; safe to call twice, or when nothing runs."""
        self.end_server()
        self.give_folder_free()

    def discard(self) -> None:
        """Stop, and remove the folder with everything in it."""
        self.end_server()
        shutil.rmtree(self.folder)
        self.give_folder_free()

    def url(self, database: str = "postgres") -> str:
        """Where a database of the running server is reached, password included."""
        if self.port is None:
            raise EmbeddedPostgresFailed("The embedded PostgreSQL is not running.")
        password = (self.folder / "password").read_text(encoding="ascii")
        return f"postgresql://postgres:{password}@127.0.0.1:{self.port}/{database}"

    def binary(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs of the same version: `pg_dump`, `psql`, `pgbench` …"""
        path = self.binaries / name
        if not path.is_file():
            raise postgres_binaries.PostgresMissing(f"This PostgreSQL comes without {name}.")
        return path

    @property
    def running(self) -> bool:
        return self.process is not None and self.port is not None and self.process.poll() is None

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.folder / "log"

    def server_pid(self) -> int | None:
        """The server's process id as it wrote it down; it may be long dead."""
        with suppress(FileNotFoundError, ValueError, IndexError):
            return int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # the steps of a start

    def claim_folder(self) -> None:
        """One process a folder: the claim is a lock that falls with us."""
        self.claim = (self.folder / "claim").open("w")
        try:
            fcntl.flock(self.claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.claim.close()
            self.claim = None
            raise EmbeddedPostgresRuns from None

    def place_binaries(self) -> None:
        """Copy the wheel's programs into the folder when the server's user cannot run them where they are."""
        if not self.user.can_reach(self.binaries / "postgres"):
            if not self.embedded:
                raise EmbeddedPostgresFailed(f"The server's user cannot reach {self.binaries}.")
            software = self.folder / "software"
            software.mkdir(mode=0o755, exist_ok=True)
            software.chmod(0o755)
            self.binaries = postgres_binaries.copy_embedded(software)

    def end_orphan(self) -> None:
        """Stop a server that outlived its starter, and clear the pid file of one that did not.

        We hold the claim, so no living process of ours needs it. The number may since belong to a stranger: only a
        process that works in this very folder is signalled.
        """
        pid = self.server_pid()
        if pid is None or not Path("/proc/self").exists():
            return  # elsewhere PostgreSQL's own check decides
        data = self.folder / "data"
        deadline = time.monotonic() + STOP_SECONDS
        for sign in (signal.SIGINT, signal.SIGQUIT):
            if works_in(pid, data):
                os.kill(pid, sign)
            while works_in(pid, data) and time.monotonic() < deadline:
                time.sleep(PAUSE)
            deadline += STOP_SECONDS
        if works_in(pid, data):
            raise EmbeddedPostgresFailed(f"Process {pid}, a server of this folder, does not stop.")
        (data / "postmaster.pid").unlink(missing_ok=True)

    def create_cluster(self) -> None:
        """initdb, into a folder that gets its name only when all is there."""
        data, unfinished, password = (self.folder / name for name in ("data", "data.unfinished", "password"))
        if data.is_dir():
            made_by = (data / "PG_VERSION").read_text().strip()
            if made_by != (major := str(postgres_binaries.major(self.binaries))):
                raise EmbeddedPostgresFailed(f"{self.folder} is of PostgreSQL {made_by}, the programs are of {major}.")
            return
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        word = secrets.token_urlsafe(24)
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(word, encoding="ascii")
        reading, writing = os.pipe()
        try:
            os.write(writing, word.encode() + b"\n")
            os.close(writing)
            self.user.give(unfinished)
            self.user.give(reading)
            outcome = self.user.run(
                *(str(self.binary("initdb")), "--pgdata", str(unfinished), "--username", "postgres"),
                *("--auth", "scram-sha-256", "--pwfile", "/dev/stdin", "--encoding", "UTF8", "--locale", "C"),
                *("--data-checksums", "--no-instructions", *(() if self.durable else ("--no-sync",))),
                stdin=reading,
            )
        finally:
            os.close(reading)
        if outcome.returncode != 0:
            raise EmbeddedPostgresFailed(f"initdb failed: {outcome.stderr.strip()}")
        unfinished.rename(data)

    def launch(self) -> None:
        """Start the server on a free port and wait until it is ready; another port if ours was just taken."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            written = self.log.stat().st_size if self.log.exists() else 0
            self.launch_on(free_port())
            while self.process is not None and self.process.poll() is None:
                if self.ready_on(self.port):
                    return
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresFailed(f"PostgreSQL was not ready in {START_SECONDS} s: see {self.log}.")
                time.sleep(PAUSE)
            with self.log.open("rb") as log:
                log.seek(written)
                said = log.read().decode(errors="replace")
            # A killed server's last processes may live for a moment.
            passing = "could not bind" in said or "still in use" in said
            if not passing or time.monotonic() > deadline:
                raise EmbeddedPostgresFailed(f"PostgreSQL did not start: {said.strip()[-800:]}")

    def launch_on(self, port: int) -> None:
        self.port = port
        options = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
        options |= {"cluster_name": CLUSTER_NAME, **self.settings}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            self.process = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", UNTIL_WE_END, "sh", self.binary("postgres"), "-D", self.folder / "data", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: the server stops after us, not before
                **self.user.popen_arguments(),
            )

    def ready_on(self, port: int | None) -> bool:
        """Whether the pid file's last line says `ready`; `port` tells this server's file from an older one's."""
        with suppress(FileNotFoundError):
            lines = (self.folder / "data/postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and port in (None, int(lines[3])) and lines[7].strip() == "ready"
        return False

    # the steps of an end

    def end_server(self) -> None:
        """Fast shutdown by closing our end of the pipe; an immediate one if that takes too long."""
        if self.process is None:
            return
        pid = self.server_pid()
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            if pid is not None:
                os.kill(pid, signal.SIGQUIT)
            self.process.wait(STOP_SECONDS)
        self.process = None
        self.port = None

    def give_folder_free(self) -> None:
        if self.claim is not None:
            self.claim.close()
            self.claim = None

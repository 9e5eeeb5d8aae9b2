"""What every row stands on: one durable PostgreSQL a run, databases in it, programs served over them.

The server is Debian's where it is installed, else the embedded one; both bring pgbench. Its data lies on a disk, and
nothing of its durability is turned off: what a rate costs is mostly that.
"""

import asyncio
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import asyncpg

from bench.processes import Program, cpu_seconds, free_port, program
from kaunta.core import postgres_binaries
from kaunta.core.embedded_postgres import EmbeddedPostgres
from kaunta.core.entropy import Entropy
from kaunta.core.migrate import upgrade
from kaunta.core.vault import generate_entry

ROOT = Path(__file__).parents[1]
#: Where `make bench` puts the peers' requirements.
PEERS_PYTHON = ROOT / ".venv-bench/bin/python"
TEMPLATE = "bench_template"
#: Of PostgreSQL's defaults only what a small server would be given, and what keeps rounds alike.
SETTINGS = {
    # `kaunta serve` refuses the name that the embedded one goes by.
    "cluster_name": "kaunta-bench",
    "max_connections": "300",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",
    "unix_socket_directories": tempfile.gettempdir(),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """The run's PostgreSQL and a folder for what is thrown away. `keys`: a keyring as KAUNTA_KEYS wants it."""

    server: EmbeddedPostgres
    folder: Path
    keys: str = field(default_factory=lambda: generate_entry(Entropy(), "bench"))

    # databases

    def url_of(self, name: str) -> str:
        return self.server.url().rpartition("/")[0] + "/" + name

    def by_socket(self, url: str) -> str:
        """The same database by the server's socket file, which a program in another network namespace reaches too."""
        parts = urlsplit(url)
        query = urlencode({"host": tempfile.gettempdir(), "port": parts.port})
        return f"postgresql://{parts.username}:{parts.password}@{parts.path}?{query}"

    async def create(self, *, template: str = TEMPLATE) -> str:
        """A database of one's own, migrated by Kaunta; `template="template0"` gives an empty one. Returns its URL."""
        if template == TEMPLATE:
            await self.make_template()
        name = f"bench_{secrets.token_hex(6)}"
        await self.execute(self.server.url(), f"create database {name} template {template} strategy file_copy")
        return self.url_of(name)

    async def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        await self.execute(self.server.url(), f"drop database if exists {url.rpartition('/')[2]} with (force)")

    async def make_template(self) -> None:
        connection = await asyncpg.connect(self.server.url())
        try:
            there = await connection.fetchval("select true from pg_database where datname = $1", TEMPLATE)
            if there:
                return
            await connection.execute(f"create database {TEMPLATE}")
        finally:
            await connection.close()
        await upgrade(self.url_of(TEMPLATE))

    async def execute(self, url: str, *statements: str) -> None:
        """Run statements one by one, each by itself."""
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    # costs

    def postgres_cpu(self) -> float:
        """CPU seconds that PostgreSQL's processes have used so far, ended ones included."""
        pid = self.server.server_pid()
        if pid is None:
            raise RuntimeError("PostgreSQL does not run")
        return cpu_seconds(pid)

    async def pgbench(
        self, url: str, script: str, *, clients: int, seconds: int, variables: Mapping[str, int] | None = None
    ) -> float:
        """Transactions a second that pgbench reaches with a script (its own language) over prepared statements."""
        file = self.folder / f"{secrets.token_hex(4)}.sql"
        file.write_text(script, encoding="utf-8")
        parts = urlsplit(url)
        command = [
            str(self.server.binary("pgbench")), "--no-vacuum", "--protocol", "prepared", "--client", str(clients),
            "--jobs", "1", "--time", str(seconds), "--file", str(file), "--host", "127.0.0.1",
            *(f"--define={name}={value}" for name, value in (variables or {}).items()),
            "--port", str(parts.port), "--username", parts.username or "", parts.path.lstrip("/"),
        ]  # fmt: skip
        environ = {"PATH": os.environ["PATH"], "PGPASSWORD": parts.password or "", "LC_ALL": "C"}
        answer = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, env=environ
        )
        found = re.search(r"^tps = ([\d.]+)", answer.stdout, re.MULTILINE)
        failed = re.search(r"number of failed transactions: ([1-9]\d*)", answer.stdout)
        if answer.returncode != 0 or found is None or failed:
            raise RuntimeError(f"pgbench failed:\n{answer.stdout[-1500:]}\n{answer.stderr[-1500:]}")
        return float(found[1])

    # programs

    def environ(self, url: str, port: int, **more: str) -> dict[str, str]:
        """What a Kaunta program of the bench is told. Callbacks may come from anywhere; nothing leaves the machine."""
        return {
            "KAUNTA_MODE": "development",
            "KAUNTA_DATABASE_URL": url,
            "KAUNTA_KEYS": self.keys,
            "KAUNTA_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "KAUNTA_CALLBACK_SOURCES": "off",
            "KAUNTA_DATA_FOLDER": str(self.folder / "data"),
            "KAUNTA_SPOOL_FOLDER": str(self.folder / "spool"),
            "KAUNTA_SEAL_FOLDER": str(self.folder / "seals"),
            **more,
        }

    @contextmanager
    def kaunta(self, url: str, *arguments: str, **environ: str) -> Iterator[Program]:
        """`kaunta serve` over a database, with further arguments and settings, for the length of the block."""
        port = free_port()
        command = [sys.executable, "-m", "kaunta", "serve", "--port", str(port), *arguments]
        with program(command, port, self.environ(url, port, **environ), self.folder / "kaunta.log") as running:
            yield running

    @contextmanager
    def peer(self, *command: str, port: int, environ: Mapping[str, str]) -> Iterator[Program]:
        """A peer under its own Python: `command` are the arguments after `python`."""
        if not PEERS_PYTHON.exists():
            raise RuntimeError("The peers are not installed: run `make bench`.")
        plain = {"PYTHONPATH": str(ROOT), **environ}
        with program([str(PEERS_PYTHON), *command], port, plain, self.folder / "peer.log") as running:
            yield running


@contextmanager
def ground() -> Iterator[Ground]:
    """A PostgreSQL for a run, thrown away with its folder afterwards."""
    installed = postgres_binaries.installed_binaries()
    usable = [number for number, folder in installed.items() if number >= 15 and (folder / "pgbench").is_file()]
    with tempfile.TemporaryDirectory(prefix="kaunta-bench-") as name:
        folder = Path(name)
        server = EmbeddedPostgres(
            folder / "postgres", binaries=installed[max(usable)] if usable else None, settings=SETTINGS
        )
        server.start()
        try:
            yield Ground(server, folder)
        finally:
            server.discard()

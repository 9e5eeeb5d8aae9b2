"""The whole database through PostgreSQL's own programs: pg_dump out, pg_restore back in, as streams.

The address goes to them without its password, which travels in their environment: arguments can be read by everyone on
the machine.
"""

import asyncio
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from kaunta.core import postgres_binaries
from kaunta.core.errors import ConfigurationError, KauntaError
from kaunta.core.postgres_binaries import PostgresMissing

CHUNK = 256 * 1024
#: How much of a program's complaint is worth reading, characters.
SAID = 400


class DumpFailed(KauntaError):
    """pg_dump or pg_restore failed."""

    code = "dump_failed"


class ProgramsMissing(ConfigurationError):
    """pg_dump and pg_restore are not found: install PostgreSQL's client programs, or name their folder in
    KAUNTA_POSTGRES_FOLDER."""

    code = "postgres_programs"


def programs(server_version: int, named: Path | None) -> Path:
    """The folder of a pg_dump that may read the server: of its major version or a newer one. Raises `ProgramsMissing`,
    which names what was found."""
    wanted = server_version // 10_000
    found = {folder: version_of(folder) for folder in ([named] if named is not None else candidates())}
    whole = {folder: version for folder, version in found.items() if version and (folder / "pg_restore").is_file()}
    if fitting := [folder for folder, version in whole.items() if version >= wanted]:
        # The nearest: what a newer one writes, an older server may not understand.
        return min(fitting, key=lambda folder: whole[folder])
    seen = "".join(f" {folder} has version {version}." for folder, version in whole.items())
    raise ProgramsMissing(
        f"The server is PostgreSQL {wanted}, and no pg_dump of that version or a newer one is found"
        f"{f' in {named}' if named is not None else ''}.{seen} Install PostgreSQL's client programs, or name their "
        "folder in KAUNTA_POSTGRES_FOLDER."
    )


def candidates() -> list[Path]:
    """Where the programs may be: on PATH, where Debian puts each major, in the wheel of the embedded server."""
    found = [Path(part) for part in os.get_exec_path() if part]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    with suppress(PostgresMissing):
        found.append(postgres_binaries.embedded_binaries())
    return found


def version_of(folder: Path) -> int | None:
    """The major version of a folder's pg_dump; None where there is none that runs."""
    with suppress(OSError):
        if (folder / "pg_dump").is_file():
            said = subprocess.run(  # noqa: S603
                [folder / "pg_dump", "--version"], capture_output=True, text=True, check=False
            ).stdout
            if match := re.search(r"\) (\d+)", said):
                return int(match[1])
    return None


def address(url: str, database: str | None = None) -> tuple[str, dict[str, str]]:
    """A database's address without its password, and the environment that carries it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    path = f"/{database}" if database is not None else parts.path
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KAUNTA_", "MPESA_"))}
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
    return urlunsplit((parts.scheme, user + host, path, parts.query, "")), environment


async def dump(url: str, snapshot: str, folder: Path, write: Callable[[bytes], None]) -> None:
    """What the database holds in a transaction's snapshot, to `write` piece by piece. Raises `DumpFailed`."""
    clean, environment = address(url)
    process = await asyncio.create_subprocess_exec(
        folder / "pg_dump", "--format=custom", "--no-owner", f"--snapshot={snapshot}", "--no-password",
        f"--dbname={clean}", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        if process.stdout is None or process.stderr is None:
            raise RuntimeError("the pipes were asked for")
        complaint = asyncio.create_task(process.stderr.read(), name="pg_dump says")
        while data := await process.stdout.read(CHUNK):
            write(data)
        said, code = await complaint, await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise DumpFailed(f"pg_dump failed: {said.decode(errors='replace').strip()[:SAID]}")


async def fill(url: str, database: str, folder: Path, data: Iterator[bytes], *, with_rights: bool) -> None:
    """A dump into an empty database. Raises `DumpFailed`, and what reading the backup raises."""
    clean, environment = address(url, database)
    rights = [] if with_rights else ["--no-acl"]
    process = await asyncio.create_subprocess_exec(
        folder / "pg_restore", "--no-owner", "--exit-on-error", "--no-password", *rights, f"--dbname={clean}",
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        if process.stdin is None or process.stderr is None:
            raise RuntimeError("the pipes were asked for")
        complaint = asyncio.create_task(process.stderr.read(), name="pg_restore says")
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in data:
                process.stdin.write(piece)
                await process.stdin.drain()
        process.stdin.close()
        said, code = await complaint, await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise DumpFailed(f"pg_restore failed: {said.decode(errors='replace').strip()[:SAID]}")

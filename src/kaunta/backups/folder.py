"""The folder with the backups: names, writing a file whole or not at all, and what lies there.

A file that has its name is whole; it is on the disk before anybody is told. Files are the truth: the database's rows
follow them, and a database that was itself brought back learns here what it does not know.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import UUID

from kaunta.backups import queries
from kaunta.backups.archive import Reader, read_header
from kaunta.backups.manifest import BackupDamaged, Header, NotABackup, OtherRecoveryKey
from kaunta.backups.queries import BackupRow
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.errors import ConfigurationError, NotFound
from kaunta.core.vault import Keyring

SUFFIX = ".backup"
UNFINISHED = ".unfinished"


class NoSuchBackup(NotFound):
    """There is no such backup. `kaunta backup list` names them."""

    code = "no_such_backup"


class NoFolder(ConfigurationError):
    """The folder of KAUNTA_BACKUP_FOLDER is not there, or may not be read."""

    code = "backup_folder"


@dataclass(frozen=True, slots=True)
class Found:
    """A backup's file and what it says of itself."""

    path: Path
    header: Header
    size: int


def file_name(header: Header) -> str:
    return f"kaunta-{header.kind}-{header.created_at:%Y%m%dT%H%M%SZ}-{header.id.hex[:8]}{SUFFIX}"


@contextmanager
def new_file(folder: Path, header: Header) -> Iterator[tuple[IO[bytes], Path]]:
    """A file for a backup, readable by its owner only; it gets its name when the block has ended well and its bytes
    are on the disk. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / file_name(header)
    unfinished = folder / f".{path.name}{UNFINISHED}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, path
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync(folder)


def sync(folder: Path) -> None:
    """A new name is on the disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lying(folder: Path) -> list[Found]:
    """The backups in a folder, newest first; other files are left alone. Raises `NoFolder`."""
    found = []
    if not folder.is_dir():
        raise NoFolder(f"There is no folder {folder}: set KAUNTA_BACKUP_FOLDER to where the backups are.")
    for path in folder.glob(f"[!.]*{SUFFIX}"):
        with suppress(NotABackup, FileNotFoundError), path.open("rb") as file:
            found.append(Found(path, read_header(file)[0], path.stat().st_size))
    return sorted(found, key=lambda each: (each.header.created_at, each.header.id), reverse=True)


def named(folder: Path, wanted: str) -> Found:
    """One backup by its id, the first 8 digits of it, or `latest`. Raises `NoSuchBackup`, `NoFolder`."""
    for each in lying(folder):
        if wanted in ("latest", str(each.header.id), each.header.id.hex, each.header.id.hex[:8]):
            return each
    raise NoSuchBackup


def of_id(folder: Path, id_: UUID) -> Found:
    return named(folder, str(id_))


def digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def row_of(found: Found, recovery: Keyring) -> BackupRow:
    """What the database should know of a file that it does not. Raises `OtherRecoveryKey`, `BackupDamaged`."""
    with found.path.open("rb") as file:
        manifest = Reader(file, recovery).manifest
    header = found.header
    return BackupRow(
        id=header.id,
        kind=header.kind,
        reason="found",
        target=str(found.path),
        created_at=header.created_at,
        created_by=header.created_by,
        size=found.size,
        digest=digest_of(found.path),
        schema_version=manifest.schema_version,
        key_ids=list(manifest.key_ids),
        counts=dict(manifest.counts),
        verified_at=None,
        ok=None,
        fault=None,
        removed_at=None,
    )


async def note_found(db: Connection, clock: Clock, folder: Path, recovery: Keyring) -> None:
    """Bring the database's list in line with the folder. Raises `NoFolder` where backups should be in it."""
    known = {row.id: row for row in await queries.kept(db)}
    if not known and not await asyncio.to_thread(folder.exists):
        return  # none has been made yet
    there = {found.header.id: found for found in await asyncio.to_thread(lying, folder)}
    for id_ in known.keys() - there.keys():
        if Path(known[id_].target).parent == folder:
            await queries.removed(db, id_, clock.now())
    for id_ in there.keys() - known.keys():
        with suppress(OtherRecoveryKey, BackupDamaged):
            await queries.put(db, await asyncio.to_thread(row_of, there[id_], recovery))

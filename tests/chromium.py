"""Chromium for the browser tests: found where a machine has it, installed from its distribution where that is allowed.

`python -m tests.chromium` tells by its exit code whether there is one; with `--install` it tries to get one first.
"""

import shutil
import sys

from tests.distribution import install

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of the browser's program, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


if __name__ == "__main__":
    if "--install" in sys.argv:
        if chromium() is None:
            install("chromium")
        sys.exit(0)
    sys.exit(chromium() is None)

"""Chromium for the browser tests: found where a machine has it, installed from its distribution where that is allowed.

`python -m tests.chromium` tells by its exit code whether there is one; with `--install` it tries to get one first.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The path of the browser's program, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def install() -> None:
    """Ask the distribution for it: possible for root, or for someone who may become root without a word."""
    apt = shutil.which("apt-get")
    sudo = shutil.which("sudo")
    if apt is None or (os.geteuid() != 0 and sudo is None):
        return
    become_root = [] if os.geteuid() == 0 else [str(sudo), "--non-interactive"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        if subprocess.run([*become_root, apt, "-qq", *arguments], env=environment, check=False).returncode != 0:
            return


if __name__ == "__main__":
    if "--install" in sys.argv:
        if chromium() is None:
            install()
        sys.exit(0)
    sys.exit(chromium() is None)

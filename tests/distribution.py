"""What the tests get from the distribution, where that is allowed: for root, or who may become root without a word."""

import os
import shutil
import subprocess


def install(package: str) -> None:
    """Ask for a package, and leave it where that does not work."""
    apt = shutil.which("apt-get")
    sudo = shutil.which("sudo")
    if apt is None or (os.geteuid() != 0 and sudo is None):
        return
    become_root = [] if os.geteuid() == 0 else [str(sudo), "--non-interactive"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        if subprocess.run([*become_root, apt, "-qq", *arguments], env=environment, check=False).returncode != 0:
            return

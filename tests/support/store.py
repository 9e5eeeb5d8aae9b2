"""A store that speaks S3, as a process of its own: rclone, which checks each signature and keeps objects as files.

It is another program in another language than the library that speaks to it, and nobody's mock: what the two agree on,
neither of them made up for the other. It comes with the test requirements.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic

import pytest

from kaunta.backups.bucket import Bucket
from kaunta.core.entropy import Entropy
from kaunta.core.secret import Secret

READY_SECONDS, LOOK_SECONDS = 60.0, 0.02
PROGRAM = Path(sys.executable).parent / "rclone"


@dataclass
class Store:
    """One store on the loopback. `folder`: where each bucket is a folder."""

    folder: Path
    key_id: str
    key: str
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Until it takes connections; again at the same address."""
        with TemporaryFile() as said:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "s3", "--config", os.devnull, "--addr", f"127.0.0.1:{self.port}", self.folder],
                env={"PATH": os.defpath, "HOME": str(self.folder), "RCLONE_AUTH_KEY": f'"{self.key_id},{self.key}"'},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            )  # fmt: skip
            started = monotonic()
            while True:
                said.seek(0)
                if told := re.search(rb"http://127\.0\.0\.1:([0-9]+)/", said.read()):
                    self.port = int(told[1])
                    return
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(LOOK_SECONDS)
                    raise RuntimeError("rclone ended instead of serving")
                if monotonic() - started > READY_SECONDS:
                    raise TimeoutError("rclone does not serve")

    def kill(self) -> None:
        """At once, whatever it was doing."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def bucket(self, name: str, prefix: str = "") -> Bucket:
        """A bucket that is there, and the right keys for it. Asked once: what is away is told at once."""
        (self.folder / name).mkdir(exist_ok=True)
        return Bucket(name, prefix, Secret(self.key_id), Secret(self.key), self.endpoint, tries=1)

    def variables(self, place: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "KAUNTA_BACKUP_FOLDER": place,
            "KAUNTA_BACKUP_S3_ENDPOINT": self.endpoint,
            "KAUNTA_BACKUP_S3_KEY_ID": self.key_id,
            "KAUNTA_BACKUP_S3_SECRET": self.key,
        }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with nothing in it."""
    entropy = Entropy()
    folder = tmp_path / "store"
    folder.mkdir()
    made = Store(folder, entropy.speakable(20), entropy.speakable(40))
    made.start()
    yield made
    made.kill()

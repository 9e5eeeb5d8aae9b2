"""A callback that comes while the database is away: kept on this disk, sealed and synced, and imported later.

Safaricom sends once. The answer to it is still 503, because nothing is acknowledged before it is committed; but what
it said is not lost. One file a callback, written under another name first, so that a file that has its name is
whole. Importing twice is harmless: the inbox's work is idempotent.
"""

import asyncio
import base64
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kaunta.core.entropy import Entropy
from kaunta.core.vault import Keyring, context

PURPOSE = context("spool")
SUFFIX = ".callback"


@dataclass(frozen=True, slots=True)
class Spooled:
    """A callback as it came. `token_hash` as the inbox keeps it; `source` an address."""

    received_at: datetime
    channel: str
    token_hash: bytes | None
    source: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder of sealed callbacks."""

    folder: Path
    keyring: Keyring
    entropy: Entropy

    @classmethod
    def at(cls, folder: str, keyring: Keyring, entropy: Entropy) -> "Spool":
        """The spool of a folder; relative to where the process was started."""
        return cls(Path(folder).absolute(), keyring, entropy)

    async def keep(self, spooled: Spooled) -> None:
        """Write one callback and sync it to the disk. Raises OSError where the disk refuses."""
        await asyncio.to_thread(self.write, spooled)

    def write(self, spooled: Spooled) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sealed = self.keyring.seal(encode(spooled), PURPOSE, self.entropy)
        name = f"{spooled.received_at:%Y%m%dT%H%M%S.%f}-{self.entropy.ref()}"
        unfinished = self.folder / f".{name}"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self.folder / (name + SUFFIX))
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        # The new name is on the disk only once its folder is.
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    async def ready(self) -> bool:
        """Whether a callback could be kept here; the folder itself is made when it is first needed."""
        return await asyncio.to_thread(self.could_keep)

    def could_keep(self) -> bool:
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        return there.is_dir() and os.access(there, os.W_OK | os.X_OK)

    async def waiting(self) -> list[Path]:
        """Files to import, oldest first."""
        return await asyncio.to_thread(lambda: sorted(self.folder.glob(f"[!.]*{SUFFIX}")))

    async def read(self, path: Path) -> Spooled:
        """A kept callback. Raises a `VaultError` where it does not open."""
        return decode(self.keyring.open(await asyncio.to_thread(path.read_bytes), PURPOSE))

    async def forget(self, path: Path) -> None:
        """Remove a file whose callback is committed."""
        await asyncio.to_thread(lambda: path.unlink(missing_ok=True))


def encode(spooled: Spooled) -> bytes:
    return json.dumps(
        {
            "received_at": spooled.received_at.isoformat(),
            "channel": spooled.channel,
            "token_hash": spooled.token_hash.hex() if spooled.token_hash else None,
            "source": spooled.source,
            "body": base64.b64encode(spooled.body).decode(),
        }
    ).encode()


def decode(plain: bytes) -> Spooled:
    said = json.loads(plain)
    return Spooled(
        received_at=datetime.fromisoformat(said["received_at"]),
        channel=said["channel"],
        token_hash=bytes.fromhex(said["token_hash"]) if said["token_hash"] else None,
        source=said["source"],
        body=base64.b64decode(said["body"]),
    )

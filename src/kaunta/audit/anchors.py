"""Heads of the chain outside the database: who owns the database may cut the chain's end off, and this shows it.

A line of JSON an hour, in a file on the worker's host: the number and the MAC of the newest batch. Copies of the file
kept anywhere else count as much. `kaunta audit verify` compares every line with the chain.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kaunta.core.errors import BadRequest
from kaunta.core.runtime import Runtime

NAME = "audit-heads.ndjson"
EVERY_SECONDS = 3_600.0
#: A line is some 150 bytes; the last one is within this many.
TAIL_BYTES = 1_000
MAC_BYTES = 32


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head of the chain as it was written down."""

    batch: int
    mac: bytes
    written_at: datetime | None = None

    @classmethod
    def parse(cls, line: str) -> "Anchor":
        """A line of the file, or what `kaunta audit verify` prints as the head (`batch:mac`). Raises `BadRequest`."""
        try:
            if line.startswith("{"):
                told = json.loads(line)
                written_at = datetime.fromisoformat(told["written_at"])
                batch, mac = int(told["batch"]), bytes.fromhex(told["mac"])
            else:
                number, _, digits = line.partition(":")
                written_at, batch, mac = None, int(number), bytes.fromhex(digits)
            if len(mac) != MAC_BYTES:
                raise ValueError(line)
            return cls(batch, mac, written_at)
        except (ValueError, KeyError, TypeError):
            raise BadRequest("A head of the audit's chain is written batch:mac, or as a line of its file.") from None


def file_of(folder: str) -> Path:
    return Path(folder) / NAME


def read(path: Path) -> list[Anchor]:
    """Every head that was written down; a line that a crash cut off is none."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        with suppress(BadRequest):
            found.append(Anchor.parse(line))
    return found


def newest(path: Path) -> Anchor | None:
    """The last head in the file, without reading all of it; None where there is none, or its line was cut off."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return Anchor.parse(lines[-1]) if lines else None
    except (FileNotFoundError, BadRequest):
        return None


def write_when_due(rt: Runtime, batch: int, mac: bytes) -> bool:
    """Write the head down unless one was within the hour, or nothing was sealed since; whether it was written."""
    path = file_of(rt.settings.seal_folder)
    last = newest(path)
    if last is not None and last.written_at is not None:
        recent = rt.clock.elapsed(last.written_at) < EVERY_SECONDS
        if recent or last.batch == batch:
            return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = json.dumps({"batch": batch, "mac": mac.hex(), "written_at": rt.clock.now().isoformat()})
    # What a process that died began stays a line of its own.
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if file.tell() and last is None else "") + line + "\n")
        file.flush()
    return True

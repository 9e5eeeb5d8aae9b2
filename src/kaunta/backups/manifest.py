"""What a backup says of itself: in clear in front, and in its manifest behind everything."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.errors import BadRequest, ConfigurationError, Conflict


class NotABackup(BadRequest):
    """This file is no backup of Kaunta's."""

    code = "not_a_backup"


class OtherRecoveryKey(ConfigurationError):
    """This backup was encrypted with another recovery key than KAUNTA_RECOVERY_KEY."""

    code = "other_recovery_key"


class BackupDamaged(Conflict):
    """This backup is damaged: part of it is missing or was changed. Use another one."""

    code = "backup_damaged"


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup's file says without a key. `kind`: credentials or whole."""

    id: UUID
    kind: str
    reason: str
    created_at: datetime
    created_by: str

    def written(self) -> bytes:
        return json.dumps(
            {
                "id": str(self.id),
                "kind": self.kind,
                "reason": self.reason,
                "created_at": self.created_at.isoformat(),
                "created_by": self.created_by,
            }
        ).encode()

    @classmethod
    def read(cls, text: bytes) -> "Header":
        said = json.loads(text)
        return cls(
            UUID(said["id"]),
            said["kind"],
            said["reason"],
            datetime.fromisoformat(said["created_at"]),
            said["created_by"],
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a backup: a table's rows as lines of JSON, or pg_dump's output."""

    size: int
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `key_ids`: the keyring's keys that its rows were sealed with."""

    parts: Mapping[str, Part]
    pieces: int
    key_ids: tuple[str, ...]
    schema_version: str
    counts: Mapping[str, int]

    def written(self) -> bytes:
        parts = {
            name: {"size": part.size, "rows": part.rows, "sha256": part.sha256} for name, part in self.parts.items()
        }
        return json.dumps(
            {
                "parts": parts,
                "pieces": self.pieces,
                "key_ids": list(self.key_ids),
                "schema_version": self.schema_version,
                "counts": dict(self.counts),
            }
        ).encode()

    @classmethod
    def read(cls, text: bytes) -> "Manifest":
        said = json.loads(text)
        parts = {name: Part(**part) for name, part in said["parts"].items()}
        return cls(parts, said["pieces"], tuple(said["key_ids"]), said["schema_version"], said["counts"])

"""Keys for machines, under their hashes."""

from dataclasses import dataclass
from uuid import UUID

from kaunta.core.db import Connection


async def insert_api_key(db: Connection, key_hash: bytes, label: str, bar_id: UUID | None, scopes: list[str]) -> UUID:
    """A machine's key."""
    id_: UUID = await db.fetchval(
        "insert into api_keys (key_hash, label, bar_id, scopes) values ($1, $2, $3, $4) returning id",
        key_hash, label, bar_id, scopes,
    )  # fmt: skip
    return id_


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    id: UUID
    bar_id: UUID | None
    scopes: list[str]


async def api_key(db: Connection, key_hash: bytes) -> ApiKeyRow | None:
    """A key that has not been revoked."""
    row = await db.fetchrow(
        "select id, bar_id, scopes from api_keys where key_hash = $1 and revoked_at is null", key_hash
    )
    return ApiKeyRow(**row) if row else None

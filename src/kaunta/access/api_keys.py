"""Keys for machines: shown once, stored as a hash, scoped to a bar (or, for administrators, to diagnosis)."""

import hashlib
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from kaunta.access import queries
from kaunta.core.audit import audit
from kaunta.core.db import Connection
from kaunta.core.runtime import Runtime

Scope = Literal["payments:read", "payments:write", "diagnostics"]
PREFIX = "kaunta_"


@dataclass(frozen=True, slots=True)
class ApiCaller:
    id: UUID
    bar_id: UUID | None
    scopes: frozenset[str]


def key_hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


async def add_api_key(
    db: Connection, rt: Runtime, label: str, bar_id: UUID | None, scopes: list[Scope], *, by: str
) -> str:
    """A new key, in the caller's transaction; this return value is the only time it is seen."""
    key = PREFIX + rt.entropy.token()
    id_ = await queries.insert_api_key(db, key_hash(key), label, bar_id, list(scopes))
    await audit(db, rt.clock, by, "api_key.added", "api_key", id_, bar_id=bar_id, scopes=list(scopes))
    return key


async def revoke_api_keys(db: Connection, rt: Runtime, label: str, *, by: str) -> int:
    """Keys under a label open nothing any more, in the caller's transaction; how many there were."""
    count = await queries.revoke_api_keys(db, label, rt.clock.now())
    if count:
        await audit(db, rt.clock, by, "api_key.revoked", "api_key", label, count=count)
    return count


async def caller(db: Connection, authorization: str | None) -> ApiCaller | None:
    """Who an `Authorization: Bearer` header says calls; None where the key is not good."""
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(PREFIX):
        return None
    row = await queries.api_key(db, key_hash(key.strip()))
    return ApiCaller(row.id, row.bar_id, frozenset(row.scopes)) if row else None

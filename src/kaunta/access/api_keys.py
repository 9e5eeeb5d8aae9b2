"""Keys for machines: shown once, stored as a hash, scoped to a bar (or, for administrators, to diagnosis)."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from kaunta.access import queries
from kaunta.core.audit import audit
from kaunta.core.db import Connection
from kaunta.core.errors import KauntaError
from kaunta.core.runtime import Runtime

Scope = Literal["payments:read", "payments:write", "diagnostics"]
PREFIX = "kaunta_"
#: The window that a key's requests are counted in, real seconds: its share begins anew with each.
WINDOW_SECONDS = 60


class TooManyRequests(KauntaError):
    """This API key has asked as often as it may within a minute."""

    status = 429
    code = "too_many_requests"


@dataclass(frozen=True, slots=True)
class ApiCaller:
    id: UUID
    bar_id: UUID | None
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Share:
    """How much of its share of this minute a key has left. `resets_in`: seconds until it begins anew."""

    limit: int
    used: int
    resets_in: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


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


async def revoke_api_key(db: Connection, rt: Runtime, id_: UUID, *, by: str) -> bool:
    """One key opens nothing any more, in the caller's transaction; False where none does."""
    owner = await queries.revoke_api_key(db, id_, rt.clock.now())
    if owner is None:
        return False
    bar_id = None if owner == id_ else owner
    await audit(db, rt.clock, by, "api_key.revoked", "api_key", id_, bar_id=bar_id)
    return True


async def caller(db: Connection, authorization: str | None) -> ApiCaller | None:
    """Who an `Authorization: Bearer` header says calls; None where the key is not good."""
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(PREFIX):
        return None
    row = await queries.api_key(db, key_hash(key.strip()))
    return ApiCaller(row.id, row.bar_id, frozenset(row.scopes)) if row else None


async def take_share(db: Connection, rt: Runtime, key_id: UUID) -> Share:
    """Count a request of a key's, whatever process it came to."""
    now = rt.clock.now()
    passed = now.timestamp() % WINDOW_SECONDS
    used = await queries.count_use(db, key_id, now - timedelta(seconds=passed))
    return Share(rt.settings.api_per_minute, used, max(1, round(WINDOW_SECONDS - passed)))

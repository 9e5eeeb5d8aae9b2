"""Keys for machines, under their hashes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, affected


async def insert_api_key(db: Connection, key_hash: bytes, label: str, bar_id: UUID | None, scopes: list[str]) -> UUID:
    """A machine's key."""
    id_: UUID = await db.fetchval(
        "insert into api_keys (key_hash, label, bar_id, scopes) values ($1, $2, $3, $4) returning id",
        key_hash, label, bar_id, scopes,
    )  # fmt: skip
    return id_


async def revoke_api_keys(db: Connection, label: str, at: datetime) -> int:
    """Keys under a label open nothing any more; how many there were."""
    tag = await db.execute("update api_keys set revoked_at = $2 where label = $1 and revoked_at is null", label, at)
    return affected(tag)


async def revoke_api_key(db: Connection, id_: UUID, at: datetime) -> UUID | None:
    """One key opens nothing any more; whose it was: its bar, or its own id where it was the installation's. None: there
    is none that opens anything."""
    found: UUID | None = await db.fetchval(
        "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null returning coalesce(bar_id, id)",
        id_, at,
    )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key that opens something, without itself. `bar_slug` None: the installation's."""

    id: UUID
    bar_slug: str | None
    label: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None


async def keys_in_use(db: Connection, bar_id: UUID | None) -> list[ListedKey]:
    """The keys of a bar, or all, oldest first."""
    rows = await db.fetch(
        """
        select k.id, b.slug as bar_slug, k.label, k.scopes, k.created_at, k.last_used_at
        from api_keys k left join bars b on b.id = k.bar_id
        where k.revoked_at is null and ($1::uuid is null or k.bar_id = $1) order by k.created_at, k.id
        """,
        bar_id,
    )
    return [ListedKey(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    id: UUID
    bar_id: UUID | None
    scopes: list[str]


async def api_key(db: Connection, key_hash: bytes) -> ApiKeyRow | None:
    """A key that has not been revoked. That it was used is written down, once a minute at most."""
    row = await db.fetchrow(
        """
        with used as (
            update api_keys set last_used_at = now() where key_hash = $1 and revoked_at is null
               and (last_used_at is null or last_used_at < now() - interval '1 minute')
        )
        select id, bar_id, scopes from api_keys where key_hash = $1 and revoked_at is null
        """,
        key_hash,
    )
    return ApiKeyRow(**row) if row else None


async def count_use(db: Connection, key_id: UUID, window: datetime) -> int:
    """One request more of a key within a window; how many that are. A clock that lags counts into the newest."""
    used: int = await db.fetchval(
        """
        insert into api_key_windows (key_id, began_at, used) values ($1, $2, 1)
        on conflict (key_id) do update set
            used = case when api_key_windows.began_at >= excluded.began_at then api_key_windows.used + 1 else 1 end,
            began_at = greatest(api_key_windows.began_at, excluded.began_at)
        returning used
        """,
        key_id, window,
    )  # fmt: skip
    return used

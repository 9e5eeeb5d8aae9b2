"""The keys' SQL: bars to lock, who holds which keys, which backups need one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection


async def lock_bars(db: Connection, bar_ids: list[UUID]) -> None:
    """Bars first, in one order, as everywhere."""
    await db.execute("select from bars where id = any($1) order by id for no key update", bar_ids)


@dataclass(frozen=True, slots=True)
class Holder:
    """A running process and its keys: check values in hex by key id."""

    process: str
    seen_at: datetime
    primary_key: str
    keys: dict[str, str]


async def tell_keys(db: Connection, process: str, at: datetime, primary_key: str, keys: dict[str, Any]) -> None:
    """A process says which keys it holds."""
    await db.execute(
        """
        insert into keyring_holders (process, seen_at, primary_key, keys) values ($1, $2, $3, $4)
        on conflict (process) do update
        set seen_at = excluded.seen_at, primary_key = excluded.primary_key, keys = excluded.keys
        """,
        process, at, primary_key, keys,
    )  # fmt: skip


async def note_ages(db: Connection, keys: dict[str, str], at: datetime) -> None:
    """Keys that are held for the first time are in use from now on."""
    await db.execute(
        """
        insert into keyring_ages (key_id, key_check, first_seen_at)
        select id, check_value, $3 from unnest($1::text[], $2::text[]) as held (id, check_value)
        on conflict do nothing
        """,
        list(keys), list(keys.values()), at,
    )  # fmt: skip


async def forget_holder(db: Connection, process: str) -> None:
    """A process that ends in order says so."""
    await db.execute("delete from keyring_holders where process = $1", process)


async def forget_holders(db: Connection, before: datetime) -> None:
    """Processes that have long been silent."""
    await db.execute("delete from keyring_holders where seen_at < $1", before)


async def holders(db: Connection, since: datetime) -> list[Holder]:
    """The processes that were alive a moment ago."""
    rows = await db.fetch(
        "select process, seen_at, primary_key, keys from keyring_holders where seen_at >= $1 order by process", since
    )
    return [Holder(**row) for row in rows]


async def backups_needing(db: Connection, key_id: str) -> list[tuple[UUID, datetime]]:
    """Retained backups with something sealed under a key, newest first."""
    rows = await db.fetch(
        "select id, created_at from backups where removed_at is null and $1 = any(key_ids) order by created_at desc",
        key_id,
    )
    return [(row["id"], row["created_at"]) for row in rows]

"""The backups' SQL: what was made, found, brought back; the day's claim."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class BackupRow:
    """A backup as the database knows it. `ok`: whether it was whole when it was last read to its end."""

    id: UUID
    kind: str
    reason: str
    target: str
    created_at: datetime
    created_by: str
    size: int
    digest: bytes
    schema_version: str
    key_ids: list[str]
    counts: dict[str, Any]
    verified_at: datetime | None
    ok: bool | None
    fault: str | None
    removed_at: datetime | None


COLUMNS = """
    id, kind, reason, target, created_at, created_by, size, digest, schema_version, key_ids, counts, verified_at, ok,
    fault, removed_at
"""


async def put(db: Connection, row: BackupRow) -> None:
    """A backup that was made or found; one that is known already is taken to be where it was found."""
    await db.execute(
        f"""
        insert into backups ({COLUMNS})
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        on conflict (id) do update set target = excluded.target, removed_at = null
        """,
        row.id, row.kind, row.reason, row.target, row.created_at, row.created_by, row.size, row.digest,
        row.schema_version, row.key_ids, row.counts, row.verified_at, row.ok, row.fault, row.removed_at,
    )  # fmt: skip


async def kept(db: Connection) -> list[BackupRow]:
    """Backups that are still there, newest first."""
    rows = await db.fetch(f"select {COLUMNS} from backups where removed_at is null order by created_at desc, id")
    return [BackupRow(**row) for row in rows]


async def verified(db: Connection, id_: UUID, at: datetime, ok: bool, fault: str | None) -> None:
    """A backup was read to its end, or was found damaged."""
    await db.execute("update backups set verified_at = $2, ok = $3, fault = $4 where id = $1", id_, at, ok, fault)


async def removed(db: Connection, id_: UUID, at: datetime) -> None:
    """A backup's file is there no more."""
    await db.execute("update backups set removed_at = $2 where id = $1 and removed_at is null", id_, at)


async def last_good(db: Connection) -> datetime | None:
    """When the newest backup was made that is there and was whole."""
    at: datetime | None = await db.fetchval("select max(created_at) from backups where removed_at is null and ok")
    return at


async def claim_day(db: Connection, day: date, by: str, at: datetime, abandoned_before: datetime) -> bool:
    """Make a day's backup one's own, unless it is made or somebody is at it."""
    row = await db.fetchrow(
        """
        insert into backup_days (day, claimed_by, claimed_at) values ($1, $2, $3)
        on conflict (day) do update set claimed_by = excluded.claimed_by, claimed_at = excluded.claimed_at
        where backup_days.done_at is null and backup_days.claimed_at < $4
        returning day
        """,
        day, by, at, abandoned_before,
    )  # fmt: skip
    return row is not None


async def day_done(db: Connection, day: date, at: datetime) -> None:
    await db.execute("update backup_days set done_at = $2 where day = $1", day, at)


@dataclass(frozen=True, slots=True)
class RestoreRow:
    """Something was brought back. `added`: credentials rows that were not there before."""

    id: UUID
    backup_id: UUID
    safety_id: UUID
    restored_at: datetime
    added: list[UUID]


async def insert_restore(
    db: Connection, id_: UUID, backup_id: UUID, safety_id: UUID, at: datetime, by: str, added: list[UUID]
) -> None:
    await db.execute(
        """
        insert into backup_restores (id, backup_id, safety_id, restored_at, restored_by, added)
        values ($1, $2, $3, $4, $5, $6)
        """,
        id_, backup_id, safety_id, at, by, added,
    )  # fmt: skip


async def last_restore(db: Connection) -> RestoreRow | None:
    """The newest one that was not undone."""
    row = await db.fetchrow(
        """
        select id, backup_id, safety_id, restored_at, added from backup_restores
        where undone_at is null order by restored_at desc limit 1
        """
    )
    return RestoreRow(**row) if row else None


async def undone(db: Connection, id_: UUID, at: datetime) -> None:
    await db.execute("update backup_restores set undone_at = $2 where id = $1", id_, at)


async def snapshot(db: Connection) -> str:
    """This transaction's view of the data, for pg_dump to see the same."""
    name: str = await db.fetchval("select pg_export_snapshot()")
    return name


async def server_version(db: Connection) -> int:
    """The server's version as a number, like 160003."""
    return int(await db.fetchval("select current_setting('server_version_num')"))


async def schema_version(db: Connection) -> str:
    """The migration the database stands at."""
    found: str | None = await db.fetchval("select version_num from alembic_version")
    return found or ""


async def live_bars(db: Connection, ids: list[UUID]) -> set[UUID]:
    """Which bars are there, each held against other writers, in one order."""
    rows = await db.fetch("select id from bars where id = any($1) order by id for no key update", ids)
    return {row["id"] for row in rows}


@dataclass(frozen=True, slots=True)
class LiveCredential:
    id: UUID
    tenant_id: UUID
    environment: str
    version: int
    last_version: int


async def live_credentials(db: Connection, bar_ids: list[UUID]) -> list[LiveCredential]:
    """The credentials rows of some bars, and the last version each has had."""
    rows = await db.fetch(
        """
        select c.id, c.tenant_id, c.environment, c.version,
               greatest(c.version, coalesce((select max(v.version) from mpesa_credential_versions v
                                             where v.credential_id = c.id), 0)) as last_version
        from mpesa_credentials c where c.tenant_id = any($1) order by c.id for no key update of c
        """,
        bar_ids,
    )
    return [LiveCredential(**row) for row in rows]


async def remove_credential(db: Connection, id_: UUID) -> str:
    """Take away a credentials row that a restore has added. Raises where something refers to it."""
    await db.execute("delete from mpesa_initiators where credential_id = $1", id_)
    await db.execute("delete from mpesa_credential_versions where credential_id = $1", id_)
    return await db.execute("delete from mpesa_credentials where id = $1", id_)


async def switch_off(db: Connection, id_: UUID) -> None:
    """Leave a credentials row where it is, unused."""
    await db.execute("update mpesa_credentials set is_active = false where id = $1", id_)

"""Plumbing's SQL: data keys, problems, the audit log, heartbeats."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class DataKeyRow:
    id: UUID
    wrapped: bytes | None


async def find_or_make_data_key(
    db: Connection, id_: UUID, purpose: str, bar_id: UUID | None, month: date | None, wrapped: bytes, at: datetime
) -> DataKeyRow:
    """The key of a bar and month, made on first use; of two processes that make one at once, both get the first."""
    await db.execute(
        """
        insert into data_keys (id, purpose, bar_id, month, wrapped, created_at) values ($1, $2, $3, $4, $5, $6)
        on conflict (purpose, bar_id, month) do nothing
        """,
        id_, purpose, bar_id, month, wrapped, at,
    )  # fmt: skip
    row = await db.fetchrow(
        """
        select id, wrapped from data_keys
        where purpose = $1 and ((bar_id = $2 and month = $3)
                                or (bar_id is null and $2 is null and month is not distinct from $3))
        """,
        purpose, bar_id, month,
    )  # fmt: skip
    if row is None:
        raise RuntimeError("a data key vanished while it was being made")
    return DataKeyRow(**row)


async def data_keys(db: Connection, ids: list[UUID]) -> list[DataKeyRow]:
    """Wrapped keys by their ids."""
    rows = await db.fetch("select id, wrapped from data_keys where id = any($1)", ids)
    return [DataKeyRow(**row) for row in rows]


async def open_problem(
    db: Connection,
    bar_id: UUID | None,
    kind: str,
    subject: str,
    severity: str,
    detail: dict[str, Any],
    at: datetime,
) -> bool:
    """Put something in front of a person, once while it is open; True where it was not open already."""
    row = await db.fetchrow(
        """
        insert into problems (bar_id, kind, subject, severity, detail, opened_at) values ($1, $2, $3, $4, $5, $6)
        on conflict (kind, subject) where closed_at is null do nothing returning id
        """,
        bar_id, kind, subject, severity, detail, at,
    )  # fmt: skip
    return row is not None


async def close_problems(db: Connection, kinds: list[str], subject: str, by: str, reason: str, at: datetime) -> bool:
    """Close a subject's open problems of these kinds; True where there was one."""
    row = await db.fetchrow(
        """
        update problems set closed_at = $5, closed_by = $3, close_reason = $4
        where kind = any($1) and subject = $2 and closed_at is null returning id
        """,
        kinds, subject, by, reason, at,
    )  # fmt: skip
    return row is not None


@dataclass(frozen=True, slots=True)
class OpenProblem:
    id: UUID
    kind: str
    subject: str
    severity: str
    detail: dict[str, Any]
    opened_at: datetime


async def open_problems(db: Connection, bar_id: UUID) -> list[OpenProblem]:
    """What needs a person at a bar, the gravest and oldest first."""
    rows = await db.fetch(
        """
        select id, kind, subject, severity, detail, opened_at from problems
        where bar_id = $1 and closed_at is null
        order by array_position(array['critical', 'error', 'warning', 'info'], severity), opened_at limit 200
        """,
        bar_id,
    )
    return [OpenProblem(**row) for row in rows]


async def append_audit(
    db: Connection,
    at: datetime,
    bar_id: UUID | None,
    actor: str,
    action: str,
    object_kind: str,
    object_id: str,
    outcome: str,
    reason: str | None,
    detail: dict[str, Any],
) -> None:
    """One line of the audit log, in the transaction of what it tells."""
    await db.execute(
        """
        insert into audit_events (at, bar_id, actor, action, object_kind, object_id, outcome, reason, detail)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        at, bar_id, actor, action, object_kind, object_id, outcome, reason, detail,
    )  # fmt: skip


async def beat(db: Connection, worker: str, at: datetime, detail: dict[str, Any]) -> None:
    """A worker says that it lives."""
    await db.execute(
        """
        insert into worker_heartbeats (worker, seen_at, detail) values ($1, $2, $3)
        on conflict (worker) do update set seen_at = excluded.seen_at, detail = excluded.detail
        """,
        worker, at, detail,
    )  # fmt: skip


async def newest_heartbeat(db: Connection) -> datetime | None:
    """When a worker last said that it lives."""
    seen: datetime | None = await db.fetchval("select max(seen_at) from worker_heartbeats")
    return seen


async def make_partitions(db: Connection, months_ahead: int) -> int:
    """Make the coming months' partitions; how many were made. A transaction of its own each, until it is none: one that
    has to take in rows comes alone."""
    made: int = await db.fetchval("select kaunta_make_partitions($1)", months_ahead)
    return made


async def drop_month(db: Connection, before: datetime) -> str | None:
    """Drop the oldest month that ended before a moment and that nobody needs; its name, None where there is none."""
    name: str | None = await db.fetchval("select kaunta_drop_month($1)", before)
    return name


async def months_ahead(db: Connection) -> int:
    """How many coming months the partitioned tables are ready for."""
    ahead: int = await db.fetchval("select kaunta_months_ahead()")
    return ahead


async def notify(db: Connection, channel: str, payload: str) -> None:
    """Send a hint to whoever listens. It may be lost, so nobody waits for a disk."""
    await db.execute("select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)", channel, payload)


async def writable(db: Connection) -> bool:
    """Whether what is committed here stays: a standby, or a primary put into reading only, takes no payment."""
    found: bool = await db.fetchval(
        "select not pg_is_in_recovery() and current_setting('default_transaction_read_only') = 'off'"
    )
    return found


async def schema_revision(db: Connection) -> str | None:
    """The migration a database stands at."""
    revision: str | None = await db.fetchval("select version_num from alembic_version")
    return revision


async def settings_that_are_off(db: Connection, names: list[str]) -> list[str]:
    """Which of these server settings are off."""
    rows = await db.fetch("select name from pg_settings where name = any($1) and setting = 'off' order by name", names)
    return [row["name"] for row in rows]


async def cluster_name(db: Connection) -> str:
    """What the server calls itself."""
    name: str = await db.fetchval("select current_setting('cluster_name')")
    return name

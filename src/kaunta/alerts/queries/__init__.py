"""A bar's problems, open and over, and who has taken one up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection

COLUMNS = """
    select id, kind, subject, severity, detail, opened_at, acknowledged_at, acknowledged_by, closed_at, closed_by,
           close_reason from problems
"""


@dataclass(frozen=True, slots=True)
class Alert:
    id: UUID
    kind: str
    subject: str
    severity: str
    detail: dict[str, Any]
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None


async def open_alerts(db: Connection, bar_id: UUID, limit: int) -> list[Alert]:
    """What is open, the gravest and oldest first; what nobody has taken up before the rest."""
    rows = await db.fetch(
        f"""
        {COLUMNS} where bar_id = $1 and closed_at is null
        order by acknowledged_at is not null,
                 array_position(array['critical', 'error', 'warning', 'info'], severity), opened_at, id limit $2
        """,
        bar_id, limit,
    )  # fmt: skip
    return [Alert(**row) for row in rows]


async def closed_alerts(db: Connection, bar_id: UUID, before_at: datetime, before_id: UUID, limit: int) -> list[Alert]:
    """What is over, the newest end first, before a place in the list."""
    rows = await db.fetch(
        f"""
        {COLUMNS} where bar_id = $1 and closed_at is not null and (closed_at, id) < ($2, $3)
        order by closed_at desc, id desc limit $4
        """,
        bar_id, before_at, before_id, limit,
    )  # fmt: skip
    return [Alert(**row) for row in rows]


async def acknowledge(db: Connection, bar_id: UUID, alert_id: UUID, by: str, at: datetime) -> str | None:
    """Somebody takes an open one up, the first to say so; its kind. None where it is taken up, over, or not there."""
    kind: str | None = await db.fetchval(
        """
        update problems set acknowledged_at = $4, acknowledged_by = $3
        where id = $2 and bar_id = $1 and acknowledged_at is null and closed_at is null returning kind
        """,
        bar_id, alert_id, by, at,
    )  # fmt: skip
    return kind


async def exists(db: Connection, bar_id: UUID, alert_id: UUID) -> bool:
    """Whether a bar has (or had) this alert."""
    found: bool = await db.fetchval(
        "select exists (select from problems where id = $2 and bar_id = $1)", bar_id, alert_id
    )
    return found

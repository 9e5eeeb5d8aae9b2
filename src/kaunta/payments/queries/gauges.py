"""What Prometheus is told of the database: depths and ages, never a name."""

from dataclasses import dataclass
from datetime import datetime

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows that wait for somebody to deal with them; `oldest`: since when the first of them could have been."""

    name: str
    waiting: int
    oldest: datetime | None


async def queues(db: Connection, now: datetime) -> list[Queue]:
    """Every queue of rows. Each count rests on an index that holds the waiting rows alone."""
    rows = await db.fetch(
        """
        select 'callbacks' as name, count(*)::int as waiting, min(received_at) as oldest
        from mpesa_callbacks where processed_at is null
        union all
        select 'questions', count(*)::int, min(next_check_at) from mpesa_transactions where next_check_at <= $1
        union all
        select 'refunds', count(*)::int, min(next_check_at) from mpesa_refunds where next_check_at <= $1
        union all
        select 'statement_lines', count(*)::int, min(look_at) from statement_lines where look_at <= $1
        union all
        select 'alert_messages', count(*)::int, min(next_attempt_at) from alert_messages
        where sent_at is null and dropped_at is null and given_up_at is null and next_attempt_at <= $1
        """,
        now,
    )
    return [Queue(**row) for row in rows]


async def open_payments(db: Connection) -> int:
    """Payments whose prompt is out or about to be."""
    count: int = await db.fetchval("select count(*)::int from mpesa_transactions where status in ('pending', 'sent')")
    return count


@dataclass(frozen=True, slots=True)
class Kind:
    """How many problems of a kind and gravity are open."""

    kind: str
    severity: str
    count: int


async def problems(db: Connection) -> list[Kind]:
    """The open problems of all bars and of the house."""
    rows = await db.fetch(
        """
        select kind, severity, count(*)::int as count from problems where closed_at is null group by kind, severity
        """
    )
    return [Kind(**row) for row in rows]


async def scarcest_budget(db: Connection) -> float | None:
    """Of the credentials' budgets of questions, what the emptiest has left: 0 to 1; None where none was ever used."""
    share: float | None = await db.fetchval("select min(tokens / nullif(per_minute, 0)) from daraja_budgets")
    return share

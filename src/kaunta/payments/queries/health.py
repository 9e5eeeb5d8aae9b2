"""How payments of a bar went in a stretch of time, and how Daraja answered: counted from what was written anyway."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class HourRow:
    """Payments that began in an hour, by how they stand now; `taken`: shillings of those that are paid."""

    hour: datetime
    paid: int
    not_paid: int
    unknown: int
    taken: int


async def by_hour(db: Connection, bar_id: UUID, environment: str, since: datetime, until: datetime) -> list[HourRow]:
    """Hours in which something began, oldest first."""
    rows = await db.fetch(
        """
        select date_trunc('hour', created_at, 'UTC') as hour,
               count(*) filter (where status = 'completed')::int as paid,
               count(*) filter (where status in ('failed', 'cancelled'))::int as not_paid,
               count(*) filter (where status in ('pending', 'sent', 'timeout'))::int as unknown,
               coalesce(sum(amount_received) filter (where status = 'completed'), 0)::bigint as taken
        from mpesa_transactions where bar_id = $1 and environment = $2 and created_at >= $3 and created_at < $4
        group by 1 order by 1
        """,
        bar_id, environment, since, until,
    )  # fmt: skip
    return [HourRow(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from the push to the money, half and nineteen of twenty; from the prompt to Safaricom's word."""

    paid_half: float | None
    paid_most: float | None
    callback_most: float | None


async def delays(db: Connection, bar_id: UUID, environment: str, since: datetime, until: datetime) -> Delays:
    """How long payments took that began between two moments; None where there were none."""
    row = await db.fetchrow(
        """
        with took as (
            select case when p.status = 'completed'
                        then extract(epoch from p.settled_at - p.push_started_at) end as paid,
                   extract(epoch from c.first - coalesce(p.sent_at, p.push_started_at)) as callback
            from mpesa_transactions p
            left join lateral (select min(received_at) as first from mpesa_callbacks
                               where transaction_id = p.id and channel = 'stk') c on true
            where p.bar_id = $1 and p.environment = $2 and p.created_at >= $3 and p.created_at < $4
        )
        select percentile_cont(0.5) within group (order by paid)::float8 as paid_half,
               percentile_cont(0.95) within group (order by paid)::float8 as paid_most,
               percentile_cont(0.95) within group (order by greatest(callback, 0))
                   filter (where callback is not null)::float8 as callback_most
        from took
        """,
        bar_id, environment, since, until,
    )  # fmt: skip
    return Delays(**dict(row or {}))


@dataclass(frozen=True, slots=True)
class EndRow:
    """Payments that ended alike without money."""

    status: str
    failure_reason: str | None
    result_code: str | None
    result_desc: str | None
    count: int


async def ends(db: Connection, bar_id: UUID, environment: str, since: datetime, until: datetime) -> list[EndRow]:
    """Ends without money, the most frequent first."""
    rows = await db.fetch(
        """
        select status::text as status, failure_reason, result_code, result_desc, count(*)::int as count
        from mpesa_transactions
        where bar_id = $1 and environment = $2 and created_at >= $3 and created_at < $4
          and status in ('failed', 'cancelled')
        group by 1, 2, 3, 4 order by count(*) desc limit 200
        """,
        bar_id, environment, since, until,
    )  # fmt: skip
    return [EndRow(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class ReachRow:
    """Calls of one kind to Daraja: how many had an answer, how long most took in milliseconds, and the last of each."""

    kind: str
    asked: int
    answered: int
    most_ms: float
    last_answered: datetime | None
    last_unanswered: datetime | None


async def reach(db: Connection, bar_id: UUID, since: datetime) -> list[ReachRow]:
    """How Daraja answered a bar's calls since a moment. An answer of 500 and above is none."""
    rows = await db.fetch(
        """
        select kind, count(*)::int as asked, count(*) filter (where http_status < 500)::int as answered,
               percentile_cont(0.95) within group (order by duration_ms)::float8 as most_ms,
               max(at) filter (where http_status < 500) as last_answered,
               max(at) filter (where http_status is null or http_status >= 500) as last_unanswered
        from daraja_exchanges where bar_id = $1 and at >= $2 group by kind order by kind
        """,
        bar_id, since,
    )  # fmt: skip
    return [ReachRow(**row) for row in rows]

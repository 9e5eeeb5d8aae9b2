"""A bar's payments counted by business day: kept for days that are over, read from the payments for the rest.

A reader takes one statement, so that it sees the kept days and what they leave out as of one moment: days after the
mark, and days of which something changed since they were counted. Where the mark stands is asked before and told to
that statement, which says whether it stands there still: a beginning that PostgreSQL must first look up could be
any, and among ten million payments it would rather read them all.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kaunta.core.db import Connection

#: What is counted, of payments `p`.
COUNTS = """
    count(*) filter (where p.status = 'pending') as pending, count(*) filter (where p.status = 'sent') as sent,
    count(*) filter (where p.status = 'completed') as completed, count(*) filter (where p.status = 'failed') as failed,
    count(*) filter (where p.status = 'cancelled') as cancelled,
    count(*) filter (where p.status = 'timeout') as timeout,
    coalesce(sum(p.amount_received), 0)::bigint as received,
    coalesce(sum((select -sum(l.amount) from tab_payments l where l.transaction_id = p.id and l.kind = 'refund')),
             0)::bigint as refunded
"""


@dataclass(frozen=True, slots=True)
class Days:
    """Payments by status, and the shillings that the completed ones brought and that were given back of them."""

    pending: int
    sent: int
    completed: int
    failed: int
    cancelled: int
    timeout: int
    received: int
    refunded: int


async def kept_through(db: Connection) -> date | None:
    """The last day that is kept; None where nothing is yet."""
    through: date | None = await db.fetchval("select through from payment_days_mark")
    return through


async def count_days(
    db: Connection, bar_id: UUID, first: date | None, last: date | None, environment: str | None, through: date | None
) -> Days | None:
    """All payments of a bar on these days, both included; None: since ever, until now, of either environment.

    None where days are no longer kept `through` that day: ask again.
    """
    row = await db.fetchrow(
        f"""
        with stale as (
            select distinct s.day from payment_days_stale s join payment_days_mark m on s.day <= m.through
            where s.bar_id = $1 and ($2::date is null or s.day >= $2) and ($3::date is null or s.day <= $3)
        ), counted as (
            select d.pending, d.sent, d.completed, d.failed, d.cancelled, d.timeout, d.received, d.refunded
            from payment_days d join payment_days_mark m on d.day <= m.through
            where d.bar_id = $1 and ($2::date is null or d.day >= $2) and ($3::date is null or d.day <= $3)
              and ($4::text is null or d.environment = $4) and d.day not in (select day from stale)
            union all
            select {COUNTS} from stale s join mpesa_transactions p
                on p.created_at >= kaunta_day_begins(s.day) and p.created_at < kaunta_day_begins(s.day + 1)
            where p.bar_id = $1 and ($4::text is null or p.environment = $4)
            union all
            select {COUNTS} from mpesa_transactions p
            where p.bar_id = $1 and ($4::text is null or p.environment = $4)
              and p.created_at >= coalesce(kaunta_day_begins($5::date + 1), '-infinity')
              and ($2::date is null or p.created_at >= kaunta_day_begins($2))
              and ($3::date is null or p.created_at < kaunta_day_begins($3 + 1))
        )
        select sum(pending)::int as pending, sum(sent)::int as sent, sum(completed)::int as completed,
               sum(failed)::int as failed, sum(cancelled)::int as cancelled, sum(timeout)::int as timeout,
               sum(received)::bigint as received, sum(refunded)::bigint as refunded
        from counted
        having (select through from payment_days_mark) is not distinct from $5::date
        """,
        bar_id, first, last, environment, through,
    )  # fmt: skip
    return Days(**row) if row else None


# --- the worker's part ---


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to which day everything is kept (None: nothing yet), and the last day that may be: it has been over for
    longer than a change must be late to be told of (migrations/sql/0002/84_plans.sql)."""

    through: date | None
    over: date


async def take_mark(db: Connection) -> Mark | None:
    """The mark, held: one at a time counts. None where somebody else does."""
    row = await db.fetchrow(
        """
        select through, kaunta_business_day(now() - interval '49 hours') - 1 as over
        from payment_days_mark for update skip locked
        """
    )
    return Mark(**row) if row else None


async def first_day(db: Connection) -> date | None:
    """The day of the very first payment; asked once in a house's life."""
    day: date | None = await db.fetchval(
        """
        select kaunta_business_day(min(f.created_at)) from bars b cross join lateral (
            select p.created_at from mpesa_transactions p where p.bar_id = b.id order by p.created_at limit 1) f
        """
    )
    return day


async def keep(db: Connection, first: date, last: date) -> None:
    """Count these days of every bar, both included, and move the mark."""
    await db.execute(
        f"""
        insert into payment_days (bar_id, day, environment, pending, sent, completed, failed, cancelled, timeout,
                                  received, refunded)
        select p.bar_id, kaunta_business_day(p.created_at), p.environment, {COUNTS} from mpesa_transactions p
        where p.created_at >= kaunta_day_begins($1::date) and p.created_at < kaunta_day_begins($2::date + 1)
        group by 1, 2, 3
        """,
        first, last,
    )  # fmt: skip
    await db.execute("update payment_days_mark set through = $1", last)


async def take_stale(db: Connection, limit: int) -> list[tuple[UUID, date]]:
    """Bars' days to be counted anew; word of them is taken away."""
    rows = await db.fetch(
        """
        with days as (select bar_id, day from payment_days_stale group by bar_id, day order by bar_id, day limit $1),
        gone as (delete from payment_days_stale s using days d where s.bar_id = d.bar_id and s.day = d.day)
        select bar_id, day from days
        """,
        limit,
    )
    return [(row["bar_id"], row["day"]) for row in rows]


async def keep_anew(db: Connection, days: list[tuple[UUID, date]]) -> None:
    """Count these days again."""
    bars, dates = [bar_id for bar_id, _ in days], [day for _, day in days]
    await db.execute(
        """
        delete from payment_days d using unnest($1::uuid[], $2::date[]) s (bar_id, day)
        where d.bar_id = s.bar_id and d.day = s.day
        """,
        bars, dates,
    )  # fmt: skip
    await db.execute(
        f"""
        insert into payment_days (bar_id, day, environment, pending, sent, completed, failed, cancelled, timeout,
                                  received, refunded)
        select s.bar_id, s.day, p.environment, {COUNTS}
        from unnest($1::uuid[], $2::date[]) s (bar_id, day) join mpesa_transactions p on p.bar_id = s.bar_id
            and p.created_at >= kaunta_day_begins(s.day) and p.created_at < kaunta_day_begins(s.day + 1)
        group by s.bar_id, s.day, p.environment
        """,
        bars, dates,
    )  # fmt: skip

"""A day's figures and the rows between them. `$3` to `$4` is the day: from six to six, its end not included."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Day:
    """One bar's business day, M-Pesa in one environment."""

    bar_id: UUID
    environment: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Booked:
    """What the ledger says of a day by kind and method; shillings. `environment` None: no M-Pesa."""

    kind: str
    method: str | None
    environment: str | None
    count: int
    amount: int


async def booked(db: Connection, day: Day) -> list[Booked]:
    """The day's rows of the ledger."""
    rows = await db.fetch(
        """
        select kind, method, environment, count(*)::int as count, sum(amount)::bigint as amount from tab_payments
        where bar_id = $1 and created_at >= $2 and created_at < $3
        group by kind, method, environment
        """,
        day.bar_id, day.since, day.until,
    )  # fmt: skip
    return [Booked(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Channel:
    """What Safaricom proved, by the way we first heard of it."""

    channel: str
    count: int
    amount: int


async def received(db: Connection, day: Day) -> list[Channel]:
    """Receipts of money that M-Pesa took on the day."""
    rows = await db.fetch(
        """
        select first_channel as channel, count(*)::int as count, sum(amount)::bigint as amount from mpesa_receipts
        where bar_id = $1 and environment = $2
          and coalesce(transacted_at, created_at) >= $3 and coalesce(transacted_at, created_at) < $4
        group by first_channel
        """,
        day.bar_id, day.environment, day.since, day.until,
    )  # fmt: skip
    return [Channel(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Difference:
    """One named row between two figures. `cents`: what it adds to the second. The ids lead to its page."""

    reason: str
    cents: int
    at: datetime
    receipt: str | None
    receipt_id: UUID | None
    tab_id: UUID | None
    tab_number: int | None
    reference: str | None
    note: str | None


#: The receipts of the day (r), and the M-Pesa rows of the day's ledger (p).
DAYS = """
    with r as (
        select id, receipt, amount, ledger_id, set_aside_at, set_aside_reason, transaction_id,
               coalesce(transacted_at, created_at) as at
        from mpesa_receipts
        where bar_id = $1 and environment = $2
          and coalesce(transacted_at, created_at) >= $3 and coalesce(transacted_at, created_at) < $4
    ), p as (
        select id, kind, amount, receipt, transaction_id, tab_id, reason, created_at as at
        from tab_payments
        where bar_id = $1 and environment = $2 and method = 'mpesa' and kind in ('payment', 'correction', 'reversal')
          and created_at >= $3 and created_at < $4
    )
"""


async def between_money_and_tabs(db: Connection, day: Day) -> list[Difference]:
    """What lies between the money M-Pesa took on the day and what it was credited for on tabs, row by row."""
    rows = await db.fetch(
        f"""
        {DAYS}, differences as (
            select case when r.set_aside_at is not null then 'aside'
                        when (select coalesce(sum(f.amount), 0) from mpesa_refunds f
                              where f.receipt_id = r.id and f.state = 'refunded') >= r.amount then 'given_back'
                        else 'unmatched' end as reason,
                   -r.amount as amount, r.at, r.receipt, r.id as receipt_id, null::uuid as tab_id, r.transaction_id,
                   r.set_aside_reason as note
            from r where r.ledger_id is null
            union all
            select 'booked_another_day', -r.amount, r.at, r.receipt, r.id, l.tab_id, r.transaction_id, null
            from r join tab_payments l on l.id = r.ledger_id where not exists (select from p where p.id = r.ledger_id)
            union all
            select 'paid_another_day', p.amount, p.at, o.receipt, o.id, p.tab_id, p.transaction_id, null
            from p join mpesa_receipts o on o.ledger_id = p.id where not exists (select from r where r.id = o.id)
            union all
            select 'another_amount', p.amount - r.amount, p.at, r.receipt, r.id, p.tab_id, p.transaction_id, null
            from p join r on r.ledger_id = p.id where p.amount <> r.amount
            union all
            select 'no_code', p.amount, p.at, p.receipt, null, p.tab_id, p.transaction_id, null
            from p where p.kind = 'payment' and not exists (select from mpesa_receipts o where o.ledger_id = p.id)
            union all
            select p.kind, p.amount, p.at, p.receipt, null, p.tab_id, p.transaction_id, p.reason
            from p where p.kind <> 'payment'
        )
        select d.reason, d.amount * 100::bigint as cents, d.at, d.receipt, d.receipt_id, d.tab_id, t.tab_number,
               x.reference, d.note
        from differences d left join tabs t on t.id = d.tab_id left join mpesa_transactions x on x.id = d.transaction_id
        order by d.at, d.receipt
        """,
        day.bar_id, day.environment, day.since, day.until,
    )  # fmt: skip
    return [Difference(**row) for row in rows]


async def between_money_and_statement(db: Connection, day: Day) -> list[Difference]:
    """What lies between the receipts of the day and the payments its statements show, row by row."""
    rows = await db.fetch(
        f"""
        {DAYS}, s as (
            select l.id, l.receipt, l.cents, l.at, l.placed_as from statement_lines l
            where l.bar_id = $1 and l.environment = $2 and l.kind = 'payment' and l.at >= $3 and l.at < $4
        ), differences as (
            select 'not_on_statement' as reason, -r.amount * 100::bigint as cents, r.at, r.receipt, r.id as receipt_id,
                   r.ledger_id, r.transaction_id, null as note
            from r where not exists (select from statement_lines l where l.bar_id = $1 and l.environment = $2
                                     and l.kind = 'payment' and l.receipt = r.receipt)
            union all
            select 'statement_another_day', -r.amount * 100::bigint, r.at, r.receipt, r.id, r.ledger_id,
                   r.transaction_id, null
            from r join statement_lines l on l.bar_id = $1 and l.environment = $2 and l.kind = 'payment'
                                          and l.receipt = r.receipt
            where not exists (select from s where s.id = l.id)
            union all
            select case when o.id is null then coalesce(s.placed_as, 'waiting')
                        when o.bar_id <> $1 then 'elsewhere' else 'received_another_day' end,
                   s.cents, s.at, s.receipt, o.id, o.ledger_id, o.transaction_id, null
            from s left join mpesa_receipts o on o.environment = $2 and o.receipt = s.receipt
            where not exists (select from r where r.receipt = s.receipt)
            union all
            select 'another_amount_there', s.cents - r.amount * 100::bigint, s.at, s.receipt, r.id, r.ledger_id,
                   r.transaction_id, null
            from s join r on r.receipt = s.receipt where s.cents <> r.amount * 100::bigint
        )
        select d.reason, d.cents, d.at, d.receipt, d.receipt_id, p.tab_id, t.tab_number, x.reference, d.note
        from differences d
        left join tab_payments p on p.id = d.ledger_id and p.bar_id = $1
        left join tabs t on t.id = p.tab_id
        left join mpesa_transactions x on x.id = d.transaction_id and x.bar_id = $1
        order by d.at, d.receipt
        """,
        day.bar_id, day.environment, day.since, day.until,
    )  # fmt: skip
    return [Difference(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Stated:
    """What the statements of a day show by kind; what went out is below zero."""

    kind: str
    count: int
    cents: int


async def stated(db: Connection, day: Day) -> list[Stated]:
    """The day's lines on statements."""
    rows = await db.fetch(
        """
        select kind, count(*)::int as count,
               sum(case direction when 'in' then cents else -cents end)::bigint as cents
        from statement_lines
        where bar_id = $1 and environment = $2 and at >= $3 and at < $4 group by kind
        """,
        day.bar_id, day.environment, day.since, day.until,
    )  # fmt: skip
    return [Stated(**row) for row in rows]


async def covered(db: Connection, day: Day) -> list[tuple[datetime, datetime]]:
    """Which stretches the imported statements cover that touch the day, in order."""
    rows = await db.fetch(
        """
        select since, until from statement_imports
        where bar_id = $1 and environment = $2 and state = 'imported' and until >= $3 and since < $4 order by since
        """,
        day.bar_id, day.environment, day.since, day.until,
    )  # fmt: skip
    return [(row["since"], row["until"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Given:
    """A refund of the day, or one that has no end yet."""

    id: UUID
    amount: int
    method: str
    state: str
    receipt: str | None
    code: str | None
    at: datetime
    tab_number: int | None


async def given_back(db: Connection, day: Day) -> list[Given]:
    """Refunds that came to an end on the day with the money gone, and those asked for until its end that are open."""
    rows = await db.fetch(
        """
        select f.id, f.amount, f.method, f.state::text as state, r.receipt, f.code,
               coalesce(f.settled_at, f.created_at) as at, t.tab_number
        from mpesa_refunds f left join mpesa_receipts r on r.id = f.receipt_id
        left join tab_payments p on p.id = coalesce(f.credit_id, r.ledger_id)
        left join tabs t on t.id = p.tab_id
        where f.bar_id = $1 and f.environment = $2
          and (f.state = 'refunded' and f.settled_at >= $3 and f.settled_at < $4
               or f.settled_at is null and f.created_at < $4)
        order by at, f.id
        """,
        day.bar_id, day.environment, day.since, day.until,
    )  # fmt: skip
    return [Given(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class TabDay:
    """A tab that was open or touched on the day: what it owed when the day began and when it ended; shillings."""

    tab_id: UUID
    number: int
    table_label: str | None
    closed: bool
    ordered: int
    credited: int
    opening: int
    closing: int


async def tabs(db: Connection, day: Day) -> list[TabDay]:
    """The day's tabs by their numbers."""
    rows = await db.fetch(
        """
        with touched as (
            select id from tabs where bar_id = $1 and opened_at < $3 and closed_at is null
            union select id from tabs where bar_id = $1 and status = 'closed' and opened_at < $3 and closed_at >= $2
            union select tab_id from tab_orders
                  where bar_id = $1 and status = 'confirmed' and confirmed_at >= $2 and confirmed_at < $3
            union select tab_id from tab_payments where bar_id = $1 and created_at >= $2 and created_at < $3
        )
        select t.id as tab_id, t.tab_number as number, c.label as table_label,
               coalesce(t.closed_at < $3, false) as closed, o.today as ordered, p.today as credited,
               o.before - p.before as opening, o.before + o.today - p.before - p.today as closing
        from touched join tabs t using (id) left join table_codes c on c.id = t.table_code_id
        cross join lateral (
            select coalesce(sum(total) filter (where confirmed_at < $2), 0)::int as before,
                   coalesce(sum(total) filter (where confirmed_at >= $2 and confirmed_at < $3), 0)::int as today
            from tab_orders where tab_id = t.id and status = 'confirmed') o
        cross join lateral (
            select coalesce(sum(amount) filter (where created_at < $2), 0)::int as before,
                   coalesce(sum(amount) filter (where created_at >= $2 and created_at < $3), 0)::int as today
            from tab_payments where tab_id = t.id) p
        order by t.tab_number
        """,
        day.bar_id, day.since, day.until,
    )  # fmt: skip
    return [TabDay(**row) for row in rows]

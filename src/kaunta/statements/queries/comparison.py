"""Safaricom's list beside our books, for what an import covers: which payments match, and who alone has the rest."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.statements.queries.imports import LONG_SECONDS, Import

#: Our moment of a payment and the statement's differ by a second or two (daraja.md §1): at the very edges of what a
#: statement covers it is not said of a receipt that it is missing.
EDGE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one shortcode's time."""

    bar_id: UUID
    environment: str
    shortcode: str
    since: datetime
    until: datetime


def window_of(found: Import) -> Window:
    """What an import covers. Raises ValueError where it has no row and names no period."""
    if found.since is None or found.until is None:
        raise ValueError("an empty statement covers nothing")
    return Window(found.bar_id, found.environment, found.shortcode, found.since, found.until)


#: A payment line's place beside our books; the sentence of each is in result.py.
PAYMENTS = """
    select l.id, l.receipt, l.cents, l.at, l.placed_as, l.look_at is not null as waiting, r.id as receipt_id,
           r.amount, t.tab_number, x.reference,
           case when l.placed_as in ('before', 'elsewhere') then l.placed_as
                when r.bar_id <> l.bar_id then 'elsewhere'
                when r.id is null then 'theirs_only'
                when r.amount * 100::bigint <> l.cents then 'differs'
                when r.ledger_id is not null then 'matched'
                when r.set_aside_at is not null then 'aside'
                when (select coalesce(sum(f.amount), 0) from mpesa_refunds f
                      where f.receipt_id = r.id and f.state = 'refunded') >= r.amount then 'given_back'
                else 'theirs_only' end as bucket
    from statement_lines l
    left join mpesa_receipts r on r.environment = l.environment and r.receipt = l.receipt
    left join tab_payments p on p.id = r.ledger_id and p.bar_id = l.bar_id
    left join tabs t on t.id = p.tab_id
    left join mpesa_transactions x on x.id = r.transaction_id and x.bar_id = l.bar_id
    where l.bar_id = $1 and l.environment = $2 and l.shortcode = $3 and l.at between $4 and $5 and l.kind = 'payment'
"""


@dataclass(frozen=True, slots=True)
class Sum:
    """How many lines of a bucket there are, and what they come to."""

    bucket: str
    count: int
    cents: int


async def payment_sums(db: Connection, w: Window) -> list[Sum]:
    """The payments of a window by bucket."""
    rows = await db.fetch(
        f"select bucket, count(*)::int as count, sum(cents)::bigint as cents from ({PAYMENTS}) s group by bucket",
        w.bar_id, w.environment, w.shortcode, w.since, w.until, timeout=LONG_SECONDS,
    )  # fmt: skip
    return [Sum(**row) for row in rows]


async def other_sums(db: Connection, w: Window) -> list[Sum]:
    """The lines that are no payments, by kind; what went out is below zero."""
    rows = await db.fetch(
        """
        select kind as bucket, count(*)::int as count,
               sum(case direction when 'in' then cents else -cents end)::bigint as cents
        from statement_lines
        where bar_id = $1 and environment = $2 and shortcode = $3 and at between $4 and $5 and kind <> 'payment'
        group by kind
        """,
        w.bar_id, w.environment, w.shortcode, w.since, w.until, timeout=LONG_SECONDS,
    )  # fmt: skip
    return [Sum(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A payment on a statement, and what we know of it. `amount`: ours, shillings."""

    id: int
    receipt: str
    cents: int
    at: datetime
    placed_as: str | None
    waiting: bool
    receipt_id: UUID | None
    amount: int | None
    tab_number: int | None
    reference: str | None
    bucket: str


async def payments(db: Connection, w: Window, buckets: list[str], after: int, limit: int) -> list[PaymentLine]:
    """The payments of a window in these buckets behind a place in the list, as they were imported."""
    rows = await db.fetch(
        f"select * from ({PAYMENTS} and l.id > $7) s where bucket = any($6) order by id limit $8",
        w.bar_id, w.environment, w.shortcode, w.since, w.until, buckets, after, limit, timeout=LONG_SECONDS,
    )  # fmt: skip
    return [PaymentLine(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class OtherLine:
    """A line that is no payment; `cents` below zero went out. `receipt_id`: the payment a reversal takes back, where
    we have it; `tab_number`: the tab it was credited to."""

    id: int
    receipt: str
    kind: str
    label: str
    cents: int
    at: datetime
    linked: str | None
    placed_as: str | None
    waiting: bool
    receipt_id: UUID | None
    tab_number: int | None
    reference: str | None


async def others(db: Connection, w: Window, kinds: list[str], after: int, limit: int) -> list[OtherLine]:
    """The lines of a window that are of these kinds, behind a place in the list."""
    rows = await db.fetch(
        """
        select l.id, l.receipt, l.kind, l.label, case l.direction when 'in' then l.cents else -l.cents end as cents,
               l.at, l.linked, l.placed_as, l.look_at is not null as waiting, r.id as receipt_id, t.tab_number,
               x.reference
        from statement_lines l
        left join mpesa_receipts r on r.environment = l.environment and r.receipt = l.linked and r.bar_id = l.bar_id
        left join tab_payments p on p.id = r.ledger_id
        left join tabs t on t.id = p.tab_id
        left join mpesa_transactions x on x.id = r.transaction_id
        where l.bar_id = $1 and l.environment = $2 and l.shortcode = $3 and l.at between $4 and $5
          and l.kind = any($6) and l.id > $7
        order by l.id limit $8
        """,
        w.bar_id, w.environment, w.shortcode, w.since, w.until, kinds, after, limit, timeout=LONG_SECONDS,
    )  # fmt: skip
    return [OtherLine(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class OursOnly:
    """Money we have booked or were told of, and the statement of its time does not show. `failed`: it shows it as
    failed. Without a receipt: a credit that rests on two agreeing words of Safaricom's."""

    receipt_id: UUID | None
    receipt: str | None
    amount: int
    at: datetime
    tab_number: int | None
    reference: str | None
    failed: bool


async def ours_only(db: Connection, w: Window, limit: int) -> list[OursOnly]:
    """What is ours alone, oldest first; not what was taken back again for a wrong code."""
    rows = await db.fetch(
        """
        select o.receipt_id, o.receipt, o.amount, o.at, t.tab_number, x.reference,
               exists (select from statement_lines f where f.environment = $2 and f.bar_id = $1
                       and f.receipt = o.receipt and f.kind = 'failed') as failed
        from (
            select r.id as receipt_id, r.receipt, r.amount, coalesce(r.transacted_at, r.created_at) as at,
                   p.tab_id, r.transaction_id
            from mpesa_receipts r left join tab_payments p on p.id = r.ledger_id
            where r.bar_id = $1 and r.environment = $2 and r.business_shortcode = $3
              and r.created_at >= $4::timestamptz - interval '1 day'
              and not exists (select from statement_lines l where l.bar_id = r.bar_id
                              and l.environment = r.environment and l.receipt = r.receipt and l.kind = 'payment')
            union all
            select null, null, p.amount, p.created_at, p.tab_id, p.transaction_id
            from tab_payments p join mpesa_transactions x on x.id = p.transaction_id
            where p.bar_id = $1 and p.environment = $2 and x.business_shortcode = $3
              and p.kind = 'payment' and p.receipt is null and p.created_at >= $4
              and not exists (select from mpesa_receipts r where r.ledger_id = p.id)
              and not exists (select from tab_payments c where c.corrects = p.id and c.kind = 'reversal')
        ) o
        left join tabs t on t.id = o.tab_id
        left join mpesa_transactions x on x.id = o.transaction_id
        where o.at between $4 and $5 order by o.at, o.receipt limit $6
        """,
        w.bar_id, w.environment, w.shortcode, w.since + EDGE, w.until - EDGE, limit, timeout=LONG_SECONDS,
    )  # fmt: skip
    return [OursOnly(**row) for row in rows]


async def close_found(db: Connection, bar_id: UUID, environment: str, at: datetime) -> None:
    """Receipts that were missing on a statement and are on another."""
    await db.execute(
        """
        update problems q set closed_at = $3, closed_by = 'kaunta', close_reason = 'it is on a statement now'
        from mpesa_receipts r join statement_lines l
            on l.bar_id = r.bar_id and l.environment = r.environment and l.receipt = r.receipt and l.kind = 'payment'
        where q.kind = 'not_on_statement' and q.closed_at is null and q.subject = r.id::text
          and q.bar_id = $1 and r.bar_id = $1 and r.environment = $2
        """,
        bar_id, environment, at,
    )  # fmt: skip

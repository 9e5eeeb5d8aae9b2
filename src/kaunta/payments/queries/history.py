"""A bar's payments by what one looks for. Every wish may be absent (null); what is left narrows the list."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.payments.queries.reading import PAYMENT, PaymentRow

#: How far a filtered set is counted; beyond it people read "10,000+".
COUNTED = 10_000

#: $1 is the bar, $2 to $11 the wishes in the order of `Wanted`.
MATCHES = """
    p.bar_id = $1
    and ($2::uuid[] is null or p.id = any($2))
    and ($3::text[] is null or p.status::text = any($3))
    and ($4::timestamptz is null or p.created_at >= $4)
    and ($5::timestamptz is null or p.created_at < $5)
    and ($6::int is null or coalesce(p.amount_received, p.amount) >= $6)
    and ($7::int is null or coalesce(p.amount_received, p.amount) <= $7)
    and ($8::text is null or p.environment = $8)
    and ($9::bool is null or (p.irregularities <> '{}') = $9)
    and ($10::text[] is null or coalesce(p.result_code, p.failure_reason) = any($10))
    and ($11::text is null or exists (
        select from payment_events e
        where e.transaction_id = p.id and e.to_status = 'completed' and e.from_status is distinct from e.to_status
          and split_part(e.actor, ':', 1) = $11))
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; None: anything. `until` is not included. `actors`: the part before an actor's colon."""

    ids: list[UUID] | None = None
    statuses: list[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    least: int | None = None
    most: int | None = None
    environment: str | None = None
    irregular: bool | None = None
    codes: list[str] | None = None
    confirmed_by: str | None = None


async def history_page(
    db: Connection, bar_id: UUID, wanted: Wanted, before_at: datetime, before_id: UUID, limit: int
) -> list[PaymentRow]:
    """Those before a place in the list, newest first."""
    rows = await db.fetch(
        f"""
        {PAYMENT} where {MATCHES} and (p.created_at, p.id) < ($12, $13)
        order by p.created_at desc, p.id desc limit $14
        """,
        bar_id, wanted.ids, wanted.statuses, wanted.since, wanted.until, wanted.least, wanted.most,
        wanted.environment, wanted.irregular, wanted.codes, wanted.confirmed_by, before_at, before_id, limit,
    )  # fmt: skip
    return [PaymentRow(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Totals:
    """The filtered set, counted as far as COUNTED: payments, those paid, the shillings these brought, and the
    shillings given back of them."""

    payments: int
    paid: int
    received: int
    refunded: int

    @property
    def complete(self) -> bool:
        return self.payments <= COUNTED


async def history_totals(db: Connection, bar_id: UUID, wanted: Wanted) -> Totals:
    """Sums of the newest COUNTED payments of the set; one more is counted where there are more."""
    row = await db.fetchrow(
        f"""
        select count(*)::int as payments, count(*) filter (where f.place <= $12 and f.paid)::int as paid,
               coalesce(sum(f.received) filter (where f.place <= $12), 0)::bigint as received,
               coalesce(sum(f.refunded) filter (where f.place <= $12), 0)::bigint as refunded
        from (
            select row_number() over (order by p.created_at desc, p.id desc) as place,
                   p.status = 'completed' as paid, coalesce(p.amount_received, 0) as received,
                   (select coalesce(-sum(l.amount), 0) from tab_payments l
                    where l.transaction_id = p.id and l.kind = 'refund') as refunded
            from mpesa_transactions p where {MATCHES}
            order by p.created_at desc, p.id desc limit $12 + 1
        ) f
        """,
        bar_id, wanted.ids, wanted.statuses, wanted.since, wanted.until, wanted.least, wanted.most,
        wanted.environment, wanted.irregular, wanted.codes, wanted.confirmed_by, COUNTED,
    )  # fmt: skip
    return Totals(**dict(row or {}))


async def ids_named(
    db: Connection, bar_id: UUID, text: str, checkout_hash: bytes, phone_hash: bytes | None
) -> list[UUID]:
    """The bar's payments that a word names: reference, M-Pesa code, CheckoutRequestID, whole phone number, tab number
    or table; the newest thousand."""
    rows = await db.fetch(
        """
        (select id, created_at from mpesa_transactions where bar_id = $1 and reference = upper($2))
        union
        (select p.id, p.created_at from mpesa_receipts r join mpesa_transactions p on p.id = r.transaction_id
         where r.receipt = upper($2) and p.bar_id = $1)
        union
        (select id, created_at from mpesa_transactions where checkout_request_id_hash = $3 and bar_id = $1)
        union
        (select id, created_at from mpesa_transactions where phone_hash = $4 and bar_id = $1
         order by created_at desc limit 1000)
        union
        (select p.id, p.created_at from tabs t join mpesa_transactions p on p.tab_id = t.id
         where t.bar_id = $1 and t.tab_number::text = $2 order by p.created_at desc limit 1000)
        union
        (select p.id, p.created_at from table_codes c join tabs t on t.table_code_id = c.id
         join mpesa_transactions p on p.tab_id = t.id
         where c.bar_id = $1 and lower(c.label) = lower($2) order by p.created_at desc limit 1000)
        order by created_at desc limit 1000
        """,
        bar_id, text, checkout_hash, phone_hash,
    )  # fmt: skip
    return [row["id"] for row in rows]

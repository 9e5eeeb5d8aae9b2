"""A bar's payments by what one looks for. Every wish may be absent (null); what is left narrows the list."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.payments.queries.reading import PAYMENT, PaymentRow

#: How far a filtered set is counted; beyond it people read "10,000+".
COUNTED = 10_000

#: How a payment became paid, by the one event that made it so: a callback, our question, a receipt that Safaricom told
#: of on another way, or somebody's word.
CONFIRMED = """
    select case when e.actor = 'query' then 'query'
                when exists (select from mpesa_receipts r where r.transaction_id = p.id and r.first_channel <> 'stk')
                    then 'match'
                when e.actor = 'safaricom' then 'callback'
                else split_part(e.actor, ':', 1) end
    from payment_events e
    where e.transaction_id = p.id and e.to_status = 'completed' and e.from_status is distinct from e.to_status
"""

#: $1 is the bar, $2 to $13 the wishes in the order of `Wanted`.
MATCHES = f"""
    p.bar_id = $1
    and ($2::uuid[] is null or p.id = any($2))
    and ($3::transaction_status[] is null or p.status = ($3::transaction_status[])[1]
         or (cardinality($3::transaction_status[]) > 1 and p.status = any($3::transaction_status[])))
    and ($4::timestamptz is null or p.created_at >= $4)
    and ($5::timestamptz is null or p.created_at < $5)
    and ($6::int is null or coalesce(p.amount_received, p.amount) >= $6)
    and ($7::int is null or coalesce(p.amount_received, p.amount) <= $7)
    and ($8::text is null or p.environment = $8)
    and ($9::bool is null or (cardinality(p.irregularities) > 0) = $9)
    and ($10::text[] is null or coalesce(p.result_code, p.failure_reason) = any($10))
    and ($11::text is null or $11 in ({CONFIRMED}))
    and ($12::text is null or p.started_by = $12 or exists (
        select from payment_events e where e.transaction_id = p.id and e.actor = $12))
    and ($13::text is null
         or ($13 = 'several' and exists (
             select from mpesa_transactions a
             where a.tab_id = p.tab_id and a.phone_hash = p.phone_hash and a.id <> p.id))
         or ($13 = 'last' and (p.status = 'completed' or not exists (
             select from mpesa_transactions a where a.retry_of = p.id))))
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; None: anything. `until` is not included. `staff`: the actor who started it or did something
    about it. `tries`: `several` finds the payers who were asked more than once for a tab, `last` leaves out what was
    tried again and brought nothing."""

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
    staff: str | None = None
    tries: str | None = None


async def history_page(
    db: Connection, bar_id: UUID, wanted: Wanted, before_at: datetime, before_id: UUID, limit: int
) -> list[PaymentRow]:
    """Those before a place in the list, newest first."""
    rows = await db.fetch(
        f"""
        {PAYMENT} where {MATCHES} and (p.created_at, p.id) < ($14, $15)
        order by p.created_at desc, p.id desc limit $16
        """,
        bar_id, wanted.ids, wanted.statuses, wanted.since, wanted.until, wanted.least, wanted.most,
        wanted.environment, wanted.irregular, wanted.codes, wanted.confirmed_by, wanted.staff, wanted.tries, before_at,
        before_id, limit,
    )  # fmt: skip
    return [PaymentRow(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Totals:
    """The filtered set, counted as far as COUNTED: payments, those that have ended, those paid, the shillings these
    brought, and the shillings given back of them."""

    payments: int
    ended: int
    paid: int
    received: int
    refunded: int
    #: Added up from the bar's days, which knows no bound.
    exact: bool = False

    @property
    def complete(self) -> bool:
        return self.exact or self.payments <= COUNTED

    @property
    def success(self) -> float | None:
        """Of those that have ended, how many were paid: 0 to 1."""
        return self.paid / self.ended if self.ended else None


async def history_totals(db: Connection, bar_id: UUID, wanted: Wanted) -> Totals:
    """Sums of the newest COUNTED payments of the set; one more is counted where there are more."""
    row = await db.fetchrow(
        f"""
        select count(*)::int as payments, count(*) filter (where f.place <= $14 and f.ended)::int as ended,
               count(*) filter (where f.place <= $14 and f.paid)::int as paid,
               coalesce(sum(f.received) filter (where f.place <= $14), 0)::bigint as received,
               coalesce(sum(f.refunded) filter (where f.place <= $14), 0)::bigint as refunded
        from (
            select row_number() over (order by p.created_at desc, p.id desc) as place,
                   p.settled_at is not null as ended, p.status = 'completed' as paid,
                   coalesce(p.amount_received, 0) as received,
                   (select coalesce(-sum(l.amount), 0) from tab_payments l
                    where l.transaction_id = p.id and l.kind = 'refund') as refunded
            from mpesa_transactions p where {MATCHES}
            order by p.created_at desc, p.id desc limit $14 + 1
        ) f
        """,
        bar_id, wanted.ids, wanted.statuses, wanted.since, wanted.until, wanted.least, wanted.most,
        wanted.environment, wanted.irregular, wanted.codes, wanted.confirmed_by, wanted.staff, wanted.tries, COUNTED,
    )  # fmt: skip
    return Totals(**dict(row or {}))


async def ids_named(
    db: Connection, bar_id: UUID, text: str, checkout_hash: bytes, phone_hash: bytes | None
) -> list[UUID]:
    """The bar's payments that a word names: reference, M-Pesa code, CheckoutRequestID, whole phone number, tab number
    or table (of its newest thousand tabs); the newest thousand.

    Tabs and payments of a table are looked up one by one: as a plain join PostgreSQL would read all payments for them.
    """
    rows = await db.fetch(
        """
        (select id, created_at from mpesa_transactions where bar_id = $1 and reference = upper($2))
        union
        (select p.id, p.created_at from mpesa_receipts r join mpesa_transactions p on p.id = r.transaction_id
         where r.environment in ('sandbox', 'production') and r.receipt = upper($2) and p.bar_id = $1)
        union
        (select id, created_at from mpesa_transactions where checkout_request_id_hash = $3 and bar_id = $1)
        union
        (select id, created_at from mpesa_transactions where phone_hash = $4 and bar_id = $1
         order by created_at desc limit 1000)
        union
        (select p.id, p.created_at from tabs t join mpesa_transactions p on p.tab_id = t.id
         where t.bar_id = $1 and t.tab_number = case when $2 ~ '^[1-9][0-9]{0,8}$' then $2::int end
         order by p.created_at desc limit 1000)
        union
        (select p.id, p.created_at from table_codes c join tabs t on t.table_code_id = c.id
         join mpesa_transactions p on p.tab_id = t.id
         where c.bar_id = $1 and lower(c.label) = lower($2) order by p.created_at desc limit 1000)
        order by created_at desc limit 1000
        """,
        bar_id, text, checkout_hash, phone_hash,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def phones_of_newest(
    db: Connection, bar_id: UUID, since: datetime | None, until: datetime | None, limit: int
) -> list[tuple[UUID, bytes]]:
    """The bar's newest payments between two moments (None: whenever), each with its sealed phone."""
    rows = await db.fetch(
        """
        select id, phone_enc from mpesa_transactions
        where bar_id = $1 and ($2::timestamptz is null or created_at >= $2)
          and ($3::timestamptz is null or created_at < $3)
        order by created_at desc, id desc limit $4
        """,
        bar_id, since, until, limit,
    )  # fmt: skip
    return [(row["id"], row["phone_enc"]) for row in rows]

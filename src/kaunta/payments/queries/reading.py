"""Reading payments for people: one, a tab's, a bar's newest, a page of history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection

#: Lines of one kind that a payment's page reads: a repeated callback or question must not make it heavy.
MOST = 500


@dataclass(frozen=True, slots=True)
class Original:
    """What a retry takes over from the attempt before it."""

    status: str
    tab_ref: str
    amount: int
    phone_enc: bytes


async def original(db: Connection, transaction_id: UUID) -> Original | None:
    """The attempt that is tried again."""
    row = await db.fetchrow(
        """
        select p.status::text as status, t.ref as tab_ref, p.amount, p.phone_enc
        from mpesa_transactions p join tabs t on t.id = p.tab_id where p.id = $1
        """,
        transaction_id,
    )
    return Original(**row) if row else None


#: A payment with its bar's and tab's names and the tab's sums.
PAYMENT = """
    select p.id, p.bar_id, b.name as bar_name, b.slug as bar_slug,
           coalesce(b.mpesa_business_name, b.name) as business_name, p.tab_id, t.ref as tab_ref, t.tab_number,
           t.status as tab_status, c.label as table_label, c.code as table_code,
           (select coalesce(sum(o.total), 0)::int from tab_orders o where o.tab_id = t.id and o.status = 'confirmed')
           - (select coalesce(sum(l.amount), 0)::int from tab_payments l where l.tab_id = t.id) as tab_balance,
           p.reference, p.receipt_ref, p.status::text as status, p.irregularities, p.amount,
           p.amount_received as received, p.phone_enc,
           coalesce(p.receipt, (select r.receipt from mpesa_receipts r join tab_payments l on l.id = r.ledger_id
                                where r.transaction_id = p.id and l.receipt is null limit 1)) as receipt,
           p.transaction_date, p.result_code, p.result_desc,
           p.failure_reason, p.created_at, p.push_started_at, p.sent_at, p.settled_at, p.updated_at, p.environment,
           p.retry_of, p.started_by, n.tried, n.alike, n.fruitless
    from mpesa_transactions p join bars b on b.id = p.bar_id join tabs t on t.id = p.tab_id
    left join table_codes c on c.id = t.table_code_id
    cross join lateral (
        select count(*) filter (where a.created_at <= p.created_at)::int as tried,
               count(*) filter (where a.created_at <= p.created_at and a.status = p.status
                                and a.result_code is not distinct from p.result_code)::int as alike,
               array_agg(a.created_at order by a.created_at desc)
                   filter (where a.status in ('failed', 'cancelled', 'timeout')
                           and a.failure_reason is distinct from 'not_sent') as fruitless
        from mpesa_transactions a where a.tab_id = p.tab_id and a.phone_hash = p.phone_hash) n
"""


@dataclass(frozen=True, slots=True)
class PaymentRow:
    id: UUID
    bar_id: UUID
    bar_name: str
    bar_slug: str
    business_name: str
    tab_id: UUID
    tab_ref: str
    tab_number: int
    tab_status: str
    table_label: str | None
    table_code: str | None
    tab_balance: int
    reference: str
    receipt_ref: str
    status: str
    irregularities: list[str]
    amount: int
    received: int | None
    phone_enc: bytes
    receipt: str | None
    transaction_date: datetime | None
    result_code: str | None
    result_desc: str | None
    failure_reason: str | None
    created_at: datetime
    push_started_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None
    updated_at: datetime
    environment: str
    retry_of: UUID | None
    started_by: str
    #: This payer's attempts at this tab up to this one; those of them that ended as this one did; when all that
    #: came to nothing began, newest first.
    tried: int
    alike: int
    fruitless: list[datetime] | None


async def payment(db: Connection, transaction_id: UUID) -> PaymentRow | None:
    """One payment."""
    row = await db.fetchrow(f"{PAYMENT} where p.id = $1", transaction_id)
    return PaymentRow(**row) if row else None


async def payment_by_receipt_ref(db: Connection, receipt_ref: str) -> PaymentRow | None:
    """The payment a shared receipt shows."""
    row = await db.fetchrow(f"{PAYMENT} where p.receipt_ref = $1", receipt_ref)
    return PaymentRow(**row) if row else None


async def payment_by_reference(db: Connection, bar_id: UUID, reference: str) -> PaymentRow | None:
    """A bar's payment by the reference people say."""
    row = await db.fetchrow(f"{PAYMENT} where p.bar_id = $1 and p.reference = upper($2)", bar_id, reference)
    return PaymentRow(**row) if row else None


async def payments_of_tab(db: Connection, tab_id: UUID) -> list[PaymentRow]:
    """A tab's payments, newest first."""
    rows = await db.fetch(f"{PAYMENT} where p.tab_id = $1 order by p.created_at desc limit 100", tab_id)
    return [PaymentRow(**row) for row in rows]


async def newest_of_bar(
    db: Connection, bar_id: UUID, statuses: list[str], before_at: datetime, before_id: UUID, limit: int
) -> list[PaymentRow]:
    """A bar's payments in these states before a place in the list, newest first."""
    rows = await db.fetch(
        f"""
        {PAYMENT}
        where p.bar_id = $1 and p.status::text = any($2) and (p.created_at, p.id) < ($3, $4)
        order by p.created_at desc, p.id desc limit $5
        """,
        bar_id, statuses, before_at, before_id, limit,
    )  # fmt: skip
    return [PaymentRow(**row) for row in rows]


async def settled_page_of_bar(
    db: Connection, bar_id: UUID, statuses: list[str], before_at: datetime, before_id: UUID, limit: int
) -> list[PaymentRow]:
    """The same for who follows a list by cursors: a payment appears once no transaction is at work that began before
    it was committed, and that could still add an earlier one (rulings 24). Rows of a restored copy have numbers of
    another cluster, beyond those this one has given."""
    rows = await db.fetch(
        f"""
        {PAYMENT}
        where p.bar_id = $1 and p.status::text = any($2) and (p.created_at, p.id) < ($3, $4)
          and not exists (
            select from payment_events e where e.transaction_id = p.id and e.kind = 'created'
              and e.xact >= pg_snapshot_xmin(pg_current_snapshot())
              and e.xact < pg_snapshot_xmax(pg_current_snapshot()))
        order by p.created_at desc, p.id desc limit $5
        """,
        bar_id, statuses, before_at, before_id, limit,
    )  # fmt: skip
    return [PaymentRow(**row) for row in rows]


async def events_of(db: Connection, transaction_id: UUID) -> list[dict[str, Any]]:
    """A payment's history, oldest first; of a very long one the newest."""
    rows = await db.fetch(
        """
        select * from (
            select at, id, kind, from_status::text as from_status, to_status::text as to_status, actor, detail
            from payment_events where transaction_id = $1 order by at desc, id desc limit $2) newest
        order by at, id
        """,
        transaction_id, MOST,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def exchanges_of(db: Connection, transaction_id: UUID) -> list[dict[str, Any]]:
    """What we asked Daraja about a payment, oldest first; of very many questions the newest."""
    rows = await db.fetch(
        """
        select * from (
            select at, id, kind, outcome, http_status, duration_ms, request, response from daraja_exchanges
            where transaction_id = $1 order by at desc, id desc limit $2) newest
        order by at, id
        """,
        transaction_id, MOST,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def audited(db: Connection, transaction_id: UUID) -> list[dict[str, Any]]:
    """What people did about a payment, oldest first; of very much the newest."""
    rows = await db.fetch(
        """
        select * from (
            select at, id, action, actor, reason, detail from audit_events
            where object_kind = 'transaction' and object_id = $1 order by at desc, id desc limit $2) newest
        order by at, id
        """,
        str(transaction_id), MOST,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def count_audited(db: Connection, transaction_id: UUID, action: str) -> int:
    """How often somebody did this about a payment."""
    count: int = await db.fetchval(
        """
        select count(*) from audit_events where object_kind = 'transaction' and object_id = $1 and action = $2
        """,
        str(transaction_id), action,
    )  # fmt: skip
    return count


async def resolve_limit(db: Connection, bar_id: UUID) -> int:
    """Above how many shillings a cashier does not decide alone."""
    limit: int = await db.fetchval("select resolve_limit from bars where id = $1", bar_id)
    return limit

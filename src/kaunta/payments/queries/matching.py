"""The queue of receipts that belong to nobody, and what speaks for whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.payments.queries.sightings import SEEN, SeenReceipt


async def unmatched(db: Connection, bar_id: UUID, limit: int) -> list[SeenReceipt]:
    """A bar's receipts that belong to nobody yet, oldest first; those given back in full do not wait."""
    rows = await db.fetch(
        f"""
        {SEEN} where r.bar_id = $1 and r.ledger_id is null and r.set_aside_at is null
          and r.amount > (select coalesce(sum(f.amount), 0) from mpesa_refunds f
                          where f.receipt_id = r.id and f.state = 'refunded')
        order by r.created_at limit $2
        """,
        bar_id, limit,
    )  # fmt: skip
    return [SeenReceipt(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class ClaimedBy:
    """Somebody typed the receipt's code on a tab."""

    tab_id: UUID
    tab_number: int
    transaction_id: UUID | None
    claimed_by: str
    created_at: datetime


async def claims_naming(db: Connection, bar_id: UUID, receipt: str) -> list[ClaimedBy]:
    """Open claims of a code at a bar, oldest first."""
    rows = await db.fetch(
        """
        select c.tab_id, t.tab_number, c.transaction_id, c.claimed_by, c.created_at
        from receipt_claims c join tabs t on t.id = c.tab_id
        where c.receipt = $2 and c.bar_id = $1 and c.status = 'open' order by c.created_at limit 20
        """,
        bar_id, receipt,
    )  # fmt: skip
    return [ClaimedBy(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class FittingPayment:
    """A payment whose end is unknown, or that has no receipt, of the receipt's amount and time."""

    transaction_id: UUID
    tab_id: UUID
    tab_number: int
    reference: str
    status: str
    started_at: datetime


async def fitting_payments(
    db: Connection, environment: str, shortcode: str, bar_id: UUID, amount: int, at: datetime, apart: timedelta
) -> list[FittingPayment]:
    """Payments of a bar that a receipt may have paid, nearest in time first."""
    rows = await db.fetch(
        """
        select p.id as transaction_id, p.tab_id, t.tab_number, p.reference, p.status::text as status,
               p.push_started_at as started_at
        from mpesa_transactions p join tabs t on t.id = p.tab_id
        where p.bar_id = $3 and p.environment = $1 and p.business_shortcode = $2 and p.amount = $4
          and p.receipt is null and p.status not in ('failed', 'cancelled')
          and p.push_started_at between $5::timestamptz - $6::interval and $5::timestamptz + $6::interval
          and not exists (select from mpesa_receipts r where r.transaction_id = p.id)
        order by greatest(p.push_started_at, $5::timestamptz) - least(p.push_started_at, $5::timestamptz) limit 10
        """,
        environment, shortcode, bar_id, amount, at, apart,
    )  # fmt: skip
    return [FittingPayment(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class FittingTab:
    """An open tab whose balance is exactly the receipt's amount."""

    tab_id: UUID
    tab_number: int
    table_label: str | None
    opened_at: datetime


async def fitting_tabs(db: Connection, bar_id: UUID, amount: int, at: datetime) -> list[FittingTab]:
    """Tabs that owe exactly this and were open at that moment, newest first."""
    rows = await db.fetch(
        """
        select t.id as tab_id, t.tab_number, c.label as table_label, t.opened_at
        from tabs t left join table_codes c on c.id = t.table_code_id
        where t.bar_id = $1 and t.status <> 'closed' and t.opened_at <= $3
          and (select coalesce(sum(o.total), 0) from tab_orders o where o.tab_id = t.id and o.status = 'confirmed')
              - (select coalesce(sum(p.amount), 0) from tab_payments p where p.tab_id = t.id) = $2
        order by t.opened_at desc limit 10
        """,
        bar_id, amount, at,
    )  # fmt: skip
    return [FittingTab(**row) for row in rows]

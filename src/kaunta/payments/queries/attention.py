"""What waits for a person at a bar: its open problems with the money and the table they are about, and the payments
nobody knows the end of.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """One matter. `id`: the problem's, None for a payment that is only late. `payment`, `receipt`, `refund`: what it is
    about, as far as it is about money; `amount` in shillings, None where no money is named."""

    id: UUID | None
    kind: str
    subject: str
    severity: str
    detail: dict[str, Any]
    at: datetime
    payment: UUID | None
    reference: str | None
    receipt: str | None
    refund: UUID | None
    amount: int | None
    tab_id: UUID | None
    tab_number: int | None
    table_label: str | None


async def problems_about(db: Connection, bar_id: UUID, limit: int) -> list[WaitingRow]:
    """A bar's open problems, oldest first."""
    rows = await db.fetch(
        """
        with q as (
            select id, kind, subject, severity, detail, opened_at,
                   case when subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then subject::uuid end as about
            from problems where bar_id = $1 and closed_at is null order by opened_at limit $2
        )
        select q.id, q.kind, q.subject, q.severity, q.detail,
               coalesce(case when q.kind = 'unknown_payment' then p.push_started_at end, q.opened_at) as at,
               p.id as payment, p.reference,
               coalesce(q.detail ->> 'receipt', r.receipt, p.receipt, c.receipt) as receipt, f.id as refund,
               coalesce(f.amount, r.amount, p.amount_received, p.amount,
                        case when q.detail ->> 'amount' ~ '^[0-9]{1,9}$' then (q.detail ->> 'amount')::int end
               ) as amount,
               t.id as tab_id, t.tab_number, k.label as table_label
        from q
        left join mpesa_transactions p on p.id = q.about and p.bar_id = $1
        left join mpesa_refunds f on f.id = q.about and f.bar_id = $1
        left join receipt_claims c on c.id = q.about and c.bar_id = $1
        left join mpesa_receipts r on r.id = coalesce(f.receipt_id, q.about) and r.bar_id = $1
        left join tab_payments l on l.id = coalesce(f.credit_id, r.ledger_id)
        left join tabs t on t.id = coalesce(p.tab_id, c.tab_id, l.tab_id, q.about) and t.bar_id = $1
        left join table_codes k on k.id = t.table_code_id
        order by q.opened_at, q.id
        """,
        bar_id, limit,
    )  # fmt: skip
    return [WaitingRow(**row) for row in rows]


async def late_payments(db: Connection, bar_id: UUID, since: datetime, before: datetime) -> list[WaitingRow]:
    """Payments begun between these moments whose prompt nobody has heard of since; after `before` it may still come."""
    rows = await db.fetch(
        """
        select null::uuid as id, 'unknown_payment' as kind, p.id::text as subject, 'warning' as severity,
               '{}'::jsonb as detail, p.push_started_at as at, p.id as payment, p.reference, null::text as receipt,
               null::uuid as refund, p.amount, t.id as tab_id, t.tab_number, k.label as table_label
        from mpesa_transactions p join tabs t on t.id = p.tab_id left join table_codes k on k.id = t.table_code_id
        where p.bar_id = $1 and p.status in ('pending', 'sent') and p.created_at > $2 and p.push_started_at < $3
        order by p.created_at, p.id limit 100
        """,
        bar_id, since, before,
    )  # fmt: skip
    return [WaitingRow(**row) for row in rows]


async def seen_to(
    db: Connection, bar_id: UUID, problem_id: UUID, kinds: list[str], by: str, why: str, at: datetime
) -> str | None:
    """A person has dealt with a problem of these kinds: its kind; None where there is no such open one."""
    kind: str | None = await db.fetchval(
        """
        update problems set closed_at = $6, closed_by = $4, close_reason = $5
        where id = $2 and bar_id = $1 and kind = any($3) and closed_at is null returning kind
        """,
        bar_id, problem_id, kinds, by, why, at,
    )  # fmt: skip
    return kind

"""Everything that was written about one payment besides its own row: its attempts, callbacks, ledger and refunds."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class AttemptRow:
    id: UUID
    reference: str
    status: str
    amount: int
    created_at: datetime


async def attempts_of(db: Connection, transaction_id: UUID, limit: int) -> list[AttemptRow]:
    """The tries that a payment is one of, oldest first: those it repeats, and those that repeat it."""
    rows = await db.fetch(
        """
        with recursive before as (
            select id, retry_of from mpesa_transactions where id = $1
            union all
            select p.id, p.retry_of from mpesa_transactions p join before b on p.id = b.retry_of
        ), tries as (
            select id from before where retry_of is null
            union all
            select p.id from mpesa_transactions p join tries t on p.retry_of = t.id
        )
        select p.id, p.reference, p.status::text as status, p.amount, p.created_at
        from tries t join mpesa_transactions p on p.id = t.id order by p.created_at, p.id limit $2
        """,
        transaction_id, limit,
    )  # fmt: skip
    return [AttemptRow(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class CallbackRow:
    """`body_enc`: as it came, under the data key of its bar and month."""

    at: datetime
    channel: str
    verdict: str | None
    source: str | None
    processed_at: datetime | None
    body_enc: bytes


async def callbacks_of(db: Connection, transaction_id: UUID) -> list[CallbackRow]:
    """What Safaricom posted about a payment, oldest first."""
    rows = await db.fetch(
        """
        select received_at as at, channel, verdict, host(source) as source, processed_at, body_enc
        from mpesa_callbacks where transaction_id = $1 order by received_at, id limit 100
        """,
        transaction_id,
    )
    return [CallbackRow(**row) for row in rows]


async def ledger_of(db: Connection, transaction_id: UUID) -> list[dict[str, Any]]:
    """A payment's rows in the ledger, oldest first."""
    rows = await db.fetch(
        """
        select created_at as at, kind, amount, receipt, reason, recorded_by from tab_payments
        where transaction_id = $1 order by created_at, id limit 100
        """,
        transaction_id,
    )
    return [dict(row) for row in rows]


async def refunds_of(db: Connection, transaction_id: UUID) -> list[dict[str, Any]]:
    """What happened to the refunds of a payment's receipts and credits, oldest first."""
    rows = await db.fetch(
        """
        select e.at, e.kind, e.from_state::text as from_state, e.to_state::text as to_state, e.actor, e.reason,
               f.amount, f.method, f.code
        from mpesa_refunds f join refund_events e on e.refund_id = f.id
        where f.id = any(array(
            select g.id from mpesa_receipts r join mpesa_refunds g on g.receipt_id = r.id where r.transaction_id = $1
            union
            select g.id from tab_payments l join mpesa_refunds g on g.credit_id = l.id where l.transaction_id = $1))
        order by e.at, e.id limit 100
        """,
        transaction_id,
    )
    return [dict(row) for row in rows]


async def claims_of(db: Connection, transaction_id: UUID) -> list[dict[str, Any]]:
    """Codes that people typed for a payment, oldest first."""
    rows = await db.fetch(
        """
        select created_at as at, receipt, claimed_by, status from receipt_claims
        where transaction_id = $1 order by created_at, id limit 100
        """,
        transaction_id,
    )
    return [dict(row) for row in rows]


async def told_staff(db: Connection, transaction_id: UUID) -> list[dict[str, Any]]:
    """The problems about a payment, its receipts, its refunds and the codes typed for it, oldest first."""
    rows = await db.fetch(
        """
        select id, kind, severity, opened_at, acknowledged_at, acknowledged_by, closed_at, closed_by, close_reason
        from problems where subject = any(array(
            select $1::uuid::text
            union select id::text from mpesa_receipts where transaction_id = $1
            union select id::text from receipt_claims where transaction_id = $1
            union select g.id::text from mpesa_receipts r join mpesa_refunds g on g.receipt_id = r.id
                  where r.transaction_id = $1
            union select g.id::text from tab_payments l join mpesa_refunds g on g.credit_id = l.id
                  where l.transaction_id = $1))
        order by opened_at, id limit 100
        """,
        transaction_id,
    )
    return [dict(row) for row in rows]


async def alerts_sent(db: Connection, problem_ids: list[UUID]) -> list[dict[str, Any]]:
    """What was sent about these problems over the installation's channels, oldest first."""
    rows = await db.fetch(
        """
        select a.kind, m.event, m.channel, m.created_at, m.attempts, m.sent_at, m.dropped_at, m.given_up_at,
               m.last_error
        from alerts a join alert_messages m on m.alert_ids @> array[a.id]
        where a.problem_id = any($1) order by m.created_at, m.id limit 200
        """,
        problem_ids,
    )
    return [dict(row) for row in rows]


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A message to a bar's own program. `url` may hold a token of the receiver's, so it is not shown by accident."""

    type: str
    url: str = field(repr=False)
    created_at: datetime
    attempts: int
    delivered_at: datetime | None
    given_up_at: datetime | None
    last_error: str | None


async def webhooks_sent(db: Connection, transaction_id: UUID) -> list[WebhookRow]:
    """The messages to the bar's programs about a payment and its refunds, oldest first."""
    rows = await db.fetch(
        """
        with happened as (
            select bar_id, 'payment' as source, id, at from payment_events where transaction_id = $1
            union all
            select e.bar_id, 'refund', e.id, e.at from refund_events e where e.refund_id = any(array(
                select g.id from mpesa_receipts r join mpesa_refunds g on g.receipt_id = r.id
                where r.transaction_id = $1
                union
                select g.id from tab_payments l join mpesa_refunds g on g.credit_id = l.id
                where l.transaction_id = $1))
        )
        select m.type, w.url, m.created_at, m.attempts, m.delivered_at, m.given_up_at, m.last_error
        from happened h join webhook_endpoints w on w.bar_id = h.bar_id
        join webhook_messages m on m.endpoint_id = w.id and m.source = h.source and m.event_id = h.id
          and m.event_at = h.at and m.type in ('payment.completed', 'payment.irregular', 'payment.refunded')
        order by m.created_at, m.id limit 200
        """,
        transaction_id,
    )
    return [WebhookRow(**row) for row in rows]


async def problems_of(db: Connection, transaction_id: UUID) -> list[dict[str, Any]]:
    """The problems that were opened about a payment, oldest first."""
    rows = await db.fetch(
        """
        select kind, severity, detail, opened_at, closed_at, close_reason from problems
        where subject = $1 order by opened_at limit 100
        """,
        str(transaction_id),
    )
    return [dict(row) for row in rows]

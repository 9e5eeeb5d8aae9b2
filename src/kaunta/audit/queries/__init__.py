"""A bar's audit, newest first, out of the three tables that hold it: payments' events, refunds' events, the rest.

Each is read backwards by its own id, from a place of its own, so that a page costs what it shows however long the
history is. Every wish may be absent (null).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `detail` holds no secret and no phone; `source` and `id` name the row."""

    source: str
    id: int
    at: datetime
    actor: str
    action: str
    object_kind: str
    object_id: str
    outcome: str
    reason: str | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; None: anything. `action`: how it begins. `transaction_id`: all that is about a payment."""

    actor: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    action: str | None = None
    transaction_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def payment_entries(db: Connection, bar_id: UUID, wanted: Wanted, before: int, limit: int) -> list[Entry]:
    """Payments' events: each is its own audit row."""
    rows = await db.fetch(
        """
        select 'payment' as source, id, at, actor, kind as action, 'transaction' as object_kind,
               transaction_id::text as object_id, 'ok' as outcome, detail ->> 'reason' as reason,
               detail || jsonb_strip_nulls(jsonb_build_object('from', from_status, 'to', to_status)) as detail
        from payment_events
        where bar_id = $1 and id < $2
          and ($3::text is null or actor = $3)
          and ($4::text is null or $4 = 'transaction')
          and ($5::text is null or transaction_id::text = $5)
          and ($6::text is null or starts_with(kind, $6))
          and ($7::uuid is null or transaction_id = $7)
          and ($8::timestamptz is null or at >= $8) and ($9::timestamptz is null or at < $9)
        order by id desc limit $10
        """,
        bar_id, before, wanted.actor, wanted.object_kind, wanted.object_id, wanted.action, wanted.transaction_id,
        wanted.since, wanted.until, limit,
    )  # fmt: skip
    return [Entry(**row) for row in rows]


async def refund_entries(db: Connection, bar_id: UUID, wanted: Wanted, before: int, limit: int) -> list[Entry]:
    """Refunds' events; those of a payment's receipts and credits belong to the payment too."""
    rows = await db.fetch(
        """
        select 'refund' as source, e.id, e.at, e.actor, e.kind as action, 'refund' as object_kind,
               e.refund_id::text as object_id, 'ok' as outcome, e.reason,
               e.detail || jsonb_strip_nulls(jsonb_build_object('from', e.from_state, 'to', e.to_state)) as detail
        from refund_events e
        where e.bar_id = $1 and e.id < $2
          and ($3::text is null or e.actor = $3)
          and ($4::text is null or $4 = 'refund')
          and ($5::text is null or e.refund_id::text = $5)
          and ($6::text is null or starts_with(e.kind, $6))
          and ($7::uuid is null or e.refund_id = any(array(
              select f.id from mpesa_receipts r join mpesa_refunds f on f.receipt_id = r.id where r.transaction_id = $7
              union
              select f.id from tab_payments p join mpesa_refunds f on f.credit_id = p.id where p.transaction_id = $7)))
          and ($8::timestamptz is null or e.at >= $8) and ($9::timestamptz is null or e.at < $9)
        order by e.id desc limit $10
        """,
        bar_id, before, wanted.actor, wanted.object_kind, wanted.object_id, wanted.action, wanted.transaction_id,
        wanted.since, wanted.until, limit,
    )  # fmt: skip
    return [Entry(**row) for row in rows]


async def other_entries(db: Connection, bar_id: UUID, wanted: Wanted, before: int, limit: int) -> list[Entry]:
    """Everything else that is on record."""
    rows = await db.fetch(
        """
        select 'audit' as source, id, at, actor, action, object_kind, object_id, outcome, reason, detail
        from audit_events
        where bar_id = $1 and id < $2
          and ($3::text is null or actor = $3)
          and ($4::text is null or object_kind = $4)
          and ($5::text is null or object_id = $5)
          and ($6::text is null or starts_with(action, $6))
          and ($7::uuid is null or (object_kind = 'transaction' and object_id = $7::uuid::text))
          and ($8::timestamptz is null or at >= $8) and ($9::timestamptz is null or at < $9)
        order by id desc limit $10
        """,
        bar_id, before, wanted.actor, wanted.object_kind, wanted.object_id, wanted.action, wanted.transaction_id,
        wanted.since, wanted.until, limit,
    )  # fmt: skip
    return [Entry(**row) for row in rows]


async def kinds_of_objects(db: Connection, bar_id: UUID, newest: int) -> list[str]:
    """What the newest entries of a bar are about, for a choice."""
    rows = await db.fetch(
        """
        select distinct object_kind from (
            select object_kind from audit_events where bar_id = $1 order by id desc limit $2) a order by 1
        """,
        bar_id, newest,
    )  # fmt: skip
    return [row["object_kind"] for row in rows]

"""What there is to tell, read by a mark that never passes a transaction still at work (rulings 24)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection

#: Below the oldest transaction at work nothing can be added any more. `$4`: no older than messages are remembered, so
#: that rows of a restored copy, with another cluster's numbers, are not told anew years later.
HERE = "(e.xact, e.id) > ($1::text::xid8, $2::bigint) and e.xact < $3::text::xid8 and e.at > $4"
TOLD_TO_SOMEBODY = "exists (select from webhook_endpoints w where w.bar_id = e.bar_id and w.removed_at is null)"
PAYMENT = f"""
    select e.xact::text, e.id, e.at, e.bar_id, e.kind, e.from_status::text as before, e.to_status::text as after,
           e.detail, t.id as payment_id, t.reference, t.amount as asked, t.environment, b.tab_number, t.receipt,
           null::text as method
    from payment_events e join mpesa_transactions t on t.id = e.transaction_id join tabs b on b.id = t.tab_id
    where {TOLD_TO_SOMEBODY}
      and (e.to_status = 'completed' and e.from_status is distinct from 'completed' or e.detail ? 'irregularities'
           or e.kind = 'claim_disproved')
"""
REFUND = f"""
    select e.xact::text, e.id, e.at, e.bar_id, e.kind, e.from_state::text as before, e.to_state::text as after,
           e.detail || jsonb_build_object('refund', f.id, 'refunded', f.amount) as detail, t.id as payment_id,
           t.reference, t.amount as asked, f.environment, b.tab_number, coalesce(r.receipt, p.receipt) as receipt,
           f.method
    from refund_events e join mpesa_refunds f on f.id = e.refund_id
    left join mpesa_receipts r on r.id = f.receipt_id
    left join tab_payments p on p.id = coalesce(f.credit_id, r.ledger_id)
    left join mpesa_transactions t on t.id = coalesce(r.transaction_id, p.transaction_id)
    left join tabs b on b.id = p.tab_id
    where {TOLD_TO_SOMEBODY} and e.to_state = 'refunded' and e.from_state is distinct from 'refunded'
"""
ORDER = "order by e.xact, e.id limit $5"
#: Money straight to the till has no payment of ours, and so no event of one: what became of it is on record as the
#: audit's. Its numbers are moved out of the way of the events', beside which they are told.
BESIDE = 2**62
DIRECT = f"""
    select e.xact::text, e.id + {BESIDE} as id, e.at, e.bar_id, e.action as kind, null::text as before,
           null::text as after, e.detail, null::uuid as payment_id, null::text as reference, null::integer as asked,
           r.environment, b.tab_number, r.receipt, null::text as method
    from audit_events e
    join mpesa_receipts r on r.id = case when e.object_kind = 'receipt' then e.object_id::uuid end
    left join tabs b on b.id = case when e.object_kind = 'receipt' then (e.detail ->> 'tab')::uuid end
    where {TOLD_TO_SOMEBODY} and e.object_kind = 'receipt' and not e.detail ? 'payment' and e.action in (
        'receipt.credited', 'receipt.matched', 'receipt.taken_back', 'receipt.disproved', 'receipt.unmatched')
"""
HERE_BESIDE = f"""
    e.xact >= $1::text::xid8 and (e.xact, e.id + {BESIDE}) > ($1::text::xid8, $2::bigint) and e.xact < $3::text::xid8
    and e.at > $4
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a kind of event has become messages. `anew`: the mark is another cluster's."""

    source: str
    xact: str
    id: int
    moved_at: datetime | None
    anew: bool


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a bar that has endpoints. `receipt` and `method` as far as there are any; `detail`: its own.
    `payment_id` None: money straight to the till."""

    xact: str
    id: int
    at: datetime
    bar_id: UUID
    kind: str
    before: str | None
    after: str | None
    detail: dict[str, Any]
    payment_id: UUID | None
    reference: str | None
    asked: int | None
    environment: str
    tab_number: int | None
    receipt: str | None
    method: str | None


@dataclass(frozen=True, slots=True)
class Listener:
    """An endpoint to be told, from when on."""

    id: UUID
    bar_id: UUID
    created_at: datetime


async def any_endpoint(db: Connection) -> bool:
    """Whether anybody is to be told anything."""
    found: bool = await db.fetchval("select exists (select from webhook_endpoints where removed_at is null)")
    return found


async def hold_marks(db: Connection, *, wait: bool = False) -> list[Mark]:
    """The marks, ours until the transaction ends; none where another has them, unless we `wait`."""
    if wait:
        await db.fetch("select source from webhook_marks order by source for update")
    elif len(await db.fetch("select source from webhook_marks order by source for update skip locked")) < 2:
        return []
    rows = await db.fetch(
        """
        select m.source, m.xact::text, m.id, m.moved_at, m.cluster <> c.system_identifier as anew
        from webhook_marks m, pg_control_system() c order by m.source
        """
    )
    return [Mark(**row) for row in rows]


async def oldest_at_work(db: Connection) -> str:
    """The number of the oldest transaction still at work: all before it have ended."""
    found: str = await db.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text")
    return found


async def move(db: Connection, source: str, xact: str, id_: int, at: datetime) -> None:
    """Everything up to here has become messages."""
    await db.execute(
        """
        update webhook_marks m set xact = $2::text::xid8, id = $3, moved_at = $4, cluster = c.system_identifier
        from pg_control_system() c where m.source = $1
        """,
        source, xact, id_, at,
    )  # fmt: skip


async def payments(
    db: Connection, xact: str, id_: int, below: str, since: datetime, limit: int
) -> list[Happened]:  # fmt: skip
    """Payments' events after a mark, and those of money straight to the till, in the order of their transactions."""
    rows = await db.fetch(
        f"""
        select * from (({PAYMENT} and {HERE} {ORDER}) union all ({DIRECT} and {HERE_BESIDE} {ORDER})) e
        order by e.xact::xid8, e.id limit $5
        """,
        xact, id_, below, since, limit,
    )  # fmt: skip
    return [Happened(**row) for row in rows]


async def refunds(
    db: Connection, xact: str, id_: int, below: str, since: datetime, limit: int
) -> list[Happened]:  # fmt: skip
    """Refunds' events after a mark."""
    rows = await db.fetch(f"{REFUND} and {HERE} {ORDER}", xact, id_, below, since, limit)
    return [Happened(**row) for row in rows]


async def payments_since(db: Connection, since: datetime) -> list[Happened]:
    """Payments' events of a restored copy, by time: their numbers mean nothing here."""
    rows = await db.fetch(
        f"""
        select * from ({PAYMENT} and e.at > $1 union all {DIRECT} and e.at > $1) e order by e.at, e.id
        """,
        since,
    )
    return [Happened(**row) for row in rows]


async def refunds_since(db: Connection, since: datetime) -> list[Happened]:
    """Refunds' events of a restored copy."""
    rows = await db.fetch(f"{REFUND} and e.at > $1 order by e.at, e.id", since)
    return [Happened(**row) for row in rows]


async def listeners(db: Connection, bar_ids: list[UUID]) -> list[Listener]:
    """The endpoints of these bars."""
    rows = await db.fetch(
        "select id, bar_id, created_at from webhook_endpoints where bar_id = any($1) and removed_at is null", bar_ids
    )
    return [Listener(**row) for row in rows]


async def insert(
    db: Connection, id_: UUID, listener: Listener, type_: str, source: str, event_id: int, event_at: datetime,
    body: str, at: datetime,
) -> None:  # fmt: skip
    """A message to be sent now; nothing where this event is one already."""
    await db.execute(
        """
        insert into webhook_messages (id, bar_id, endpoint_id, type, source, event_id, event_at, body, created_at,
                                      next_attempt_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
        on conflict (endpoint_id, type, source, event_id, event_at) do nothing
        """,
        id_, listener.bar_id, listener.id, type_, source, event_id, event_at, body, at,
    )  # fmt: skip

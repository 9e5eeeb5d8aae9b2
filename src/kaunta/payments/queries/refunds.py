"""Refunds: their rows, their timeline, and what is left of what was received."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection, one_row
from kaunta.core.origin import with_origin
from kaunta.core.redaction import typed, without_secrets


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as it stands. `credit_id`: the ledger row it takes from, where the receipt is booked; `tab_id`: its."""

    id: UUID
    bar_id: UUID
    environment: str
    receipt_id: UUID | None
    receipt: str | None
    credit_id: UUID | None
    tab_id: UUID | None
    amount: int
    method: str
    state: str
    reason: str
    code: str | None
    requested_by: str
    needs_approval: bool
    approved_by: str | None
    failure: str | None
    asked_at: datetime | None
    settled_at: datetime | None
    checks: int
    idempotency_key: str
    created_at: datetime

    @property
    def ready(self) -> bool:
        """Nobody has to agree any more."""
        return not self.needs_approval or self.approved_by is not None


REFUND = """
    select f.id, f.bar_id, f.environment, f.receipt_id, r.receipt, coalesce(f.credit_id, r.ledger_id) as credit_id,
           p.tab_id, f.amount, f.method, f.state::text as state, f.reason, f.code, f.requested_by, f.needs_approval,
           f.approved_by, f.failure, f.asked_at, f.settled_at, f.checks, f.idempotency_key, f.created_at
    from mpesa_refunds f left join mpesa_receipts r on r.id = f.receipt_id
    left join tab_payments p on p.id = coalesce(f.credit_id, r.ledger_id)
"""


async def bar_of_receipt(db: Connection, refund_id: UUID) -> UUID | None:
    """Whose receipt a refund is of, now; None where it is of none."""
    bar_id: UUID | None = await db.fetchval(
        "select r.bar_id from mpesa_refunds f join mpesa_receipts r on r.id = f.receipt_id where f.id = $1", refund_id
    )
    return bar_id


async def refund(db: Connection, refund_id: UUID) -> Refund | None:
    """A refund."""
    row = await db.fetchrow(f"{REFUND} where f.id = $1", refund_id)
    return Refund(**row) if row else None


async def hold(db: Connection, refund_id: UUID) -> Refund | None:
    """A refund, locked until the transaction ends. Lock its tab and its receipt first."""
    held = await db.fetchval("select true from mpesa_refunds where id = $1 for no key update", refund_id)
    return await refund(db, refund_id) if held else None


async def by_key(db: Connection, bar_id: UUID, key: str) -> Refund | None:
    """What an idempotency key requested."""
    row = await db.fetchrow(f"{REFUND} where f.bar_id = $1 and f.idempotency_key = $2", bar_id, key)
    return Refund(**row) if row else None


async def of_receipt(db: Connection, receipt_id: UUID) -> list[Refund]:
    """A receipt's refunds, oldest first; those of its credit too."""
    rows = await db.fetch(
        f"""
        {REFUND} where f.receipt_id = $1
                    or f.credit_id = (select ledger_id from mpesa_receipts where id = $1) order by f.created_at, f.id
        """,
        receipt_id,
    )
    return [Refund(**row) for row in rows]


async def of_bar(db: Connection, bar_id: UUID, since: datetime) -> list[Refund]:
    """A bar's refunds since a moment, newest first."""
    rows = await db.fetch(
        f"{REFUND} where f.bar_id = $1 and f.created_at >= $2 order by f.created_at desc, f.id limit 500", bar_id, since
    )
    return [Refund(**row) for row in rows]


async def alone_limit(db: Connection, bar_id: UUID) -> int:
    """Shillings above which a refund at this bar needs a second person."""
    limit: int = await db.fetchval("select refund_alone_limit from bars where id = $1", bar_id)
    return limit


@dataclass(frozen=True, slots=True)
class NewRefund:
    id: UUID
    bar_id: UUID
    environment: str
    receipt_id: UUID | None
    credit_id: UUID | None
    amount: int
    method: str
    state: str
    reason: str
    code: str | None
    requested_by: str
    needs_approval: bool
    key: str
    settled_at: datetime | None
    next_check_at: datetime | None
    at: datetime


async def insert(db: Connection, new: NewRefund) -> None:
    """Ask for a refund; the database refuses more than was received."""
    await db.execute(
        """
        insert into mpesa_refunds (id, bar_id, environment, receipt_id, credit_id, amount, method, state, reason, code,
                                   requested_by, needs_approval, idempotency_key, settled_at, next_check_at,
                                   created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8::text::refund_state, $9, $10, $11, $12, $13, $14, $15, $16, $16)
        """,
        new.id, new.bar_id, new.environment, new.receipt_id, new.credit_id, new.amount, new.method, new.state,
        without_secrets(new.reason), new.code, new.requested_by, new.needs_approval, new.key, new.settled_at,
        new.next_check_at, new.at,
    )  # fmt: skip


async def write(
    db: Connection, refund_id: UUID, state: str, at: datetime, *, asked_at: datetime | None = None,
    code: str | None = None, failure: str | None = None, settled_at: datetime | None = None,
    next_check_at: datetime | None = None,
) -> None:  # fmt: skip
    """A refund's new state. None leaves the code, the failure and the moment it was asked as they are."""
    one_row(
        await db.execute(
            """
            update mpesa_refunds set state = $2::text::refund_state, updated_at = $3,
                asked_at = coalesce(asked_at, $4), code = coalesce(code, $5), failure = $6,
                settled_at = $7, next_check_at = $8
            where id = $1
            """,
            refund_id, state, at, asked_at, code, None if failure is None else without_secrets(failure), settled_at,
            next_check_at,
        ),
        "writing a refund",
    )  # fmt: skip


async def approve(db: Connection, refund_id: UUID, by: str, at: datetime) -> None:
    """A second person agrees."""
    one_row(
        await db.execute(
            """
            update mpesa_refunds set approved_by = $2, approved_at = $3, next_check_at = $3, updated_at = $3
            where id = $1 and state = 'requested'
            """,
            refund_id, by, at,
        ),
        "approving a refund",
    )  # fmt: skip


async def leave_credit(db: Connection, ledger_id: UUID) -> None:
    """A receipt has left this credit: its refunds go with it."""
    await db.execute(
        "update mpesa_refunds set credit_id = null where credit_id = $1 and receipt_id is not null", ledger_id
    )


async def join_credit(db: Connection, refund_id: UUID, receipt_id: UUID, ledger_id: UUID) -> None:
    """A refund's receipt is credited, or its credit has its receipt."""
    await db.execute(
        "update mpesa_refunds set receipt_id = $2, credit_id = $3 where id = $1", refund_id, receipt_id, ledger_id
    )


async def append_event(
    db: Connection, at: datetime, bar_id: UUID, refund_id: UUID, kind: str, from_state: str | None, to_state: str,
    actor: str, reason: str | None, detail: dict[str, Any],
) -> None:  # fmt: skip
    """What happened to a refund: its history and its audit row in one."""
    await db.execute(
        """
        insert into refund_events (at, bar_id, refund_id, kind, from_state, to_state, actor, reason, detail)
        values ($1, $2, $3, $4, $5::text::refund_state, $6::text::refund_state, $7, $8, $9)
        """,
        at, bar_id, refund_id, kind, from_state, to_state, actor, None if reason is None else without_secrets(reason),
        with_origin(actor, typed(detail)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RefundEvent:
    at: datetime
    kind: str
    from_state: str | None
    to_state: str
    actor: str
    reason: str | None
    detail: dict[str, Any]


async def events(db: Connection, refund_id: UUID) -> list[RefundEvent]:
    """A refund's timeline, oldest first."""
    rows = await db.fetch(
        """
        select at, kind, from_state::text as from_state, to_state::text as to_state, actor, reason, detail
        from refund_events where refund_id = $1 order by id
        """,
        refund_id,
    )
    return [RefundEvent(**row) for row in rows]


async def claim_due(db: Connection, at: datetime, lease_until: datetime, limit: int) -> list[UUID]:
    """Refunds whose time has come, each ours until the lease ends."""
    rows = await db.fetch(
        """
        update mpesa_refunds set next_check_at = $2, checks = checks + 1
        where id = any(array(
            select id from mpesa_refunds where next_check_at <= $1 and (not needs_approval or approved_by is not null)
            order by next_check_at limit $3 for no key update skip locked))
        returning id
        """,
        at, lease_until, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def code_is_a_payment(db: Connection, environment: str, code: str) -> bool:
    """Whether a code is that of money that came in: it cannot be money that went out."""
    found: bool = await db.fetchval(
        "select exists (select from mpesa_receipts where environment = $1 and receipt = $2)", environment, code
    )
    return found


async def by_code(db: Connection, environment: str, code: str) -> UUID | None:
    """The refund that went by this code."""
    id_: UUID | None = await db.fetchval(
        """
        select id from mpesa_refunds where environment = $1 and code = $2 and state not in ('failed', 'withdrawn')
        """,
        environment, code,
    )  # fmt: skip
    return id_


async def open_reversal(db: Connection, receipt_id: UUID, amount: int) -> UUID | None:
    """A reversal of ours of this amount that has been sent and whose end is not known."""
    id_: UUID | None = await db.fetchval(
        """
        select id from mpesa_refunds
        where receipt_id = $1 and amount = $2 and method = 'reversal' and state in ('processing', 'unknown')
        """,
        receipt_id, amount,
    )  # fmt: skip
    return id_

"""What one person proposes about an unknown payment and another agrees to."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.redaction import without_secrets

PROPOSAL = """
    select r.id, r.bar_id, r.transaction_id, p.reference, p.amount, r.paid, r.receipt, r.reason, r.evidence,
           r.proposed_by, r.state, r.decided_by, r.decided_at, r.created_at, r.expires_at
    from resolution_proposals r join mpesa_transactions p on p.id = r.transaction_id
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """`amount`: what the payment asked for, in shillings."""

    id: UUID
    bar_id: UUID
    transaction_id: UUID
    reference: str
    amount: int
    paid: bool
    receipt: str | None
    reason: str
    evidence: str
    proposed_by: str
    state: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime
    expires_at: datetime


async def alone_limit(db: Connection, bar_id: UUID) -> int:
    """Above how many shillings nobody decides alone."""
    limit: int = await db.fetchval("select resolve_alone_limit from bars where id = $1", bar_id)
    return limit


async def insert(
    db: Connection,
    id_: UUID,
    bar_id: UUID,
    transaction_id: UUID,
    paid: bool,
    receipt: str | None,
    reason: str,
    evidence: str,
    by: str,
    at: datetime,
    expires_at: datetime,
) -> bool:
    """Write a proposal; False where one is open for this payment."""
    row = await db.fetchrow(
        """
        insert into resolution_proposals
            (id, bar_id, transaction_id, paid, receipt, reason, evidence, proposed_by, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict (transaction_id) where state = 'open' do nothing returning id
        """,
        id_, bar_id, transaction_id, paid, receipt, without_secrets(reason), without_secrets(evidence), by, at,
        expires_at,
    )  # fmt: skip
    return row is not None


async def proposal(db: Connection, id_: UUID) -> Proposal | None:
    """One proposal."""
    row = await db.fetchrow(f"{PROPOSAL} where r.id = $1", id_)
    return Proposal(**row) if row else None


async def open_about(db: Connection, transaction_id: UUID, at: datetime) -> Proposal | None:
    """What waits for a second person about a payment and has not expired."""
    row = await db.fetchrow(
        f"{PROPOSAL} where r.transaction_id = $1 and r.state = 'open' and r.expires_at > $2", transaction_id, at
    )
    return Proposal(**row) if row else None


async def decide(db: Connection, id_: UUID, state: str, by: str, at: datetime) -> bool:
    """Close an open proposal; False where it was decided already, or is to be approved and has expired, or the payment
    has ended since: what was proposed did not know of that."""
    row = await db.fetchrow(
        """
        update resolution_proposals r set state = $2, decided_by = $3, decided_at = $4
        where id = $1 and state = 'open' and ($2 <> 'approved' or (expires_at > $4 and not exists (
            select from mpesa_transactions t where t.id = r.transaction_id and t.settled_at >= r.created_at)))
        returning id
        """,
        id_, state, by, at,
    )  # fmt: skip
    return row is not None


async def expire(db: Connection, at: datetime, transaction_id: UUID | None = None) -> list[UUID]:
    """Close what nobody agreed to in time; the payments' ids. `transaction_id`: of this payment only."""
    rows = await db.fetch(
        """
        update resolution_proposals set state = 'expired', decided_by = 'kaunta', decided_at = $1
        where state = 'open' and expires_at <= $1 and ($2::uuid is null or transaction_id = $2)
        returning transaction_id
        """,
        at, transaction_id,
    )  # fmt: skip
    return [row["transaction_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class FoundReceipt:
    """Proven money that is on no tab, of a payment's amount and about its time."""

    id: UUID
    receipt: str
    amount: int
    at: datetime
    channel: str


async def receipts_near(
    db: Connection, bar_id: UUID, environment: str, amount: int, since: datetime, until: datetime
) -> list[FoundReceipt]:
    """A bar's unmatched receipts of an amount between two moments."""
    rows = await db.fetch(
        """
        select id, receipt, amount, coalesce(transacted_at, created_at) as at, first_channel as channel
        from mpesa_receipts
        where bar_id = $1 and environment = $2 and amount = $3 and ledger_id is null and set_aside_at is null
          and coalesce(transacted_at, created_at) between $4 and $5
        order by coalesce(transacted_at, created_at) limit 20
        """,
        bar_id, environment, amount, since, until,
    )  # fmt: skip
    return [FoundReceipt(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class TypedCode:
    """A code that somebody typed for a payment or its tab, proven by nobody yet."""

    receipt: str
    claimed_by: str
    created_at: datetime


async def codes_typed(db: Connection, transaction_id: UUID, tab_id: UUID) -> list[TypedCode]:
    """Open claims about a payment, or about its tab in general."""
    rows = await db.fetch(
        """
        select receipt, claimed_by, created_at from receipt_claims
        where tab_id = $2 and status = 'open' and (transaction_id is null or transaction_id = $1)
        order by created_at limit 20
        """,
        transaction_id, tab_id,
    )  # fmt: skip
    return [TypedCode(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """What Daraja said when it was last asked about a payment. `outcome`: a short word."""

    at: datetime
    outcome: str
    result_code: str | None
    result_desc: str | None


async def last_answer(db: Connection, transaction_id: UUID) -> LastAnswer | None:
    """The newest question about a payment and its answer, redacted when it was kept."""
    row = await db.fetchrow(
        """
        select at, outcome, response ->> 'ResultCode' as result_code,
               coalesce(response ->> 'ResultDesc', response ->> 'errorMessage') as result_desc
        from daraja_exchanges where transaction_id = $1 and kind = 'stk_query' order by at desc, id desc limit 1
        """,
        transaction_id,
    )
    return LastAnswer(**row) if row else None


async def last_checked(db: Connection, transaction_id: UUID, action: str) -> datetime | None:
    """When a person last put the question about a payment that comes before a decision."""
    at: datetime | None = await db.fetchval(
        """
        select max(at) from audit_events
        where object_kind = 'transaction' and object_id = $1::uuid::text and action = $2
        """,
        transaction_id, action,
    )  # fmt: skip
    return at

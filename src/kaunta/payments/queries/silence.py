"""Payments that Safaricom owes an answer for: the rows are the queue."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class SilentPayment:
    """A payment to ask about. `waiting_since` is the base of its schedule."""

    id: UUID
    bar_id: UUID
    credential_id: UUID
    credential_version: int
    checkout_request_id_enc: bytes
    checks: int
    waiting_since: datetime


async def claim_due(db: Connection, at: datetime, limit: int) -> list[SilentPayment]:
    """Payments due for a query, those never asked about first, then the oldest; locked until the commit."""
    rows = await db.fetch(
        """
        select id, bar_id, credential_id, credential_version, checkout_request_id_enc, checks,
               coalesce(sent_at, push_started_at) as waiting_since
        from mpesa_transactions
        where next_check_at <= $1 and checkout_request_id_enc is not null
        order by (checks > 0), next_check_at limit $2 for no key update skip locked
        """,
        at, limit,
    )  # fmt: skip
    return [SilentPayment(**row) for row in rows]


async def schedule(db: Connection, transaction_id: UUID, next_check_at: datetime | None, asked: bool) -> None:
    """When a payment is asked about next; doubles as the lease of whoever asks now."""
    await db.execute(
        "update mpesa_transactions set next_check_at = $2, checks = checks + $3::boolean::int where id = $1",
        transaction_id, next_check_at, asked,
    )  # fmt: skip


async def nudge(db: Connection, transaction_id: UUID, at: datetime, not_since: datetime, most: int) -> bool:
    """Ask sooner, because somebody unproven said something: at most once since a moment a payment, and at most
    `most` payments of a credential, so that forgers cannot spend the budget. True where the query was brought forward.
    """
    tag = await db.execute(
        """
        update mpesa_transactions set next_check_at = $2, nudged_at = $2
        where id = $1 and status in ('sent', 'timeout') and (next_check_at is null or next_check_at > $2)
          and (nudged_at is null or nudged_at < $3)
          and (select count(*) from mpesa_transactions other
               where other.credential_id = mpesa_transactions.credential_id and other.nudged_at >= $3) < $4
        """,
        transaction_id, at, not_since, most,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def silent_since(db: Connection, deadline: datetime, limit: int) -> list[UUID]:
    """Open payments whose push is older than the deadline, oldest first."""
    rows = await db.fetch(
        """
        select id from mpesa_transactions
        where status in ('pending', 'sent') and push_started_at <= $1 and coalesce(sent_at, push_started_at) <= $1
        order by push_started_at limit $2
        """,
        deadline, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def spend_query(
    db: Connection, credential_id: UUID, bar_id: UUID, per_minute: float, at: datetime, clock_factor: float
) -> bool:
    """Take one question from a credential's budget; False where it is spent. The bucket holds a minute's worth."""
    await db.execute(
        """
        insert into daraja_budgets (credential_id, bar_id, tokens, per_minute, refilled_at)
        values ($1, $2, $3, $3, $4) on conflict (credential_id) do nothing
        """,
        credential_id, bar_id, per_minute, at,
    )  # fmt: skip
    tag = await db.execute(
        """
        with refilled as (
            select credential_id,
                   extract(epoch from greatest($2::timestamptz - refilled_at, interval '0'))::float8 * $3::float8 / 60
                       as minutes
            from daraja_budgets where credential_id = $1 for update
        )
        update daraja_budgets b
        set tokens = least(b.per_minute, b.tokens + r.minutes * b.per_minute) - 1, refilled_at = $2::timestamptz,
            -- What a 429 took away comes back within ten minutes.
            per_minute = least($4::float8, b.per_minute + r.minutes * $4::float8 / 10)
        from refilled r
        where b.credential_id = r.credential_id and least(b.per_minute, b.tokens + r.minutes * b.per_minute) >= 1
        """,
        credential_id, at, clock_factor, per_minute,
    )  # fmt: skip
    return tag == "UPDATE 1"


async def narrow_budget(db: Connection, credential_id: UUID) -> None:
    """Daraja said "too many": ask half as often, at least once in two minutes; time widens it again."""
    await db.execute(
        "update daraja_budgets set tokens = 0, per_minute = greatest(0.5, per_minute / 2) where credential_id = $1",
        credential_id,
    )


async def claim_one(db: Connection, transaction_id: UUID) -> SilentPayment | None:
    """A payment to ask about because a person wants to know; None where Daraja never named it."""
    row = await db.fetchrow(
        """
        select id, bar_id, credential_id, credential_version, checkout_request_id_enc, checks,
               coalesce(sent_at, push_started_at) as waiting_since
        from mpesa_transactions where id = $1 and checkout_request_id_enc is not null
        """,
        transaction_id,
    )
    return SilentPayment(**row) if row else None


async def without_end(db: Connection, since: datetime, bar_id: UUID | None) -> list[tuple[UUID, str]]:
    """Payments since a moment that are open or unknown, oldest first: (id, status)."""
    rows = await db.fetch(
        """
        select id, status::text as status from mpesa_transactions
        where status in ('pending', 'sent', 'timeout') and created_at >= $1 and ($2::uuid is null or bar_id = $2)
        order by created_at limit 10000
        """,
        since, bar_id,
    )  # fmt: skip
    return [(row["id"], row["status"]) for row in rows]


async def last_asked(db: Connection, transaction_id: UUID) -> datetime | None:
    """When Daraja was last asked about a payment."""
    at: datetime | None = await db.fetchval(
        "select max(at) from daraja_exchanges where transaction_id = $1 and kind = 'stk_query'", transaction_id
    )
    return at

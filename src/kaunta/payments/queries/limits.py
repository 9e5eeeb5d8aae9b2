"""What may be started: idempotency keys, open attempts, prompt limits. Asked under the tab's lock."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection

#: Shillings of a tab ($1) that open attempts have reserved. The state as text: PostgreSQL would else plan to look for a
#: tab's among all open attempts of the house, of which there are none whenever a plan is made.
RESERVED = """
    (select coalesce(sum(amount), 0) from mpesa_transactions where tab_id = $1 and status::text in ('pending', 'sent'))
"""


@dataclass(frozen=True, slots=True)
class KeptKey:
    body_hash: bytes
    transaction_id: UUID


async def kept_key(db: Connection, tab_id: UUID, key: str, since: datetime) -> KeptKey | None:
    """What an idempotency key started, while it is kept."""
    row = await db.fetchrow(
        """
        select body_hash, transaction_id from idempotency_keys where tab_id = $1 and key = $2 and created_at > $3
        """,
        tab_id, key, since,
    )  # fmt: skip
    return KeptKey(**row) if row else None


async def keep_key(
    db: Connection, tab_id: UUID, key: str, bar_id: UUID, body_hash: bytes, transaction_id: UUID, at: datetime
) -> None:
    """Keep what a key started; an expired use of the same key gives way."""
    await db.execute(
        """
        insert into idempotency_keys (tab_id, key, bar_id, body_hash, transaction_id, created_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (tab_id, key) do update set body_hash = excluded.body_hash,
            transaction_id = excluded.transaction_id, created_at = excluded.created_at
        """,
        tab_id, key, bar_id, body_hash, transaction_id, at,
    )  # fmt: skip


async def forget_keys(db: Connection, before: datetime) -> str:
    """Drop keys that are no longer kept."""
    return await db.execute("delete from idempotency_keys where created_at < $1", before)


async def open_amount(db: Connection, tab_id: UUID) -> int:
    """Shillings of a tab that open attempts have reserved."""
    amount: int = await db.fetchval(f"select {RESERVED}", tab_id)
    return amount


@dataclass(frozen=True, slots=True)
class Attempt:
    """A payer's earlier attempt at a tab."""

    id: UUID
    status: str
    result_code: str | None
    result_desc: str | None
    failure_reason: str | None
    push_started_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """What went before at a tab: shillings that open attempts of anybody have `reserved`; of one payer how many came to
    nothing, and the attempt that counts for the next: an open one, else the newest."""

    reserved: int
    in_vain: int
    last: Attempt | None


async def earlier(db: Connection, tab_id: UUID, phone_hash: bytes, since: datetime) -> Earlier:
    """A tab's and a payer's attempts so far; those in vain are counted from a moment."""
    row = await db.fetchrow(
        f"""
        select {RESERVED} as reserved,
               (select count(*) from mpesa_transactions
                where tab_id = $1 and phone_hash = $2 and created_at > $3
                  and status::text in ('failed', 'cancelled', 'timeout')
                  and failure_reason is distinct from 'not_sent') as in_vain,
               last.*
        from (select) as one left join lateral (
            select id, status::text as status, result_code, result_desc, failure_reason, push_started_at, sent_at,
                   settled_at
            from mpesa_transactions where tab_id = $1 and phone_hash = $2
            order by (status in ('pending', 'sent')) desc, created_at desc limit 1
        ) last on true
        """,
        tab_id, phone_hash, since,
    )  # fmt: skip
    assert row is not None, "a select without a table has one row"
    reserved, in_vain, *last = row.values()
    return Earlier(reserved, in_vain, Attempt(*last) if row["id"] else None)


async def lock_phone(db: Connection, phone_hash: bytes) -> None:
    """One after the other counts a phone's prompts, until the transaction ends. Taken after the tab's lock, always."""
    await db.execute("select pg_advisory_xact_lock(hashtextextended('prompts ' || encode($1, 'hex'), 0))", phone_hash)


@dataclass(frozen=True, slots=True)
class PromptCounts:
    """Prompts sent to one phone, anywhere, in three windows."""

    minute: int
    hour: int
    day: int


async def prompts_to_phone(
    db: Connection, phone_hash: bytes, minute: datetime, hour: datetime, day: datetime
) -> PromptCounts:
    """How often a phone was rung since each of three moments: anyone can type anyone's number."""
    row = await db.fetchrow(
        """
        select count(*) filter (where created_at > $2) as minute, count(*) filter (where created_at > $3) as hour,
               count(*) as day
        from mpesa_transactions where phone_hash = $1 and created_at > $4
        """,
        phone_hash, minute, hour, day,
    )  # fmt: skip
    return PromptCounts(**row) if row else PromptCounts(0, 0, 0)

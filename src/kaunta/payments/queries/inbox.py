"""The inbox: every callback as it came, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, one_row


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a callback was put."""

    id: int
    received_at: datetime


async def store(
    db: Connection,
    received_at: datetime,
    channel: str,
    token_hash: bytes | None,
    source: str | None,
    body_enc: bytes,
    lease_until: datetime,
) -> int:
    """Keep a callback as it came. Committed by itself: only then may Safaricom be told "accepted"."""
    id_: int = await db.fetchval(
        """
        insert into mpesa_callbacks (received_at, channel, token_hash, source, body_enc, next_attempt_at)
        values ($1, $2, $3, $4::text::inet, $5, $6) returning id
        """,
        received_at, channel, token_hash, source, body_enc, lease_until,
    )  # fmt: skip
    return id_


@dataclass(frozen=True, slots=True)
class Callback:
    """A stored callback that waits to be understood."""

    id: int
    received_at: datetime
    channel: str
    token_hash: bytes | None
    source: str | None
    body_enc: bytes
    attempts: int


async def claim(db: Connection, at: datetime, lease_until: datetime, limit: int) -> list[Callback]:
    """Callbacks nobody has dealt with, oldest first; each is ours until the lease ends."""
    rows = await db.fetch(
        """
        update mpesa_callbacks c set next_attempt_at = $2
        from (select id, received_at from mpesa_callbacks where processed_at is null and next_attempt_at <= $1
              order by next_attempt_at limit $3 for update skip locked) due
        where c.id = due.id and c.received_at = due.received_at
        returning c.id, c.received_at, c.channel, c.token_hash, host(c.source) as source, c.body_enc, c.attempts
        """,
        at, lease_until, limit,
    )  # fmt: skip
    return [Callback(**row) for row in rows]


async def lock_unprocessed(db: Connection, id_: int, received_at: datetime) -> bool:
    """Hold a callback's row if nobody has dealt with it: two workers must not both count it."""
    return (
        await db.fetchval(
            """
            select true from mpesa_callbacks where id = $1 and received_at = $2 and processed_at is null for update
            """,
            id_, received_at,
        )
        is True
    )  # fmt: skip


async def finish(
    db: Connection, id_: int, received_at: datetime, verdict: str, transaction_id: UUID | None, at: datetime
) -> None:
    """What became of a callback, in the transaction of what it did."""
    one_row(
        await db.execute(
            """
            update mpesa_callbacks set processed_at = $5, verdict = $3, transaction_id = $4, attempts = attempts + 1
            where id = $1 and received_at = $2 and processed_at is null
            """,
            id_, received_at, verdict, transaction_id, at,
        ),
        "finishing a callback",
    )  # fmt: skip


async def postpone(db: Connection, id_: int, received_at: datetime, next_attempt_at: datetime, error: str) -> None:
    """Try a callback again later."""
    await db.execute(
        """
        update mpesa_callbacks set attempts = attempts + 1, next_attempt_at = $3, last_error = $4
        where id = $1 and received_at = $2
        """,
        id_, received_at, next_attempt_at, error,
    )  # fmt: skip


async def waiting(db: Connection) -> int:
    """How many callbacks wait."""
    count: int = await db.fetchval("select count(*) from mpesa_callbacks where processed_at is null")
    return count

"""The inbox: every callback as it came, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, one_row

#: Nobody has dealt with it yet. Not `is null`: with that PostgreSQL would plan to walk along the index of what waits,
#: which is empty whenever a plan is made, and long on the night when it counts.
WAITS = "coalesce(processed_at, 'infinity') = 'infinity'"


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a callback was put."""

    id: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """A callback as it came, sealed. `lease_until`: when a worker may take it up."""

    received_at: datetime
    channel: str
    token_hash: bytes | None
    source: str | None
    body_enc: bytes
    lease_until: datetime


async def store(db: Connection, arrivals: Sequence[Arrival]) -> list[int]:
    """Keep callbacks as they came; their ids, in the order given. One statement, and by itself its own transaction:
    only after it may Safaricom be told "accepted"."""
    rows = await db.fetch(
        """
        with arrived as (
            select nextval('mpesa_callbacks_id') as id, a.*
            from unnest($1::timestamptz[], $2::text[], $3::bytea[], $4::text[], $5::bytea[], $6::timestamptz[])
                 with ordinality as a (received_at, channel, token_hash, source, body_enc, lease_until, place)
        ), kept as (
            insert into mpesa_callbacks (id, received_at, channel, token_hash, source, body_enc, next_attempt_at)
            select id, received_at, channel, token_hash, source::inet, body_enc, lease_until from arrived
        )
        select id from arrived order by place
        """,
        [arrival.received_at for arrival in arrivals],
        [arrival.channel for arrival in arrivals],
        [arrival.token_hash for arrival in arrivals],
        [arrival.source for arrival in arrivals],
        [arrival.body_enc for arrival in arrivals],
        [arrival.lease_until for arrival in arrivals],
    )
    return [row["id"] for row in rows]


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
            f"select true from mpesa_callbacks where id = $1 and received_at = $2 and {WAITS} for update",
            id_, received_at,
        )
        is True
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """The callback whose turn it is; `body_enc` is None where it is the one that asked."""

    id: int
    received_at: datetime
    body_enc: bytes | None


async def lock_first_waiting(
    db: Connection, token_hash: bytes, id_: int, received_at: datetime, passed_over: Sequence[int]
) -> Turn | None:
    """Hold the oldest callback of a payment that nobody has dealt with, up to this one; None: this one was dealt with.

    Whoever waits here for another's row sees, once that is committed, the next one after it. A day to each side is
    longer than any callback is tried and keeps the search within a month's partition or two.
    """
    row = await db.fetchrow(
        f"""
        select id, received_at, case when id <> $2 then body_enc end as body_enc
        from mpesa_callbacks
        where token_hash = $1 and {WAITS} and id <= $2 and id <> all($4::bigint[])
          and received_at between $3::timestamptz - interval '1 day' and $3::timestamptz + interval '1 day'
        order by id limit 1 for update
        """,
        token_hash, id_, received_at, list(passed_over),
    )  # fmt: skip
    return Turn(**row) if row else None


async def finish(
    db: Connection, id_: int, received_at: datetime, verdict: str, transaction_id: UUID | None, at: datetime
) -> None:
    """What became of a callback, in the transaction of what it did."""
    one_row(
        await db.execute(
            f"""
            update mpesa_callbacks set processed_at = $5, verdict = $3, transaction_id = $4, attempts = attempts + 1
            where id = $1 and received_at = $2 and {WAITS}
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

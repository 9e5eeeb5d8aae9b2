"""Phones and addresses that get no prompts for a while."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


async def lock_blocks(db: Connection, bar_id: UUID) -> None:
    """One at a time decides about a bar's blocks, until the transaction ends."""
    await db.execute("select pg_advisory_xact_lock(hashtextextended('prompt blocks ' || $1::uuid, 0))", bar_id)


async def lasting_block(
    db: Connection, bar_id: UUID, phone_hash: bytes | None, source: str | None, at: datetime
) -> bool:
    """Whether a phone or an address is blocked already."""
    found: bool = await db.fetchval(
        """
        select exists (select 1 from prompt_blocks where bar_id = $1 and until > $4 and lifted_at is null
                       and (phone_hash = $2 or source = $3::text::inet))
        """,
        bar_id, phone_hash, source, at,
    )  # fmt: skip
    return found


async def earlier_blocks(
    db: Connection, bar_id: UUID, phone_hash: bytes | None, source: str | None, since: datetime
) -> int:
    """How many blocks of the same phone or address ran their time, since a moment."""
    count: int = await db.fetchval(
        """
        select count(*) from prompt_blocks where bar_id = $1 and blocked_at > $4 and lifted_at is null
        and (phone_hash = $2 or source = $3::text::inet)
        """,
        bar_id, phone_hash, source, since,
    )  # fmt: skip
    return count


async def insert_block(
    db: Connection,
    id_: UUID,
    bar_id: UUID,
    phone_hash: bytes | None,
    source: str | None,
    points: int,
    reason: str,
    by: str,
    at: datetime,
    until: datetime,
) -> None:
    """A block of a phone or of an address."""
    await db.execute(
        """
        insert into prompt_blocks (id, bar_id, phone_hash, source, points, reason, blocked_by, blocked_at, until)
        values ($1, $2, $3, $4::text::inet, $5, $6, $7, $8, $9)
        """,
        id_, bar_id, phone_hash, source, points, reason, by, at, until,
    )  # fmt: skip


async def lift_block(db: Connection, bar_id: UUID, id_: UUID, by: str, at: datetime, reason: str) -> bool:
    """End a lasting block; False where there is none."""
    done = await db.execute(
        """
        update prompt_blocks set lifted_by = $3, lifted_at = $4, lift_reason = $5
        where bar_id = $1 and id = $2 and lifted_at is null and until > $4
        """,
        bar_id, id_, by, at, reason,
    )  # fmt: skip
    return done == "UPDATE 1"


@dataclass(frozen=True, slots=True, repr=False)
class BlockRow:
    id: UUID
    bar_id: UUID
    phone_hash: bytes | None
    source: str | None
    points: int
    reason: str
    blocked_by: str
    blocked_at: datetime
    until: datetime
    lifted_by: str | None
    lifted_at: datetime | None
    lift_reason: str | None


async def blocks_of_bar(db: Connection, bar_id: UUID, most: int) -> list[BlockRow]:
    """A bar's blocks, newest first."""
    rows = await db.fetch(
        """
        select id, bar_id, phone_hash, host(source) as source, points, reason, blocked_by, blocked_at, until, lifted_by,
               lifted_at, lift_reason
        from prompt_blocks where bar_id = $1 order by blocked_at desc, id limit $2
        """,
        bar_id, most,
    )  # fmt: skip
    return [BlockRow(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Lasting:
    bar_id: UUID
    phones: int
    addresses: int


async def lasting_blocks(db: Connection, at: datetime) -> list[Lasting]:
    """How many phones and addresses are blocked at a moment, at each bar that has any."""
    rows = await db.fetch(
        """
        select bar_id, count(phone_hash) as phones, count(source) as addresses
        from prompt_blocks where until > $1 and lifted_at is null group by bar_id
        """,
        at,
    )
    return [Lasting(**row) for row in rows]


async def bars_told(db: Connection, kind: str) -> list[UUID]:
    """The bars that have an open problem of a kind whose subject they are."""
    rows = await db.fetch(
        "select bar_id from problems where kind = $1 and closed_at is null and subject = bar_id::text", kind
    )
    return [row["bar_id"] for row in rows]


async def phone_at_bar(db: Connection, bar_id: UUID, phone_hash: bytes) -> bytes | None:
    """The sealed number behind a hash, as a payment at this bar kept it last."""
    sealed: bytes | None = await db.fetchval(
        """
        select phone_enc from mpesa_transactions where phone_hash = $2 and bar_id = $1
        order by created_at desc limit 1
        """,
        bar_id, phone_hash,
    )  # fmt: skip
    return sealed


async def forget_blocks(db: Connection, before: datetime) -> str:
    """Drop blocks that were over long ago; the audit keeps that they were."""
    return await db.execute("delete from prompt_blocks where until < $1", before)

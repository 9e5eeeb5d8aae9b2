"""What came of each wish to be prompted, and what that says of phones and addresses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID

from kaunta.core.db import Connection


async def insert_started(
    db: Connection, bar_id: UUID, at: datetime, source: str | None, phone_hash: bytes, transaction_id: UUID
) -> None:
    """A guest's wish that became a payment."""
    await db.execute(
        """
        insert into payment_tries (bar_id, at, source, phone_hash, transaction_id)
        values ($1, $2, $3::text::inet, $4, $5)
        """,
        bar_id, at, source, phone_hash, transaction_id,
    )  # fmt: skip


async def insert_refused(
    db: Connection,
    bar_id: UUID,
    at: datetime,
    source: str | None,
    phone_hash: bytes | None,
    refused: str,
    since: datetime,
    most: int,
) -> None:
    """A guest's wish that was refused; of one address (or of nobody's) so many since a moment, then no more: whoever
    hammers at the door does not fill the table."""
    await db.execute(
        """
        insert into payment_tries (bar_id, at, source, phone_hash, refused)
        select $1, $2, $3::text::inet, $4, $5
        where (select count(*) from (
                   select 1 from payment_tries
                   where bar_id = $1 and at > $6 and refused is not null and source is not distinct from $3::text::inet
                   limit $7
               ) already) < $7
        """,
        bar_id, at, source, phone_hash, refused, since, most,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Blocked:
    """Until when a phone and an address are blocked at a bar; `tried`: how often the address has tried at all since a
    moment, counted so far as it may matter."""

    phone_until: datetime | None
    address_until: datetime | None
    tried: int


async def blocked(
    db: Connection, bar_id: UUID, phone_hash: bytes, source: str | None, now: datetime, since: datetime, enough: int
) -> Blocked:
    """Blocks of a phone and an address, and the address's tries since a moment, counted to `enough`. Asked before
    every prompt: the rest only where this says so."""
    row = await db.fetchrow(
        """
        select
            (select max(until) from prompt_blocks
             where bar_id = $1 and phone_hash = $2 and until > $4 and lifted_at is null) as phone_until,
            (select max(until) from prompt_blocks
             where bar_id = $1 and source = $3::text::inet and until > $4 and lifted_at is null) as address_until,
            (select count(*) from (
                 select from payment_tries where source = $3::text::inet and at > $5 limit $6) any_of_them) as tried
        """,
        bar_id, phone_hash, source, now, since, enough,
    )  # fmt: skip
    assert row is not None, "a select without a table has one row"
    return Blocked(**row)


async def in_vain(db: Connection, source: str | None, since: datetime, most: int) -> int:
    """An address's refused and failed tries since a moment, counted to `most`."""
    count: int = await db.fetchval(
        """
        select count(*) from (
            select from payment_tries t left join mpesa_transactions m on m.id = t.transaction_id
            where t.source = $1::text::inet and t.at > $2
              and (t.refused is not null or m.status in ('failed', 'cancelled', 'timeout'))
            limit $3
        ) fruitless
        """,
        source, since, most,
    )  # fmt: skip
    return count


async def anybody_paid(db: Connection, source: str | None, since: datetime) -> bool:
    """Whether somebody who tried from an address since a moment has paid."""
    paid: bool = await db.fetchval(
        """
        select exists (select 1 from payment_tries t join mpesa_transactions m on m.id = t.transaction_id
                       where t.source = $1::text::inet and t.at > $2 and m.status = 'completed')
        """,
        source, since,
    )  # fmt: skip
    return paid


@dataclass(frozen=True, slots=True, repr=False)
class SeenPhone:
    bar_id: UUID
    phone_hash: bytes
    prompts: int
    addresses: int
    declined: int
    unanswered: int
    refused: int
    paid: int


async def phones_seen(
    db: Connection, bars: Sequence[UUID] | None, day: datetime, hour: datetime, recent: datetime
) -> list[SeenPhone]:
    """What a day showed of every phone that was named recently, bar by bar, since its last block ended.

    `bars` None: of all bars.
    """
    rows = await db.fetch(
        """
        with named as (
            select distinct bar_id, phone_hash from payment_tries
            where at > $4 and phone_hash is not null and ($1::uuid[] is null or bar_id = any($1))
        )
        select n.bar_id, n.phone_hash,
            count(*) filter (where t.transaction_id is not null and t.at > $3) as prompts,
            count(distinct t.source) filter (where t.at > $3) as addresses,
            count(*) filter (where m.status = 'cancelled') as declined,
            count(*) filter (where m.status in ('failed', 'timeout')
                               and m.failure_reason is distinct from 'not_sent') as unanswered,
            count(*) filter (where t.refused in ('too_many_prompts', 'prompts_blocked')) as refused,
            count(*) filter (where m.status = 'completed') as paid
        from named n
        join payment_tries t on t.bar_id = n.bar_id and t.phone_hash = n.phone_hash
            and t.at > greatest($2, (select max(coalesce(b.lifted_at, b.until)) from prompt_blocks b
                                     where b.bar_id = n.bar_id and b.phone_hash = n.phone_hash))
        left join mpesa_transactions m on m.id = t.transaction_id
        group by n.bar_id, n.phone_hash
        """,
        bars, day, hour, recent,
    )  # fmt: skip
    return [SeenPhone(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class SeenAddress:
    bar_id: UUID
    source: str
    numbers: int
    fruitless: int
    refused: int
    forged: int
    paid: int


async def addresses_seen(
    db: Connection,
    bars: Sequence[UUID] | None,
    month: datetime,
    day: datetime,
    hour: datetime,
    recent: datetime,
    safaricom: Sequence[IPv4Network | IPv6Network],
) -> list[SeenAddress]:
    """The same of every address: those that named a number recently, and those that sent a callback nobody proved."""
    rows = await db.fetch(
        """
        with forged as (
            select m.bar_id, s.source, count(*) as forged
            from mpesa_callbacks c join mpesa_transactions m on m.id = c.transaction_id, lateral (
                -- As tries are counted (core/source.py): an IPv6 address by its /64.
                select case family(c.source) when 6 then host(network(set_masklen(c.source, 64)))::inet
                       else c.source end as source) s
            where c.received_at > $5 and c.verdict in ('unauthenticated', 'contradictory') and c.source is not null
              and not c.source <<= any($6::inet[]) and ($1::uuid[] is null or m.bar_id = any($1))
            group by m.bar_id, s.source
        ), named as (
            select bar_id, source from payment_tries
            where at > $5 and source is not null and ($1::uuid[] is null or bar_id = any($1))
            union select bar_id, source from forged
        )
        select n.bar_id, host(n.source) as source,
            count(distinct t.phone_hash) filter (where t.at > $4) as numbers,
            count(*) filter (where m.status in ('failed', 'cancelled', 'timeout')
                               and m.failure_reason is distinct from 'not_sent') as fruitless,
            count(*) filter (where t.refused is not null) as refused,
            coalesce(max(f.forged), 0) as forged,
            (select count(*) from (
                 select 1 from payment_tries p join mpesa_transactions pm on pm.id = p.transaction_id
                 where p.source = n.source and p.at > $2 and pm.status = 'completed' limit 1) one) as paid
        from named n
        left join payment_tries t on t.bar_id = n.bar_id and t.source = n.source
            and t.at > greatest($3, (select max(coalesce(b.lifted_at, b.until)) from prompt_blocks b
                                     where b.bar_id = n.bar_id and b.source = n.source))
        left join mpesa_transactions m on m.id = t.transaction_id
        left join forged f on f.bar_id = n.bar_id and f.source = n.source
        group by n.bar_id, n.source
        """,
        bars, month, day, hour, recent, list(safaricom),
    )  # fmt: skip
    return [SeenAddress(**row) for row in rows]


async def forget_tries(db: Connection, before: datetime) -> str:
    """Drop tries nobody counts any more."""
    return await db.execute("delete from payment_tries where at < $1", before)

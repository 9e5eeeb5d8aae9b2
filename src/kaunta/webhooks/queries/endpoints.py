"""Where a bar's messages go."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, affected


@dataclass(frozen=True, slots=True)
class Listed:
    """An endpoint and how it does. `given_up`: messages that nobody tries any more."""

    id: UUID
    bar_id: UUID
    bar_slug: str
    url: str = field(repr=False)
    added_by: str
    created_at: datetime
    failures: int
    rests_until: datetime | None
    heard_at: datetime | None
    waiting: int
    delivered: int
    given_up: int


async def listed(db: Connection, bar_id: UUID | None) -> list[Listed]:
    """The endpoints of a bar, or of all, oldest first."""
    rows = await db.fetch(
        """
        select w.id, w.bar_id, b.slug as bar_slug, w.url, w.added_by, w.created_at, w.failures, w.rests_until,
               w.heard_at,
               count(m.id) filter (where num_nonnulls(m.delivered_at, m.given_up_at) = 0) as waiting,
               count(m.delivered_at) as delivered, count(m.given_up_at) as given_up
        from webhook_endpoints w join bars b on b.id = w.bar_id left join webhook_messages m on m.endpoint_id = w.id
        where w.removed_at is null and ($1::uuid is null or w.bar_id = $1)
        group by w.id, b.slug order by w.created_at, w.id
        """,
        bar_id,
    )
    return [Listed(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that is used. `url` may hold a token of the receiver's, so it is not shown by accident."""

    id: UUID
    bar_id: UUID
    url: str = field(repr=False)
    secret_enc: bytes = field(repr=False)


async def endpoint(db: Connection, id_: UUID) -> Endpoint | None:
    """One that was not removed."""
    row = await db.fetchrow(
        "select id, bar_id, url, secret_enc from webhook_endpoints where id = $1 and removed_at is null", id_
    )
    return Endpoint(**row) if row else None


async def hold_bar(db: Connection, bar_id: UUID) -> bool:
    """Whether there is such a bar; its endpoints are counted one after the other."""
    return await db.fetchval("select true from bars where id = $1 for no key update", bar_id) is True


async def count(db: Connection, bar_id: UUID) -> int:
    """How many a bar has."""
    found: int = await db.fetchval(
        "select count(*) from webhook_endpoints where bar_id = $1 and removed_at is null", bar_id
    )
    return found


async def insert(
    db: Connection, id_: UUID, bar_id: UUID, url: str, secret_enc: bytes, by: str, at: datetime
) -> bool:  # fmt: skip
    """A new endpoint; False where the bar has it already."""
    tag = await db.execute(
        """
        insert into webhook_endpoints (id, bar_id, url, secret_enc, added_by, created_at)
        values ($1, $2, $3, $4, $5, $6) on conflict (bar_id, url) where removed_at is null do nothing
        """,
        id_, bar_id, url, secret_enc, by, at,
    )  # fmt: skip
    return affected(tag) == 1


async def remove(db: Connection, id_: UUID, at: datetime) -> None:
    """Nothing is sent there any more; what waited is given up."""
    await db.execute("update webhook_endpoints set removed_at = $2 where id = $1", id_, at)
    await db.execute(
        """
        update webhook_messages set given_up_at = $2, last_error = 'removed'
        where endpoint_id = $1 and delivered_at is null and given_up_at is null
        """,
        id_, at,
    )  # fmt: skip


async def took(db: Connection, id_: UUID, at: datetime) -> None:
    """It took something."""
    await db.execute(
        "update webhook_endpoints set failures = 0, rests_until = null, heard_at = $2 where id = $1", id_, at
    )


async def failed(db: Connection, id_: UUID) -> int | None:
    """It did not; how often in a row now. None: it was removed meanwhile."""
    failures: int | None = await db.fetchval(
        "update webhook_endpoints set failures = failures + 1 where id = $1 and removed_at is null returning failures",
        id_,
    )
    return failures


async def rest(db: Connection, id_: UUID, until: datetime) -> None:
    """Nothing is sent there before a moment."""
    await db.execute("update webhook_endpoints set rests_until = $2 where id = $1", id_, until)

"""What waits to be sent, and what became of it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection, affected


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is this process's to send, for as long as its lease."""

    id: UUID
    bar_id: UUID
    endpoint_id: UUID
    url: str = field(repr=False)
    secret_enc: bytes = field(repr=False)
    body: str
    attempts: int
    created_at: datetime


async def claim(db: Connection, now: datetime, lease: datetime, busy: list[UUID], limit: int) -> list[Due]:
    """The oldest message of each endpoint that has one due, does not rest and is not `busy`; each counts as tried."""
    rows = await db.fetch(
        """
        with picked as materialized (
            select first.id from webhook_endpoints e, lateral (
                select x.id from webhook_messages x
                where x.endpoint_id = e.id and x.next_attempt_at <= $1 and x.delivered_at is null
                  and x.given_up_at is null
                order by x.next_attempt_at, x.event_at, x.id limit 1 for update skip locked) first
            where e.removed_at is null and (e.rests_until is null or e.rests_until <= $1) and e.id <> all($3)
            limit $4)
        update webhook_messages m set next_attempt_at = $2, attempts = attempts + 1
        from picked, webhook_endpoints w
        where m.id = picked.id and w.id = m.endpoint_id
        returning m.id, m.bar_id, m.endpoint_id, w.url, w.secret_enc, m.body, m.attempts, m.created_at
        """,
        now, lease, busy, limit,
    )  # fmt: skip
    return [Due(**row) for row in rows]


async def delivered(db: Connection, id_: UUID, at: datetime) -> None:
    """It was taken; also where somebody had given it up meanwhile."""
    await db.execute(
        "update webhook_messages set delivered_at = $2, given_up_at = null, last_error = null where id = $1", id_, at
    )


async def failed(db: Connection, id_: UUID, error: str, again: datetime) -> None:
    """It was not; when to try again."""
    await db.execute(
        "update webhook_messages set last_error = $2, next_attempt_at = $3 where id = $1", id_, error, again
    )


async def given_up(db: Connection, id_: UUID, error: str, at: datetime) -> None:
    """It was tried in vain often enough."""
    await db.execute(
        """
        update webhook_messages set last_error = $2, given_up_at = $3
        where id = $1 and delivered_at is null and given_up_at is null
        """,
        id_, error, at,
    )  # fmt: skip


async def again(db: Connection, endpoint_id: UUID, ids: list[UUID] | None, at: datetime) -> int:
    """Send these messages of an endpoint again, or all that were given up; how many. It rests no longer."""
    tag = await db.execute(
        """
        update webhook_messages set next_attempt_at = $3, attempts = 0, delivered_at = null, given_up_at = null
        where endpoint_id = $1 and case when $2::uuid[] is null then given_up_at is not null else id = any($2) end
        """,
        endpoint_id, ids, at,
    )  # fmt: skip
    await db.execute("update webhook_endpoints set rests_until = null where id = $1", endpoint_id)
    return affected(tag)


@dataclass(frozen=True, slots=True)
class Message:
    """A message and how it stands."""

    id: UUID
    endpoint_id: UUID
    type: str
    event_at: datetime
    created_at: datetime
    next_attempt_at: datetime
    attempts: int
    delivered_at: datetime | None
    given_up_at: datetime | None
    last_error: str | None
    body: str


MESSAGE = """
    select id, endpoint_id, type, event_at, created_at, next_attempt_at, attempts, delivered_at, given_up_at,
           last_error, body
    from webhook_messages
"""


async def of_bar(db: Connection, bar_id: UUID, before: tuple[datetime, UUID], limit: int) -> list[Message]:
    """A bar's messages, newest first, after a place. One worker at a time writes them, so none appears later with an
    earlier moment."""
    rows = await db.fetch(
        f"{MESSAGE} where bar_id = $1 and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4",
        bar_id, *before, limit,
    )  # fmt: skip
    return [Message(**row) for row in rows]


async def of_endpoint(db: Connection, endpoint_id: UUID, limit: int) -> list[Message]:
    """An endpoint's newest messages."""
    rows = await db.fetch(
        f"{MESSAGE} where endpoint_id = $1 order by created_at desc, id desc limit $2", endpoint_id, limit
    )
    return [Message(**row) for row in rows]


async def endpoint_of(db: Connection, id_: UUID) -> tuple[UUID, UUID] | None:
    """A message's endpoint and bar; None where there is none, or its endpoint is gone."""
    row = await db.fetchrow(
        """
        select m.endpoint_id, m.bar_id from webhook_messages m join webhook_endpoints w on w.id = m.endpoint_id
        where m.id = $1 and w.removed_at is null
        """,
        id_,
    )
    return (row["endpoint_id"], row["bar_id"]) if row else None


async def forget(db: Connection, before: datetime) -> None:
    """What is older than this."""
    await db.execute("delete from webhook_messages where created_at < $1", before)

"""Shortcodes whose payments are asked for in a list."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Subscription:
    """A shortcode that may be pulled."""

    credential_id: UUID
    bar_id: UUID
    environment: str
    shortcode: str
    subscribed_at: datetime
    next_pull_at: datetime | None
    pulled_at: datetime | None
    error: str | None


SUBSCRIPTION = """
    select credential_id, bar_id, environment, shortcode, subscribed_at, next_pull_at, pulled_at, error
    from pull_subscriptions
"""


async def of_bar(db: Connection, bar_id: UUID) -> list[Subscription]:
    """A bar's subscriptions."""
    rows = await db.fetch(f"{SUBSCRIPTION} where bar_id = $1 order by environment", bar_id)
    return [Subscription(**row) for row in rows]


async def subscribe(
    db: Connection, credential_id: UUID, bar_id: UUID, environment: str, shortcode: str, at: datetime
) -> None:
    """A shortcode may be pulled from now on."""
    await db.execute(
        """
        insert into pull_subscriptions (credential_id, bar_id, environment, shortcode, subscribed_at, next_pull_at)
        values ($1, $2, $3, $4, $5, $5)
        on conflict (credential_id) do update set shortcode = excluded.shortcode,
            subscribed_at = excluded.subscribed_at, next_pull_at = excluded.next_pull_at, error = null
        """,
        credential_id, bar_id, environment, shortcode, at,
    )  # fmt: skip


async def stop(db: Connection, bar_id: UUID, environment: str) -> None:
    """A shortcode is not pulled any more."""
    await db.execute(
        "update pull_subscriptions set next_pull_at = null where bar_id = $1 and environment = $2", bar_id, environment
    )


async def claim_due(db: Connection, at: datetime, next_at: datetime, limit: int) -> list[Subscription]:
    """Subscriptions whose time has come; each is ours, and due again at `next_at` whatever becomes of it."""
    rows = await db.fetch(
        """
        update pull_subscriptions set next_pull_at = $2
        where credential_id in (select credential_id from pull_subscriptions where next_pull_at <= $1
                                order by next_pull_at limit $3 for update skip locked)
        returning credential_id, bar_id, environment, shortcode, subscribed_at, next_pull_at, pulled_at, error
        """,
        at, next_at, limit,
    )  # fmt: skip
    return [Subscription(**row) for row in rows]


async def pulled(db: Connection, credential_id: UUID, at: datetime | None, error: str | None) -> None:
    """What a pull came to; a failure leaves the moment of the last good one."""
    await db.execute(
        "update pull_subscriptions set pulled_at = coalesce($2, pulled_at), error = $3 where credential_id = $1",
        credential_id, at, error,
    )  # fmt: skip

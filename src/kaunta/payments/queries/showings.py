"""What the guest's page of a payment has said, and when it said it first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Showing:
    """A payment's page was answered with this state of it."""

    bar_id: UUID
    transaction_id: UUID
    status: str
    at: datetime


async def insert(db: Connection, showings: Sequence[Showing]) -> None:
    """Write down what was not yet: each state of a payment once."""
    await db.execute(
        """
        insert into payment_showings (bar_id, transaction_id, status, at)
        select * from unnest($1::uuid[], $2::uuid[], $3::text[]::transaction_status[], $4::timestamptz[])
        on conflict (transaction_id, status) do nothing
        """,
        [each.bar_id for each in showings], [each.transaction_id for each in showings],
        [each.status for each in showings], [each.at for each in showings],
    )  # fmt: skip


async def of_payment(db: Connection, transaction_id: UUID) -> list[Showing]:
    """What was shown of a payment, oldest first."""
    rows = await db.fetch(
        """
        select bar_id, transaction_id, status::text as status, at from payment_showings
        where transaction_id = $1 order by at
        """,
        transaction_id,
    )
    return [Showing(**row) for row in rows]


async def forget(db: Connection, before: datetime) -> None:
    """What is older than this."""
    await db.execute("delete from payment_showings where at < $1", before)

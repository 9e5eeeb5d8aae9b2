"""What a bar's newest payments met."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class LateAttempt:
    """One of the newest payments, as far as it tells how Safaricom answers."""

    status: str
    failure_reason: str | None
    result_code: str | None
    result_desc: str | None
    push_started_at: datetime


async def newest_attempts(db: Connection, bar_id: UUID, since: datetime, limit: int) -> list[LateAttempt]:
    """A bar's newest payments since a moment."""
    rows = await db.fetch(
        """
        select status::text as status, failure_reason, result_code, result_desc, push_started_at
        from mpesa_transactions where bar_id = $1 and created_at > $2 order by created_at desc, id desc limit $3
        """,
        bar_id, since, limit,
    )  # fmt: skip
    return [LateAttempt(**row) for row in rows]

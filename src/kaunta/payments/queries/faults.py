"""Faults' SQL: payments that failed for a reason of ours, and the tabs of test payments."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


async def bars_to_look_at(db: Connection, since: datetime, codes: list[str], limit: int) -> list[UUID]:
    """Bars that take M-Pesa and where, since then, something failed that may be our fault."""
    rows = await db.fetch(
        """
        select distinct t.bar_id from mpesa_transactions t join bars b on b.id = t.bar_id
        where t.status = 'failed' and t.settled_at > $1
          and (t.failure_reason in ('rejected', 'not_sent') or t.result_code = any($2))
          and b.mpesa_enabled and b.mpesa_suspended_reason is null
          and t.settled_at >= coalesce(b.mpesa_faults_since, '-infinity')
        order by t.bar_id limit $3
        """,
        since, codes, limit,
    )  # fmt: skip
    return [row["bar_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a payment ended."""

    id: UUID
    status: str
    failure_reason: str | None
    result_code: str | None
    result_desc: str | None


async def last_ended(db: Connection, bar_id: UUID, since: datetime, limit: int) -> list[Ended]:
    """The last payments to end at a bar that is on and not stopped, made with the credentials it has now; the newest
    first, and none that ended before the last stop did."""
    rows = await db.fetch(
        """
        select t.id, t.status::text as status, t.failure_reason, t.result_code, t.result_desc
        from bars b
        join mpesa_credentials c on c.tenant_id = b.id and c.environment = b.mpesa_environment
        join mpesa_transactions t on t.bar_id = b.id and t.credential_id = c.id and t.credential_version = c.version
        where b.id = $1 and b.mpesa_enabled and b.mpesa_suspended_reason is null and t.created_at > $2
          and t.settled_at >= coalesce(b.mpesa_faults_since, '-infinity')
        order by t.settled_at desc, t.id desc limit $3
        """,
        bar_id, since, limit,
    )  # fmt: skip
    return [Ended(**row) for row in rows]

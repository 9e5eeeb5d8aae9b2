"""The SQL of tabs for test payments."""

from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


async def ended_trial_tabs(db: Connection, unknown_since: datetime, limit: int) -> list[UUID]:
    """Open tabs of tests with no payment on its way; one that is unknown counts as on its way for a while."""
    rows = await db.fetch(
        """
        select t.id from tabs t
        where t.status <> 'closed' and t.opened_by like 'test:%'
          and not exists (select from mpesa_transactions m where m.tab_id = t.id
                          and (m.status in ('pending', 'sent') or (m.status = 'timeout' and m.created_at > $1)))
        order by t.opened_at limit $2
        """,
        unknown_since, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]

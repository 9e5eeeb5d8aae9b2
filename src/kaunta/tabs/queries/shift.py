"""What each person at a bar took in a stretch of time, by method: the ledger read by who stands behind a row."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Taken:
    """Rows of one kind and method behind one person. `who`: an actor; `guest` where no person had a hand in it."""

    who: str
    kind: str
    method: str | None
    count: int
    amount: int


async def taken(db: Connection, bar_id: UUID, environment: str, since: datetime, until: datetime) -> list[Taken]:
    """Cash and card belong to who took them; M-Pesa to who sent the prompt, else to who opened the tab."""
    rows = await db.fetch(
        """
        select case
                   when l.method in ('cash', 'card') or l.recorded_by like 'staff:%' then l.recorded_by
                   when p.started_by like 'staff:%' then p.started_by
                   when t.opened_by like 'staff:%' then t.opened_by
                   else 'guest'
               end as who,
               l.kind, l.method, count(*)::int as count, sum(l.amount)::bigint as amount
        from tab_payments l join tabs t on t.id = l.tab_id left join mpesa_transactions p on p.id = l.transaction_id
        where l.bar_id = $1 and l.created_at >= $3 and l.created_at < $4
          and (l.environment is null or l.environment = $2)
        group by 1, 2, 3 order by 1, 2, 3
        """,
        bar_id, environment, since, until,
    )  # fmt: skip
    return [Taken(**row) for row in rows]

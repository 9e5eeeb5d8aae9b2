"""What payments and callbacks say about whether all is well: counted from the newest of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Newest:
    """A bar's newest payments that came to something, and how many of them were paid."""

    bar_id: UUID
    payments: int
    paid: int


async def seldom_paid(db: Connection, since: datetime, newest: int, paid: int) -> list[Newest]:
    """Bars of whose newest payments since a moment fewer than `paid` were paid; those with fewer payments are left
    out. One that nobody knows the end of is none that was paid."""
    rows = await db.fetch(
        """
        select b.id as bar_id, n.payments, n.paid
        from bars b cross join lateral (
            select count(*)::int as payments, count(*) filter (where p.status = 'completed')::int as paid
            from (select status from mpesa_transactions t
                  where t.bar_id = b.id and t.created_at > $1 and t.environment = b.mpesa_environment
                    and t.status in ('completed', 'failed', 'cancelled', 'timeout')
                  order by t.created_at desc, t.id desc limit $2) p) n
        where b.mpesa_enabled and n.payments >= $2 and n.paid < $3 order by b.id
        """,
        since, newest, paid,
    )  # fmt: skip
    return [Newest(**row) for row in rows]


async def never_called_back(db: Connection, since: datetime, settled_before: datetime, newest: int) -> list[UUID]:
    """Bars of whose newest paid payments none was called back about: we had to ask for each."""
    rows = await db.fetch(
        """
        select b.id as bar_id
        from bars b cross join lateral (
            select count(*) as payments,
                   bool_and(p.asked and not exists (
                       select from mpesa_callbacks c where c.transaction_id = p.id and c.channel = 'stk')) as silent
            from (select id, query_success_at is not null as asked from mpesa_transactions t
                  where t.bar_id = b.id and t.created_at > $1 and t.environment = b.mpesa_environment
                    and t.status = 'completed' and t.settled_at <= $2
                  order by t.created_at desc, t.id desc limit $3) p) n
        where n.payments >= $3 and n.silent order by b.id
        """,
        since, settled_before, newest,
    )  # fmt: skip
    return [row["bar_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Unbelieved:
    """Callbacks that did not come from Safaricom, or may not have: how many, and from how many addresses."""

    callbacks: int
    sources: int


async def unbelieved_callbacks(db: Connection, since: datetime, networks: Sequence[str] | None) -> Unbelieved:
    """Since a moment: those without a right address of ours, and (with `networks`) those from outside of them."""
    row = await db.fetchrow(
        """
        select count(*)::int as callbacks, count(distinct source)::int as sources from mpesa_callbacks
        where received_at > $1
          and (verdict in ('unauthenticated', 'orphan')
               or ($2::text[] is not null and not (source <<= any($2::text[]::inet[]))))
        """,
        since, networks,
    )  # fmt: skip
    return Unbelieved(**row) if row else Unbelieved(0, 0)

"""What a bar's days came to, exactly, however many payments there are.

Days that are over are counted once, by the worker; a page adds them up and counts only the last few itself. A payment
that changes long after its day (a late success, a refund) has its day counted anew, and until then read from the
payments, so that the totals are exact at every moment.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import day_totals as queries
from kaunta.payments.queries.history import Totals
from kaunta.payments.states import Status

#: Days that one turn counts of a house that has not been counted yet, and days that it counts anew.
DAYS_AT_ONCE, STALE_AT_ONCE = 7, 200


async def day_totals(
    db: Connection,
    bar_id: UUID,
    first: date | None,
    last: date | None,
    statuses: Sequence[Status],
    environment: str | None,
) -> Totals:
    """All payments of these business days, both included, in these states (none named: in any)."""
    days = None
    while days is None:
        # The worker moves the mark on once a day; a house that was never counted, every few moments, and not for long.
        through = await queries.kept_through(db)
        days = await queries.count_days(db, bar_id, first, last, environment, through)
    chosen = {status: getattr(days, status.value) for status in statuses or Status}
    paid = Status.COMPLETED in chosen
    return Totals(
        payments=sum(chosen.values()),
        ended=sum(chosen.get(status, 0) for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)),
        paid=chosen.get(Status.COMPLETED, 0),
        received=days.received if paid else 0,
        refunded=days.refunded if paid else 0,
        exact=True,
    )


async def keep_days(rt: Runtime) -> int:
    """A worker's turn: count the days that are over, and those that changed since; how many days."""
    async with transaction(rt.db) as db:
        mark = await queries.take_mark(db)
        if mark is None:
            return 0
        stale = await queries.take_stale(db, STALE_AT_ONCE)
        if stale:
            # What changed on a day that nobody has counted yet will be counted with it.
            kept = [(bar_id, day) for bar_id, day in stale if mark.through is not None and day <= mark.through]
            await queries.keep_anew(db, kept)
            return len(stale)
        if mark.through is None:
            first = await queries.first_day(db)
            if first is None:
                return 0
        else:
            first = mark.through + timedelta(days=1)
        last = min(mark.over, first + timedelta(days=DAYS_AT_ONCE - 1))
        if last < first:
            return 0
        await queries.keep(db, first, last)
        return (last - first).days + 1

"""Is M-Pesa well at this bar? Read from what payments and their questions left behind: nobody is called to find out."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from kaunta.core.runtime import Runtime
from kaunta.payments.history import begins
from kaunta.payments.meaning import meaning
from kaunta.payments.queries import health as queries
from kaunta.payments.queries.health import Delays, HourRow, ReachRow

#: Calls to Daraja are looked at so far back, seconds of policy.
REACH_SECONDS = 3_600.0
#: Reasons that are shown by name.
MOST_REASONS = 6
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Sums:
    """What a stretch of time came to: payments by how they stand, and shillings."""

    paid: int
    not_paid: int
    unknown: int
    taken: int

    @property
    def started(self) -> int:
        return self.paid + self.not_paid + self.unknown

    @property
    def success(self) -> float | None:
        """Of those that have ended, how many were paid: 0 to 1."""
        ended = self.paid + self.not_paid
        return self.paid / ended if ended else None


@dataclass(frozen=True, slots=True)
class Health:
    """A business day, and the same weekday a week before until the same hour. `hours`: every hour of the day."""

    day: date
    since: datetime
    until: datetime
    hours: list[HourRow]
    before: list[HourRow]
    sums: Sums
    sums_before: Sums
    delays: Delays
    reasons: list[tuple[str, int]]
    reach: list[ReachRow]


async def health(rt: Runtime, bar_id: UUID, environment: str, day: date) -> Health:
    """One bar's business day in one environment."""
    since, end = begins(day), begins(day + timedelta(days=1))
    until = max(since, min(end, rt.clock.now()))
    async with rt.db.acquire() as db:
        now = await queries.by_hour(db, bar_id, environment, since, end)
        before = await queries.by_hour(db, bar_id, environment, since - WEEK, end - WEEK)
        # A day that is not over is held against the part of the other one that was over by then.
        compared = await queries.by_hour(db, bar_id, environment, since - WEEK, until - WEEK)
        delays = await queries.delays(db, bar_id, environment, since, end)
        ends = await queries.ends(db, bar_id, environment, since, end)
        reach = await queries.reach(db, bar_id, rt.clock.before(REACH_SECONDS))
    return Health(
        day, since, until, every_hour(now, since), every_hour(before, since - WEEK), sums(now), sums(compared), delays,
        reasons(ends), reach,
    )  # fmt: skip


def every_hour(rows: list[HourRow], since: datetime) -> list[HourRow]:
    """Twenty-four hours from a moment on, those without payments too."""
    known = {row.hour: row for row in rows}
    hours = (since + timedelta(hours=hour) for hour in range(24))
    return [known.get(hour) or HourRow(hour, 0, 0, 0, 0) for hour in hours]


def sums(rows: list[HourRow]) -> Sums:
    return Sums(
        sum(row.paid for row in rows),
        sum(row.not_paid for row in rows),
        sum(row.unknown for row in rows),
        sum(row.taken for row in rows),
    )


def reasons(ends: list[queries.EndRow]) -> list[tuple[str, int]]:
    """Why payments did not come, in words, the most frequent first; the rest together."""
    counted: Counter[str] = Counter()
    for row in ends:
        counted[meaning(row.status, row.failure_reason, row.result_code, row.result_desc).staff_cause] += row.count
    most = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    rest = sum(count for _, count in most[MOST_REASONS:])
    return most[:MOST_REASONS] + ([("Other reasons", rest)] if rest else [])

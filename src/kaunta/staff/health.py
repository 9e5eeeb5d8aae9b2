"""Health at the counter: is Safaricom reached, do payments go well, how long do they take, and why do they not come."""

from datetime import date, timedelta

from fastapi import APIRouter, Request, Response

from kaunta.access.roles import May
from kaunta.core.errors import BadRequest
from kaunta.core.web import runtime
from kaunta.payments.health import health
from kaunta.payments.history import business_day
from kaunta.payments.queries.health import HourRow, ReachRow
from kaunta.staff.charts import FOOT, HEIGHT, WIDTH, climbing, nice, stacked
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: Kinds of calls in words.
CALLS = {
    "oauth": "signing in to Safaricom",
    "stk_push": "sending prompts",
    "stk_query": "asking how a payment ended",
    "status": "asking about a code",
    "reversal": "giving money back",
    "balance": "asking for the balance",
    "c2b_register": "registering the till’s addresses",
    "pull_register": "registering for Safaricom’s list",
    "pull": "reading Safaricom’s list",
}


def day_of(text: str, today: date) -> date:
    """Raises `BadRequest`."""
    try:
        day = date.fromisoformat(text) if text else today
        if not 2000 <= day.year <= 2100:
            raise ValueError(text)
    except ValueError:
        raise BadRequest("A day is written like 2026-11-20.") from None
    return day


def parts(row: HourRow) -> dict[str, int]:
    """An hour's column, the lowest first."""
    return {"paid": row.paid, "wait": row.unknown, "no": row.not_paid}


def state_of(row: ReachRow) -> tuple[str, str]:
    """A kind of call in a word, and its look."""
    if row.last_answered is None:
        return "no", "no answer"
    if row.last_unanswered is not None and row.last_unanswered > row.last_answered:
        return "wait", "the last failed"
    return "paid", "answers"


@router.get("/staff/health")
async def show_health(request: Request, seat: AtCounter, date: str = "") -> Response:
    """One business day; the present one where the address names none."""
    seat.require(May.SERVE)
    rt = runtime(request)
    today = business_day(rt.clock.now())
    day = day_of(date, today)
    found = await health(rt, seat.bar_id, seat.bar.environment, day)
    columns = [parts(row) for row in found.hours]
    top = nice(max((sum(column.values()) for column in columns), default=1) or 1)
    takings = [sum(row.taken for row in hours) for hours in (found.hours, found.before)]
    ceiling = nice(max(*takings, 1))
    ran = max(1, min(24, round((found.until - found.since).total_seconds() / 3_600 + 0.5)))
    return counter_page(
        request,
        "health.html",
        seat,
        h=found,
        reach=[(CALLS.get(row.kind, row.kind), row, *state_of(row)) for row in found.reach],
        width=WIDTH,
        height=HEIGHT,
        foot=FOOT,
        top=top,
        boxes=stacked(columns, top),
        ceiling=ceiling,
        line_now=climbing([row.taken for row in found.hours[:ran]], ceiling, len(found.hours))
        if found.sums.taken
        else "",
        line_before=climbing([row.taken for row in found.before], ceiling, len(found.before)),
        line_room=WIDTH / 24,
        today=today,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1) if day < today else None,
        span=span,
    )


def span(seconds: float | None) -> str:
    """How long something took, as people say it."""
    if seconds is None:
        return "–"
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

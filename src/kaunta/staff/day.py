"""The day's close at the counter: what came in, what tabs were credited with, and every difference by name."""

from datetime import date, timedelta

from fastapi import APIRouter, Request, Response

from kaunta.access.roles import May
from kaunta.closing import keeping
from kaunta.closing.day import REASONS, Close, close
from kaunta.core.errors import BadRequest
from kaunta.core.web import runtime
from kaunta.payments.history import business_day
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Seat

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


async def day_at(request: Request, seat: Seat, day: str) -> Close:
    """The close of the day an address names; of the present business day where it names none."""
    rt = runtime(request)
    try:
        wanted = date.fromisoformat(day) if day else business_day(rt.clock.now())
        if not 2000 <= wanted.year <= 2100:
            raise ValueError(day)
    except ValueError:
        raise BadRequest("A day is written like 2026-11-20.") from None
    return await close(rt, seat.bar_id, wanted)


@router.get("/staff/day")
async def show_day(request: Request, seat: AtCounter, date: str = "") -> Response:
    """The close, to look at and to print."""
    seat.require(May.CLOSE_DAY)
    found = await day_at(request, seat, date)
    today = business_day(runtime(request).clock.now())
    return counter_page(
        request,
        "day.html",
        seat,
        environment=found.day.environment,
        c=found,
        reasons=REASONS,
        channels=keeping.CHANNELS,
        today=today,
        before=found.date - timedelta(days=1),
        after=found.date + timedelta(days=1) if found.date < today else None,
        running=found.date >= today,
    )


@router.get("/staff/day.csv")
async def download(request: Request, seat: AtCounter, date: str = "") -> Response:
    """The close as a table, to keep."""
    seat.require(May.CLOSE_DAY)
    found = await day_at(request, seat, date)
    headers = {
        "Content-Disposition": f'attachment; filename="day-{found.date.isoformat()}.csv"',
        "Cache-Control": "no-store",
    }
    return Response("".join(keeping.as_lines(found)).encode(), media_type="text/csv; charset=utf-8", headers=headers)

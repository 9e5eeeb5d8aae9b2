"""The end of a shift at the counter: each person's takings by method, of a business day or of some hours of it.

Who may see the day's close sees everybody's line; the others see their own.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from kaunta.access.roles import May
from kaunta.core.audit import audit
from kaunta.core.clock import EAT
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest
from kaunta.core.web import runtime
from kaunta.payments.history import DAY_BEGINS, begins, business_day
from kaunta.staff.actors import names
from kaunta.staff.history import cell, written
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Seat
from kaunta.tabs.shift import Share, shift, together

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

COLUMNS = (
    "who", "payments", "cash", "card", "mpesa", "given_back", "corrected", "total", "written_off", "from_eat", "to_eat",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hours:
    """Some hours of a business day, as they were asked for."""

    day: date
    since: datetime
    until: datetime
    whole: bool


def hours_of(request: Request, today: date) -> Hours:
    """The hours an address names: a day from six to six, or from one hour of it to another. Raises `BadRequest`."""
    asked = request.query_params
    try:
        day = date.fromisoformat(asked["date"]) if asked.get("date") else today
        first, last = (time.fromisoformat(asked[name]) if asked.get(name) else None for name in ("from", "to"))
        if not 2000 <= day.year <= 2100 or (first and first.tzinfo) or (last and last.tzinfo):
            raise ValueError
    except ValueError:
        raise BadRequest("A day is written like 2026-11-20, an hour like 18:00.") from None
    since = moment(day, first) if first else begins(day)
    until = moment(day, last) if last else begins(day + timedelta(days=1))
    if until <= since:
        raise BadRequest("The shift ends before it begins; a business day goes from six in the morning to six.")
    return Hours(day, since, until, first is None and last is None)


def moment(day: date, at: time) -> datetime:
    """An hour of a business day: two in the morning is the night after."""
    return datetime.combine(day if at >= DAY_BEGINS else day + timedelta(days=1), at, EAT)


async def shares_of(request: Request, seat: Seat, hours: Hours) -> list[Share]:
    found = await shift(runtime(request), seat.bar_id, seat.bar.environment, hours.since, hours.until)
    own = f"staff:{seat.account_id}"
    return found if seat.may(May.CLOSE_DAY) else [one for one in found if one.who == own]


@router.get("/staff/shift")
async def show_shift(request: Request, seat: AtCounter) -> Response:
    """The lines, to look at and to print."""
    seat.require(May.SERVE)
    rt = runtime(request)
    today = business_day(rt.clock.now())
    hours = hours_of(request, today)
    shares = await shares_of(request, seat, hours)
    async with rt.db.acquire() as db:
        name = await names(db, seat.bar_id)
    asked = {name: request.query_params[name] for name in ("date", "from", "to") if request.query_params.get(name)}
    return counter_page(
        request,
        "shift.html",
        seat,
        hours=hours,
        shares=shares,
        together=together(shares),
        everybody=seat.may(May.CLOSE_DAY),
        may_export=seat.may(May.EXPORT),
        asked=asked,
        query=urlencode(asked),
        today=today,
        name=name,
    )


@router.get("/staff/shift.csv")
async def download(request: Request, seat: AtCounter) -> Response:
    """The lines as a table, to keep; that they were taken away is in the audit."""
    seat.require(May.EXPORT)
    rt = runtime(request)
    hours = hours_of(request, business_day(rt.clock.now()))
    shares = await shares_of(request, seat, hours)
    async with transaction(rt.db) as db:
        name = await names(db, seat.bar_id)
        await audit(
            db, rt.clock, f"staff:{seat.account_id}", "shift.exported", "bar", seat.bar_id, bar_id=seat.bar_id,
            since=hours.since.isoformat(), until=hours.until.isoformat(),
        )  # fmt: skip
    between = [at.astimezone(EAT).isoformat() for at in (hours.since, hours.until)]
    rows = [
        [
            cell(name(one.who)), *(str(getattr(one, column)) for column in COLUMNS[1:-2]), *between,
        ]
        for one in shares
    ]  # fmt: skip
    headers = {
        "Content-Disposition": f'attachment; filename="shift-{hours.day.isoformat()}.csv"',
        "Cache-Control": "no-store",
    }
    body = "\ufeff".encode() + written([list(COLUMNS), *rows])
    return Response(body, headers=headers, media_type="text/csv; charset=utf-8")

"""The day's close at the counter: what came in, what tabs were credited with, and every difference by name."""

from datetime import date, timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.closing import keeping
from kaunta.closing.day import REASONS, Close, close
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.web import runtime
from kaunta.payments import balance
from kaunta.payments.balance import Standing
from kaunta.payments.history import business_day
from kaunta.payments.under_way import Pushes
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: How the question about the accounts stands, for people; what was answered speaks for itself.
ASKED = {
    Standing.ASKED: "Safaricom is being asked. Look again in a minute.",
    Standing.REFUSED: "Safaricom did not say. The initiator may lack the right to ask for balances.",
    Standing.NO_ANSWER: "Safaricom did not answer. Ask again.",
}


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
    return await day_page(request, seat, date)


async def day_page(request: Request, seat: Seat, date: str, error: KauntaError | None = None) -> Response:
    rt = runtime(request)
    found = await day_at(request, seat, date)
    today = business_day(rt.clock.now())
    held = await balance.of_bar(rt, seat.bar_id, found.day.since, found.day.until)
    running = found.date >= today
    return counter_page(
        request,
        "day.html",
        seat,
        error.status if error else 200,
        problem=error.detail if error else None,
        environment=found.day.environment,
        c=found,
        reasons=REASONS,
        channels=keeping.CHANNELS,
        today=today,
        before=found.date - timedelta(days=1),
        after=found.date + timedelta(days=1) if found.date < today else None,
        running=running,
        held=held,
        asked=ASKED.get(held.standing) if running else None,
        may_ask=running and held.standing not in (Standing.ASKED, Standing.CANNOT_ASK),
    )


@router.post("/staff/day/balance")
async def ask_for_balance(request: Request, post: Posted) -> Response:
    """Ask Safaricom what the accounts hold; the figures come a little later."""
    post.seat.require(May.CLOSE_DAY)
    pushes: Pushes = request.app.state.pushes
    try:
        await balance.ask(runtime(request), pushes.daraja, post.seat.bar_id, by=f"staff:{post.seat.account_id}")
    except KauntaError as error:
        return await day_page(request, post.seat, "", error)
    return RedirectResponse("/staff/day#h-held", 303)


@router.get("/staff/day.csv")
async def download(request: Request, seat: AtCounter, date: str = "") -> Response:
    """The close as a table, to keep."""
    seat.require(May.CLOSE_DAY)
    found = await day_at(request, seat, date)
    held = await balance.of_bar(runtime(request), seat.bar_id, found.day.since, found.day.until)
    headers = {
        "Content-Disposition": f'attachment; filename="day-{found.date.isoformat()}.csv"',
        "Cache-Control": "no-store",
    }
    table = "".join(keeping.as_lines(found, held))
    return Response(table.encode(), media_type="text/csv; charset=utf-8", headers=headers)

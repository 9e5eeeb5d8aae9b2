"""Alerts at the counter: what is open, who has taken it up, and what is over, by itself or by somebody's word."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.alerts import queries
from kaunta.alerts.queries import Alert
from kaunta.alerts.runbooks import runbook
from kaunta.alerts.taking_up import AlertNotFound, acknowledge
from kaunta.core.queries import OpenProblem
from kaunta.core.web import runtime
from kaunta.payments.views import NEWEST
from kaunta.staff.actors import names
from kaunta.staff.attention import may_see
from kaunta.staff.history import place_of, place_text
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted
from kaunta.staff.words import attention, uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: More than anybody reads at once.
MOST_OPEN, MOST_CLOSED = 200, 50


@dataclass(frozen=True, slots=True)
class Line:
    """An alert as people read it; `page`: where it is mended; `help`: what to do about its kind; `lasted`: how long it
    was open, of one that is over."""

    alert: Alert
    words: str
    detail: str
    page: str | None
    lasted: str | None
    help: str | None

    @property
    def by_itself(self) -> bool:
        return not (self.alert.closed_by or "").startswith("staff:")


def line_of(alert: Alert, bar_id: UUID) -> Line:
    told = attention(
        OpenProblem(alert.id, alert.kind, alert.subject, alert.severity, alert.detail, alert.opened_at), bar_id
    )
    lasted = spell(alert.opened_at, alert.closed_at) if alert.closed_at else None
    help_page = f"/staff/help/{alert.kind}" if runbook(alert.kind) else None
    return Line(alert, told.words, told.detail, told.page, lasted, help_page)


def spell(since: datetime, until: datetime) -> str:
    """How long something lasted, as people say it."""
    seconds = max(until - since, timedelta()).total_seconds()
    for size, word in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= (2 * size if word == "days" else size):
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"


@router.get("/staff/alerts")
async def show_alerts(request: Request, seat: AtCounter) -> Response:
    """What is open, then what is over, newest first."""
    seat.require(May.SERVE)
    rt, before = runtime(request), request.query_params.get("before", "")
    place = place_of(before) if before else NEWEST
    async with rt.db.acquire() as db:
        waiting = await queries.open_alerts(db, seat.bar_id, MOST_OPEN)
        over = await queries.closed_alerts(db, seat.bar_id, *place, MOST_CLOSED + 1)
        name = await names(db, seat.bar_id)
    last = over[MOST_CLOSED - 1] if len(over) > MOST_CLOSED else None
    return counter_page(
        request,
        "alerts.html",
        seat,
        version=(waiting, over),
        live=not before,
        waiting=[line_of(one, seat.bar_id) for one in waiting if may_see(seat, one.kind)],
        over=[line_of(one, seat.bar_id) for one in over[:MOST_CLOSED] if may_see(seat, one.kind)],
        older=f"?before={place_text((last.closed_at, last.id))}" if last and last.closed_at else None,
        first_page=not before,
        now=rt.clock.now(),
        spell=spell,
        name=name,
    )


@router.post("/staff/alerts/{alert_id}/acknowledge")
async def take_up(request: Request, alert_id: str, post: Posted) -> Response:
    """Somebody has seen it and is at it."""
    post.seat.require(May.SERVE)
    id_ = uuid_of(alert_id)
    rt = runtime(request)
    async with rt.db.acquire() as db:
        waiting = await queries.open_alerts(db, post.seat.bar_id, MOST_OPEN)
    if id_ is None or not any(one.id == id_ and may_see(post.seat, one.kind) for one in waiting):
        raise AlertNotFound
    await acknowledge(rt, post.seat.bar_id, id_, by=f"staff:{post.seat.account_id}")
    return RedirectResponse("/staff/alerts", 303)

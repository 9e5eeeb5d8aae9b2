"""Diagnosis at the counter: for the owner of this bar, and for administrators of the installation.

An owner sees what concerns the whole installation and their own bar, and nothing of another's.
"""

from fastapi import APIRouter, Request, Response

from kaunta.access.roles import May
from kaunta.core.web import runtime
from kaunta.diagnostics.diagnosis import answered_by, diagnose
from kaunta.diagnostics.environment import given_by
from kaunta.diagnostics.findings import Finding
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


@router.get("/staff/settings/diagnosis")
async def show_diagnosis(request: Request, seat: AtCounter) -> Response:
    """Everything looked at now, the cause of what is wrong first."""
    if not seat.session.is_administrator:
        seat.require(May.CREDENTIALS)
    rt = runtime(request)
    report = await diagnose(
        given_by(rt.settings),
        answers=answered_by(request.app.router.routes),
        by=f"staff:{seat.account_id}",
        bar_id=seat.bar_id,
        clock=rt.clock,
    )
    seen = report.of_bar(seat.bar_id)
    return counter_page(
        request,
        "diagnosis.html",
        seat,
        report=seen,
        problems=seen.problems,
        well=[one for one in seen.findings if not one.is_problem and one.cause is None],
        unseen=seen.not_looked_at,
        look=look,
        spoken=spoken,
    )


def spoken(remedy: str) -> list[tuple[bool, str]]:
    """A remedy in pieces, and whether each is a command."""
    return [(number % 2 == 1, piece) for number, piece in enumerate(remedy.split("`")) if piece]


def look(one: Finding) -> str:
    """The class of a finding's mark."""
    return "no" if one.severity.stops else "wait"

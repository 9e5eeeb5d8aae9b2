"""Sandbox or production: a page of its own, because guests pay with nothing or with money.

Whoever changes it has just entered password and code, types the shortcode it goes to, and says why. The gates are
asked again when it is written (bars/go_live.py); in a test mode that real money cannot reach they are shown only.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.access.sessions import require_proof
from kaunta.backups.before import back_up_before, is_set_up
from kaunta.bars import queries as bar_queries
from kaunta.bars.mpesa_settings import ConfirmationRequired, Settings, Wanted, read_settings, save_settings
from kaunta.bars.readiness.checklist import checklist
from kaunta.bars.values import Environment
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.web import runtime
from kaunta.deploy.check import known_to_the_house
from kaunta.payments.under_way import Pushes
from kaunta.staff.pages import CounterRoute
from kaunta.staff.session import AtCounter, Post, Posted, Seat
from kaunta.staff.settings_mpesa import PATH, settings_page

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

LONGEST_REASON = 200


def other(environment: Environment) -> Environment:
    return "sandbox" if environment == "production" else "production"


async def environment_page(
    request: Request, seat: Seat, *, error: KauntaError | None = None, post: Post | None = None
) -> Response:
    rt = runtime(request)
    found = await read_settings(rt, seat.bar_id)
    to = other(found.environment)
    target = next((row for row in found.credentials if row.environment == to), None)
    async with rt.db.acquire() as db:
        in_flight = await bar_queries.payments_in_flight(db, seat.bar_id)
    live = to == "production"
    shut = [gate for gate in found.go_live if not gate.ok] if live and found.go_live_enforced else []
    return settings_page(
        request,
        "settings_mpesa_environment.html",
        seat,
        error=error,
        found=found,
        to=to,
        target=target,
        in_flight=in_flight,
        backed_up=is_set_up(rt),
        gates=found.go_live if live else (),
        open=target is not None and not shut and not in_flight,
        checklist=await checklist(rt, seat.bar_id, await known_to_the_house(rt)) if live else None,
        reason=post.text("reason")[:LONGEST_REASON] if post else "",
        # Into the sandbox guests would order for nothing: there it is off unless somebody wants it so.
        on=post.text("on") == "yes" if post else live and found.enabled,
    )


@router.get(f"{PATH}/environment")
async def show_environment(request: Request, seat: AtCounter) -> Response:
    """From where to where, and what is in the way."""
    seat.require(May.CREDENTIALS)
    require_proof(runtime(request), seat.session)
    return await environment_page(request, seat)


@router.post(f"{PATH}/environment")
async def change_environment(request: Request, post: Posted) -> Response:
    """Switch, all or nothing."""
    seat, rt = post.seat, runtime(request)
    seat.require(May.CREDENTIALS)
    require_proof(rt, seat.session)
    pushes: Pushes = request.app.state.pushes
    found = await read_settings(rt, seat.bar_id)
    if post.text("to") == found.environment:
        # Pressed twice, or somebody else was first.
        return RedirectResponse(PATH, 303)
    try:
        wanted = wanted_of(post, found)
        await back_up_before(rt, by=f"staff:{seat.account_id}")
        await save_settings(rt, pushes.daraja, seat.bar_id, wanted, by=f"staff:{seat.account_id}")
    except KauntaError as error:
        return await environment_page(request, seat, error=error, post=post)
    return RedirectResponse(PATH, 303)


def wanted_of(post: Post, found: Settings) -> Wanted:
    """The wish in a form. Raises `BadRequest`, `ConfirmationRequired`."""
    to = other(found.environment)
    if post.text("to") != to:
        raise BadRequest("Say which environment to go to.")
    reason = post.text("reason").strip()
    if not 3 <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        raise BadRequest(f"Say why, in 3 to {LONGEST_REASON} characters.", field="reason")
    target = next((row for row in found.credentials if row.environment == to), None)
    typed = post.text("confirm").strip()
    if target is None:
        raise BadRequest(f"No {to} credentials are stored.")
    if typed != target.business_shortcode:
        raise ConfirmationRequired(f"Type the shortcode of {to} to confirm.", field="confirm")
    return Wanted(
        enabled=post.text("on") == "yes", environment=to, confirm_production=typed if to == "production" else None,
        reason=reason,
    )  # fmt: skip

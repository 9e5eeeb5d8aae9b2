"""Where Safaricom tells of payments made by hand: the till's registration, what is accepted before money moves, and the
list of payments (Pull).

A registration in production is made once and then changed only in Safaricom's portal; so it wants a recent proof, as
the keys do. The addresses hold a secret and are not on the page: `kaunta c2b status` prints them.
"""

from fastapi import APIRouter, Request, Response

from kaunta.access.roles import May
from kaunta.access.sessions import require_proof
from kaunta.bars.mpesa_settings import read_settings
from kaunta.core.errors import BadRequest, KauntaError
from kaunta.core.web import runtime
from kaunta.payments import c2b_addresses, pull
from kaunta.payments.under_way import Pushes
from kaunta.staff.pages import CounterRoute
from kaunta.staff.session import AtCounter, Post, Posted, Seat
from kaunta.staff.settings_mpesa import PATH, environment_named, settings_page

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


async def till_page(
    request: Request, seat: Seat, *, error: KauntaError | None = None, done: str | None = None
) -> Response:
    rt = runtime(request)
    found = await read_settings(rt, seat.bar_id)
    return settings_page(
        request,
        "settings_mpesa_till.html",
        seat,
        error=error,
        done=done,
        found=found,
        registrations=await c2b_addresses.status(rt, seat.bar_id),
        lists={each.environment: each for each in await pull.shown(rt, seat.bar_id)},
        now=rt.clock.now(),
    )


def owners(request: Request, seat: Seat) -> None:
    seat.require(May.CREDENTIALS)
    require_proof(runtime(request), seat.session)


@router.get(f"{PATH}/till")
async def show_till(request: Request, seat: AtCounter) -> Response:
    """How registrations and lists stand; asks for the password first, so that nothing is lost afterwards."""
    owners(request, seat)
    return await till_page(request, seat)


@router.post(f"{PATH}/till/register")
async def register(request: Request, post: Posted) -> Response:
    """Tell Safaricom where it posts payments by hand; its refusal is explained."""
    owners(request, post.seat)
    environment = environment_named(post.text("environment"))
    pushes: Pushes = request.app.state.pushes
    try:
        if post.text("unheard") not in ("Completed", "Cancelled"):
            raise BadRequest("Say what happens when Kaunta cannot be reached.")
        status = await c2b_addresses.register(
            runtime(request), pushes.daraja, post.seat.bar_id, environment, by=by(post),
            response_type="Completed" if post.text("unheard") == "Completed" else "Cancelled",
        )  # fmt: skip
    except KauntaError as error:
        return await till_page(request, post.seat, error=error)
    done = "Registered: Safaricom tells of payments by hand from now on." if status.state == "registered" else None
    return await till_page(request, post.seat, done=done)


@router.post(f"{PATH}/till/rule")
async def change_rule(request: Request, post: Posted) -> Response:
    """What is accepted when Safaricom asks before it takes money."""
    owners(request, post.seat)
    environment, rule = environment_named(post.text("environment")), post.text("rule")
    try:
        if rule not in ("all", "open_references"):
            raise BadRequest("Say what is accepted.")
        await c2b_addresses.set_rule(
            runtime(request), post.seat.bar_id, environment, post.text("shortcode")[:10] or None,
            "all" if rule == "all" else "open_references", by=by(post),
        )  # fmt: skip
    except KauntaError as error:
        return await till_page(request, post.seat, error=error)
    return await till_page(request, post.seat, done="Saved.")


@router.post(f"{PATH}/till/list")
async def change_list(request: Request, post: Posted) -> Response:
    """Subscribe to Safaricom's list of payments with the number it knows, or ask for it no more."""
    owners(request, post.seat)
    environment, rt = environment_named(post.text("environment")), runtime(request)
    pushes: Pushes = request.app.state.pushes
    try:
        if post.text("stop"):
            await pull.stop(rt, post.seat.bar_id, environment, by=by(post))
            return await till_page(request, post.seat, done="The list is asked for no more.")
        number = post.text("number").strip()[:40]
        if not number:
            raise BadRequest("Enter the number that Safaricom has for this shortcode.", field="number")
        await pull.subscribe(rt, pushes.daraja, post.seat.bar_id, environment, number, by=by(post))
    except KauntaError as error:
        return await till_page(request, post.seat, error=error)
    return await till_page(request, post.seat, done="Safaricom's list is asked for every few minutes.")


def by(post: Post) -> str:
    return f"staff:{post.seat.account_id}"

"""M-Pesa's settings at the counter: how it stands, on and off, and mending a switch that says two things.

Managers switch it; whatever else is changed here is the owner's, on pages of their own.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from kaunta.access.roles import May
from kaunta.bars import mpesa_settings as settings
from kaunta.bars.mpesa_settings import SettingsChanged, Wanted, prepare, read_settings, write
from kaunta.bars.mpesa_switch import RepairResult, persistently, repair_inconsistency, validate_sync
from kaunta.bars.readiness import queries
from kaunta.bars.values import Environment
from kaunta.core.db import Connection
from kaunta.core.errors import BadRequest, KauntaError, NotFound
from kaunta.core.web import runtime
from kaunta.payments.under_way import Pushes
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter, Posted, Seat

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

PATH = "/staff/settings/mpesa"
#: The pages of these settings, and who sees the way there.
PAGES = (
    ("Status", PATH, May.SWITCH),
    ("Sandbox keys", f"{PATH}/credentials/sandbox", May.CREDENTIALS),
    ("Production keys", f"{PATH}/credentials/production", May.CREDENTIALS),
    ("Test connection", f"{PATH}/connection", May.CREDENTIALS),
    ("Test payment", f"{PATH}/payment", May.CREDENTIALS),
    ("By hand", f"{PATH}/till", May.CREDENTIALS),
    ("Environment", f"{PATH}/environment", May.CREDENTIALS),
    ("Checklist", f"{PATH}/readiness", May.SWITCH),
)


def environment_named(text: str) -> Environment:
    """An environment as an address or a form names it. Raises `NotFound`."""
    match text:
        case "sandbox" | "production":
            return text
        case _:
            raise NotFound("There is no such environment.")


def settings_page(
    request: Request, template: str, seat: Seat, *, error: KauntaError | None = None, **context: Any
) -> Response:
    """One of these pages, with the way to the others; `error` is what the last form came to."""
    return counter_page(
        request,
        template,
        seat,
        error.status if error else 200,
        pages=[(words, path) for words, path, what in PAGES if seat.may(what)],
        base=PATH,
        problem=error.detail if error else None,
        owner=seat.may(May.CREDENTIALS),
        **context,
    )


async def status_page(
    request: Request, seat: Seat, *, error: KauntaError | None = None, done: str | None = None
) -> Response:
    rt = runtime(request)
    found = await read_settings(rt, seat.bar_id)
    async with rt.db.acquire() as db:
        sync = await validate_sync(db, seat.bar_id)
        seen = await queries.last_seen(db, seat.bar_id)
    return settings_page(
        request, "settings_mpesa.html", seat, error=error, done=done, found=found, sync=sync, seen=seen
    )  # fmt: skip


@router.get(PATH)
async def show_status(request: Request, seat: AtCounter) -> Response:
    """How M-Pesa stands at this bar."""
    seat.require(May.SWITCH)
    return await status_page(request, seat)


@router.post(f"{PATH}/switch")
async def switch(request: Request, post: Posted) -> Response:
    """On or off: credentials and bar together, or neither."""
    seat, rt = post.seat, runtime(request)
    seat.require(May.SWITCH)
    pushes: Pushes = request.app.state.pushes
    try:
        if post.text("mpesa") not in ("on", "off"):
            raise BadRequest("Say on or off.")
        present = await read_settings(rt, seat.bar_id)
        wanted = Wanted(enabled=post.text("mpesa") == "on", environment=present.environment)
        plan = await prepare(rt, pushes.daraja, seat.bar_id, wanted)
        if plan.moves:
            # Somebody changed the environment since it was read: on and off never do.
            raise SettingsChanged

        async def work(db: Connection) -> settings.Saved:
            return await write(db, rt, seat.bar_id, plan, by=f"staff:{seat.account_id}")

        saved = await persistently(rt, seat.bar_id, work)
    except KauntaError as error:
        return await status_page(request, seat, error=error)
    what = "Credentials and bar were" if saved.sync.credentials_updated else "The bar was"
    done = f"M-Pesa is {'on' if saved.settings.enabled else 'off'}. {what} written, both or neither."
    return await status_page(request, seat, done=done)


@router.post(f"{PATH}/repair")
async def repair(request: Request, post: Posted) -> Response:
    """Make the bar's flag what its credentials say."""
    seat, rt = post.seat, runtime(request)
    seat.require(May.SWITCH)

    async def work(db: Connection) -> RepairResult:
        return await repair_inconsistency(db, rt.clock, seat.bar_id, by=f"staff:{seat.account_id}")

    try:
        result = await persistently(rt, seat.bar_id, work)
        if result.error is not None:
            raise BadRequest("Nobody can say which credentials count. Choose an environment, then switch on or off.")
    except KauntaError as error:
        return await status_page(request, seat, error=error)
    done = f"Repaired: M-Pesa is {'on' if result.after else 'off'}." if result.repaired else "There was nothing to do."
    return await status_page(request, seat, done=done)

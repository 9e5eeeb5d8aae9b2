"""Ready for real money? Each line was looked at a moment ago, or is the word of somebody who is named."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.roles import May
from kaunta.bars.readiness.checklist import attest, checklist
from kaunta.bars.readiness.items import Kind, State
from kaunta.core.errors import BadRequest
from kaunta.core.web import runtime
from kaunta.deploy.check import known_to_the_house
from kaunta.staff.actors import names
from kaunta.staff.pages import CounterRoute
from kaunta.staff.session import AtCounter, Posted, Seat
from kaunta.staff.settings_mpesa import PATH, settings_page

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

#: Where an item is mended, for those that have a page.
WHERE = {
    "credentials": f"{PATH}/credentials/production",
    "token": f"{PATH}/connection",
    "passkey": f"{PATH}/payment",
    "shortcode": f"{PATH}/credentials/production",
    "test_payment": f"{PATH}/payment",
    "stk_query": "/staff/payments",
    "switch": PATH,
    "owners": "/staff/me",
    "initiator": f"{PATH}/credentials/production",
}


async def readiness_page(
    request: Request, seat: Seat, *, error: BadRequest | None = None, item: str = "", note: str = ""
) -> Response:
    rt = runtime(request)
    found = await checklist(rt, seat.bar_id, await known_to_the_house(rt))
    async with rt.db.acquire() as db:
        name = await names(db, seat.bar_id)
    return settings_page(
        request, "settings_mpesa_readiness.html", seat, error=error, found=found, state=State, kind=Kind, where=WHERE,
        name=name, item=item, note=note,
    )  # fmt: skip


@router.get(f"{PATH}/readiness")
async def show_readiness(request: Request, seat: AtCounter) -> Response:
    """The checklist, looked at now."""
    seat.require(May.SWITCH)
    return await readiness_page(request, seat)


@router.post(PATH + "/readiness/{item}")
async def say(request: Request, item: str, post: Posted) -> Response:
    """An owner's word on what only a person can know, or that it holds no more."""
    seat, note = post.seat, post.text("note")
    seat.require(May.CREDENTIALS)
    stands = post.text("stands") == "yes"
    try:
        await attest(runtime(request), seat.bar_id, item, note, stands=stands, by=seat.account_id)
    except BadRequest as error:
        return await readiness_page(request, seat, error=error, item=item, note=note[:500])
    return RedirectResponse(f"{PATH}/readiness#{item}", 303)

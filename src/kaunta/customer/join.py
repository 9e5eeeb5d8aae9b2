"""Letting friends in: the first phone shows the tab's code and its link as a QR code; another phone joins by either.

The link holds the tab's reference, which nobody can guess: whoever was given it needs no code.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.core import qr
from kaunta.core.runtime import Runtime
from kaunta.customer.checkout import AtTill, at_till
from kaunta.customer.device import device_of, remember
from kaunta.customer.pages import GuestRoute, guest_page, not_found
from kaunta.tabs import guests
from kaunta.tabs.joining import guessed_at, join_by_ref, long_code

router = APIRouter(route_class=GuestRoute, include_in_schema=False)


def menu_of(at: AtTill) -> str:
    """Where this tab's guests order."""
    return f"/b/{at.bar.slug}" + (f"/t/{at.tab.table_code}" if at.tab.table_code else "")


@router.get("/pay/{ref}/join")
async def show_join(request: Request, ref: str) -> Response:
    """To a phone of the tab: how others join. To another phone: whether it wants to."""
    rt: Runtime = request.app.state.runtime
    at = await at_till(rt, ref)
    if at is None or at.tab.status == "closed":
        return not_found(request)
    device = device_of(request, rt)
    async with rt.db.acquire() as db:
        member = device.known and await guests.tab_of_device(db, at.bar.id, device.hash) == ref
        guessed = await guessed_at(db, rt, at.tab.table_id)
    response = guest_page(
        request,
        "join.html",
        styles=("join.css",),
        test=at.methods.environment == "sandbox",
        tab=at.tab,
        bar=at.bar,
        menu=menu_of(at),
        member=member,
        code=long_code(at.tab.ref, at.tab.join_code) if guessed else at.tab.join_code,
        link=qr.inline(f"{rt.settings.public_url}/pay/{ref}/join", error="m", border=2, light="#fff") if member else "",
    )
    return remember(response, rt, device)


@router.post("/pay/{ref}/join")
async def join(request: Request, ref: str) -> Response:
    """This phone belongs to the tab from now on."""
    rt: Runtime = request.app.state.runtime
    at = await at_till(rt, ref)
    if at is None:
        return not_found(request)
    device = device_of(request, rt)
    await join_by_ref(rt, ref, device.hash)
    return remember(RedirectResponse(menu_of(at), 303), rt, device)

"""Who works at this bar: invited by a link, given a role, taken out again; and the page that a link opens."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access import people
from kaunta.access.accounts import ROLES
from kaunta.access.roles import May
from kaunta.access.sessions import require_proof, session_of, sign_in
from kaunta.core.errors import BadRequest, Conflict, KauntaError
from kaunta.core.web import runtime, source_of
from kaunta.staff.account import with_cookie
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import COOKIE, DEVICE_COOKIE, AtCounter, Posted, Seat, form_of
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


async def people_page(
    request: Request, seat: Seat, *, link: str | None = None, error: KauntaError | None = None
) -> Response:
    working, invited = await people.people_of(runtime(request), seat.bar_id)
    return counter_page(
        request,
        "people.html",
        seat,
        error.status if error else 200,
        people=working,
        invited=invited,
        roles=ROLES,
        link=link,
        problem=error.detail if error else None,
    )


@router.get("/staff/people")
async def show_people(request: Request, seat: AtCounter) -> Response:
    """The bar's people and its open invitations."""
    seat.require(May.PEOPLE)
    return await people_page(request, seat)


@router.post("/staff/people/invitations")
async def invite(request: Request, post: Posted) -> Response:
    """A link for one person, shown in this answer and never again; it needs a recent proof, as a new role does."""
    post.seat.require(May.PEOPLE)
    rt = runtime(request)
    require_proof(rt, post.seat.session)
    try:
        role = people.as_role(post.text("role"))
        invited = await people.invite(rt, post.seat.bar_id, role, post.text("name"), by=post.seat.account_id)
    except BadRequest as error:
        return await people_page(request, post.seat, error=error)
    link = f"{rt.settings.public_url}/staff/invitations/{invited.token}"
    return await people_page(request, post.seat, link=link)


@router.post("/staff/people/invitations/withdraw")
async def withdraw(request: Request, post: Posted) -> Response:
    """Take an invitation back."""
    post.seat.require(May.PEOPLE)
    try:
        created_at = datetime.fromisoformat(post.text("created_at"))
    except ValueError:
        raise people.InvitationGone from None
    await people.withdraw(runtime(request), post.seat.bar_id, created_at, by=f"staff:{post.seat.account_id}")
    return RedirectResponse("/staff/people", 303)


def named(text: str) -> UUID:
    account_id = uuid_of(text)
    if account_id is None:
        raise people.NoSuchPerson
    return account_id


@router.post("/staff/people/{account_id}/role")
async def change_role(request: Request, account_id: str, post: Posted) -> Response:
    """Another role at this bar; it needs a recent proof."""
    post.seat.require(May.PEOPLE)
    rt, by = runtime(request), f"staff:{post.seat.account_id}"
    require_proof(rt, post.seat.session)
    try:
        await people.change_role(rt, post.seat.bar_id, named(account_id), people.as_role(post.text("role")), by=by)
    except (BadRequest, Conflict) as error:
        return await people_page(request, post.seat, error=error)
    return RedirectResponse("/staff/people", 303)


@router.post("/staff/people/{account_id}/remove")
async def remove(request: Request, account_id: str, post: Posted) -> Response:
    """They work here no more; it needs a recent proof."""
    post.seat.require(May.PEOPLE)
    rt, by = runtime(request), f"staff:{post.seat.account_id}"
    require_proof(rt, post.seat.session)
    try:
        await people.remove(rt, post.seat.bar_id, named(account_id), by=by)
    except Conflict as error:
        return await people_page(request, post.seat, error=error)
    return RedirectResponse("/staff/people", 303)


async def invitation_page(request: Request, token: str, user: str = "", error: KauntaError | None = None) -> Response:
    rt = runtime(request)
    invitation = await people.look_at(rt, token)
    session = await session_of(rt, request.cookies.get(COOKIE))
    return counter_page(
        request,
        "invitation.html",
        None,
        error.status if error else 200,
        session=session,
        invitation=invitation,
        token=token,
        user=user,
        problem=error.detail if error else None,
    )


@router.get("/staff/invitations/{token}")
async def show_invitation(request: Request, token: str) -> Response:
    """What the link invites to."""
    return await invitation_page(request, token)


@router.post("/staff/invitations/{token}")
async def accept(request: Request, token: str) -> Response:
    """Come to the bar: with the account that is signed in here, or with a new one."""
    rt = runtime(request)
    session = await session_of(rt, request.cookies.get(COOKIE))
    try:
        if session is not None:
            await form_of(request, session)
            await people.accept_with_account(rt, token, session.account_id)
            return RedirectResponse("/staff", 303)
        form = await request.form(max_files=0)
        user, password = str(form.get("user", "")), str(form.get("password", ""))
        await people.accept_with_new_account(rt, token, user, password)
    except (BadRequest, Conflict) as error:
        typed = "" if session else str((await request.form()).get("user", ""))[:100]
        return await invitation_page(request, token, typed, error)
    signed_in = await sign_in(rt, user, password, source_of(request), request.cookies.get(DEVICE_COOKIE))
    if signed_in is None:
        return RedirectResponse("/staff/login", 303)
    return with_cookie(request, RedirectResponse("/staff", 303), signed_in)

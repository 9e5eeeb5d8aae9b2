"""Coming to the counter and leaving it."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from kaunta.access.sessions import TooManySignIns, choose_bar, session_of, sign_in, sign_out
from kaunta.core.errors import NotFound, SignInNeeded
from kaunta.core.web import problem, runtime, source_of
from kaunta.staff.account import with_cookie
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import COOKIE, DEVICE_COOKIE, AnySession, Posted, form_of
from kaunta.staff.words import uuid_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

WRONG = "Name or password is not right."


@router.get("/staff/login")
async def show_sign_in(request: Request) -> Response:
    """The sign-in; who is signed in already goes to the board."""
    if await session_of(runtime(request), request.cookies.get(COOKIE)):
        return RedirectResponse("/staff", 303)
    return counter_page(request, "login.html", None, user="", problem=None)


@router.post("/staff/login")
async def do_sign_in(request: Request) -> Response:
    """Name and password, as a form or as JSON; the answer is of the same kind."""
    rt = runtime(request)
    as_json = request.headers.get("content-type", "").startswith("application/json")
    user, password = await name_and_password(request, as_json=as_json)
    try:
        signed_in = await sign_in(rt, user, password, source_of(request), request.cookies.get(DEVICE_COOKIE))
    except TooManySignIns as error:
        if as_json:
            return problem(error)
        return counter_page(request, "login.html", None, error.status, user=user, problem=error.detail)
    if signed_in is None:
        if as_json:
            return problem(SignInNeeded(WRONG))
        return counter_page(request, "login.html", None, 401, user=user, problem=WRONG)
    response: Response = RedirectResponse("/staff/second-factor" if signed_in.second_factor_due else "/staff", 303)
    if as_json:
        due = signed_in.second_factor_due
        response = JSONResponse({"success": True, "csrf": signed_in.csrf, "second_factor_due": due})
    return with_cookie(request, response, signed_in)


async def name_and_password(request: Request, *, as_json: bool) -> tuple[str, str]:
    """What was typed; whatever is not text counts as empty."""
    if as_json:
        try:
            body = await request.json()
        except ValueError:
            body = None
        fields = body if isinstance(body, dict) else {}
    else:
        fields = dict(await request.form(max_files=0))
    user, password = fields.get("user"), fields.get("password")
    return user if isinstance(user, str) else "", password if isinstance(password, str) else ""


@router.post("/staff/logout")
async def do_sign_out(request: Request, session: AnySession) -> Response:
    """End the session, here and in the database."""
    await form_of(request, session)
    await sign_out(runtime(request), request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/staff/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response


@router.post("/staff/bar")
async def change_bar(request: Request, post: Posted) -> Response:
    """Look at another of one's bars."""
    bar_id = uuid_of(post.text("bar_id"))
    if bar_id is None:
        raise NotFound
    await choose_bar(runtime(request), request.cookies.get(COOKIE, ""), post.seat.session, bar_id)
    return RedirectResponse("/staff", 303)

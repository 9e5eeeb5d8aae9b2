"""One's own account: the second factor, the password, where else one is signed in, and proving oneself again."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access import second_factor
from kaunta.access.known_devices import KNOWN_SECONDS
from kaunta.access.passwords import PasswordRefused
from kaunta.access.queries import count_recovery_codes, sessions_of
from kaunta.access.second_factor import NoSecondFactor, WrongCode
from kaunta.access.sessions import (
    SignedIn,
    StaffSession,
    TooManySignIns,
    WrongPassword,
    change_password,
    prove,
    require_proof,
    sign_out_elsewhere,
    token_hash,
)
from kaunta.core import qr
from kaunta.core.db import transaction
from kaunta.core.errors import KauntaError
from kaunta.core.web import runtime, source_of
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import COOKIE, DEVICE_COOKIE, AnySession, Person, form_of

router = APIRouter(route_class=CounterRoute, include_in_schema=False)


def with_cookie(request: Request, response: Response, signed_in: SignedIn) -> Response:
    """The answer that hands a session's token to the browser."""
    secure = runtime(request).settings.public_url.startswith("https://")
    response.set_cookie(COOKIE, signed_in.token, httponly=True, samesite="lax", secure=secure, path="/")
    if signed_in.device is not None:
        # A session ends with its shift; that this browser is known does not.
        response.set_cookie(
            DEVICE_COOKIE, signed_in.device, max_age=int(KNOWN_SECONDS), httponly=True, samesite="lax", secure=secure,
            path="/staff",
        )  # fmt: skip
    response.headers["Cache-Control"] = "no-store"
    return response


def own_path(text: str) -> str:
    """A path of the counter's to go back to; anything else leads to the board."""
    parts = urlsplit(text)
    ours = parts.path.startswith("/staff") and not parts.netloc and not parts.scheme and "\\" not in text
    return parts.path if ours else "/staff"


def proving_page(
    request: Request, session: StaffSession, title: str, *, password: bool, back: str, error: KauntaError | None = None
) -> Response:
    return counter_page(
        request,
        "prove.html",
        None,
        error.status if error else 200,
        session=session,
        heading=title,
        action="/staff/prove" if password else "/staff/second-factor",
        ask_password=password,
        ask_code=session.has_second_factor,
        back=back,
        problem=error.detail if error else None,
    )


@router.get("/staff/second-factor")
async def ask_for_code(request: Request, session: AnySession) -> Response:
    """After the password: the code."""
    if not session.second_factor_due:
        return RedirectResponse("/staff", 303)
    return proving_page(request, session, "One more step", password=False, back="")


@router.post("/staff/second-factor")
async def take_code(request: Request, session: AnySession) -> Response:
    """The code after the password; then the session is whole, under a new token."""
    form = await form_of(request, session)
    try:
        signed_in = await prove(
            runtime(request),
            request.cookies.get(COOKIE, ""),
            session,
            None if session.second_factor_due else "",
            str(form.get("code", "")),
            source_of(request),
            request.cookies.get(DEVICE_COOKIE),
        )
    except (TooManySignIns, WrongCode, WrongPassword) as error:
        return proving_page(request, session, "One more step", password=False, back="", error=error)
    return with_cookie(request, RedirectResponse("/staff", 303), signed_in)


@router.get("/staff/prove")
async def ask_again(request: Request, session: Person, next: str = "/staff") -> Response:
    """Before something that needs a recent proof."""
    return proving_page(request, session, "Is it still you?", password=True, back=own_path(next))


@router.post("/staff/prove")
async def take_proof(request: Request, session: Person) -> Response:
    """Password and code once more; then back to where it was asked for."""
    form = await form_of(request, session)
    back = own_path(str(form.get("next", "")))
    try:
        signed_in = await prove(
            runtime(request),
            request.cookies.get(COOKIE, ""),
            session,
            str(form.get("password", "")),
            str(form.get("code", "")),
            source_of(request),
            request.cookies.get(DEVICE_COOKIE),
        )
    except (TooManySignIns, WrongCode, WrongPassword) as error:
        return proving_page(request, session, "Is it still you?", password=True, back=back, error=error)
    return with_cookie(request, RedirectResponse(back, 303), signed_in)


async def account_page(
    request: Request, session: StaffSession, *, error: KauntaError | None = None, done: str | None = None
) -> Response:
    rt = runtime(request)
    async with rt.db.acquire() as db:
        elsewhere = await sessions_of(
            db, session.account_id, token_hash(request.cookies.get(COOKIE, "")), rt.clock.now()
        )
        codes = await count_recovery_codes(db, session.account_id)
    return counter_page(
        request,
        "account.html",
        None,
        error.status if error else 200,
        session=session,
        sessions=elsewhere,
        codes=codes,
        problem=error.detail if error else None,
        done=done,
    )


@router.get("/staff/me")
async def show_account(request: Request, session: Person) -> Response:
    """One's own account."""
    return await account_page(request, session)


@router.post("/staff/me/password")
async def take_password(request: Request, session: Person) -> Response:
    """A new password; the other sessions end."""
    form = await form_of(request, session)
    try:
        await change_password(runtime(request), request.cookies.get(COOKIE, ""), session, str(form.get("password", "")))
    except PasswordRefused as error:
        return await account_page(request, session, error=error)
    return await account_page(request, session, done="The password is changed. You are signed out everywhere else.")


@router.post("/staff/me/sign-out-elsewhere")
async def end_others(request: Request, session: Person) -> Response:
    """Sign out everywhere else."""
    await form_of(request, session)
    await sign_out_elsewhere(runtime(request), request.cookies.get(COOKIE, ""), session)
    return RedirectResponse("/staff/me", 303)


def enrolment_page(
    request: Request, session: StaffSession, enrolment: second_factor.Enrolment | None, error: KauntaError | None = None
) -> Response:
    return counter_page(
        request,
        "second_factor.html",
        None,
        error.status if error else 200,
        session=session,
        qr=qr.inline(enrolment.uri, error="m", border=3, scale=5) if enrolment else "",
        secret=enrolment.secret if enrolment else "",
        problem=error.detail if error else None,
    )


@router.get("/staff/me/second-factor")
async def show_enrolment(request: Request, session: AnySession) -> Response:
    """What a second factor is, and the button that begins it."""
    if session.second_factor_due:
        return RedirectResponse("/staff/second-factor", 303)
    if session.has_second_factor:
        return RedirectResponse("/staff/me", 303)
    return enrolment_page(request, session, None)


@router.post("/staff/me/second-factor")
async def begin_enrolment(request: Request, session: AnySession) -> Response:
    """A new secret to scan. It is shown in this answer and never again."""
    await form_of(request, session)
    require_proof(runtime(request), session)
    enrolment = await second_factor.begin(runtime(request), session.account_id, session.username)
    return enrolment_page(request, session, enrolment)


@router.post("/staff/me/second-factor/confirm")
async def confirm_enrolment(request: Request, session: AnySession) -> Response:
    """The first code; then the recovery codes, once."""
    form = await form_of(request, session)
    rt = runtime(request)
    try:
        codes = await second_factor.confirm(rt, session.account_id, str(form.get("code", "")))
    except (NoSecondFactor, WrongCode) as error:
        return enrolment_page(request, session, None, error)
    await sign_out_elsewhere(rt, request.cookies.get(COOKIE, ""), session)
    return counter_page(request, "recovery_codes.html", None, session=session, codes=codes)


@router.post("/staff/me/second-factor/remove")
async def remove_second_factor(request: Request, session: Person) -> Response:
    """Without a second factor from now on; it needs a recent proof, with a code."""
    await form_of(request, session)
    rt = runtime(request)
    require_proof(rt, session)
    async with transaction(rt.db) as db:
        await second_factor.remove(db, rt, session.account_id, by=f"staff:{session.account_id}")
    return RedirectResponse("/staff/me", 303)


@router.post("/staff/me/recovery-codes")
async def new_codes(request: Request, session: Person) -> Response:
    """Ten new recovery codes; the former ones end."""
    await form_of(request, session)
    rt = runtime(request)
    require_proof(rt, session)
    if not session.has_second_factor:
        raise NoSecondFactor
    async with transaction(rt.db) as db:
        codes = await second_factor.new_recovery_codes(db, rt, session.account_id)
    return counter_page(request, "recovery_codes.html", None, session=session, codes=codes)

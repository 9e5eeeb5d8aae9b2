"""Who sits at the counter. Every staff route asks here first, and what it may touch is the bar named here."""

import hmac
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from starlette.datastructures import FormData

from kaunta.access.queries import MembershipRow
from kaunta.access.roles import May, may, require
from kaunta.access.sessions import StaffSession, second_factor_missing, unfinished_session
from kaunta.core.errors import Forbidden, SignInNeeded
from kaunta.core.web import runtime

COOKIE = "kaunta_staff"
#: By what a browser is known to whoever signed in with it; it opens nothing.
DEVICE_COOKIE = "kaunta_known"


class NoBar(Forbidden):
    """Your account belongs to no bar yet. Ask an owner to add you."""

    code = "no_bar"


class StaleForm(Forbidden):
    """This form is from an earlier sign-in. Open the page again and repeat."""

    code = "stale_form"


class GoElsewhere(Forbidden):
    """Something else comes first; the page leads there."""

    code = "second_factor_needed"

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where


@dataclass(frozen=True, slots=True)
class Seat:
    """A signed-in person at one bar."""

    session: StaffSession
    bar: MembershipRow

    @property
    def bar_id(self) -> UUID:
        return self.bar.bar_id

    @property
    def account_id(self) -> UUID:
        return self.session.account_id

    def may(self, what: May) -> bool:
        """Whether their role at this bar allows it."""
        return may(self.bar.role, what)

    def require(self, what: May) -> None:
        """Raises `RoleRefused`."""
        require(self.bar.role, what)


@dataclass(frozen=True, slots=True)
class Post:
    """A signed-in person's form, which came from a page of their own session."""

    seat: Seat
    form: FormData

    def text(self, name: str) -> str:
        value = self.form.get(name)
        return value if isinstance(value, str) else ""


async def any_session(request: Request) -> StaffSession:
    """Who has entered a password, whatever is still to come. Raises `SignInNeeded`."""
    session = await unfinished_session(runtime(request), request.cookies.get(COOKIE))
    if session is None:
        raise SignInNeeded
    return session


async def person(request: Request, session: Annotated[StaffSession, Depends(any_session)]) -> StaffSession:
    """Who has proved all that is asked for. Raises `GoElsewhere`, `SignInNeeded`."""
    if session.second_factor_due:
        raise GoElsewhere("/staff/second-factor")
    if second_factor_missing(runtime(request), session):
        raise GoElsewhere("/staff/me/second-factor")
    return session


async def staff_session(session: Annotated[StaffSession, Depends(person)]) -> Seat:
    """The session's seat at a bar. Raises `GoElsewhere`, `NoBar`, `SignInNeeded`."""
    if session.current is None:
        raise NoBar
    return Seat(session, session.current)


async def form_of(request: Request, session: StaffSession, *, files: int = 0) -> FormData:
    """The posted form, with the session's own token in it. Raises `StaleForm`."""
    form = await request.form(max_files=files)
    token = form.get("csrf")
    if not isinstance(token, str) or not hmac.compare_digest(token.encode(), session.csrf.encode()):
        await form.close()
        raise StaleForm
    return form


async def staff_form(request: Request, seat: Annotated[Seat, Depends(staff_session)]) -> Post:
    """The form of somebody at a bar. Raises `StaleForm`."""
    return Post(seat, await form_of(request, seat.session))


AtCounter = Annotated[Seat, Depends(staff_session)]
Posted = Annotated[Post, Depends(staff_form)]
AnySession = Annotated[StaffSession, Depends(any_session)]
Person = Annotated[StaffSession, Depends(person)]

"""Machines at the door: whose API key it is, what it may do, and how much of its share of this minute is left.

The share is a row that every process counts in, and each answer to a key tells how it stands: `RateLimit-Limit`,
`RateLimit-Remaining` and `RateLimit-Reset` (seconds), as IETF's draft on rate-limit headers names them.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response

from kaunta.access import api_keys, sessions
from kaunta.access.api_keys import ApiCaller, Scope, Share, TooManyRequests
from kaunta.core.errors import BadRequest, Forbidden, KauntaError, NotFound, SignInNeeded
from kaunta.core.routes import LateRoute
from kaunta.core.web import problem, runtime

STAFF_COOKIE = "kaunta_staff"


@dataclass(frozen=True, slots=True)
class Caller:
    """For which bar who calls. `role`: a person's at that bar; None for a key, whose scopes have been looked at."""

    bar_id: UUID
    by: str
    role: str | None = None


class Counted(LateRoute):
    """A route whose answers, refusals too, tell a key how its share stands."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handler(request)
            except KauntaError as error:
                share: Share | None = getattr(request.state, "share", None)
                if share is None or error.status >= 500:
                    raise
                response = problem(error)
            share = getattr(request.state, "share", None)
            if share is not None:
                response.headers["RateLimit-Limit"] = str(share.limit)
                response.headers["RateLimit-Remaining"] = str(share.remaining)
                response.headers["RateLimit-Reset"] = str(share.resets_in)
            return response

        return answer


async def machine(request: Request) -> ApiCaller | None:
    """The API key that calls, its request counted; None where no good key does. Raises `TooManyRequests`."""
    rt = runtime(request)
    async with rt.db.acquire() as db:
        caller = await api_keys.caller(db, request.headers.get("authorization"))
        if caller is None:
            return None
        share = request.state.share = await api_keys.take_share(db, rt, caller.id)
    if share.used > share.limit:
        raise TooManyRequests(retryAfter=share.resets_in)
    return caller


async def bar_of_caller(request: Request, bar_id: UUID | None, scope: Scope) -> Caller:
    """The bar whose things the caller may see or change: a key's own, or one where the signed-in person works.

    Raises `Forbidden`, `NotFound`, `SignInNeeded`, `TooManyRequests`.
    """
    caller = await machine(request)
    if caller is not None:
        if scope not in caller.scopes or caller.bar_id is None:
            raise Forbidden
        if bar_id not in (None, caller.bar_id):
            raise NotFound
        return Caller(caller.bar_id, f"api_key:{caller.id}")
    session = await sessions.session_of(runtime(request), request.cookies.get(STAFF_COOKIE))
    if session is None:
        raise SignInNeeded
    membership = session.at(bar_id) if bar_id else session.current
    if membership is None:
        raise NotFound
    return Caller(membership.bar_id, f"staff:{session.account_id}", membership.role)


def write_cursor(at: datetime, id_: UUID) -> str:
    """A place in a list, newest first: opaque to its reader."""
    return urlsafe_b64encode(f"{at.isoformat()} {id_}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The place a cursor names. Raises `BadRequest`."""
    try:
        at, _, id_ = urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC), UUID(id_)
    except (ValueError, OverflowError, Base64Error):
        raise BadRequest("cursor: use the nextCursor of the page before, as it is.") from None

"""How a counter page is sent, and how a refusal becomes one.

A live page carries its version, as the guest's do: the script asks with `X-Fragment: main` and gets 204 or `<main>`.
"""

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kaunta.access.denials import note_denied
from kaunta.access.roles import May, RoleRefused
from kaunta.access.sessions import ProofNeeded, StaffSession
from kaunta.core import web
from kaunta.core.errors import KauntaError, NotFound, SignInNeeded
from kaunta.core.routes import LateRoute
from kaunta.core.web import runtime
from kaunta.staff.session import GoElsewhere, Seat, any_session

STATIC = Path(__file__).parent.parent / "static"
TYPES = {
    "staff.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "board.js": "text/javascript; charset=utf-8",
}

#: Where the head of every page leads, in groups, and what one must be allowed to see the way there.
PLACES: tuple[tuple[str, tuple[tuple[str, str, May], ...]], ...] = (
    ("Attention", (("Attention", "/staff", May.SERVE),)),
    ("Board", (("Board", "/staff/board", May.SERVE),)),
    (
        "Payments",
        (
            ("Payments", "/staff/payments", May.SERVE),
            ("Receipts", "/staff/receipts", May.SERVE),
            ("Refunds", "/staff/refunds", May.REFUND),
            ("Statements", "/staff/statements", May.CLOSE_DAY),
            ("Day", "/staff/day", May.CLOSE_DAY),
            ("Shift", "/staff/shift", May.SERVE),
        ),
    ),
    (
        "Watch",
        (
            ("Alerts", "/staff/alerts", May.SERVE),
            ("Health", "/staff/health", May.SERVE),
            ("Blocks", "/staff/blocks", May.BLOCK),
            ("Audit", "/staff/audit", May.AUDIT),
        ),
    ),
    ("Settings", (("Settings", "/staff/settings", May.BAR), ("People", "/staff/people", May.PEOPLE))),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A way in the head. `current`: as `aria-current` says it, empty elsewhere."""

    words: str
    path: str
    current: str


files = APIRouter(include_in_schema=False)


class CounterRoute(LateRoute):
    """A route whose refusals are pages; without a session it leads to the sign-in."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except SignInNeeded:
                return RedirectResponse("/staff/login", 303, headers={"Cache-Control": "no-store"})
            except GoElsewhere as error:
                return RedirectResponse(error.where, 303, headers={"Cache-Control": "no-store"})
            except ProofNeeded:
                return RedirectResponse(prove_page(request), 303, headers={"Cache-Control": "no-store"})
            except RoleRefused as error:
                await noted(request, error)
                return refusal(request, error)
            except KauntaError as error:
                return refusal(request, error)

        return answer


def refusal(request: Request, error: KauntaError) -> Response:
    headline = "Not found" if isinstance(error, NotFound) else "That did not work"
    return counter_page(request, "notice.html", None, error.status, headline=headline, text=error.detail)


async def noted(request: Request, error: RoleRefused) -> None:
    """A refusal is only ever somebody's who sits at a bar."""
    session = await any_session(request)
    if session.current is not None:
        await note_denied(runtime(request), session.account_id, session.current.bar_id, error)


def current(path: str, here: str) -> str:
    if path == here:
        return "page"
    return "true" if path != "/staff" and here.startswith(f"{path}/") else ""


def head(seat: Seat, here: str) -> tuple[list[Link], list[Link]]:
    """The groups that somebody sees, each leading to its first place; and the places of the one they are in, where it
    has more than one."""
    groups, beside = [], list[Link]()
    for words, places in PLACES:
        links = [Link(name, path, current(path, here)) for name, path, what in places if seat.may(what)]
        if not links:
            continue
        inside = next((link.current for link in links if link.current), "")
        groups.append(Link(words, links[0].path, links[0].current or ("true" if inside else "")))
        if inside and len(links) > 1:
            beside = links
    return groups, beside


def prove_page(request: Request) -> str:
    """Where password and code are entered again. Back leads to the page that was asked for, or to a form's own page:
    what was typed is not kept."""
    asked = request.url.path if request.method == "GET" else urlsplit(request.headers.get("referer", "")).path
    return f"/staff/prove?{urlencode({'next': asked or '/staff'})}"


@cache
def read(name: str) -> tuple[bytes, str]:
    """A static file and the name of this version of it."""
    content = (STATIC / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


@cache
def smaller(name: str) -> bytes:
    """A static file as browsers that take gzip get it."""
    return gzip.compress(read(name)[0], 9, mtime=0)


def asset(name: str) -> str:
    """The address of a static file; another content, another address."""
    return f"/static/{name}?v={read(name)[1]}"


@files.get("/static/staff.css")
@files.get("/static/live.js")
@files.get("/static/board.js")
async def static_file(request: Request) -> Response:
    """The counter's stylesheet and scripts, kept by the browser for ever: their address names their content."""
    name = request.url.path.rpartition("/")[2]
    content, version = read(name)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": f'"{version}"',
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = smaller(name)
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=TYPES[name])


def counter_page(
    request: Request,
    template: str,
    seat: Seat | None,
    status: int = 200,
    *,
    version: tuple[object, ...] = (),
    live: bool = False,
    environment: str | None = None,
    session: StaffSession | None = None,
    **context: object,
) -> Response:
    """A page of the counter's, or its `<main>`, or 204. A page without a version, or with a problem, is still.

    `session`: of somebody who need not be at a bar.
    """
    tag = hashlib.sha256(repr(version).encode()).hexdigest()[:16] if version else ""
    fragment = live and request.headers.get("x-fragment") == "main"
    if fragment and request.headers.get("if-none-match") == tag:
        return Response(status_code=204, headers={"ETag": tag, "Cache-Control": "no-store"})
    places, places_beside = head(seat, request.url.path) if seat else ([], [])
    response = web.page(
        request,
        f"staff/{template}",
        status,
        layout="staff/fragment.html" if fragment else "staff/base.html",
        session=seat.session if seat else session,
        bar=seat.bar if seat else None,
        places=places,
        places_beside=places_beside,
        here=request.url.path,
        # Test mode shows on every page of the bar, and a payment's page says which kind the payment was.
        environment=environment or (seat.bar.environment if seat else None),
        version=tag,
        live="/staff/events" if live else "",
        asset=asset,
        **context,
    )
    response.headers["Cache-Control"] = "no-store"
    if tag:
        response.headers["ETag"] = tag
    return response

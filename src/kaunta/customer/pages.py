"""How a guest's page is sent: one document with its style and script inside, under 6 kB.

A page that is live carries `data-v`, the version of what it shows. The script asks for the same address with
`X-Fragment: main` and that version, and gets 204 or the part that changed; nothing is rendered to say "unchanged".
The event stream is told the version too, so that a page that is up to date is left in peace.
"""

import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlencode

from babel.dates import format_datetime
from fastapi import Request, Response
from markupsafe import Markup

from kaunta.core import web
from kaunta.core.clock import EAT
from kaunta.core.errors import KauntaError
from kaunta.core.event_stream import EventStream
from kaunta.core.routes import LateRoute
from kaunta.customer.words import N_, sentence

#: The longest value in an address of ours, a payment's id, fits twice.
LONGEST_VALUE = 80
SOURCES = Path(__file__).parent.parent / "static" / "guest"


class GuestRoute(LateRoute):
    """A route whose refusals are pages: a guest never reads JSON."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except KauntaError as error:
                return notice(request, error.status, sentence(error))

        return answer


@cache
def inline(*names: str) -> Markup:
    """The named files of `static/guest`, one after the other, without comments and line ends."""
    return Markup("").join(squeezed(name, (SOURCES / name).read_text(encoding="utf-8")) for name in names)


def squeezed(name: str, text: str) -> Markup:
    if name.endswith(".css"):
        return Markup(re.sub(r"/\*.*?\*/|\n", "", text, flags=re.DOTALL))  # noqa: S704 - our own file
    return Markup(re.sub(r"(?m)^//.*\n|(?<=[{,;(])\n|\n(?=[})])", "", text))  # noqa: S704 - our own file


def day_time(lang: str, moment: datetime) -> str:
    """A moment as people in Nairobi say it in their language."""
    return format_datetime(moment, "d MMM y, HH:mm", EAT, lang)


def query_of(request: Request) -> str:
    """What the page was asked with, for the link to its other language: the same page, not its beginning. Longer
    values than any of ours are nobody's search."""
    asked = request.query_params.multi_items()
    kept = [(name, value) for name, value in asked if name != "lang" and len(value) <= LONGEST_VALUE]
    return f"{urlencode(kept)}&" if kept else ""


def tag_of(request: Request, *facts: object) -> str:
    """A short name for what a page shows, in its language: other facts, other name."""
    return hashlib.sha256(repr((web.language(request), facts)).encode()).hexdigest()[:16]


def guest_page(
    request: Request,
    template: str,
    *,
    styles: tuple[str, ...] = (),
    scripts: tuple[str, ...] = (),
    version: tuple[object, ...] = (),
    status: int = 200,
    test: bool = False,
    refresh: bool = False,
    **context: object,
) -> Response:
    """A page of the guest's, or its live part, or 204 when the asking script has this version already.

    `version` is what the live part shows; a page without one is still. `refresh` reloads it where no script runs.
    """
    tag = tag_of(request, *version) if version else ""
    fragment = bool(tag) and request.headers.get("x-fragment") == "main"
    if fragment and request.headers.get("if-none-match") == tag:
        return Response(status_code=204, headers={"ETag": tag, "Cache-Control": "no-store"})
    response = web.page(
        request,
        f"guest/{template}",
        status,
        layout="guest/fragment.html" if fragment else "guest/base.html",
        test=test,
        refresh=refresh,
        css=inline("base.css", *styles),
        script=inline(*scripts) if scripts else "",
        version=tag,
        query=query_of(request),
        day_time=partial(day_time, web.language(request)),
        **context,
    )
    response.headers["Cache-Control"] = "no-store"
    if tag:
        response.headers["ETag"] = tag
    # Line ends between tags are for people who read templates.
    response.body = bytes(response.body).replace(b">\n<", b"><")
    response.headers["Content-Length"] = str(len(response.body))
    return packed(request, response)


def packed(request: Request, response: Response) -> Response:
    """The page compressed, where the browser takes it: half the bytes on a slow line."""
    if "gzip" in request.headers.get("accept-encoding", ""):
        response.body = gzip.compress(response.body, 6)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
    response.headers["Vary"] = f"Accept-Encoding, {response.headers.get('Vary', 'Cookie')}"
    return response


def listen(request: Request, topics: Iterable[str], now: Callable[[], Awaitable[str]]) -> EventStream:
    """The page's event stream. It begins by saying "changed" only to a page that is behind (`?v=`).

    `now` names the present version; it is asked once the subscription stands, so that nothing falls between.
    """
    shown = request.query_params.get("v")

    async def behind() -> bool:
        return await now() != shown

    return web.event_stream(request, topics, behind)


def notice(request: Request, status: int, headline: str, text: str = "") -> Response:
    """One thing to say; `headline` and `text` are sentences of `words`."""
    return guest_page(
        request, "notice.html", styles=("state.css",), status=status, headline=headline, text=text, bar_name=""
    )


def not_found(request: Request) -> Response:
    """S0: whatever is wrong with a reference, the guest reads the same."""
    return notice(request, 404, N_("This code is not in use."), N_("Ask staff for the right one."))

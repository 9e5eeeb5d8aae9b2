"""How the simulator's own pages are served: templates and files from `pages/`, a strict policy, live by one stream.

No page has a foreign script, an inline one, or a build step. Without a script they are forms and links; with one they
look again whenever something has happened.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from kaunta.simulator.simulator import Simulator

if TYPE_CHECKING:
    from jinja2 import Environment

Endpoint = Callable[[Request], Awaitable[Response]]

PAGES = Path(__file__).parent / "pages"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'self'"
)
#: Real seconds between two signs of life on the stream, and the least between two pieces of news.
HEARTBEAT, BREATH = 15.0, 0.1


@cache
def templates() -> "Environment":
    """Loaded with the first page: a simulator that shows none starts the sooner."""
    from jinja2 import Environment, FileSystemLoader

    made = Environment(loader=FileSystemLoader(PAGES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.globals["file"] = lambda name: f"/_sim/files/{name}?{fingerprint(name)}"
    return made


@cache
def fingerprint(name: str) -> str:
    return sha256((PAGES / name).read_bytes()).hexdigest()[:12]


def rendered(name: str, **shown: object) -> str:
    return templates().get_template(name).render(**shown)


def page(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    given = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    return Response(html, status, media_type="text/html", headers=given | dict(headers or {}))


async def form(request: Request) -> dict[str, str]:
    """The fields of a posted form; of a field that comes twice, the first."""
    said = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
    return {name: values[0].strip() for name, values in said.items()}


def ours_only(endpoint: Endpoint) -> Endpoint:
    """Refuses a form that another site has sent: a page elsewhere must not pay with somebody's simulated phone."""

    async def answered(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") in ("cross-site", "same-site"):
            return page("This form was sent from another site.", 403)
        return await endpoint(request)

    return answered


def routes(simulator: Simulator) -> list[Route]:
    async def events(request: Request) -> StreamingResponse:
        """A number whenever something has changed; what, the page finds out for itself."""

        async def stream() -> AsyncIterator[str]:
            version = simulator.news.version
            yield f"retry: 1000\ndata: {version}\n\n"
            while True:
                heard = await simulator.news.wait(version, HEARTBEAT)
                yield f"data: {heard}\n\n" if heard != version else ": still here\n\n"
                version = heard
                await asyncio.sleep(BREATH)

        return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def files(request: Request) -> Response:
        name = request.path_params["name"]
        kind = KINDS.get(Path(name).suffix)
        path = PAGES / name
        if kind is None or not path.is_file():
            return Response("There is no such file.", 404)
        # The address carries the file's fingerprint.
        return Response(path.read_bytes(), media_type=kind, headers={"Cache-Control": "public, max-age=31536000"})

    return [
        Route("/_sim/events", events, methods=["GET"]),
        Route("/_sim/files/{name}", files, methods=["GET"]),
    ]

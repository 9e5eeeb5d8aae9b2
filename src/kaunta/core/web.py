"""What every door shares: pages, errors, live streams, and the headers on all of them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kaunta.core import translations
from kaunta.core.clock import EAT
from kaunta.core.db import TRANSIENT_ERRORS
from kaunta.core.errors import BadRequest, DatabaseAway, KauntaError, Unforeseen
from kaunta.core.event_stream import EventStream
from kaunta.core.log import shape
from kaunta.core.metrics import answers
from kaunta.core.money import kes
from kaunta.core.origin import Origin, browser_of
from kaunta.core.origin import current as origin_now
from kaunta.core.runtime import Runtime
from kaunta.core.source import caller

log = structlog.get_logger(__name__)

TEMPLATES = Path(__file__).parent.parent / "templates"
LANGUAGE_COOKIE = "lang"
#: A comment this often keeps proxies from closing a silent stream.
HEARTBEAT_SECONDS = 15.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: What an answer to a program may load and run, should a browser show it as a page: nothing.
NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#: No form or document of ours is nearly as long, in bytes.
LONGEST_BODY = 256 * 1024


def jinja() -> Environment:
    """One environment for all pages; autoescape always, and a name that does not exist is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.globals.update(kes=kes, eat=eat)
    return environment


def eat(moment: datetime, pattern: str = "%d %b %Y, %H:%M") -> str:
    """A moment as people in Nairobi read it."""
    return moment.astimezone(EAT).strftime(pattern)


PAGES = jinja()


def runtime(request: Request) -> Runtime:
    """The running process's arguments."""
    found: Runtime = request.app.state.runtime
    return found


def source_of(request: Request) -> str | None:
    """The address of who asks, as far as it can be believed."""
    peer = request.client.host if request.client else None
    return caller(peer, request.headers.getlist("x-forwarded-for"), runtime(request).settings.trusted_proxies)


def origin_of(request: Request) -> Origin:
    """Who asks, and a name for this request that people can say."""
    agent = request.headers.get("user-agent", "")
    return Origin(source_of(request), browser_of(agent), runtime(request).entropy.speakable(10))


def language(request: Request) -> str:
    """The guest's language: asked for now, chosen before, the browser's, English."""
    # Programs say none of it, and ask thousands of times a minute.
    said = {name for name, _ in request.scope["headers"]}
    asked = request.query_params.get("lang") if request.scope["query_string"] else None
    for wish in (asked, request.cookies.get(LANGUAGE_COOKIE) if b"cookie" in said else None):
        if wish in translations.LANGUAGES:
            return wish
    for part in request.headers["accept-language"].split(",") if b"accept-language" in said else ():
        wish = part.split(";")[0].strip().lower().split("-")[0]
        if wish in translations.LANGUAGES:
            return wish
    return translations.LANGUAGES[0]


def page(request: Request, template: str, status: int = 200, **context: object) -> HTMLResponse:
    """Render a page in the request's language."""
    lang = language(request)
    words = translations.load(lang)
    html = PAGES.get_template(template).render(
        _=words.gettext,
        gettext=words.gettext,
        ngettext=words.ngettext,
        lang=lang,
        nonce=request.scope["kaunta.nonce"],
        request=request,
        **context,
    )
    response = HTMLResponse(html, status_code=status)
    response.headers["Vary"] = "Cookie, Accept-Language"
    if request.query_params.get("lang") == lang:
        secure = request.url.scheme == "https"
        response.set_cookie(LANGUAGE_COOKIE, lang, max_age=31_536_000, samesite="lax", httponly=True, secure=secure)
    return response


def event_stream(
    request: Request, topics: Iterable[str], behind: Callable[[], Awaitable[bool]] | None = None
) -> EventStream:
    """The request's stream of hints. `behind`: whether the page has to look at once; None: it has."""
    rt = runtime(request)
    return EventStream(rt.live, topics, request.app.state.leaving, rt.clock.wait(HEARTBEAT_SECONDS), behind)


def problem(error: KauntaError) -> JSONResponse:
    """RFC 9457, with the fields the seeds' callers read."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": type(error).__doc__ or error.code,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "success": False,
        "message": error.detail,
    }
    # An error's own fields come beside the standard ones, never instead of them.
    body |= {name: value for name, value in error.fields.items() if name not in body}
    headers = {"Retry-After": str(error.fields["retryAfter"])} if error.fields.get("retryAfter") else {}
    return JSONResponse(body, error.status, headers, media_type="application/problem+json")


class PlainProblem(KauntaError):
    """The request failed."""

    code = "http"

    def __init__(self, status: int, detail: str, code: str) -> None:
        super().__init__(detail)
        self.status = status  # type: ignore[misc]
        self.code = code  # type: ignore[misc]


def misread(error: RequestValidationError) -> PlainProblem:
    """What is wrong with which field of a request; never what was in it."""
    where = [".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]) for item in error.errors()]
    says = [f"{place}: {item['msg']}" for place, item in zip(where, error.errors(), strict=True)]
    return PlainProblem(400, "; ".join(says), "bad_request")


def install_errors(app: FastAPI) -> None:
    """Every error leaves as problem+json with a stable code; the guests' and staff's doors put theirs into pages."""

    @app.exception_handler(KauntaError)
    async def ours(_request: Request, error: KauntaError) -> Response:
        if error.status == 500:
            log.error("request.failed", error=type(error).__name__, code=error.code, exception=shape(error))
        return problem(error)

    @app.exception_handler(asyncpg.CharacterNotInRepertoireError)
    async def unspeakable(_request: Request, _error: Exception) -> Response:
        """PostgreSQL keeps no NUL in a text, and nobody has one in a name."""
        return problem(BadRequest("The request holds a character that no text has."))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        return problem(misread(error))

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, error: HTTPException) -> Response:
        codes = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
        answer = problem(PlainProblem(error.status_code, str(error.detail), codes.get(error.status_code, "http")))
        answer.headers.update(error.headers or {})
        return answer


class Shield:
    """Around every request: a nonce for its page, security headers, a bound on its body, no unsafe form from another
    site, and an answer where something broke that nobody foresaw.

    `machines` are beginnings of paths that no browser with a session ever posts to; `uploads` are the paths that take
    longer bodies than all others, and how long, bytes.
    """

    def __init__(
        self, app: ASGIApp, public_url: str, machines: tuple[str, ...] = (), uploads: Mapping[str, int] | None = None
    ) -> None:
        self.app = app
        self.uploads = dict(uploads or {})
        self.public_host = urlsplit(public_url).netloc
        self.hsts = public_url.startswith("https://")
        self.machines = machines
        self.programs = ("/api/", *machines)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        rt: Runtime = scope["app"].state.runtime
        nonce = scope["kaunta.nonce"] = rt.entropy.ref()
        origin = origin_of(Request(scope))
        origin_now.set(origin)
        policy = NO_PAGE if scope["path"].startswith(self.programs) else page_policy(nonce)
        headers = [*security_headers(policy, hsts=self.hsts), (b"x-request-id", origin.id.encode())]
        begun, size = False, 0
        longest = self.uploads.get(scope["path"], LONGEST_BODY)

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                status = message["status"]
                answers(status).inc()
            # A 204 shows nothing that these could guard, and an open page's poll has 300 bytes for everything.
            if message["type"] == "http.response.start" and message["status"] == 204:
                begun = True
            elif message["type"] == "http.response.start":
                begun = True
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"], *((name, value) for name, value in headers if name not in present)
                ]  # fmt: skip
            await send(message)

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > longest:
                raise HTTPException(413, "The request is too long.")
            return message

        unsafe = scope["method"] not in SAFE_METHODS and not scope["path"].startswith(self.machines)
        if unsafe and from_elsewhere(scope, self.public_host):
            foreign = problem(PlainProblem(403, "This form came from another site.", "cross_site"))
            await foreign(scope, receive, with_headers)
            return
        try:
            await self.app(scope, bounded, with_headers)
        except ClientDisconnect:
            return
        except Exception as error:
            # Only the error's shape is logged: its message may quote the very value that must not be.
            route = getattr(scope.get("route"), "path", None)
            log.error(
                "request.failed", route=route, error=type(error).__name__, exception=shape(error), request_id=origin.id
            )
            if begun:
                raise
            await broken(scope, error)(scope, receive, with_headers)


def broken(scope: Scope, error: Exception) -> Response:
    """What a caller reads when something unforeseen happened; a person gets a page."""
    sorry = DatabaseAway() if isinstance(error, TRANSIENT_ERRORS) else Unforeseen()
    if b"text/html" not in dict(scope["headers"]).get(b"accept", b""):
        return problem(sorry)
    words = f"{sorry.detail} · Samahani, kuna hitilafu. Jaribu tena baada ya muda mfupi."
    return HTMLResponse(f"<!doctype html><title>Kaunta</title><p>{words}</p>", sorry.status)


def from_elsewhere(scope: Scope, public_host: str) -> bool:
    """An unsafe request that a browser made from another site (CSRF).

    Every browser of the last years sends `Sec-Fetch-Site`, older ones `Origin`, the oldest a referrer. A request
    with none of them is a program's.
    """
    headers: dict[bytes, bytes] = dict(scope["headers"])
    site = headers.get(b"sec-fetch-site", b"").decode("latin-1")
    if site:
        return site not in ("same-origin", "none")
    # A proxy before us may pass on another Host than the one the browser asked for.
    ours = (headers.get(b"host", b"").decode("latin-1").lower(), public_host)
    named = (headers.get(b"origin") or headers.get(b"referer") or b"").decode("latin-1")
    return bool(named) and host_of(named) not in ours


def host_of(url: str) -> str | None:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return None


def page_policy(nonce: str) -> str:
    """What a page of ours may load and run: its own, and what bears the nonce."""
    return (
        f"default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'self' 'nonce-{nonce}'; connect-src 'self'; "
        "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def security_headers(policy: str, *, hsts: bool) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    ]
    if hsts:
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    return headers

"""The door in front of the framework, for the few addresses that programs ask thousands of times a minute.

Safaricom's messages and "where does this payment stand" need a route, a body and an answer, and nothing else of what
lies around every other request: six layers of middleware cost more than the work itself. What callers see is the same
as behind them: the headers, the request's name, the counters, an error as problem+json. Behind this door the same
routes stand once more, for every method and every shape of an address that is not recognized here.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from kaunta.core.errors import KauntaError
from kaunta.core.log import shape
from kaunta.core.metrics import answers
from kaunta.core.runtime import Runtime
from kaunta.core.web import NO_PAGE, broken, problem, security_headers

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


class FrontDoor:
    """Plain routes, each found by the first part of its path (`/cb/`) and then by its own pattern.

    Their handlers bound the bodies they read, and set none of the headers that this sets on every answer. They are no
    place for a browser's forms: nothing here looks where a request came from.
    """

    def __init__(self, routes: Sequence[Route], rt: Runtime) -> None:
        self.rt = rt
        self.headers = security_headers(NO_PAGE, hsts=rt.settings.public_url.startswith("https://"))
        self.ways: dict[str, list[Route]] = {}
        for route in routes:
            self.ways.setdefault(first_part(route.path), []).append(route)

    def way(self, scope: Scope) -> Route | None:
        """The route of a request, with what its path names put into the scope; None: it goes the long way."""
        path: str = scope["path"]
        for route in self.ways.get(first_part(path), ()):
            found = route.path_regex.match(path)
            if found and scope["method"] in cast(set[str], route.methods):
                scope["path_params"] = found.groupdict()
                return route
        return None

    async def answer(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the route's handler answer, whatever happens to it."""
        name = self.rt.entropy.speakable(10)
        try:
            response = await cast(Handler, route.endpoint)(Request(scope, receive))
        except ClientDisconnect:
            return
        except KauntaError as error:
            if error.status == 500:
                log.error("request.failed", error=type(error).__name__, code=error.code, exception=shape(error))
            response = problem(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, its caller gets an answer and the log its shape
            log.error(
                "request.failed", route=route.path, error=type(error).__name__, exception=shape(error), request_id=name
            )
            response = broken(scope, error)
        status = response.status_code
        answers(status).inc()
        headers: list[Any] = [*response.raw_headers, *self.headers, (b"x-request-id", name.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})


def first_part(path: str) -> str:
    """`/cb/` of `/cb/…`: what tells most requests apart without a pattern."""
    return path[: path.find("/", 1) + 1]

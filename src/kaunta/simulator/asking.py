"""How the control interface reads a request: JSON in, and answers that say what was wrong with it."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.simulator.bank import NotPossible
from kaunta.simulator.direct import Declined
from kaunta.simulator.replies import as_json
from kaunta.simulator.simulator import AlreadyAnswered

Endpoint = Callable[[Request], Awaitable[Response]]


class BadControl(ValueError):
    """The control request cannot be understood."""


def at(path: str, method: str, endpoint: Endpoint) -> Route:
    """A route of the control interface."""
    return Route(f"/_sim{path}", understood(endpoint), methods=[method])


def understood(endpoint: Endpoint) -> Endpoint:
    """Turns what a request got wrong into an answer that says so."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except AlreadyAnswered:
            return as_json({"error": "this push has its outcome already"}, 409)
        except Declined as declined:
            return as_json({"error": "the payment was declined", "declined": declined.code}, 409)
        except NotPossible as problem:
            return as_json({"error": "the money does not move", "code": problem.code}, 409)
        except KeyError as missing:
            return as_json({"error": f"there is no {missing.args[0]}"}, 404)
        except ValueError as problem:
            return as_json({"error": str(problem)}, 400)

    return answered


async def document(request: Request) -> dict[str, object]:
    said = json.loads(await request.body() or b"{}")
    if not isinstance(said, dict):
        raise BadControl("a JSON object is expected")
    return said


def text(said: dict[str, object], name: str, default: str | None = None) -> str:
    value = said.get(name, default)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadControl(f"{name} is missing")
    return str(value)


def number(said: dict[str, object], name: str, default: float | None = None) -> float:
    value = said.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadControl(f"{name} is a number, 0 or more")
    return value


def whole(said: dict[str, object], name: str, default: int | None = None) -> int:
    value = number(said, name, default)
    if int(value) != value or value < 1:
        raise BadControl(f"{name} is a whole number, 1 or more")
    return int(value)


def mapping(said: dict[str, object], name: str) -> dict[str, object]:
    value = said.get(name, {})
    if not isinstance(value, dict):
        raise BadControl(f"{name} is an object")
    return value


def optional(said: dict[str, object], name: str) -> str | None:
    """A text, or None where it is missing, null or empty."""
    return None if said.get(name) is None else text(said, name) or None


def moment(said: str | None) -> datetime | None:
    """An ISO moment, in UTC where it names no zone; raises `BadControl`."""
    if not said:
        return None
    try:
        parsed = datetime.fromisoformat(said)
    except ValueError:
        raise BadControl("a moment is written like 2026-11-20T17:30:00+03:00") from None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)

"""Forms of the console: what people type, turned into what the simulator understands; and the way back to the page.

What was done, or why it was not, travels in the address the browser is sent to, so a reload repeats nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kaunta.simulator.bank import NotPossible
from kaunta.simulator.direct import Declined
from kaunta.simulator.pages_served import form, ours_only
from kaunta.simulator.simulator import AlreadyAnswered

#: Takes the fields of a form and says what it has done.
Deed = Callable[[Mapping[str, str]], Awaitable[str]]
#: Characters of a complaint that fit an address.
LONGEST_SAID = 400


class BadEntry(ValueError):
    """A field that cannot be used."""


def posting(path: str, deed: Deed, page: str) -> Route:
    """`POST path` does the deed and returns to `page`, which says what came of it."""

    async def done(request: Request) -> Response:
        said = await form(request)
        place = said.get("back", "")
        place = place if place.startswith("/_sim/console") else page
        try:
            outcome = {"done": await deed(said)}
        except AlreadyAnswered:
            outcome = {"problem": "This push has its outcome already."}
        except Declined as declined:
            outcome = {"problem": f"Declined with {declined.code}."}
        except NotPossible as problem:
            outcome = {"problem": f"The money does not move: {problem.code} {problem.words}".strip()}
        except KeyError as missing:
            outcome = {"problem": f"There is no {missing.args[0]} any more."}
        except ValueError as problem:
            outcome = {"problem": str(problem)}
        words = {name: text[:LONGEST_SAID] for name, text in outcome.items() if text}
        return RedirectResponse(f"{place}?{urlencode(words)}" if words else place, 303)

    return Route(path, ours_only(done), methods=["POST"])


def outcome(request: Request) -> dict[str, str]:
    """What the deed before this page said."""
    said = request.query_params
    return {name: said.get(name, "")[:LONGEST_SAID] for name in ("done", "problem")}


def text(said: Mapping[str, str], name: str, label: str) -> str:
    value = said.get(name, "")
    if not value:
        raise BadEntry(f"{label} is missing.")
    return value


def optional(said: Mapping[str, str], name: str) -> str | None:
    return said.get(name) or None


def seconds(said: Mapping[str, str], name: str, label: str, default: float | None = None) -> float:
    value = said.get(name, "")
    if not value and default is not None:
        return default
    try:
        number = float(value)
    except ValueError:
        raise BadEntry(f"{label} is a number.") from None
    if not 0 <= number <= 1_000_000:
        raise BadEntry(f"{label} is a number from 0 to 1,000,000.")
    return number


def whole(said: Mapping[str, str], name: str, label: str, default: int | None = None) -> int:
    value = said.get(name, "").replace(",", "")
    if not value and default is not None:
        return default
    if not value.isdecimal() or not 1 <= int(value) <= 1_000_000:
        raise BadEntry(f"{label} is a whole number, 1 or more.")
    return int(value)


def times(said: Mapping[str, str]) -> int | None:
    """How often: a number, or 0 for "until removed"."""
    return None if said.get("times") == "0" else whole(said, "times", "How often", 1)

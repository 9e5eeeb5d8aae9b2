"""Pages that are kept true line by line: what a page has is compared with what is, and only the difference is sent.

A page asks with `X-Fragment: lines` and, in `X-Have`, the tags of the lines it shows, with commas between. It gets each
list's order and the lines that it has not, or 204 where nothing changed. Nothing is kept of any page: whatever it
missed, the next answer is the whole difference.
"""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from markupsafe import Markup

from kaunta.core import web
from kaunta.core.web import runtime

FRAGMENT = "lines"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a list. `tag` names this line with this content; ages are no content, every page counts them itself.
    `words`: what is said aloud when its state becomes `completed`."""

    id: str
    tag: str
    state: str
    words: str
    html: Markup


@dataclass(frozen=True, slots=True)
class Lists:
    """What a page shows: named lists of lines, and `keys`, the matters that need attention."""

    lists: dict[str, list[Line]]
    keys: list[str] = field(default_factory=list)

    @property
    def tag(self) -> str:
        """Names this state of the page."""
        return tag_of([[(line.id, line.tag) for line in lines] for lines in self.lists.values()], self.keys)


def tag_of(*content: object) -> str:
    """A short name for a content."""
    return hashlib.sha256(repr(content).encode()).hexdigest()[:10]


def macro(name: str) -> Callable[..., Markup]:
    """A macro of the lines' template, to be called."""
    return getattr(web.PAGES.get_template("staff/rows.html").module, name)  # type: ignore[no-any-return]


def asked_for_lines(request: Request) -> bool:
    return request.headers.get("x-fragment") == FRAGMENT


def difference(request: Request, shown: Lists) -> Response:
    """The answer to a page that has some of it."""
    headers = {"ETag": shown.tag, "Cache-Control": "no-store", "Vary": "Cookie"}
    if request.headers.get("if-none-match") == shown.tag:
        return Response(status_code=204, headers=headers)
    have = set(request.headers.get("x-have", "").split(","))
    answer = JSONResponse(
        {
            "v": shown.tag,
            "now": runtime(request).clock.now().timestamp(),
            "lists": {
                name: [[line.id, line.tag, line.state, line.words] for line in lines]
                for name, lines in shown.lists.items()
            },
            "lines": {
                line.id: str(line.html) for lines in shown.lists.values() for line in lines if line.tag not in have
            },
            "keys": shown.keys,
        },
        headers=headers,
    )
    return packed(request, answer)


def packed(request: Request, response: Response) -> Response:
    """The answer compressed, where the browser takes it. Only for pages that repeat nothing of their request: beside a
    form's token that would tell the token to whoever can choose the rest and see the length (BREACH)."""
    if "gzip" in request.headers.get("accept-encoding", "") and response.body:
        response.body = gzip.compress(response.body, 6)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
        response.headers.add_vary_header("Accept-Encoding")
    return response


def age(seconds: float) -> str:
    """How long ago, as people say it: `now`, `3 min`, `2 h`, `5 d`. The script says it the same way."""
    if seconds < 60:
        return "now"
    if seconds < 3_600:
        return f"{int(seconds // 60)} min"
    return f"{int(seconds // 3_600)} h" if seconds < 172_800 else f"{int(seconds // 86_400)} d"

"""What to do about an alert, a page a kind; and one sheet of paper for everybody at the counter, in two languages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from markupsafe import Markup, escape

from kaunta.access.roles import May
from kaunta.alerts.runbooks import kinds, runbook, title_of
from kaunta.core import web
from kaunta.core.errors import NotFound
from kaunta.staff.attention import may_see
from kaunta.staff.pages import CounterRoute, counter_page
from kaunta.staff.session import AtCounter

router = APIRouter(route_class=CounterRoute, include_in_schema=False)

MARKS = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*")
STEP = re.compile(r"[0-9]+\. ")


@dataclass(slots=True)
class Block:
    """A heading, a paragraph, a list's steps or a block of commands."""

    tag: str
    lines: list[str] = field(default_factory=list)


def blocks(text: str) -> Iterator[Block]:
    """The few forms of Markdown that runbooks use."""
    block: Block | None = None
    for line in text.splitlines():
        if block is not None and block.tag == "pre":
            if line.startswith("```"):
                yield block
                block = None
            else:
                block.lines.append(line)
            continue
        kind = (
            "pre" if line.startswith("```") else "h2" if line.startswith("## ") else "ol" if STEP.match(line) else "p"
        )
        continues = block is not None and line.strip() and (kind == block.tag or (kind == "p" and block.tag == "ol"))
        if block is not None and not continues:
            yield block
            block = None
        if not line.strip():
            continue
        if block is None:
            block = Block(kind)
        if kind == "ol":
            block.lines.append(STEP.sub("", line, count=1))
        elif kind == "h2":
            block.lines.append(line.removeprefix("## "))
        elif block.tag == "ol":
            block.lines[-1] += " " + line.strip()
        elif kind == "p":
            block.lines.append(line)
    if block is not None:
        yield block


def inline(text: str) -> Markup:
    """`code`, **strong** and *emphasis*; everything else is text."""

    def mark(match: re.Match[str]) -> str:
        code, strong, emphasis = match.groups()
        tag, said = ("code", code) if code else ("b", strong) if strong else ("em", emphasis)
        return f"<{tag}>{said}</{tag}>"

    return Markup(MARKS.sub(mark, str(escape(text))))  # noqa: S704 - escaped before it was marked


def rendered(text: str) -> Markup:
    """A runbook's body as HTML."""
    made: list[str] = []
    for block in blocks(text):
        match block.tag:
            case "pre":
                made.append(f"<pre>{escape(chr(10).join(block.lines))}</pre>")
            case "ol":
                steps = "".join(f"<li>{inline(line)}</li>" for line in block.lines)
                made.append(f"<ol>{steps}</ol>")
            case tag:
                made.append(f"<{tag}>{inline(' '.join(block.lines))}</{tag}>")
    return Markup("\n".join(made))  # noqa: S704 - of escaped pieces


@router.get("/staff/help")
async def show_kinds(request: Request, seat: AtCounter) -> Response:
    """Every alert there is, for who wants to read before one comes."""
    seat.require(May.SERVE)
    pages = sorted((title_of(kind), kind) for kind in kinds() if may_see(seat, kind))
    return counter_page(request, "help.html", seat, pages=pages, runbook=None, body="")


@router.get("/staff/help/sheet")
async def show_sheet(request: Request, seat: AtCounter) -> Response:
    """One sheet of A4 to print and hang up behind the counter."""
    seat.require(May.SERVE)
    response = web.page(request, "staff/sheet.html", bar=seat.bar)
    response.headers["Cache-Control"] = "no-store"
    return response


@router.get("/staff/help/{kind}")
async def show_runbook(request: Request, kind: str, seat: AtCounter) -> Response:
    """What an alert means, what to do now, and how one sees that it is over."""
    seat.require(May.SERVE)
    found = runbook(kind)
    if found is None or not may_see(seat, kind):
        raise NotFound("There is no such page.")
    return counter_page(request, "help.html", seat, pages=[], runbook=found, body=rendered(found.body))

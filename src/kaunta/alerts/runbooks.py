"""What to do about each kind of problem: a page a kind, in `kaunta/runbooks`, which alerts quote and link to.

The pages are Markdown of a few forms only: headings, paragraphs, lists, fenced commands, `code`, **strong** and links.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "runbooks"
KIND = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Runbook:
    """A kind's page: its title, which is the kind in words, and the Markdown below it."""

    kind: str
    title: str
    body: str


@cache
def runbook(kind: str) -> Runbook | None:
    """The page of a kind; None where there is none."""
    path = FOLDER / f"{kind}.md"
    if not KIND.fullmatch(kind) or not path.is_file():
        return None
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    return Runbook(kind, first.removeprefix("# ").strip(), rest.strip())


def kinds() -> list[str]:
    """Every kind that has a page."""
    return sorted(path.stem for path in FOLDER.glob("*.md") if KIND.fullmatch(path.stem))


def title_of(kind: str) -> str:
    """A kind in words; one without a page reads as its own name."""
    found = runbook(kind)
    return found.title if found else kind.replace("_", " ").capitalize()

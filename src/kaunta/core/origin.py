"""Where a request came from, for the record: what a person did is kept with the address, the browser and the request
they did it by.

The door sets it around each request; whoever writes the audit reads it, however deep. Of guests and machines nothing
is kept: their addresses are nobody's business here, and a machine's request is named by what it brought.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

#: Under which name an entry's detail holds it.
FIELD = "request"
#: Actors whose requests are kept.
PEOPLE = "staff:"
#: Browsers by what their User-Agent calls them: the special ones before those that they claim to be.
BROWSERS = (
    ("Edge", re.compile(r"\bEdgA?/(\d{1,4})")),
    ("Opera", re.compile(r"\b(?:OPR|Opera|Opera Mini)/(\d{1,4})")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/(\d{1,4})")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d{1,4})")),
    ("Chrome", re.compile(r"\b(?:Headless)?(?:Chrome|CriOS)/(\d{1,4})")),
    ("Safari", re.compile(r"\bVersion/(\d{1,4})\b.*\bSafari/")),
)
SYSTEMS = (
    ("Android", re.compile(r"\bAndroid\b")),
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMacintosh\b|\bMac OS X\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)
#: A program that says its name, like `curl/8.5`.
PROGRAM = re.compile(r"([A-Za-z][A-Za-z-]{0,23})/(\d{1,4})")


@dataclass(frozen=True, slots=True)
class Origin:
    """`ip`: as far as it can be believed; `browser`: a family and a system; `id`: the request's, as its answer says."""

    ip: str | None
    browser: str
    id: str


current: ContextVar[Origin | None] = ContextVar("kaunta_origin", default=None)


@lru_cache(maxsize=512)
def browser_of(agent: str) -> str:
    """A User-Agent in a few words of ours: whoever writes one writes what they like, and none of it is kept."""
    agent = agent[:512]
    family = next((f"{name} {found[1]}" for name, shape in BROWSERS if (found := shape.search(agent))), None)
    system = next((name for name, shape in SYSTEMS if shape.search(agent)), None)
    if family is None and system is None:
        program = PROGRAM.match(agent)
        return f"{program[1]} {program[2]}" if program else "unknown"
    return ", ".join(part for part in (family or "another browser", system) if part)


def with_origin(actor: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """A detail, and where the request of the person who acted came from; as it was for everybody else."""
    origin = current.get()
    if origin is None or not actor.startswith(PEOPLE):
        return dict(detail)
    return {**detail, FIELD: {"ip": origin.ip, "browser": origin.browser, "id": origin.id}}


def without_origin(detail: Mapping[str, Any]) -> dict[str, Any]:
    """A detail as those may read it who look at what was done and not at who sat where: of the request its id alone,
    which the log names too."""
    told = dict(detail)
    origin = told.pop(FIELD, None)
    return told | ({FIELD: origin["id"]} if isinstance(origin, Mapping) and "id" in origin else {})

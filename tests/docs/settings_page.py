"""docs/reference/settings.md, from the one module that declares every variable."""

from enum import StrEnum
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from kaunta.cli.serve import NEEDS
from kaunta.diagnostics.environment import NEEDED_IN_PRODUCTION
from kaunta.diagnostics.variables import default, fields
from kaunta.settings import SAFARICOM_NETWORKS

INTRODUCTION = """\
# Settings

Everything Kaunta reads from the environment, and nothing else does. One module declares it,
[`settings.py`](../../src/kaunta/settings.py); start-up checks it and names everything that is wrong at once, with the
remedy and without the value. [`.env.example`](../../.env.example) has the same list, ready to be filled in.

`kaunta serve` and `kaunta worker` refuse to start without {needs}.
`kaunta demo` needs none of them: it makes its own.
"""

PRODUCTION = """\
## In production

With `KAUNTA_MODE=production` these are refused: a `KAUNTA_PUBLIC_URL` or a Daraja host without https, a Daraja host on
this machine (a stand-in), and any `KAUNTA_CLOCK_FACTOR` but 1.

In any mode, `serve` and `worker` refuse a database that runs with `fsync`, `full_page_writes` or `synchronous_commit`
off, because it could forget a payment that was acknowledged to Safaricom, and they refuse the embedded PostgreSQL of
the demo. A secret never appears in a message or a log.
"""


def kind(annotation: Any) -> str:
    """A type as an operator reads it."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list, comma-separated"
    if members := [member for member in get_args(annotation) if member is not NoneType]:
        return " or ".join(kind(member) for member in members)
    if annotation is SecretStr:
        return "text, secret"
    if issubclass(annotation, StrEnum):
        return " or ".join(f"`{choice.value}`" for choice in annotation)
    return {bool: "`true` or `false`", int: "whole number", float: "number", str: "text"}[annotation]


def bounds(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {getattr(rule, name):,}"
        for rule in field.metadata
        for name, sign in signs.items()
        if hasattr(rule, name)
    ]
    return f" ({', '.join(found)})" if found else ""


def settings_page() -> str:
    needs = ", ".join(f"`KAUNTA_{name.upper()}`" for name in NEEDS)
    lines = [
        INTRODUCTION.format(needs=needs),
        "| Variable | Type | Default | Meaning |",
        "|---|---|---|---|",
    ]
    for name, variable, field in fields():
        written = default(field)
        shown = "Safaricom's list" if written == SAFARICOM_NETWORKS else f"`{written}`" if written else ""
        if name in NEEDS:
            shown = "**needed**"
        if name in NEEDED_IN_PRODUCTION:
            shown += "; **needed in production**"
        lines.append(f"| `{variable}` | {kind(field.annotation)}{bounds(field)} | {shown} | {field.description} |")
    return "\n".join(lines) + "\n\n" + PRODUCTION

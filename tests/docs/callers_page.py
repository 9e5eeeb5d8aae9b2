"""docs/reference/callers.md: every route, and who may call it."""

from kaunta.access.roles import May
from tests.callers import TABLE, in_words


def callers_page() -> str:
    """The table of tests/callers.py, a section a kind of caller."""
    lines = [
        "# Who may call what",
        "",
        "Every route of Kaunta and who may call it. Whatever is not listed here does not exist: a route without an",
        "entry fails the tests, which try each one without a session, with an expired one, with every role that may",
        "not, and from another bar. Roles belong to one bar; a right beyond one's role is answered with 403, another",
        "bar's things with 404, no session with the sign-in (pages) or 401 (JSON).",
        "",
    ]
    for caller, doors in TABLE.items():
        title = f"May {caller.value}" if isinstance(caller, May) else caller.value[0].upper() + caller.value[1:]
        lines += [f"## {title}", ""]
        if isinstance(caller, May):
            lines += [f"{in_words(caller).capitalize()}.", ""]
        lines += [f"- `{door.strip()}`" for door in doors.strip().splitlines()]
        lines.append("")
    return "\n".join(lines)

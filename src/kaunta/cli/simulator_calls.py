"""What the simulator's commands share: where the simulator is, what it answered, a script that can be read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, refuse

if TYPE_CHECKING:
    from kaunta.simulator.scripts_playing import Script

At = Annotated[str, typer.Option("--at", help="Where the simulator listens.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def asked(method: str, at: str, path: str, said: dict[str, object] | bytes, as_json: bool) -> dict[str, object]:
    """What the simulator at `at` answers; ends the command where it does not, or says no."""
    import json

    from kaunta.simulator.remote import Away, Remote, Unwilling

    try:
        return Remote(at).ask(method, path, said if isinstance(said, bytes) else json.dumps(said).encode())
    except Away as away:
        refuse(Exit.UNREACHABLE, f"{away}. Start one: kaunta simulator serve", as_json=as_json)
    except Unwilling as no:
        code = {404: Exit.NOT_FOUND, 409: Exit.REFUSED}.get(no.status, Exit.USAGE)
        refuse(code, str(no), as_json=as_json)


def script_at(path: Path | None, *, as_json: bool = False) -> "Script | None":
    """The script in a file; what is wrong with it ends the command."""
    if path is None:
        return None
    from kaunta.simulator.scripts import read_script
    from kaunta.simulator.scripts_reading import BadFile

    try:
        return read_script(path)
    except (BadFile, UnicodeDecodeError) as wrong:
        refuse(Exit.USAGE, str(wrong), as_json=as_json)

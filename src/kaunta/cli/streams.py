"""Results and progress of commands that go through a million records in constant memory."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from kaunta.cli.output import Exit, notes, refuse

if TYPE_CHECKING:
    from rich.progress import Progress

IN_MEMORY = 1 << 20
#: Rows that are written to the file together: asked after every one, it takes longer than the row.
WRITTEN_AT_ONCE = 1_000
#: Made once; `json.dumps` would make one a row.
ENCODE = json.JSONEncoder(default=str).encode


class Rows:
    """A list of a command's result, however long: beyond a megabyte it waits in a temporary file.

    A command that fails half-way has then printed nothing, and the object it prints is always whole.
    """

    def __init__(self) -> None:
        self.count = 0
        self.file: IO[str] = SpooledTemporaryFile(IN_MEMORY, mode="w+", encoding="utf-8")  # noqa: SIM115 - see `close`
        self.held: list[dict[str, Any]] = []
        self.begun = False

    def add(self, row: dict[str, Any]) -> None:
        self.held.append(row)
        self.count += 1
        if len(self.held) == WRITTEN_AT_ONCE:
            self.write()

    def write(self) -> None:
        """What is held goes to the file."""
        if self.held:
            # All in one go, and without the list's brackets: an encoder is prepared for each call, and costs a row.
            self.file.write((", " if self.begun else "") + ENCODE(self.held)[1:-1])
            self.begun = True
            self.held.clear()

    def copy_to(self, out: IO[str]) -> None:
        self.write()
        self.file.seek(0)
        out.write("[")
        shutil.copyfileobj(self.file, out)
        out.write("]")

    def close(self) -> None:
        self.file.close()


def answer_rows(data: dict[str, Any], *, ok: bool, warnings: list[str], errors: list[str] | None = None) -> None:
    """Print a command's object `{ok, data, warnings, errors}`; lists in `data` may be `Rows`."""
    out = sys.stdout
    out.write(f'{{"ok": {json.dumps(ok)}, "data": {{')
    for position, (name, value) in enumerate(data.items()):
        out.write(f"{', ' if position else ''}{json.dumps(name)}: ")
        if isinstance(value, Rows):
            value.copy_to(out)
        else:
            out.write(json.dumps(value, default=str))
    out.write(f'}}, "warnings": {json.dumps(warnings)}, "errors": {json.dumps(errors or [])}}}\n')


class Report:
    """A file with one JSON object a line and record, complete up to where the command came; None: no file."""

    def __init__(self, path: Path | None, as_json: bool) -> None:
        try:
            self.file = path.open("w", encoding="utf-8") if path else None
        except OSError as error:
            refuse(Exit.USAGE, f"--report: {path} cannot be written ({error.strerror}).", as_json=as_json)

    def __enter__(self) -> "Report":
        return self

    def __exit__(self, *_: object) -> None:
        if self.file:
            self.file.close()

    def add(self, row: dict[str, Any]) -> None:
        if self.file:
            self.file.write(ENCODE(row) + "\n")

    def flush(self) -> None:
        if self.file:
            self.file.flush()


class Steps:
    """Progress where nobody watches a terminal: one line per 10 %."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done, self.told = what, total, 0, 0

    def advance(self, by: int) -> None:
        self.done += by
        tenth = min(10, 10 * self.done // self.total) if self.total else 10
        if tenth > self.told:
            self.told = tenth
            print(f"{self.what}: {10 * tenth} % ({self.done:,} of {self.total:,})", file=sys.stderr, flush=True)


class Bar:
    """Progress on a terminal."""

    def __init__(self, progress: "Progress", what: str, total: int) -> None:
        self.progress = progress
        self.task = progress.add_task(what, total=total)

    def advance(self, by: int) -> None:
        self.progress.advance(self.task, by)


@contextmanager
def progress(what: str, total: int) -> Iterator[Steps | Bar]:
    """How far a long command is, on stderr: a bar on a terminal, else a line per 10 %."""
    if not notes.is_terminal:
        yield Steps(what, total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    # A result that goes to a file must not be drawn above the bar instead.
    with Progress(*columns, console=notes.console, redirect_stdout=sys.stdout.isatty()) as drawn:
        yield Bar(drawn, what, total)

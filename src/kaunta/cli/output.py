"""How every command answers: people read lines, programs read one JSON object, both read the exit code."""

import json
import sys
from collections.abc import Callable, Coroutine
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from rich.console import Console
    from rich.status import Status

    from kaunta.settings import Settings

T = TypeVar("T")


class Notes:
    """A console that is made when something is to be shown: importing one takes a third of `--help`'s time."""

    @cached_property
    def console(self) -> "Console":
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    @property
    def is_terminal(self) -> bool:
        return self.console.is_terminal

    def print(self, *what: object, **how: Any) -> None:
        self.console.print(*what, **how)

    def status(self, what: str) -> "Status":
        return self.console.status(what)


#: For people: colour and progress; never results.
notes = Notes()


class Exit(IntEnum):
    """The exit codes of every command; any other number is a failure too."""

    OK = 0
    BUG = 1
    USAGE = 2
    FOUND_PROBLEMS = 3
    PARTLY_DONE = 4
    NOT_FOUND = 5
    CONFIGURATION = 6
    ALREADY_RUNNING = 7
    UNREACHABLE = 8
    REFUSED = 9
    INTERRUPTED = 130


def answer(data: Any, *, as_json: bool, lines: list[str], ok: bool = True, warnings: list[str] | None = None) -> None:
    """Print a command's result: `lines` for people, else the object `{ok, data, warnings, errors}`."""
    if as_json:
        print(json.dumps({"ok": ok, "data": data, "warnings": warnings or [], "errors": []}, default=str))
        return
    for warning in warnings or []:
        notes.print(f"[yellow]warning:[/] {warning}")
    for line in lines:
        print(line)


def refuse(code: Exit, message: str, *, as_json: bool = False) -> NoReturn:
    """End with what is wrong and how to mend it."""
    if as_json:
        print(json.dumps({"ok": False, "data": None, "warnings": [], "errors": message.splitlines()}))
    else:
        for line in message.splitlines():
            print(line, file=sys.stderr)
    raise typer.Exit(code)


def settings(*needs: str, as_json: bool = False) -> "Settings":
    """The settings, or exit 6 with everything that is missing or wrong, each with its remedy."""
    # Declaring them takes a third of a second, which `--help` and the simulator do without.
    from kaunta.settings import Missing, load

    try:
        return load(needs=needs)
    except Missing as missing:
        refuse(Exit.CONFIGURATION, str(missing), as_json=as_json)


def run(work: Callable[[], Coroutine[Any, Any, T]], *, as_json: bool = False, lasting: bool = False) -> T:
    """Run a command's coroutine; an expected failure becomes its exit code, any other is a bug and shows.

    `lasting`: it answers others for as long as it lives, and is worth the faster loop's import.
    """
    import asyncio

    import asyncpg

    from kaunta.core import log
    from kaunta.core.errors import BadRequest, ConfigurationError, Conflict, KauntaError, NotFound, Unreachable
    from kaunta.core.vault import VaultError

    # structlog writes to stdout unless told otherwise, and stdout is the result's alone.
    log.configure()
    try:
        with asyncio.Runner(loop_factory=fast_loop if lasting else None) as runner:
            return runner.run(work())
    except (ConfigurationError, VaultError) as error:
        refuse(Exit.CONFIGURATION, error.detail, as_json=as_json)
    except NotFound as error:
        refuse(Exit.NOT_FOUND, error.detail, as_json=as_json)
    except Conflict as error:
        refuse(Exit.REFUSED, error.detail, as_json=as_json)
    except BadRequest as error:
        refuse(Exit.USAGE, error.detail, as_json=as_json)
    except Unreachable as error:
        refuse(Exit.UNREACHABLE, error.detail, as_json=as_json)
    except KauntaError as error:
        refuse(Exit.BUG, error.detail, as_json=as_json)
    except asyncpg.InvalidPasswordError:
        refuse(
            Exit.CONFIGURATION, "The database does not accept KAUNTA_DATABASE_URL's user and password.", as_json=as_json
        )
    except asyncpg.InvalidCatalogNameError:
        refuse(
            Exit.CONFIGURATION,
            "KAUNTA_DATABASE_URL names a database that does not exist. Create it first.",
            as_json=as_json,
        )
    except asyncpg.UndefinedTableError:
        refuse(Exit.CONFIGURATION, "The database has not been migrated. Run `kaunta db upgrade`.", as_json=as_json)
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        refuse(Exit.UNREACHABLE, f"The database cannot be reached ({type(error).__name__}).", as_json=as_json)


def fast_loop() -> "AbstractEventLoop":
    """libuv's loop: a callback costs half of what it does on Python's own."""
    import uvloop

    return uvloop.new_event_loop()

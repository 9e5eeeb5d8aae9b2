"""`kaunta diagnose`: what is wrong, the cause first, with the step that mends it. It works where nothing else does."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, answer, run

if TYPE_CHECKING:
    from kaunta.diagnostics.findings import Finding, Report


class What(StrEnum):
    """The topics of diagnostics.registry, and all of them."""

    ENV = "env"
    KEYS = "keys"
    DB = "db"
    CREDS = "creds"
    DARAJA = "daraja"
    CALLBACK = "callback"
    CLOCK = "clock"
    WORKER = "worker"
    BACKUPS = "backups"
    ALL = "all"


class FailLevel(StrEnum):
    WARNING = "warning"
    ERROR = "error"


def diagnose(
    what: Annotated[What, typer.Argument(help="What to look at.")] = What.ALL,
    fail_level: Annotated[FailLevel, typer.Option(help="From which severity on the exit code is 3.")] = FailLevel.ERROR,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at the environment, keys, database, credentials, Safaricom, clocks, callbacks, workers and backups.

    The first finding is the cause; what stands on something broken is not looked at. No value is ever shown. Exit 3:
    problems were found.
    """
    from kaunta.settings import present

    given = present()

    async def work() -> "Report":
        from kaunta.api.callback import routes
        from kaunta.diagnostics.diagnosis import EVERYTHING, answered_by, diagnose
        from kaunta.diagnostics.registry import Topic

        topics = EVERYTHING if what is What.ALL else (Topic(what.value),)
        return await diagnose(given, answers=answered_by(routes), by="operator", topics=topics)

    report = run(work, as_json=json)
    ok = report.ok if fail_level is FailLevel.ERROR else not report.problems
    lines = [line for one in report.findings for line in shown(one)]
    if not report.audited:
        lines.append("This run is not on the record: the database could not take it.")
    warnings = [f"{one.check}: {one.detail}" for one in report.problems if not one.severity.stops] if json else []
    answer(report.as_json(), as_json=json, lines=lines, ok=ok, warnings=warnings)
    raise typer.Exit(Exit.OK if ok else Exit.FOUND_PROBLEMS)


def shown(one: "Finding") -> list[str]:
    """A finding as people read it."""
    if one.cause is not None:
        return [f"-         {one.check:<18}{one.detail}"]
    word = one.severity.value.upper() if one.is_problem else "ok"
    lines = [f"{word:<10}{one.check:<18}{one.detail}"]
    return [*lines, f"{'':<10}{'':<18}→ {one.remedy}"] if one.remedy else lines

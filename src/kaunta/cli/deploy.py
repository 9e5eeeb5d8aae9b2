"""`kaunta deploy`: is this installation ready for real money, and does a new version do well?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta import __version__
from kaunta.cli.diagnose import FailLevel
from kaunta.cli.output import Exit, answer, notes, refuse, run, settings

if TYPE_CHECKING:
    from kaunta.deploy.readiness import Item
    from kaunta.deploy.watch import Plan, Watched
    from kaunta.settings import Settings

app = typer.Typer(help="Before a version goes live, and just after.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
#: Seconds of 90, 90s, 15m and 2h.
UNITS = {"s": 1, "m": 60, "h": 3_600}


@app.callback()
def deploy() -> None:
    """Before a version goes live, and just after."""


def seconds(text: str) -> float:
    """The seconds of `90s`, `15m` or `2h`. Raises `BadParameter`."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in UNITS else (text, "s")
    if not number.isascii() or not number.isdigit() or not int(number):
        raise typer.BadParameter("write a time like 90s, 15m or 2h")
    return float(number) * UNITS[unit]


@app.command()
def check(
    bar: Annotated[str | None, typer.Option(help="Of the bars only this one, by its short name.")] = None,
    safe_tests: Annotated[
        bool, typer.Option("--safe-tests", help="Test each bar's connection too: access tokens only, no money moves.")
    ] = False,
    fail_level: Annotated[FailLevel, typer.Option(help="Whether recommended items count too.")] = FailLevel.ERROR,
    json: Json = False,
) -> None:
    """Go through the readiness list: every item with what was seen just now. Exit 3: something is in the way.

    It works where nothing else does: what is broken is an item too. Of Safaricom it asks access tokens only.
    """
    from kaunta.settings import present

    given = present()
    items = run(lambda: checked(given, bar, safe_tests), as_json=json)
    wrong = [item for item in items if item.state != "ready" and (item.required or fail_level is FailLevel.WARNING)]
    answer(
        {"ready": not wrong, "in_the_way": len(wrong), "items": [item.as_json() for item in items]},
        as_json=json,
        ok=not wrong,
        lines=[
            *(line for item in items for line in shown(item)),
            "Ready." if not wrong else f"{len(wrong)} of {len(items)} items are in the way.",
        ],
    )
    raise typer.Exit(Exit.FOUND_PROBLEMS if wrong else Exit.OK)


async def checked(given: "dict[str, str]", bar: str | None, tests: bool) -> "list[Item]":
    from kaunta.api.callback import routes
    from kaunta.app import daraja_client
    from kaunta.core.clock import Clock
    from kaunta.core.outbound import Outbound
    from kaunta.deploy.check import check as go_through
    from kaunta.diagnostics.diagnosis import answered_by, diagnose
    from kaunta.diagnostics.environment import read

    report = await diagnose(given, answers=answered_by(routes), by="operator")
    async with Outbound() as outbound:
        daraja = daraja_client(read(given).settings, outbound, Clock())
        try:
            return await go_through(report, given, outbound, daraja, bar=bar, tests=tests)
        finally:
            await daraja.close()


def shown(item: "Item") -> list[str]:
    """An item as people read it."""
    mark = {"ready": "ok", "not_ready": "NO" if item.required else "no", "not_looked_at": "??"}[item.state]
    lines = [f"{mark:<4}{f'{item.bar}: ' if item.bar else ''}{item.title}. {item.evidence}"]
    return [*lines, f"{'':<4}→ {item.fix}"] if item.fix and item.state == "not_ready" else lines


@app.command()
def watch(
    length: Annotated[str, typer.Option("--for", help="How long to watch: 90s, 15m, 2h.")] = "15m",
    rollback_cmd: Annotated[
        str | None, typer.Option(help="The shell's command that brings the old version back. Left out: only tell.")
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option(help="Where a process that serves is asked, past the proxy. May be given several times."),
    ] = None,
    release: Annotated[str, typer.Option(help="What this deployment goes by: it is rolled back once.")] = __version__,
    deployed_ago: Annotated[
        str, typer.Option(help="How long ago the new version was put in: the baseline is the time before.")
    ] = "2m",
    baseline: Annotated[str, typer.Option(help="How long a time before it to compare with.")] = "1h",
    interval: Annotated[str, typer.Option(help="The time between two looks.")] = "10s",
    settle: Annotated[str, typer.Option(help="The time that a process may take to start.")] = "60s",
    rollback_timeout: Annotated[str, typer.Option(help="How long the rollback's command is waited for.")] = "10m",
    state: Annotated[
        Path | None, typer.Option(help="The folder that remembers what was rolled back. Default: in the data folder.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    json: Json = False,
) -> None:
    """Compare a new version with the time before it, and roll it back where it does worse: at most once.

    One failed payment or a slow answer is no reason. Exit 0: all was well. 3: it did worse (and was rolled back, if
    there was a command). 4: the rollback failed, or nobody knows. 7: another watch runs. 9: rolled back before.
    """
    from kaunta.deploy.watch import Plan

    found = settings("database_url", as_json=json)
    plan = Plan(
        seconds(length), seconds(interval), seconds(settle), seconds(baseline), None if dry_run else rollback_cmd,
        seconds(rollback_timeout),
    )  # fmt: skip
    ago = seconds(deployed_ago)
    urls = tuple(each.rstrip("/") for each in url or ["http://127.0.0.1:8000"])
    folder = state or Path(found.data_folder) / "deploy"
    watched = run(lambda: watching(found, plan, urls, folder, release, ago), as_json=json)
    finish(watched, as_json=json)


async def watching(
    found: "Settings", plan: "Plan", urls: tuple[str, ...], folder: Path, release: str, deployed: float
) -> "Watched":
    import asyncio
    import signal

    from kaunta.core.clock import Clock
    from kaunta.core.outbound import Outbound
    from kaunta.deploy.rollback import Notebook, WatchRuns
    from kaunta.deploy.sampling import Counters, Sampler
    from kaunta.deploy.watch import watch as look

    if found.direct_url is None:
        raise RuntimeError("settings() has checked for it")
    clock, told = Clock(found.clock_factor), asyncio.Event()
    deployed_at = clock.before(deployed)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with Outbound() as outbound:
        sampler = Sampler(
            outbound, clock, urls, found.direct_url.get_secret_value(), deployed_at, clock.now(),
            Counters(deployed_at),
        )  # fmt: skip
        try:
            return await look(plan, sampler, Notebook.of(folder, release), clock, told, notes.print)
        except WatchRuns:
            refuse(Exit.ALREADY_RUNNING, f"Another watch looks at {release} already.")


def finish(watched: "Watched", *, as_json: bool) -> None:
    """Print what a watch came to, and end with its code."""
    from kaunta.deploy.verdict import BAD
    from kaunta.deploy.watch import BY_PAYMENTS, End

    code = {
        End.WELL: Exit.OK,
        End.BREACH: Exit.FOUND_PROBLEMS,
        End.ROLLED_BACK: Exit.FOUND_PROBLEMS,
        End.ROLLBACK_FAILED: Exit.PARTLY_DONE,
        End.ROLLBACK_UNKNOWN: Exit.PARTLY_DONE,
        End.INTERRUPTED: Exit.INTERRUPTED,
    }[watched.end]
    unseen = [measure for measure in BY_PAYMENTS if measure in watched.unseen]
    warnings = [f"Nothing was seen of: {', '.join(unseen)}. Too few paid meanwhile."] if unseen else []
    answer(
        {
            "end": watched.end,
            "samples": watched.samples,
            "rollback_code": watched.rollback_code,
            "breaches": [
                {"measure": breach.measure, "bad": breach.seen.bad, "total": breach.seen.total, "before": breach.before}
                for breach in watched.breaches
            ],
            "seen": {measure: [count.bad, count.total] for measure, count in watched.seen.items()},
            "before": {measure: [count.bad, count.total] for measure, count in watched.before.items()},
        },
        as_json=as_json,
        ok=code is Exit.OK,
        warnings=warnings,
        lines=[
            *(
                f"{measure:<12}{count.bad:>7,} of {count.total:>7,} {BAD[measure]}"
                for measure, count in sorted(watched.seen.items())
            ),
            f"{watched.end.replace('_', ' ')} after {watched.samples} looks",
        ],
    )
    raise typer.Exit(code)

"""`kaunta db adopt`: move a database of the old product in, try that first, and take it back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaunta.cli.adopt_shown import lines_of, object_of
from kaunta.cli.db import direct_url
from kaunta.cli.output import Exit, answer, notes, refuse, run, settings
from kaunta.cli.streams import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from kaunta.adopt.plan import Plan
    from kaunta.credentials.legacy import LegacyKeys
    from kaunta.settings import Settings


def adopt(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Move the database.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="With --apply: go on with a move that was stopped.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put everything back, until the first new payment.")] = False,
    decide: Annotated[
        list[str] | None,
        typer.Option(help="topic=option, or topic:<bar's id>=option; the dry run tells what there is to decide."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write every difference to this file, a JSON object a line.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Move in: take over the database of the old product (docs/how-to/move-in.md).

    Exit 0: done. 3: a dry run with a move to make. 9: somebody must decide first, or a safety rule stands against it.
    6: not a database of the old product's, or this login may not move it.
    """
    if undo:
        if apply or resume or decide or report:
            refuse(Exit.USAGE, "--undo goes alone, or with --dry-run.", as_json=json)
        take_back(dry_run, json)
    elif apply == dry_run:
        refuse(Exit.USAGE, "One of --dry-run, --apply and --undo.", as_json=json)
    elif dry_run and resume:
        refuse(Exit.USAGE, "--resume goes with --apply.", as_json=json)
    elif dry_run:
        plan = run(lambda: look(decide or [], json), as_json=json)
        write_report(plan, report, json)
        undecided = bool(plan.asked.undecided)
        answer(object_of(plan), as_json=json, ok=False, lines=lines_of(plan, done=False))
        raise typer.Exit(Exit.REFUSED if undecided else Exit.FOUND_PROBLEMS)
    else:
        plan = run(lambda: move(decide or [], resume, json), as_json=json)
        write_report(plan, report, json)
        answer(object_of(plan), as_json=json, lines=lines_of(plan, done=True))


def write_report(plan: "Plan", path: Path | None, as_json: bool) -> None:
    with Report(path, as_json) as report:
        for bar_id, each in plan.every:
            report.add(
                {
                    "bar_id": bar_id, "tab_id": each.tab_id, "why": each.why, "subject": each.subject,
                    "effect": each.effect, "note": each.note,
                }
            )  # fmt: skip


def take_back(dry_run: bool, as_json: bool) -> None:
    url = direct_url(as_json)

    async def work() -> dict[str, int]:
        from kaunta.adopt.connection import opened
        from kaunta.adopt.switch import undo

        async with opened(url) as db:
            return await undo(db, dry_run=dry_run)

    lost = run(work, as_json=as_json)
    warnings = [f"{rows} new rows of {table} {'would be' if dry_run else 'are'} lost" for table, rows in lost.items()]
    said = "would be as before the move" if dry_run else "everything is as before the move"
    answer({"lost": lost, "dry_run": dry_run}, as_json=as_json, lines=[said], warnings=warnings)
    if dry_run:
        raise typer.Exit(Exit.FOUND_PROBLEMS)


async def look(decide: list[str], as_json: bool) -> "Plan":
    """The plan, in one snapshot of the old tables."""
    from kaunta.adopt.connection import opened, within
    from kaunta.adopt.decisions import Decisions
    from kaunta.adopt.plan import survey
    from kaunta.adopt.shape import recognise
    from kaunta.adopt.steps_queries import LIVE
    from kaunta.core.clock import Clock

    decisions = Decisions.parse(decide)
    found = settings("database_url", as_json=as_json)
    async with opened(direct_url(as_json)) as connection, within(connection, LIVE, reading=True) as db:
        return await survey(db, await recognise(db, LIVE), decisions, legacy_keys(found), Clock().now())


async def move(decide: list[str], resume: bool, as_json: bool) -> "Plan":
    from kaunta.adopt.apply import Move
    from kaunta.adopt.apply import adopt as moved
    from kaunta.adopt.connection import opened, pool_of
    from kaunta.adopt.decisions import Decisions
    from kaunta.adopt.steps_queries import NEXT
    from kaunta.adopt.writing import Pen
    from kaunta.core.clock import Clock
    from kaunta.core.entropy import Entropy
    from kaunta.core.personal import PersonalKeys
    from kaunta.core.vault import Keyring

    decisions = Decisions.parse(decide)
    found = settings("database_url", "keys", as_json=as_json)
    if found.keys is None:
        raise RuntimeError("settings() has checked for it")
    keyring = Keyring.parse(found.keys.get_secret_value())
    url, entropy, clock = direct_url(as_json), Entropy(), Clock()
    tell: Callable[[str], Any] = notes.print
    async with opened(url) as db:
        pen = Pen(keyring, PersonalKeys(pool_of(db, NEXT), keyring, entropy, clock), entropy, clock)
        return await moved(Move(db, url, pen, legacy_keys(found), tell), decisions, resume=resume)


def legacy_keys(found: "Settings") -> "LegacyKeys":
    from kaunta.credentials.legacy import LegacyKeys

    return LegacyKeys.of(
        found.mpesa_kms_key.get_secret_value() if found.mpesa_kms_key else None,
        found.mpesa_encryption_key.get_secret_value() if found.mpesa_encryption_key else None,
    )

"""`kaunta backup restore`: proved on trial first, then done, and a way back."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaunta.cli.keys import DryRun, Json, keyring_of, recovery_of, url_of
from kaunta.cli.output import Exit, answer, refuse, run, settings

if TYPE_CHECKING:
    from kaunta.backups.create import Tools
    from kaunta.backups.place import Found, Place
    from kaunta.backups.restore import Restored
    from kaunta.settings import Settings

To = Annotated[
    str | None,
    typer.Option(
        "--folder", help="Where the backups are: a folder, or s3://bucket/prefix. Default: KAUNTA_BACKUP_FOLDER."
    ),
]
Which = Annotated[str, typer.Argument(metavar="ID", help="Its id, the first 8 digits of it, or `latest`.")]
NEEDS = ("database_url", "keys", "recovery_key")


def where(found: "Settings", given: str | None, as_json: bool) -> "Place":
    """The place that the backups are in, or exit 6, 2 with what is missing or wrong."""
    from kaunta.backups.where import BadPlace, NoKeys, place_of
    from kaunta.settings import REMEDIES

    try:
        place = place_of(found, given)
    except NoKeys as error:
        refuse(Exit.CONFIGURATION, error.detail, as_json=as_json)
    except BadPlace as error:
        refuse(Exit.USAGE, error.detail, as_json=as_json)
    if place is None:
        refuse(Exit.CONFIGURATION, f"{REMEDIES['backup_folder']} Or give --folder.", as_json=as_json)
    return place


def tools_of(found: "Settings") -> "Tools":
    """Raises `KeyringError`, `RecoveryKeyWrong`."""
    from kaunta.backups.create import Tools
    from kaunta.core.clock import Clock
    from kaunta.core.entropy import Entropy

    programs = Path(found.postgres_folder) if found.postgres_folder else None
    return Tools(keyring_of(found), recovery_of(found), Entropy(), Clock(found.clock_factor), "operator", programs)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a restore came to, for programs and for people. `changes`: rows it touched or would touch."""

    data: dict[str, Any]
    lines: list[str]
    changes: int
    unreadable: int = 0
    #: How to take it back.
    back: tuple[str, ...] = ()


def restore(
    which: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Its id, the first 8 digits of it, or `latest`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without: a trial that says what would be done.")] = False,
    keep_newer: Annotated[
        bool, typer.Option("--keep-newer", help="Leave credentials that open as they are, also where they differ.")
    ] = False,
    check_daraja: Annotated[
        bool, typer.Option("--check-daraja", help="First have Safaricom give a token for each credential.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last restore back.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="With --undo: of the whole database.")] = False,
    folder: To = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Bring a backup back: staged and decrypted first, then a safety backup, then all of it in one transaction.

    Credentials that differ come back as a new version, what does not open is mended, switches stay as owners left them.
    A whole database is filled beside the present one, proved, and takes its name. Exit 3: a trial with work to do. 4:
    values in the backup do not open; they were left out, each is named. 9: refused, and nothing was changed.
    """
    if (which is None) is not undo:
        refuse(Exit.USAGE, "Name a backup (`kaunta backup list`), or give --undo alone.", as_json=json)
    found = settings(*NEEDS, as_json=json)
    place = where(found, folder, json)
    trial = dry_run or not yes

    async def work() -> tuple[Outcome, bool]:
        from kaunta.backups.place import named

        if which is None:
            return await take_back(found, place, whole=whole, trial=trial), trial
        backup = named(place, which)
        tried = trial and (dry_run or not await nothing_there(found))
        return await bring_back(
            found, place, backup, trial=tried, keep_newer=keep_newer, check_daraja=check_daraja
        ), tried

    outcome, tried = run(work, as_json=json)
    code = Exit.OK
    if outcome.unreadable:
        code = Exit.PARTLY_DONE
    elif tried and outcome.changes:
        code = Exit.FOUND_PROBLEMS
    says = ["this was a trial: nothing was changed; --yes does it"] if tried else list(outcome.back)
    answer(outcome.data | {"dry_run": tried}, as_json=json, ok=code is Exit.OK, lines=outcome.lines + says)
    raise typer.Exit(code)


async def nothing_there(found: "Settings") -> bool:
    """Whether the database has no credentials, so that nothing of worth can be changed."""
    import asyncpg

    from kaunta.core.db import connect
    from kaunta.keys.rotate import all_needs

    try:
        async with connect(url_of(found)) as db:
            return not any(need.table == "mpesa_credentials" for need in await all_needs(db))
    except asyncpg.InvalidCatalogNameError:
        return True


async def bring_back(
    found: "Settings",
    place: "Place",
    backup: "Found",
    *,
    trial: bool,
    keep_newer: bool = False,
    check_daraja: bool = False,
) -> Outcome:
    from kaunta.app import daraja_client
    from kaunta.backups.restore import restore as work
    from kaunta.core.clock import Clock
    from kaunta.core.db import connect
    from kaunta.core.outbound import Outbound

    if backup.header.kind == "whole":
        from kaunta.backups.whole_restore import restore_whole

        done = await restore_whole(url_of(found), tools_of(found), backup, trial=trial)
        return whole_outcome(done.rows, done.aside, done.rows)
    async with connect(url_of(found), lock_timeout="10s") as db, Outbound() as outbound:
        daraja = daraja_client(found, outbound, Clock(found.clock_factor)) if check_daraja else None
        try:
            restored = await work(db, tools_of(found), place, backup, trial=trial, keep_newer=keep_newer, daraja=daraja)
        finally:
            if daraja is not None:
                await daraja.close()
    return outcome_of(restored)


async def take_back(found: "Settings", place: "Place", *, whole: bool, trial: bool) -> Outcome:
    from kaunta.backups.restore import undo
    from kaunta.backups.whole_restore import undo_whole
    from kaunta.core.db import connect

    if whole and trial:
        return Outcome({"aside": None}, ["would give the database its former content again"], 1)
    if whole:
        done = await undo_whole(url_of(found), tools_of(found))
        return whole_outcome(done.rows, done.aside, 1)
    async with connect(url_of(found), lock_timeout="10s") as db:
        # What did not open before the restore stays mended; that is no failure of the undoing.
        return replace(outcome_of(await undo(db, tools_of(found), place, trial=trial)), unreadable=0, back=())


def whole_outcome(rows: int, aside: str | None, changes: int) -> Outcome:
    lines = [f"{rows:,} rows with sealed values, all of them open"] if rows else []
    if aside:
        lines.append(f"the database that was there is now called {aside}; drop it when you no longer need it")
    back = ("to go back: kaunta backup restore --undo --whole --yes",) if aside else ()
    return Outcome({"rows": rows, "aside": aside}, lines, changes, back=back)


def outcome_of(restored: "Restored") -> Outcome:
    swapped = restored.swapped
    data = {
        "added": swapped.added,
        "mended": swapped.mended,
        "set_back": swapped.set_back,
        "kept": swapped.kept,
        "same": swapped.same,
        "homeless": swapped.homeless,
        "unreadable": [asdict(fault) for fault in restored.faults],
        "safety_backup": str(restored.safety.id) if restored.safety else None,
        "asked_safaricom": restored.asked,
    }
    lines = [f"{fault.row}  {fault.column}  {fault.code}: {fault.error}" for fault in restored.faults]
    lines.append(
        f"added {swapped.added:,}, mended {swapped.mended:,}, set back {swapped.set_back:,} as a new version, "
        f"same {swapped.same:,}, kept {swapped.kept:,}, without a place {swapped.homeless:,}, "
        f"not readable {len(restored.faults):,}"
    )
    if restored.safety is not None:
        lines.append(f"what was there before is in the backup {restored.safety.id}")
    back = ("to go back: kaunta backup restore --undo --yes",) if restored.safety is not None else ()
    return Outcome(data, lines, swapped.changes, len(restored.faults), back)

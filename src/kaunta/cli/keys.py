"""`kaunta keys`: the keyring, what needs which key, and how one is changed for another. No command prints a key but
`generate`."""

from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, answer, notes, refuse, run, settings

if TYPE_CHECKING:
    from kaunta.core.vault import Keyring
    from kaunta.keys.rotate import Fault
    from kaunta.settings import Settings

app = typer.Typer(help="The keyring that seals credentials and personal data.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
#: What a value is under that is no envelope of ours.
NO_KEY = "(no envelope)"


@app.command()
def generate(
    name: Annotated[str, typer.Option(help="What the key is called inside sealed values.")] = "k1",
    json: Json = False,
) -> None:
    """Print a new keyring entry for KAUNTA_KEYS. Keep it safe: without it nothing opens."""
    from kaunta.core.entropy import Entropy
    from kaunta.core.vault import KEY_ID, generate_entry

    if not KEY_ID.fullmatch(name):
        refuse(Exit.USAGE, "A key's name has 1 to 32 letters, digits or _ . -", as_json=json)
    entry = generate_entry(Entropy(), name)
    answer({"entry": entry}, as_json=json, lines=[entry])


def keyring_of(found: "Settings") -> "Keyring":
    """Raises `KeyringError`."""
    from kaunta.core.vault import Keyring

    if found.keys is None:
        raise RuntimeError("settings() has checked for it")
    return Keyring.parse(found.keys.get_secret_value())


def recovery_of(found: "Settings") -> "Keyring":
    """Raises `RecoveryKeyWrong`."""
    from kaunta.keys.recovery import recovery_ring

    if found.recovery_key is None:
        raise RuntimeError("settings() has checked for it")
    return recovery_ring(found.recovery_key.get_secret_value())


def url_of(found: "Settings") -> str:
    url = found.database_direct_url or found.database_url
    if url is None:
        raise RuntimeError("settings() has checked for it")
    return url.get_secret_value()


@app.command("list")
def list_(json: Json = False) -> None:
    """The keys' names, which is primary, how many rows of each table need each. Exit 3: rows need a key not there."""
    found = settings("database_url", "keys", as_json=json)
    raise typer.Exit(run(lambda: tell_needs(found, json), as_json=json))


async def tell_needs(found: "Settings", as_json: bool) -> Exit:
    from kaunta.core.clock import Clock
    from kaunta.core.db import connect
    from kaunta.keys.holders import alive
    from kaunta.keys.rotate import all_needs

    keyring = keyring_of(found)
    async with connect(url_of(found)) as db:
        needs = await all_needs(db)
        holders = await alive(db, Clock(found.clock_factor))
    ids = [key.decode() for key in keyring.keys]
    primary = keyring.primary.id.decode()
    lost = sorted({need.key_id for need in needs} - set(ids))
    keys = [
        {
            "id": name,
            "primary": name == primary,
            "in_keyring": name in ids,
            "rows": {need.table: need.rows for need in needs if need.key_id == name},
            "held_by": [holder.process for holder in holders if name in holder.keys],
        }
        for name in [*ids, *lost]
    ]
    lines = []
    for key in keys:
        state = "primary" if key["primary"] else "opens" if key["in_keyring"] else "NOT IN KAUNTA_KEYS"
        lines.append(f"{key['id'] or NO_KEY}  {state}")
        lines += [f"    {rows:>9,}  {table}" for table, rows in key["rows"].items()]  # type: ignore[attr-defined]
    answer({"primary": primary, "keys": keys, "missing": lost}, as_json=as_json, ok=not lost, lines=lines)
    return Exit.FOUND_PROBLEMS if lost else Exit.OK


@app.command()
def verify(json: Json = False) -> None:
    """Open every sealed value there is. Exit 3: some do not open, each named with its cause."""
    found = settings("database_url", "keys", as_json=json)
    raise typer.Exit(run(lambda: open_everything(found, json), as_json=json))


async def open_everything(found: "Settings", as_json: bool) -> Exit:
    from kaunta.core.db import connect
    from kaunta.keys import rotate as work

    opened: dict[str, int] = {}
    faults: list[Fault] = []
    async with (
        connect(url_of(found)) as db,
        aclosing(work.verify(db, keyring_of(found))) as pages,
    ):
        async for page in pages:
            opened[page.table] = opened.get(page.table, 0) + page.rows
            faults += page.faults
    answer(
        {"opened": opened, "failed": len(faults), "faults": [asdict(fault) for fault in faults]},
        as_json=as_json,
        ok=not faults,
        lines=[
            *(line(fault) for fault in faults),
            f"{sum(opened.values()):,} rows open, {len(faults):,} values do not",
        ],
    )
    return Exit.FOUND_PROBLEMS if faults else Exit.OK


@app.command()
def rotate(
    dry_run: DryRun = False,
    batch: Annotated[int, typer.Option(min=1, max=1_000, help="Rows a transaction.")] = 20,
    json: Json = False,
) -> None:
    """Seal everything anew under the primary key, the first of KAUNTA_KEYS, while payments go on.

    First give every running process KAUNTA_KEYS with the new key in front and the old one behind it; it refuses
    (exit 9) while one of them lacks it. Killed at any point, run it again. Exit 3: a dry run with work to do. 4: some
    rows do not open and were left as they are.
    """
    found = settings("database_url", "keys", as_json=json)
    raise typer.Exit(run(lambda: seal_anew(found, dry_run, batch, json), as_json=json))


async def seal_anew(found: "Settings", dry_run: bool, batch: int, as_json: bool) -> Exit:
    from kaunta.core.clock import Clock
    from kaunta.core.db import connect
    from kaunta.core.entropy import Entropy
    from kaunta.keys import rotate as work
    from kaunta.keys.retire import check_everywhere

    keyring, clock = keyring_of(found), Clock(found.clock_factor)
    primary = keyring.primary.id.decode()
    done, faults = 0, list[work.Fault]()
    async with connect(url_of(found), lock_timeout="5s") as db:
        await check_everywhere(db, clock, keyring)
        left: dict[str, int] = {}
        for need in await work.all_needs(db):
            left[need.table] = left.get(need.table, 0) + (need.rows if need.key_id != primary else 0)
        if dry_run:
            work_to_do = sum(left.values())
            answer(
                {"primary": primary, "would_move": left, "dry_run": True},
                as_json=as_json,
                ok=not work_to_do,
                lines=[*(f"{rows:>9,}  {table}" for table, rows in left.items() if rows), f"would move {work_to_do:,}"],
            )
            return Exit.FOUND_PROBLEMS if work_to_do else Exit.OK
        tools = work.Tools(keyring, Entropy(), clock, "operator")
        with notes.status("sealing anew …"):
            async with aclosing(work.rotate(db, tools, batch=batch)) as turns:
                async for turn in turns:
                    done += turn.rows
                    faults += turn.faults
    answer(
        {"primary": primary, "moved": done, "failed": len(faults), "faults": [asdict(fault) for fault in faults]},
        as_json=as_json,
        ok=not faults,
        lines=[
            *(line(fault) for fault in faults),
            f"moved {done:,} rows to the key {primary}, {len(faults):,} values left as they were",
            "to go back: put the old key first in KAUNTA_KEYS again, keep this one behind it, and rotate",
        ],
    )
    return Exit.PARTLY_DONE if faults else Exit.OK


@app.command()
def retire(name: Annotated[str, typer.Argument(metavar="KEYID")], dry_run: DryRun = False, json: Json = False) -> None:
    """Ask whether a key may be left out of KAUNTA_KEYS. Exit 9 with what needs it: rows, backups, callbacks, processes.

    Nothing is changed but the audit log: KAUNTA_KEYS is yours to edit.
    """
    found = settings("database_url", "keys", as_json=json)
    run(lambda: give_up(found, name, dry_run), as_json=json)
    answer(
        {"key": name, "retired": not dry_run, "dry_run": dry_run},
        as_json=json,
        lines=[f"nothing needs the key {name}: take it out of KAUNTA_KEYS and start every process again"],
    )


async def give_up(found: "Settings", name: str, dry_run: bool) -> None:
    from kaunta.core.clock import Clock
    from kaunta.core.db import connect
    from kaunta.core.entropy import Entropy
    from kaunta.core.spool import Spool
    from kaunta.keys.retire import StillNeeded, reasons
    from kaunta.keys.retire import retire as work

    keyring, clock = keyring_of(found), Clock(found.clock_factor)
    spool = Spool.at(found.spool_folder, keyring, Entropy())
    async with connect(url_of(found)) as db:
        from kaunta.backups.where import place_of

        if (place := place_of(found)) is not None:
            # The place knows of backups that the database, brought back from yesterday, does not.
            from kaunta.backups.place import note_found

            await note_found(db, clock, place, recovery_of(found))
        if dry_run:
            if needed := await reasons(db, clock, keyring, spool, name):
                raise StillNeeded("\n".join(f"{reason.what}: {reason.remedy}" for reason in needed))
        else:
            await work(db, clock, keyring, spool, name, by="operator")


@app.command("export-recovery")
def export_recovery(
    file: Annotated[Path, typer.Argument(help="A new file; nothing is written over an old one.")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Write the keyring, sealed under KAUNTA_RECOVERY_KEY, into a file for a safe place."""
    from kaunta.core.entropy import Entropy
    from kaunta.keys.recovery import exported, imported, write_private

    found = settings("keys", "recovery_key", as_json=json)

    async def work() -> list[str]:
        keyring, recovery = keyring_of(found), recovery_of(found)
        text = exported(keyring, recovery, Entropy())
        ids = [key.decode() for key in imported(text, recovery).keys]
        if not dry_run:
            write_private(file, text)
        return ids

    ids = run(work, as_json=json)
    says = "would write" if dry_run else "wrote"
    answer(
        {"file": str(file), "keys": ids, "dry_run": dry_run},
        as_json=json,
        lines=[f"{says} {len(ids)} keys ({', '.join(ids)}) to {file}; KAUNTA_RECOVERY_KEY opens it"],
    )


@app.command("open-recovery")
def open_recovery(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of `export-recovery`.")],
    to: Annotated[Path, typer.Option(help="A new file, readable by you only, that gets the line KAUNTA_KEYS=…")],
    json: Json = False,
) -> None:
    """Get KAUNTA_KEYS back from a recovery file, into a file and never onto the screen."""
    from kaunta.keys.recovery import imported, write_private, written

    found = settings("recovery_key", as_json=json)

    async def work() -> list[str]:
        keyring = imported(file.read_text(encoding="utf-8"), recovery_of(found))
        write_private(to, f"KAUNTA_KEYS={written(keyring).reveal()}\n")
        return [key.decode() for key in keyring.keys]

    ids = run(work, as_json=json)
    answer({"file": str(to), "keys": ids}, as_json=json, lines=[f"wrote KAUNTA_KEYS ({', '.join(ids)}) to {to}"])


def line(fault: "Fault") -> str:
    """A value that does not open, as people read it."""
    return f"{fault.row}  {fault.column}  {fault.code}: {fault.error}"

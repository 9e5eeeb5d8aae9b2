"""`kaunta backup`: made, listed, read to the end, brought back, undone, thinned out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaunta.cli import restore
from kaunta.cli.keys import DryRun, Json, recovery_of, url_of
from kaunta.cli.output import Exit, answer, run, settings
from kaunta.cli.restore import NEEDS, To, Which, tools_of, where

if TYPE_CHECKING:
    from kaunta.backups.place import Place
    from kaunta.backups.retention import Retention
    from kaunta.settings import Settings

app = typer.Typer(help="Backups of credentials, or of the whole database.", no_args_is_help=True)


@app.command()
def create(
    whole: Annotated[bool, typer.Option("--whole", help="The whole database, through pg_dump.")] = False,
    folder: To = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make a backup now, encrypted under KAUNTA_RECOVERY_KEY, and read it back to its end."""
    found = settings(*NEEDS, as_json=json)
    place = where(found, folder, json)
    raise typer.Exit(run(lambda: make(found, place, whole, dry_run, json), as_json=json))


async def make(found: "Settings", place: "Place", whole: bool, dry_run: bool, as_json: bool) -> Exit:
    from kaunta.backups.create import create as work
    from kaunta.core.db import connect
    from kaunta.keys.rotate import all_needs

    tools, url = tools_of(found), url_of(found)
    kind = "whole" if whole else "credentials"
    async with connect(url) as db:
        if dry_run:
            rows: dict[str, int] = {}
            for need in await all_needs(db):
                rows[need.table] = rows.get(need.table, 0) + need.rows
            data = {"kind": kind, "folder": str(place), "sealed_rows": rows, "dry_run": True}
            answer(data, as_json=as_json, lines=[f"would back up {sum(rows.values()):,} sealed rows to {place}"])
            return Exit.OK
        made = await work(db, tools, place, kind=kind, reason="by_hand", url=url)
    data = {
        "id": str(made.id),
        "kind": made.kind,
        "file": made.target,
        "size": made.size,
        "created_at": made.created_at.isoformat(),
        "counts": made.counts,
        "key_ids": made.key_ids,
        "schema_version": made.schema_version,
        "sha256": made.digest.hex(),
        "verified": made.ok,
    }
    told = f"{made.counts.get('mpesa_credentials', 0):,} credentials, {made.size:,} bytes"
    state = "read back to its end" if made.ok else f"NOT GOOD: {made.fault}"
    answer(data, as_json=as_json, ok=bool(made.ok), lines=[f"{made.id}  {made.target}", f"{told}, {state}"])
    return Exit.OK if made.ok else Exit.FOUND_PROBLEMS


@app.command("list")
def list_(folder: To = None, json: Json = False) -> None:
    """The backups in the folder or bucket, newest first, with what is known of each. Exit 3: one is damaged."""
    found = settings("recovery_key", as_json=json)
    place = where(found, folder, json)
    raise typer.Exit(run(lambda: tell(found, place, json), as_json=json))


async def tell(found: "Settings", place: "Place", as_json: bool) -> Exit:
    """From what lies there alone: after a fire there is no database to ask."""
    from kaunta.backups.manifest import BackupDamaged, OtherRecoveryKey
    from kaunta.backups.place import manifest_of

    recovery, backups, lines = recovery_of(found), list[dict[str, Any]](), list[str]()
    for each in place.lying():
        try:
            holds, state = manifest_of(each, recovery), "readable"
        except OtherRecoveryKey:
            holds, state = None, "another recovery key"
        except BackupDamaged:
            holds, state = None, "damaged"
        counts: Mapping[str, int] = holds.counts if holds else {}
        backups.append(
            {
                "id": str(each.header.id),
                "kind": each.header.kind,
                "reason": each.header.reason,
                "created_at": each.header.created_at.isoformat(),
                "created_by": each.header.created_by,
                "file": each.target,
                "size": each.size,
                "state": state,
                "counts": counts,
                "key_ids": list(holds.key_ids) if holds else [],
                "schema_version": holds.schema_version if holds else None,
            }
        )
        keys = ",".join(holds.key_ids) if holds else "?"
        lines.append(
            f"{each.header.id}  {each.header.created_at:%Y-%m-%d %H:%M} UTC  {each.header.kind:<11}  "
            f"{each.header.reason:<9}  {each.size:>12,}  keys {keys}  {state}"
        )
    bad = any(backup["state"] == "damaged" for backup in backups)
    answer({"backups": backups}, as_json=as_json, ok=not bad, lines=lines or ["there are no backups"])
    return Exit.FOUND_PROBLEMS if bad else Exit.OK


@app.command()
def verify(
    which: Which = "latest",
    folder: To = None,
    restore_test: Annotated[
        bool, typer.Option("--restore-test", help="Also bring it back on trial, and prove that all of it decrypts.")
    ] = False,
    json: Json = False,
) -> None:
    """Read all of a backup: every piece, every digest. Exit 3: it is damaged."""
    needs = NEEDS if restore_test else ("recovery_key",)
    found = settings(*needs, as_json=json)
    place = where(found, folder, json)
    raise typer.Exit(run(lambda: read(found, place, which, restore_test, json), as_json=json))


async def read(found: "Settings", place: "Place", which: str, restore_test: bool, as_json: bool) -> Exit:
    from kaunta.backups import queries
    from kaunta.backups.create import read_through
    from kaunta.backups.place import named
    from kaunta.core.clock import Clock
    from kaunta.core.db import connect

    recovery, backup = recovery_of(found), named(place, which)
    if found.database_url is None or found.keys is None:
        fault = read_through(backup, None, recovery)
    else:
        async with connect(url_of(found)) as db:
            known = {row.id: row for row in await queries.kept(db)}.get(backup.header.id)
            fault = read_through(backup, known.digest if known else None, recovery)
            await queries.verified(db, backup.header.id, Clock(found.clock_factor).now(), fault is None, fault)
    wrong = "not the file that was made" if fault == "digest" else "use another one"
    data: dict[str, Any] = {"id": str(backup.header.id), "file": backup.target, "fault": fault}
    lines = [f"{backup.header.id}  {f'DAMAGED: {wrong}' if fault else 'whole'}"]
    if restore_test and not fault:
        from kaunta.cli.restore import bring_back

        outcome = await bring_back(found, place, backup, trial=True)
        data["restore_test"] = outcome.data
        lines += outcome.lines
        fault = "unreadable" if outcome.unreadable else None
    answer(data | {"fault": fault}, as_json=as_json, ok=fault is None, lines=lines)
    return Exit.FOUND_PROBLEMS if fault else Exit.OK


@app.command()
def prune(
    keep_daily: Annotated[int | None, typer.Option(min=1, help="Default: KAUNTA_BACKUP_KEEP_DAILY.")] = None,
    keep_weekly: Annotated[int | None, typer.Option(min=0, help="Default: KAUNTA_BACKUP_KEEP_WEEKLY.")] = None,
    keep_monthly: Annotated[int | None, typer.Option(min=0, help="Default: KAUNTA_BACKUP_KEEP_MONTHLY.")] = None,
    folder: To = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Remove backups that need not be kept: the last of so many days, weeks and months stays, and the newest good one.

    Exit 3: a dry run with something to remove.
    """
    from kaunta.backups.retention import Retention

    found = settings(*NEEDS, as_json=json)
    place = where(found, folder, json)
    rule = Retention(
        keep_daily or found.backup_keep_daily,
        found.backup_keep_weekly if keep_weekly is None else keep_weekly,
        found.backup_keep_monthly if keep_monthly is None else keep_monthly,
    )
    raise typer.Exit(run(lambda: thin_out(found, place, rule, dry_run, json), as_json=json))


async def thin_out(found: "Settings", place: "Place", rule: "Retention", dry_run: bool, as_json: bool) -> Exit:
    from kaunta.backups.prune import prune as work
    from kaunta.core.db import connect

    async with connect(url_of(found)) as db:
        pruned = await work(db, tools_of(found), place, rule, dry_run=dry_run)
    work_left = dry_run and bool(pruned.went)
    says = "would remove" if dry_run else "removed"
    went = [str(row.id) for row in pruned.went]
    answer(
        {"kept": [str(row.id) for row in pruned.stays], "removed": went, "dry_run": dry_run},
        as_json=as_json,
        ok=not work_left,
        lines=[
            *(f"{says}  {row.id}  {row.created_at:%Y-%m-%d %H:%M} UTC  {row.kind}" for row in pruned.went),
            f"{says} {len(pruned.went):,}, {len(pruned.stays):,} stay",
        ],
    )
    return Exit.FOUND_PROBLEMS if work_left else Exit.OK


app.command("restore")(restore.restore)

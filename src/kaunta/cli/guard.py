"""`kaunta sync guard`: the trigger that keeps a bar's flag equal to its credentials, on any database with the two."""

from typing import Annotated

import typer

from kaunta.cli.output import Exit, answer, run, settings

app = typer.Typer(help="The database's guard over the M-Pesa switch.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def with_guard(what: str | None, as_json: bool) -> bool:
    """Run a script of the guard's (None: none), and tell whether the guard is there."""
    found = settings("database_url", as_json=as_json)

    async def work() -> bool:
        from kaunta.bars.queries import guard_stands
        from kaunta.core.db import connect
        from kaunta.core.migrate import MIGRATIONS

        url = found.database_direct_url or found.database_url
        if url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(url.get_secret_value(), lock_timeout="5s", client_min_messages="warning") as db:
            if what is not None:
                script = (MIGRATIONS / "sql" / "guard" / f"{what}.sql").read_text(encoding="utf-8")
                async with db.transaction():
                    await db.execute(script)
            return await guard_stands(db)

    return run(work, as_json=as_json)


def still_wrong(as_json: bool) -> list[str]:
    """What the guard does not put right by itself: it speaks at the next write, not of what was written before."""
    found = settings("database_url", as_json=as_json)

    async def work() -> list[str]:
        from kaunta.bars.migration import read_shape, validate_migration
        from kaunta.core.db import connect

        url = found.database_direct_url or found.database_url
        if url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(url.get_secret_value(), jit="off") as db:
            stand = await validate_migration(db, await read_shape(db))
        told = []
        if stand.inconsistent:
            told.append(
                f"{stand.inconsistent:,} of {stand.bars:,} bars differ from their credentials, and the guard leaves "
                "them so until somebody writes to them. Run `kaunta sync repair`."
            )
        if stand.ambiguous:
            told.append(f"{stand.ambiguous:,} are ambiguous: the guard cannot keep them. `kaunta sync check` says why.")
        return told

    return run(work, as_json=as_json)


@app.command()
def install(dry_run: DryRun = False, json: Json = False) -> None:
    """Install the guard: from then on the flag follows the credentials, whoever writes.

    Exit 3: it is there, and bars differ already; what was wrong before stays wrong until it is repaired.
    """
    warnings = still_wrong(json)
    there = with_guard(None if dry_run else "install", json)
    says = "would be installed" if dry_run and not there else "installed"
    answer(
        {"installed": there, "dry_run": dry_run},
        as_json=json,
        ok=not warnings,
        lines=[f"the guard is {says}"],
        warnings=warnings,
    )
    raise typer.Exit(Exit.FOUND_PROBLEMS if warnings else Exit.OK)


@app.command()
def remove(dry_run: DryRun = False, json: Json = False) -> None:
    """Take the guard away again; nothing else changes."""
    there = with_guard(None if dry_run else "remove", json)
    answer(
        {"installed": there, "dry_run": dry_run}, as_json=json, lines=["the guard is " + ("there" if there else "gone")]
    )


@app.command()
def status(json: Json = False) -> None:
    """Is the guard there? Exit 3 where it is not."""
    there = with_guard(None, json)
    answer(
        {"installed": there}, as_json=json, ok=there, lines=["the guard is " + ("installed" if there else "missing")]
    )
    raise typer.Exit(Exit.OK if there else Exit.FOUND_PROBLEMS)

"""`kaunta db`: bring the schema up to date, and tell whether it is."""

from typing import Annotated

import typer

from kaunta.cli.output import Exit, answer, refuse, run, settings

app = typer.Typer(help="The database's schema.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def direct_url(as_json: bool) -> str:
    found = settings("database_url", as_json=as_json)
    url = found.database_direct_url or found.database_url
    if url is None:
        raise RuntimeError("settings() has checked for it")
    return url.get_secret_value()


@app.command()
def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False, json: Json = False
) -> None:
    """Migrate the database to what this version needs. Safe to run again."""
    from kaunta.core import migrate

    url = direct_url(json)
    before = run(lambda: migrate.state(url), as_json=json)
    if before.up_to_date or dry_run:
        says = "up to date" if before.up_to_date else f"would go from {before.current or 'empty'} to {before.head}"
        answer(
            {"current": before.current, "head": before.head, "changed": False},
            as_json=json,
            ok=before.up_to_date,
            lines=[says],
        )
        raise typer.Exit(Exit.OK if before.up_to_date else Exit.FOUND_PROBLEMS)
    after = run(lambda: migrate.upgrade(url), as_json=json)
    answer(
        {"before": before.current, "current": after.current, "head": after.head, "changed": True},
        as_json=json,
        lines=[f"migrated from {before.current or 'empty'} to {after.current}"],
    )


@app.command()
def status(json: Json = False) -> None:
    """Which migration the database stands at, and which this version needs."""
    from kaunta.core import migrate

    url = direct_url(json)
    found = run(lambda: migrate.state(url), as_json=json)
    answer(
        {"current": found.current, "head": found.head, "up_to_date": found.up_to_date},
        as_json=json,
        ok=found.up_to_date,
        lines=[f"database: {found.current or 'empty'}   needed: {found.head}"],
    )
    raise typer.Exit(Exit.OK if found.up_to_date else Exit.FOUND_PROBLEMS)


@app.command()
def check(json: Json = False) -> None:
    """Compare the database with the schema this version was written for; exit 3 where they differ."""
    from kaunta.core import migrate

    url = direct_url(json)
    found = run(lambda: migrate.state(url), as_json=json)
    if not found.up_to_date:
        refuse(Exit.FOUND_PROBLEMS, "The database is behind. Run `kaunta db upgrade`.", as_json=json)
    drift = run(lambda: migrate.drift(url), as_json=json)
    lines = [f"missing     {line}" for line in drift.missing] + [f"unexpected  {line}" for line in drift.unexpected]
    answer(
        {"missing": drift.missing, "unexpected": drift.unexpected},
        as_json=json,
        ok=not drift,
        lines=lines or ["the schema is as it should be"],
    )
    raise typer.Exit(Exit.FOUND_PROBLEMS if drift else Exit.OK)

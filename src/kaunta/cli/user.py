"""`kaunta user`: the people who sign in."""

import sys
from typing import Annotated

import typer

from kaunta.cli.output import Exit, answer, refuse, run, settings

app = typer.Typer(help="The people who sign in.", no_args_is_help=True)

ROLES = ("waiter", "cashier", "manager", "owner")


def read_password(as_json: bool) -> str:
    """From the terminal, typed twice; else one line of standard input. Never from the command line."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        refuse(Exit.USAGE, "Send the password as one line on standard input.", as_json=as_json)
    return line


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="What the person signs in with.")],
    name: Annotated[str, typer.Option(help="The person's name as colleagues see it.")] = "",
    bar: Annotated[str | None, typer.Option(help="The bar's short name.")] = None,
    role: Annotated[str, typer.Option(help="waiter, cashier, manager or owner")] = "waiter",
    administrator: Annotated[
        bool, typer.Option("--administrator", help="May diagnose this installation; opens no bar's money.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add a person. The password is asked for, or read from standard input."""
    if role not in ROLES:
        refuse(Exit.USAGE, f"--role: one of {', '.join(ROLES)}.", as_json=json)
    if bar is None and not administrator:
        refuse(Exit.USAGE, "Say where the person works with --bar, or make an --administrator.", as_json=json)
    found = settings("database_url", as_json=json)
    password = read_password(json)

    async def work() -> str:
        from kaunta.access.accounts import add_account, set_role
        from kaunta.bars.queries import bar_by_slug
        from kaunta.core.clock import Clock
        from kaunta.core.db import connect
        from kaunta.core.errors import NotFound

        if found.database_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.database_url.get_secret_value()) as db:
            transaction = db.transaction()
            await transaction.start()
            place = await bar_by_slug(db, bar) if bar else None
            if bar and place is None:
                raise NotFound(f"There is no bar {bar}. `kaunta bar list` shows them.")
            account_id = await add_account(
                db, Clock(), username, name, password, administrator=administrator, by="operator"
            )
            if place is not None:
                await set_role(db, Clock(), account_id, place.id, role, by="operator")  # type: ignore[arg-type]
            await (transaction.rollback() if dry_run else transaction.commit())
            return str(account_id)

    account_id = run(work, as_json=json)
    done = "would add" if dry_run else "added"
    answer({"id": account_id, "dry_run": dry_run}, as_json=json, lines=[f"{done} {username}"])

"""`kaunta db roles`: the SQL roles that processes work under, and the logins that have them."""

from typing import Annotated

import typer

from kaunta.cli.db import direct_url
from kaunta.cli.output import Exit, answer, refuse, run
from kaunta.cli.user import read_password

KINDS = ("app", "worker", "serve", "reader", "migrator")


def roles(
    login: Annotated[str | None, typer.Option(help="Also make this login; with --kind.")] = None,
    kind: Annotated[str | None, typer.Option(help=f"What the login is for: {', '.join(KINDS)}.")] = None,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for the login's password, or read it from standard input.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make the roles, give each exactly its rights, and let `serve` and `worker` work under theirs from then on.

    Safe to run again, and to be run again after `kaunta db upgrade`. Exit 3: a dry run with work to do.
    """
    from kaunta.core.database_roles import Role
    from kaunta.core.entropy import Entropy
    from kaunta.core.secret import Secret
    from kaunta.deploy.database_roles import NewLogin, lay_out

    if (login is None) != (kind is None) or (kind is not None and kind not in KINDS):
        refuse(
            Exit.USAGE, f"Name a login with --login and what it is for with --kind: {', '.join(KINDS)}.", as_json=json
        )
    if password and login is None:
        refuse(Exit.USAGE, "--password goes with --login.", as_json=json)
    url = direct_url(json)
    said = Secret(read_password(json)) if password else None

    async def work() -> list[str]:
        import asyncpg

        from kaunta.core.db import connect
        from kaunta.deploy.database_roles import RolesRefused

        wanted = NewLogin(login, Role(f"kaunta_{kind}"), said) if login is not None else None
        async with connect(url, lock_timeout="5s") as db:
            try:
                return await lay_out(db, wanted, Entropy(), dry_run=dry_run)
            except asyncpg.InsufficientPrivilegeError:
                raise RolesRefused(
                    "This login may not: run it with one that owns the tables and may create roles, or as a superuser."
                ) from None

    changes = run(work, as_json=json)
    lines = changes or ["the roles are as they should be"]
    if said is not None:
        lines = [*lines, f"{'would set' if dry_run else 'set'} the password of {login}"]
    pending = dry_run and bool(changes)
    answer({"changes": changes, "dry_run": dry_run}, as_json=json, ok=not pending, lines=lines)
    raise typer.Exit(Exit.FOUND_PROBLEMS if pending else Exit.OK)

"""`kaunta user`: the people who sign in."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, answer, refuse, run, settings

if TYPE_CHECKING:
    from kaunta.core.db import Connection

app = typer.Typer(help="The people who sign in.", no_args_is_help=True)

ROLES = ("waiter", "cashier", "manager", "owner")

Username = Annotated[str, typer.Argument(help="What the person signs in with.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


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

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.direct_url.get_secret_value()) as db:
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


def changed(
    work: "Callable[[Connection], Awaitable[None]]", username: str, done: str, *, dry_run: bool, as_json: bool
) -> None:
    """One change to an account in a transaction of its own; a dry run takes it back."""
    found = settings("database_url", as_json=as_json)

    async def all_of_it() -> None:
        from kaunta.core.db import connect

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.direct_url.get_secret_value()) as db:
            transaction = db.transaction()
            await transaction.start()
            await work(db)
            await (transaction.rollback() if dry_run else transaction.commit())

    run(all_of_it, as_json=as_json)
    line = f"{'would have ' if dry_run else ''}{done}"
    answer({"username": username, "dry_run": dry_run}, as_json=as_json, lines=[line])


@app.command("list")
def list_accounts(json: Json = False) -> None:
    """Every account, where it works and whether it has a second factor."""
    found = settings("database_url", as_json=json)

    async def work() -> list[dict[str, object]]:
        from dataclasses import asdict

        from kaunta.access.operator import accounts
        from kaunta.core.db import connect

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.direct_url.get_secret_value()) as db:
            return [asdict(one) for one in await accounts(db)]

    def line(one: dict[str, object]) -> str:
        marks = [word for word in ("administrator", "second_factor") if one[word]]
        marks += [] if one["active"] else ["disabled"]
        bars = one["bars"]
        where = ", ".join(map(str, bars)) if isinstance(bars, tuple) else ""
        return f"{one['username']!s:<30}{where or '-':<40}{', '.join(marks).replace('_', ' ')}".rstrip()

    everybody = run(work, as_json=json)
    answer(everybody, as_json=json, lines=[line(one) for one in everybody])


@app.command()
def role(
    username: Username,
    bar: Annotated[str, typer.Option(help="The bar's short name.")],
    role: Annotated[str, typer.Option(help="waiter, cashier, manager or owner")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Give somebody a role at a bar, or another one. A bar keeps an owner."""
    if role not in ROLES:
        refuse(Exit.USAGE, f"--role: one of {', '.join(ROLES)}.", as_json=json)

    async def work(db: "Connection") -> None:
        from kaunta.access.operator import give_role
        from kaunta.access.people import as_role
        from kaunta.bars.queries import bar_by_slug
        from kaunta.core.clock import Clock
        from kaunta.core.errors import NotFound

        place = await bar_by_slug(db, bar)
        if place is None:
            raise NotFound(f"There is no bar {bar}. `kaunta bar list` shows them.")
        await give_role(db, Clock(), username, place.id, as_role(role))

    changed(work, username, f"made {username} {role} at {bar}", dry_run=dry_run, as_json=json)


@app.command("reset-password")
def reset_password(username: Username, dry_run: DryRun = False, json: Json = False) -> None:
    """Give somebody another password, asked for or read from standard input; all their sessions end."""
    password = read_password(json)

    async def work(db: "Connection") -> None:
        from kaunta.access.operator import reset_password
        from kaunta.core.clock import Clock

        await reset_password(db, Clock(), username, password)

    changed(work, username, f"set another password for {username}", dry_run=dry_run, as_json=json)


@app.command("totp-reset")
def totp_reset(username: Username, dry_run: DryRun = False, json: Json = False) -> None:
    """Take away a second factor whose phone and recovery codes are lost; all their sessions end."""

    async def work(db: "Connection") -> None:
        from kaunta.access.operator import reset_second_factor
        from kaunta.core.clock import Clock

        await reset_second_factor(db, Clock(), username)

    changed(work, username, f"took the second factor of {username} away", dry_run=dry_run, as_json=json)


@app.command()
def disable(username: Username, dry_run: DryRun = False, json: Json = False) -> None:
    """Let somebody sign in no more, anywhere; what they did stays under their name."""
    switch(username, active=False, dry_run=dry_run, as_json=json)


@app.command()
def enable(username: Username, dry_run: DryRun = False, json: Json = False) -> None:
    """Let a disabled account sign in again."""
    switch(username, active=True, dry_run=dry_run, as_json=json)


def switch(username: str, *, active: bool, dry_run: bool, as_json: bool) -> None:
    async def work(db: "Connection") -> None:
        from kaunta.access.operator import set_active
        from kaunta.core.clock import Clock

        await set_active(db, Clock(), username, active=active)

    changed(work, username, f"{'enabled' if active else 'disabled'} {username}", dry_run=dry_run, as_json=as_json)

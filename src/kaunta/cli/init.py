"""`kaunta init`: from nothing to a database, a keyring, a first bar and its owner."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from kaunta.cli.output import Exit, answer, notes, refuse, run
from kaunta.cli.user import read_password


def init(
    database_url: Annotated[
        str | None, typer.Option(envvar="KAUNTA_DATABASE_URL", help="postgresql://user@host/database", show_envvar=True)
    ] = None,
    public_url: Annotated[
        str, typer.Option(envvar="KAUNTA_PUBLIC_URL", help="The origin guests and Safaricom reach.")
    ] = "http://127.0.0.1:8000",
    mode: Annotated[str, typer.Option(envvar="KAUNTA_MODE", help="production or development")] = "production",
    bar: Annotated[str | None, typer.Option(help="The first bar's name.")] = None,
    owner: Annotated[str | None, typer.Option(help="What its owner signs in with.")] = None,
    tables: Annotated[int, typer.Option(min=0, max=500, help="How many tables get a card.")] = 10,
    env_file: Annotated[Path, typer.Option(help="Where the settings are written, readable by you only.")] = Path(
        ".env"
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Prepare this installation: check everything, migrate, make a keyring, add the first bar and its owner.

    Asks for what is missing where there is a terminal. Run again, it refuses to replace a keyring that exists.
    """
    if env_file.exists():
        refuse(
            Exit.REFUSED,
            f"{env_file} exists: its keyring may be what opens stored credentials. Move it away first.",
            as_json=json,
        )
    database_url = database_url or asked("Database URL (postgresql://…)", "--database-url", json)
    bar = bar or asked("Name of the first bar", "--bar", json)
    owner = owner or asked("Its owner's user name", "--owner", json)
    password = read_password(json)

    from kaunta.core.entropy import Entropy
    from kaunta.core.vault import generate_entry
    from kaunta.settings import Missing, load

    lines = {
        "KAUNTA_MODE": mode,
        "KAUNTA_DATABASE_URL": database_url,
        "KAUNTA_PUBLIC_URL": public_url,
        "KAUNTA_KEYS": generate_entry(Entropy(), "k1"),
        "KAUNTA_SEAL_KEY": generate_entry(Entropy(), "s1"),
    }
    try:
        load(lines, needs=("mode", "database_url", "keys"))
    except Missing as missing:
        refuse(Exit.CONFIGURATION, str(missing), as_json=json)

    data = run(
        lambda: prepare(str(database_url), str(bar), str(owner), password, tables, public_url, dry_run=dry_run),
        as_json=json,
    )
    if not dry_run:
        write_private(env_file, "".join(f"{name}={shlex.quote(value)}\n" for name, value in lines.items()))
        notes.print(f"Settings are in {env_file}. Keep a copy of KAUNTA_KEYS somewhere safe: without it nothing opens.")
    answer(
        data | {"env_file": str(env_file), "dry_run": dry_run},
        as_json=json,
        lines=[
            f"{'would prepare' if dry_run else 'prepared'} {bar} with owner {owner}",
            *data["tables"],
            f"next:  set -a; . ./{env_file}; set +a; kaunta serve",
        ],
    )


async def prepare(
    url: str, bar: str, owner: str, password: str, tables: int, public_url: str, *, dry_run: bool
) -> dict[str, list[str]]:
    from kaunta.access.accounts import add_account, set_role
    from kaunta.bars.add import add_bar, slug_of
    from kaunta.core.clock import Clock
    from kaunta.core.db import connect
    from kaunta.core.entropy import Entropy
    from kaunta.core.migrate import state, upgrade
    from kaunta.tabs.queries import add_table

    if dry_run:
        await state(url)
        return {"tables": []}
    await upgrade(url)
    clock, cards = Clock(), []
    async with connect(url) as db, db.transaction():
        bar_id = await add_bar(db, clock, bar, by="operator")
        account_id = await add_account(db, clock, owner, owner, password, by="operator")
        await set_role(db, clock, account_id, bar_id, "owner", by="operator")
        for number in range(1, tables + 1):
            code = Entropy().speakable(10)
            await add_table(db, bar_id, f"Table {number}", code)
            cards.append(f"{public_url}/b/{slug_of(bar)}/t/{code}")
    return {"tables": cards}


def asked(question: str, flag: str, as_json: bool) -> str:
    """Ask where there is a terminal; else name the flag."""
    if not sys.stdin.isatty():
        refuse(Exit.USAGE, f"{flag} is needed.", as_json=as_json)
    return str(typer.prompt(question, err=True))


def write_private(path: Path, text: str) -> None:
    """A new file that only its owner may read, complete or not there at all."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

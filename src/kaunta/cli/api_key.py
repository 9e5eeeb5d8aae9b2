"""`kaunta api-key`: the keys by which a bar's own programs call the API."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from kaunta.cli.output import Exit, answer, refuse
from kaunta.cli.payment import Desk, at_desk, bar_id_of

if TYPE_CHECKING:
    from kaunta.access.queries.api_keys import ListedKey

app = typer.Typer(help="Keys for a bar's own programs.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check, and change nothing.")]
LONGEST_LABEL = 60


@app.command()
def add(
    bar: Annotated[str, typer.Argument(help="The bar's short name.")],
    label: Annotated[str, typer.Argument(help="Which program it is for.")],
    write: Annotated[bool, typer.Option("--write", help="It may start payments too; else it only reads.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """A new key of a bar's. It is printed now and never again. Exit 2: the label is none; 5: there is no such bar."""
    if not 1 <= len(label.strip()) <= LONGEST_LABEL or not label.isprintable():
        refuse(Exit.USAGE, f"A label has 1 to {LONGEST_LABEL} characters, in one line.", as_json=json)

    async def work(at: Desk) -> str | None:
        from kaunta.access.api_keys import Scope, add_api_key
        from kaunta.core.db import transaction

        bar_id = await bar_id_of(at, bar)
        scopes: list[Scope] = ["payments:read", "payments:write"] if write else ["payments:read"]
        if dry_run:
            return None
        async with transaction(at.rt.db) as db:
            return await add_api_key(db, at.rt, label.strip(), bar_id, scopes, by="operator")

    key = at_desk(work, as_json=json)
    data = {"bar": bar, "label": label.strip(), "key": key, "dry_run": dry_run}
    answer(data, as_json=json, lines=[key or "would add it"])


@app.command("list")
def list_keys(
    bar: Annotated[str | None, typer.Option(help="The bar's short name; all without it.")] = None, json: Json = False
) -> None:
    """The keys that open something, what they may do and when they were last used; never a key itself."""

    async def work(at: Desk) -> "list[ListedKey]":
        from kaunta.access.queries.api_keys import keys_in_use

        bar_id = await bar_id_of(at, bar) if bar else None
        async with at.rt.db.acquire() as db:
            return await keys_in_use(db, bar_id)

    found = at_desk(work, as_json=json)
    lines = [
        f"{one.id}  {one.bar_slug or '(installation)':<20}  {one.label:<24}  {' '.join(one.scopes)}  "
        + (f"last used {one.last_used_at:%Y-%m-%d}" if one.last_used_at else "never used")
        for one in found
    ]
    data = [
        {
            "id": str(one.id),
            "bar": one.bar_slug,
            "label": one.label,
            "scopes": one.scopes,
            "created_at": one.created_at.isoformat(),
            "last_used_at": one.last_used_at.isoformat() if one.last_used_at else None,
        }
        for one in found
    ]
    answer(data, as_json=json, lines=lines or ["There are no API keys."])


@app.command()
def revoke(
    key: Annotated[UUID, typer.Argument(help="The id that `kaunta api-key list` shows.")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make a key open nothing any more, at once. Exit 5: there is none that does."""

    async def work(at: Desk) -> bool:
        from kaunta.access.api_keys import revoke_api_key
        from kaunta.access.queries.api_keys import keys_in_use
        from kaunta.core.db import transaction

        async with transaction(at.rt.db) as db:
            if dry_run:
                return any(one.id == key for one in await keys_in_use(db, None))
            return await revoke_api_key(db, at.rt, key, by="operator")

    if not at_desk(work, as_json=json):
        refuse(Exit.NOT_FOUND, "There is no such API key. `kaunta api-key list` shows them.", as_json=json)
    answer({"id": str(key), "dry_run": dry_run}, as_json=json, lines=["would revoke it" if dry_run else "revoked"])

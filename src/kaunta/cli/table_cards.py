"""`kaunta bar cards` and `kaunta bar new-codes`: what the cards on a bar's tables say."""

from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.bar import Json, at_bar
from kaunta.cli.output import answer, settings

if TYPE_CHECKING:
    from uuid import UUID

    from kaunta.core.db import Connection

Slug = Annotated[str, typer.Argument(help="The bar's short name.")]


def cards(slug: Slug, json: Json = False) -> None:
    """A bar's tables with the addresses on their cards; the counter's page Tables prints them."""
    show(slug, at_bar(slug, lambda db, bar_id: tables_of(db, bar_id, slug), dry_run=True, as_json=json), as_json=json)


def new_codes(
    slug: Slug,
    table: Annotated[list[str] | None, typer.Option(help="A table's name; may be given again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every table of the bar.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """New codes for tables whose cards are lost: the old cards open nothing any more. Open tabs stay as they are."""
    if every == bool(table):
        raise typer.BadParameter("Name tables with --table, or take --all.")

    async def work(db: "Connection", bar_id: "UUID") -> dict[str, object]:
        from kaunta.core.clock import Clock
        from kaunta.core.entropy import Entropy
        from kaunta.tabs import queries
        from kaunta.tabs.errors import TableNotFound
        from kaunta.tabs.tables import change_code

        there = {one.label: one.id for one in await queries.tables(db, bar_id)}
        for label in table or there:
            if label not in there:
                raise TableNotFound(f"There is no table {label} at {slug}. `kaunta bar cards {slug}` names them.")
            await change_code(db, Clock(), Entropy(), bar_id, there[label], "operator")
        changed = {"changed": list(table or there)}
        # A dry run's codes will never be on a card.
        return changed | ({} if dry_run else await tables_of(db, bar_id, slug))

    data = at_bar(slug, work, dry_run=dry_run, as_json=json)
    if dry_run:
        answer(data, as_json=json, lines=[f"would change the code of {label}" for label in labels(data)])
    else:
        show(slug, data, as_json=json)


async def tables_of(db: "Connection", bar_id: "UUID", slug: str) -> dict[str, object]:
    from kaunta.tabs import queries

    url = settings("database_url").public_url
    tables = await queries.tables(db, bar_id)
    return {"tables": [{"label": one.label, "address": f"{url}/b/{slug}/t/{one.code}"} for one in tables]}


def labels(data: dict[str, object]) -> list[str]:
    changed = data["changed"]
    return [str(label) for label in changed] if isinstance(changed, list) else []


def show(slug: str, data: dict[str, object], *, as_json: bool) -> None:
    tables = data["tables"]
    lines = [f"{one['label']:<20}{one['address']}" for one in tables] if isinstance(tables, list) else []
    answer(data, as_json=as_json, lines=lines or [f"{slug} has no tables yet: `kaunta bar add --tables`, or Tables"])

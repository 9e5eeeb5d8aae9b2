"""`kaunta bar`: the bars of this installation."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import answer, run, settings

if TYPE_CHECKING:
    from uuid import UUID

    from kaunta.core.db import Connection

app = typer.Typer(help="The bars of this installation.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The bar's name as guests see it.")],
    slug: Annotated[str | None, typer.Option(help="Its short name in addresses; made from the name.")] = None,
    business_name: Annotated[str | None, typer.Option(help="The name M-Pesa's prompt shows, where it differs.")] = None,
    tables: Annotated[int, typer.Option(min=0, max=500, help="How many tables get a card.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """Add a bar, with cards for its tables. M-Pesa is off until its credentials are stored and switched on."""
    found = settings("database_url", as_json=json)

    async def work() -> dict[str, object]:
        from kaunta.bars.add import add_bar, slug_of
        from kaunta.core.clock import Clock
        from kaunta.core.db import connect
        from kaunta.core.entropy import Entropy
        from kaunta.tabs.queries import add_table

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.direct_url.get_secret_value()) as db:
            transaction = db.transaction()
            await transaction.start()
            bar_id = await add_bar(db, Clock(), name, slug=slug, business_name=business_name, by="operator")
            path = slug or slug_of(name)
            cards = []
            for number in range(1, tables + 1):
                code = Entropy().speakable(10)
                await add_table(db, bar_id, f"Table {number}", code)
                cards.append(f"{found.public_url}/b/{path}/t/{code}")
            await (transaction.rollback() if dry_run else transaction.commit())
            return {"id": str(bar_id), "slug": path, "tables": [] if dry_run else cards, "dry_run": dry_run}

    data = run(work, as_json=json)
    lines = [f"{'would add' if dry_run else 'added'} {name} as {data['slug']}"]
    lines += [str(card) for card in data["tables"]]  # type: ignore[attr-defined]
    answer(data, as_json=json, lines=lines)


@app.command("list")
def list_bars(json: Json = False) -> None:
    """Every bar with its short name and environment."""
    found = settings("database_url", as_json=json)

    async def work() -> list[dict[str, object]]:
        from kaunta.bars.queries import all_bars
        from kaunta.core.db import connect

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.direct_url.get_secret_value()) as db:
            return [
                {"id": str(bar.id), "slug": bar.slug, "name": bar.name, "environment": bar.environment}
                for bar in await all_bars(db)
            ]

    bars = run(work, as_json=json)
    answer(bars, as_json=json, lines=[f"{bar['slug']:<30}{bar['environment']:<12}{bar['name']}" for bar in bars])


@app.command()
def suspend(
    slug: Annotated[str, typer.Argument(help="The bar's short name.")],
    reason: Annotated[str, typer.Option(help="Why, for staff; guests only see that M-Pesa is not available.")],
    hours: Annotated[
        float | None, typer.Option(min=0.01, max=10_000, help="End by itself after so long. Default: `bar resume`.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """Stop a bar's M-Pesa beside the owner's switch, which stays as it is."""

    async def work(db: "Connection", bar_id: "UUID") -> dict[str, object]:
        from kaunta.bars.suspension import suspend
        from kaunta.core.clock import Clock

        seconds = hours * 3_600 if hours is not None else None
        await suspend(db, Clock(), bar_id, reason, seconds=seconds, by="operator")
        return {"suspended": True}

    data = at_bar(slug, work, dry_run=dry_run, as_json=json)
    answer(data, as_json=json, lines=[f"{'would stop' if dry_run else 'stopped'} M-Pesa at {slug}: {reason}"])


@app.command()
def resume(
    slug: Annotated[str, typer.Argument(help="The bar's short name.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """End a stop, Kaunta's own or an operator's. The owner's switch stays as it is."""

    async def work(db: "Connection", bar_id: "UUID") -> dict[str, object]:
        from kaunta.bars.suspension import resume
        from kaunta.core.clock import Clock

        return {"resumed": await resume(db, Clock(), bar_id, by="operator", reason="kaunta bar resume", operator=True)}

    data = at_bar(slug, work, dry_run=dry_run, as_json=json)
    lines = [f"{'would resume' if dry_run else 'resumed'} M-Pesa at {slug}"]
    answer(data, as_json=json, lines=lines if data["resumed"] else [f"M-Pesa is not stopped at {slug}"])


def at_bar(
    slug: str,
    work: "Callable[[Connection, UUID], Awaitable[dict[str, object]]]",
    *,
    dry_run: bool,
    as_json: bool,
) -> dict[str, object]:
    """Work on one bar in a transaction; a dry run takes it back."""
    found = settings("database_url", as_json=as_json)

    async def do() -> dict[str, object]:
        from kaunta.bars.queries import bar_by_slug
        from kaunta.core.db import connect
        from kaunta.core.errors import NotFound

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.direct_url.get_secret_value(), lock_timeout="5s") as db:
            bar = await bar_by_slug(db, slug)
            if bar is None:
                raise NotFound(f"There is no bar {slug}. `kaunta bar list` names them.")
            transaction = db.transaction()
            await transaction.start()
            data = await work(db, bar.id)
            await (transaction.rollback() if dry_run else transaction.commit())
            return {"id": str(bar.id), "slug": slug, **data, "dry_run": dry_run}

    return run(do, as_json=as_json)

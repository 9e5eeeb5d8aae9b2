"""`kaunta audit`: follow the chain that seals the audit, read its newest lines, take it away."""

import json as json_lines
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from kaunta.cli.output import Exit, answer, run, settings

if TYPE_CHECKING:
    from uuid import UUID

    from kaunta.audit.queries.everywhere import Exported
    from kaunta.audit.verifying import Report
    from kaunta.core.db import Connection, Pool
    from kaunta.settings import Settings

T = TypeVar("T")

app = typer.Typer(help="The audit: what was done by whom, and its seals.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Bar = Annotated[str | None, typer.Option(help="The bar's short name; all of them without it.")]
AT_ONCE = 500
#: Findings that people are shown; --json has more.
SHOWN = 50


def at_database(found: "Settings", work: "Callable[[Pool], Awaitable[T]]", *, as_json: bool) -> "T":
    async def begin() -> "T":
        from kaunta.core.db import open_pool

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        pool = await open_pool(
            found.direct_url.get_secret_value(), size=2, statement_cache=found.database_statement_cache
        )
        try:
            return await work(pool)
        finally:
            await pool.close()

    return run(begin, as_json=as_json)


async def bar_id_of(db: "Connection", slug: str | None) -> "UUID | None":
    from kaunta.bars.queries import bar_by_slug
    from kaunta.core.errors import NotFound

    if slug is None:
        return None
    bar = await bar_by_slug(db, slug)
    if bar is None:
        raise NotFound(f"There is no bar {slug}. `kaunta bar list` shows them.")
    return bar.id


@app.command()
def verify(
    heads: Annotated[
        Path | None, typer.Option(help="A copy of the worker's file of heads. Default: the one in KAUNTA_SEAL_FOLDER.")
    ] = None,
    head: Annotated[list[str] | None, typer.Option(help="A head noted earlier, as batch:mac; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Follow the chain from its beginning. Exit 3: something was changed, removed or added, and where. Reads only."""
    found = settings("database_url", "seal_key", as_json=json)

    async def work(pool: "Pool") -> "Report":
        from kaunta.audit import anchors, verifying
        from kaunta.audit.chain import keys_from
        from kaunta.core.errors import NotFound

        if found.seal_key is None:
            raise RuntimeError("settings() has checked for it")
        if heads is not None and not heads.exists():
            raise NotFound(f"There is no file {heads}.")
        told = anchors.read(heads or anchors.file_of(found.seal_folder))
        told += [anchors.Anchor.parse(one) for one in head or ()]
        return await verifying.verify(pool, keys_from(found.seal_key.get_secret_value()).keys, told)

    report = at_database(found, work, as_json=json)
    end = f"{report.head[0]}:{report.head[1].hex()}" if report.head else None
    lines = [f"BROKEN  {one.sentence}" for one in report.findings[:SHOWN]]
    if report.count > SHOWN:
        lines.append(f"… and {report.count - SHOWN:,} more")
    gone = f", {report.forgotten:,} of them forgotten by rule" if report.forgotten else ""
    lines.append(
        f"{'the chain holds' if report.ok else 'the chain does not hold'}: {report.rows:,} rows{gone}, "
        f"{report.batches:,} batches"
    )
    lines += [f"head: {end}"] if end else []
    answer(
        {
            "head": end, "batches": report.batches, "rows": report.rows, "forgotten": report.forgotten,
            "wrong": report.count, "findings": [one.told() for one in report.findings],
        },
        as_json=json, ok=report.ok, lines=lines,
    )  # fmt: skip
    raise typer.Exit(Exit.OK if report.ok else Exit.FOUND_PROBLEMS)


@app.command()
def tail(
    bar: Bar = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=1_000, help="How many.")] = 20,
    json: Json = False,
) -> None:
    """The newest lines, the newest last."""
    found = settings("database_url", as_json=json)

    async def work(pool: "Pool") -> "list[Exported]":
        from kaunta.audit.queries.everywhere import newest

        async with pool.acquire() as db:
            return (await newest(db, await bar_id_of(db, bar), lines))[::-1]

    rows = at_database(found, work, as_json=json)
    answer([row.told() for row in rows], as_json=json, lines=[line_of(row) for row in rows])


def line_of(row: "Exported") -> str:
    from kaunta.core.clock import EAT

    one = row.entry
    seal = "sealed " if row.batch else "waiting"
    outcome = "" if one.outcome == "ok" else f"  {one.outcome}"
    when = f"{one.at.astimezone(EAT):%Y-%m-%d %H:%M:%S}"
    return f"{when}  {seal}  {one.actor}  {one.action}  {one.object_kind} {one.object_id}{outcome}"


Moment = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="In EAT.")]


@app.command()
def export(bar: Bar = None, since: Moment = None, until: Moment = None) -> None:
    """All of the audit on stdout, one JSON object a line with its seal. That it was taken away is on record too."""
    from kaunta.core.clock import EAT, Clock

    found = settings("database_url")
    first, end = (moment.replace(tzinfo=EAT) if moment else None for moment in (since, until))

    async def work(pool: "Pool") -> None:
        from kaunta.audit.queries import everywhere
        from kaunta.core.audit import audit
        from kaunta.core.db import transaction

        async with transaction(pool) as db:
            bar_id = await bar_id_of(db, bar)
            await audit(
                db, Clock(), "operator", "audit.exported", "audit", bar or "all", bar_id=bar_id, form="ndjson",
                since=first.isoformat() if first else None, until=end.isoformat() if end else None,
            )  # fmt: skip
        for read in (everywhere.payments_after, everywhere.refunds_after, everywhere.others_after):
            after = 0
            while True:
                async with pool.acquire() as db:
                    rows = await read(db, after, bar_id, first, end, AT_ONCE)
                if not rows:
                    break
                for row in rows:
                    sys.stdout.write(json_lines.dumps(row.told(), ensure_ascii=False, default=str) + "\n")
                after = rows[-1].entry.id

    at_database(found, work, as_json=False)

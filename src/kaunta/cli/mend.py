"""`kaunta db mend`: what is missing in the schema, put back as the program knows it."""

from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.db import direct_url
from kaunta.cli.output import Exit, answer, run

if TYPE_CHECKING:
    from kaunta.diagnostics.mending import Mended


def mend(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the statements, and run none.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add what the schema lacks, all of it or nothing, and compare again. Nothing is ever dropped.

    Needs a login that owns the tables. Exit 9: it cannot be put right by adding. 3: a dry run with work to do, or what
    somebody added is still there.
    """
    url = direct_url(json)

    async def work() -> "Mended":
        from kaunta.core.db import connect
        from kaunta.diagnostics.mending import mend

        async with connect(url, lock_timeout="5s") as db:
            return await mend(db, dry_run=dry_run)

    done = run(work, as_json=json)
    ok = not done.left
    lines = [f"{statement};" for statement in done.statements]
    lines += [f"unexpected  {line}" for line in done.left.unexpected]
    answer(
        {"statements": list(done.statements), "dry_run": dry_run, "unexpected": done.left.unexpected},
        as_json=json,
        ok=ok,
        lines=lines or ["the schema is as it should be"],
    )
    raise typer.Exit(Exit.OK if ok else Exit.FOUND_PROBLEMS)

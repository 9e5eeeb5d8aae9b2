"""`kaunta invariants`: what must always be true, asked of the database now."""

from typing import Annotated

import typer

from kaunta.cli.output import Exit, answer, run, settings


def invariants(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Check every invariant of the money; exit 3 where one is broken. Reads only."""
    found = settings("database_url", as_json=json)

    async def check() -> "list[Finding]":
        from kaunta.core.db import connect
        from kaunta.payments.invariants import check_all

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        url = found.direct_url.get_secret_value()
        async with connect(url) as db, db.transaction(isolation="repeatable_read", readonly=True):
            return await check_all(db)

    from kaunta.payments.invariants import Finding

    findings = run(check, as_json=json)
    good = all(finding.ok for finding in findings)
    answer(
        [{"name": f.name, "sentence": f.sentence, "ok": f.ok, "rows": f.rows} for f in findings],
        as_json=json,
        ok=good,
        lines=[f"{'ok    ' if f.ok else 'BROKEN'}  {f.name}: {f.sentence}" for f in findings],
    )
    raise typer.Exit(Exit.OK if good else Exit.FOUND_PROBLEMS)

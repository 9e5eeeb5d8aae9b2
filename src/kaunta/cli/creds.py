"""`kaunta creds`: the bars' Daraja credentials at rest."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, answer, run, settings

if TYPE_CHECKING:
    from kaunta.credentials.reencrypt import RowResult
    from kaunta.settings import Settings

app = typer.Typer(help="Daraja credentials as they are stored.", no_args_is_help=True)


@app.callback()
def creds() -> None:
    """Daraja credentials as they are stored."""


@app.command()
def reencrypt(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Move what the old product encrypted into Kaunta's envelopes, each row verified before its commit.

    Needs KAUNTA_KEYS, and MPESA_KMS_KEY (or MPESA_ENCRYPTION_KEY) as the old product had it. A row that cannot be read
    is named with its cause and left as it is. Exit 4: some are left. 6: the key is missing or another one. 3: a dry run
    with work to do.
    """
    found = settings("database_url", "keys", as_json=json)
    code = run(lambda: go_through(found, dry_run, json), as_json=json)
    raise typer.Exit(code)


async def go_through(found: "Settings", dry_run: bool, as_json: bool) -> Exit:
    results = []
    async with aclosing(rows(found, dry_run)) as stream:
        async for result in stream:
            results.append(result)
            if not as_json:
                print(line(result))
    failed = [result for result in results if result.outcome == "failed"]
    done = len(results) - len(failed)
    code = Exit.OK
    if any(result.key_at_fault for result in failed) and (dry_run or not done):
        code = Exit.CONFIGURATION
    elif results and dry_run:
        code = Exit.FOUND_PROBLEMS
    elif failed:
        code = Exit.PARTLY_DONE
    answer(
        {
            "moved": 0 if dry_run else done,
            "failed": len(failed),
            "dry_run": dry_run,
            "rows": [asdict(result) for result in results],
        },
        as_json=as_json,
        ok=code is Exit.OK,
        lines=[f"{'would move' if dry_run else 'moved'} {done:,} rows, {len(failed):,} cannot be read"],
    )
    return code


async def rows(found: "Settings", dry_run: bool) -> "AsyncGenerator[RowResult, None]":
    from kaunta.core.clock import Clock
    from kaunta.core.db import connect
    from kaunta.core.entropy import Entropy
    from kaunta.core.vault import Keyring
    from kaunta.credentials import reencrypt as work
    from kaunta.credentials.legacy import LegacyKeys

    url = found.database_direct_url or found.database_url
    if url is None or found.keys is None:
        raise RuntimeError("settings() has checked for both")
    keyring = Keyring.parse(found.keys.get_secret_value())
    keys = LegacyKeys.of(
        found.mpesa_kms_key.get_secret_value() if found.mpesa_kms_key else None,
        found.mpesa_encryption_key.get_secret_value() if found.mpesa_encryption_key else None,
    )
    tools = work.Tools(keyring, keys, Entropy(), Clock(), "operator")
    async with connect(url.get_secret_value(), lock_timeout="5s") as db:
        where = await work.read_place(db)
        async with aclosing(work.reencrypt(db, where, tools, dry_run=dry_run)) as stream:
            async for result in stream:
                yield result


def line(result: "RowResult") -> str:
    """A row as people read it."""
    said = f"{result.outcome}: {result.field or 'row'}: {result.error}" if result.error else result.outcome
    return f"{result.table}  {result.credential_id} v{result.version}  {result.environment:<10}  {said}"

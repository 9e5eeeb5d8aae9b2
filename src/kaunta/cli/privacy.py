"""`kaunta privacy`: what a person may ask for under the Data Protection Act. The phone never stands in a command."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, answer, refuse, run, settings

if TYPE_CHECKING:
    from kaunta.core.phone import Msisdn
    from kaunta.core.runtime import Runtime
    from kaunta.settings import Settings

app = typer.Typer(help="What is held on a person: tell it, erase it.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
NEEDS = ("database_url", "keys")


def read_phone(as_json: bool) -> "Msisdn":
    """From the terminal, unseen; else one line of standard input: a command line is remembered by the shell."""
    from kaunta.core.phone import PhoneRefused, parse_msisdn

    if sys.stdin.isatty():
        text = str(typer.prompt("Phone", hide_input=True, err=True))
    else:
        text = sys.stdin.readline().rstrip("\n")
    try:
        return parse_msisdn(text)
    except PhoneRefused:
        refuse(Exit.USAGE, "Send the phone as one line on standard input, like 0712 345 678.", as_json=as_json)


@asynccontextmanager
async def opened(found: "Settings") -> "AsyncIterator[Runtime]":
    from kaunta.core.runtime import running

    async with running(found, listen=False) as rt:
        yield rt


@app.command()
def export(
    masked: Annotated[bool, typer.Option("--masked", help="For whoever only looks: no number, no messages.")] = False,
    json: Json = False,
) -> None:
    """Everything that is held on a phone, asked for or read from standard input, as JSON. Audited."""
    found, phone = settings(*NEEDS, as_json=json), read_phone(json)

    async def work() -> dict[str, object]:
        from kaunta.privacy.telling import tell

        async with opened(found) as rt:
            return await tell(rt, phone, by="operator", whole=not masked)

    told = run(work, as_json=json)

    from json import dumps

    answer(told, as_json=json, lines=[dumps(told, indent=2, ensure_ascii=False, default=str)])


@app.command()
def erase(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and erase nothing.")] = False,
    json: Json = False,
) -> None:
    """Erase a phone, asked for or read from standard input, everywhere and for good; the books stay.

    Exit 9: something of this person's is open; every reason is told.
    """
    found, phone = settings(*NEEDS, as_json=json), read_phone(json)

    async def work() -> dict[str, object]:
        from dataclasses import asdict

        from kaunta.privacy.erasing import erase

        async with opened(found) as rt:
            return asdict(await erase(rt, phone, by="operator", dry_run=dry_run))

    done = run(work, as_json=json)
    counts = ", ".join(f"{done[name]} {name}" for name in ("payments", "receipts", "messages", "lines"))
    first = f"would erase: {counts}" if dry_run else f"erased: {counts} (erasure {done['id']})"
    hint = [] if dry_run else ["Backups made before today still hold it: see docs/explanation/privacy.md."]
    answer({**done, "dry_run": dry_run}, as_json=json, lines=[first], warnings=hint)

"""`kaunta codes`: what a result code of Safaricom's means, offline."""

from typing import Annotated

import typer

from kaunta.cli.output import Exit, answer

app = typer.Typer(help="M-Pesa result codes explained.", no_args_is_help=True)


@app.command()
def explain(
    code: Annotated[str, typer.Argument(help="As in a callback or query, for example 1037.")],
    lang: Annotated[str, typer.Option(help="en or sw")] = "en",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What it means, what to tell the guest, what staff can do. Exit 3 for a code nobody has published."""
    from kaunta.daraja.results import ResultKind
    from kaunta.daraja.results import explain as look_up

    row = look_up(code)
    swahili = lang == "sw"
    guest = row.guest_sw if swahili else row.guest_en
    cause = row.staff_cause_sw if swahili else row.staff_cause
    fix = row.staff_fix_sw if swahili else row.staff_fix
    answer(
        {
            "code": row.code,
            "kind": row.kind.value,
            "class": row.klass.value,
            "money_may_have_moved": row.money_may_have_moved,
            "retry_after": row.retry_after,
            "guest": guest,
            "cause": cause,
            "fix": fix,
            "source": row.source,
        },
        as_json=json,
        ok=row.kind is not ResultKind.UNKNOWN,
        lines=[
            f"{row.code}  {row.klass.value}  ({row.kind.value})",
            f"guest:  {guest}",
            f"cause:  {cause}",
            f"fix:    {fix}",
            f"source: {row.source}",
        ],
    )
    raise typer.Exit(Exit.FOUND_PROBLEMS if row.kind is ResultKind.UNKNOWN else Exit.OK)


@app.command("list")
def list_codes(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Every published code in one line each."""
    from kaunta.daraja.results import ROWS

    answer(
        [{"code": row.code, "kind": row.kind.value, "class": row.klass.value} for row in ROWS],
        as_json=json,
        lines=[f"{row.code:<12}{row.kind.value:<10}{row.klass.value}" for row in ROWS],
    )

"""`kaunta c2b`: where Safaricom posts payments at the till."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kaunta.cli.output import Exit, answer
from kaunta.cli.payment import Desk, at_desk, bar_id_of

if TYPE_CHECKING:
    from kaunta.payments.c2b_addresses import C2bStatus

app = typer.Typer(help="Where Safaricom posts payments at the till.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Bar = Annotated[str, typer.Argument(help="The bar's short name.")]


@app.command()
def register(
    bar: Bar,
    environment: Annotated[str, typer.Option(help="sandbox or production.")] = "sandbox",
    api_version: Annotated[str, typer.Option(help="v2 (masked phones) or v1.")] = "v2",
    response_type: Annotated[
        str, typer.Option(help="What Safaricom does when we do not answer its question: Completed or Cancelled.")
    ] = "Completed",
    shortcode: Annotated[str | None, typer.Option(help="The till instead of the business shortcode.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be registered, and ask nobody.")] = False,
    json: Json = False,
) -> None:
    """Register a bar's shortcode with Safaricom: once in production, as often as needed in the sandbox."""
    if environment not in ("sandbox", "production") or api_version not in ("v1", "v2"):
        raise typer.BadParameter("sandbox or production, v1 or v2")
    if response_type not in ("Completed", "Cancelled"):
        raise typer.BadParameter("Completed or Cancelled")

    async def work(at: Desk) -> "list[C2bStatus]":
        from kaunta.payments import c2b_addresses

        bar_id = await bar_id_of(at, bar)
        if dry_run:
            return [each for each in await c2b_addresses.status(at.rt, bar_id) if each.environment == environment]
        return [
            await c2b_addresses.register(
                at.rt, at.daraja, bar_id, environment, by="operator", version=api_version,  # type: ignore[arg-type]
                response_type=response_type, shortcode=shortcode,  # type: ignore[arg-type]
            )
        ]  # fmt: skip

    found = at_desk(work, as_json=json)
    told(found, json, fails=not dry_run and any(each.state != "registered" for each in found))


@app.command()
def status(bar: Bar, json: Json = False) -> None:
    """How a bar's registrations stand, with the addresses for Safaricom's portal: they hold a secret."""

    async def work(at: Desk) -> "list[C2bStatus]":
        from kaunta.payments import c2b_addresses

        return await c2b_addresses.status(at.rt, await bar_id_of(at, bar))

    told(at_desk(work, as_json=json), json, fails=False)


def told(found: "list[C2bStatus]", as_json: bool, *, fails: bool) -> None:
    lines = []
    for each in found:
        lines.append(f"{each.environment}  {each.shortcode}  {each.state}  {each.api_version}  {each.response_type}")
        if each.error_code:
            lines.append(f"  {each.error_code}: {each.error_message}")
        if each.remedy:
            lines.append(f"  {each.remedy}")
        lines.append(f"  confirmation  {each.confirmation_url or 'cannot be read: another keyring'}")
        lines.append(f"  validation    {each.validation_url or 'cannot be read: another keyring'}")
    data: list[dict[str, Any]] = [shown(each) for each in found]
    answer(data, as_json=as_json, lines=lines or ["nothing is registered"])
    if fails:
        raise typer.Exit(Exit.FOUND_PROBLEMS)


def shown(each: "C2bStatus") -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in asdict(each).items()}

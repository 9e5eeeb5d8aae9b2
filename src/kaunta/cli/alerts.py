"""`kaunta alerts`: what is wrong anywhere in the installation, who is at it, and whether messages get through."""

from typing import Annotated
from uuid import UUID

import typer

from kaunta.cli.output import Exit, answer, refuse, run, settings

app = typer.Typer(help="Alerts of the whole installation.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
#: More than anybody reads at once.
MOST = 500


@app.command("list")
def list_alerts(json: Json = False) -> None:
    """Everything that is open, of every bar and of none, and how far it was told. Exit 3 where there is any."""
    found = settings("database_url", as_json=json)

    async def work() -> "list[Listed]":
        from kaunta.alerts.queries.delivery import everywhere
        from kaunta.core.db import connect

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.direct_url.get_secret_value()) as db:
            return await everywhere(db, MOST)

    from kaunta.alerts.queries.delivery import Listed
    from kaunta.alerts.runbooks import title_of

    rows = run(work, as_json=json)
    lines = ["Nothing is open."] if not rows else []
    for row in rows:
        taken = f"  taken up by {row.acknowledged_by}" if row.acknowledged_by else ""
        sent = f"  told to level {row.told_level}" if row.told_level else ""
        unsent = f"  {row.messages_given_up} messages given up" if row.messages_given_up else ""
        what = f"{row.kind}: {title_of(row.kind)}"
        lines.append(f"{row.id}  {row.severity:<8}  {row.bar_slug or '-':<20}  {what}{taken}{sent}{unsent}")
    answer(
        [
            {
                "id": str(row.id),
                "kind": row.kind,
                "title": title_of(row.kind),
                "severity": row.severity,
                "bar": row.bar_slug,
                "opened_at": row.opened_at.isoformat(),
                "acknowledged_at": row.acknowledged_at.isoformat() if row.acknowledged_at else None,
                "acknowledged_by": row.acknowledged_by,
                "told_level": row.told_level,
                "messages": {
                    "sent": row.messages_sent,
                    "waiting": row.messages_waiting,
                    "given_up": row.messages_given_up,
                },
            }
            for row in rows
        ],
        as_json=json,
        ok=not rows,
        lines=lines,
    )
    raise typer.Exit(Exit.FOUND_PROBLEMS if rows else Exit.OK)


@app.command()
def ack(
    alert: Annotated[UUID, typer.Argument(help="The id that `kaunta alerts list` shows.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """Take an alert up: nobody is reminded of it again. It closes when its cause is gone."""
    found = settings("database_url", as_json=json)

    async def work() -> bool:
        from kaunta.alerts.taking_up import acknowledge_as_operator
        from kaunta.core.clock import Clock
        from kaunta.core.db import connect

        if found.direct_url is None:
            raise RuntimeError("settings() has checked for it")
        async with connect(found.direct_url.get_secret_value()) as db:
            transaction = db.transaction()
            await transaction.start()
            first = await acknowledge_as_operator(db, Clock(), alert)
            await (transaction.rollback() if dry_run else transaction.commit())
            return first

    first = run(work, as_json=json)
    said = ("would take it up" if dry_run else "taken up") if first else "it was taken up already"
    answer({"id": str(alert), "first": first, "dry_run": dry_run}, as_json=json, lines=[said])


@app.command()
def test(
    channel: Annotated[str, typer.Argument(help="email, webhook or sms")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check that the channel is set up.")] = False,
    json: Json = False,
) -> None:
    """Send a test over one channel now. Exit 8 where it was not taken."""
    from kaunta.alert_settings import CHANNELS

    if channel not in CHANNELS:
        refuse(Exit.USAGE, f"Channels are {', '.join(CHANNELS)}.", as_json=json)
    found = settings("database_url", "keys", as_json=json)
    if channel not in found.alert_channels:
        refuse(
            Exit.CONFIGURATION,
            f"The channel {channel} is not set up: `docs/how-to/alerts.md` says which variables it needs.",
            as_json=json,
        )
    if dry_run:
        answer({"channel": channel, "dry_run": True}, as_json=json, lines=[f"would send a test by {channel}"])
        return

    async def work() -> "tuple[UUID, Failed | None]":
        from kaunta.alerts.delivering import try_channel
        from kaunta.core.runtime import running

        async with running(found, listen=False) as rt:
            return await try_channel(rt, channel, by="operator")

    from kaunta.alerts.channels import Failed

    id_, failure = run(work, as_json=json)
    if failure is not None:
        refuse(Exit.UNREACHABLE, f"The test by {channel} was not taken ({failure.reason}).", as_json=json)
    answer({"channel": channel, "id": str(id_)}, as_json=json, lines=[f"sent by {channel}: message {id_}"])

"""`kaunta webhooks`: where a bar's own programs are told what became of its payments, and whether they heard it."""

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from kaunta.cli.output import Exit, answer, refuse
from kaunta.cli.payment import Desk, at_desk, bar_id_of

if TYPE_CHECKING:
    from kaunta.webhooks.delivering import Failed
    from kaunta.webhooks.endpoints import Added
    from kaunta.webhooks.queries.delivery import Message
    from kaunta.webhooks.queries.endpoints import Listed

app = typer.Typer(help="A bar's own programs that are told of its payments.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check, and write or send nothing.")]
Webhook = Annotated[UUID, typer.Argument(help="The id that `kaunta webhooks list` shows.")]
#: More than anybody reads at once.
MOST = 200


@app.command("list")
def list_webhooks(
    bar: Annotated[str | None, typer.Option(help="The bar's short name; all without it.")] = None, json: Json = False
) -> None:
    """The webhooks there are, and how many messages wait, were taken or were given up. Exit 3 where one fails."""

    async def work(at: Desk) -> "list[Listed]":
        from kaunta.webhooks.queries.endpoints import listed

        bar_id = await bar_id_of(at, bar) if bar else None
        async with at.rt.db.acquire() as db:
            return await listed(db, bar_id)

    from kaunta.webhooks.endpoints import shown

    found = at_desk(work, as_json=json)
    lines = ["There are no webhooks."] if not found else []
    for one in found:
        lines.append(
            f"{one.id}  {one.bar_slug:<20}  {shown(one.url)}  {one.delivered} taken, {one.waiting} waiting, "
            f"{one.given_up} given up" + (f", failed {one.failures} times in a row" if one.failures else "")
        )
    fails = any(one.failures or one.given_up for one in found)
    answer(
        [
            {
                "id": str(one.id),
                "bar": one.bar_slug,
                "url": shown(one.url),
                "added_by": one.added_by,
                "created_at": one.created_at.isoformat(),
                "heard_at": one.heard_at.isoformat() if one.heard_at else None,
                "failures": one.failures,
                "messages": {"delivered": one.delivered, "waiting": one.waiting, "given_up": one.given_up},
            }
            for one in found
        ],
        as_json=json,
        ok=not fails,
        lines=lines,
    )
    raise typer.Exit(Exit.FOUND_PROBLEMS if fails else Exit.OK)


@app.command()
def add(
    bar: Annotated[str, typer.Argument(help="The bar's short name.")],
    url: Annotated[str, typer.Argument(help="Where to post to: https, on a public address.")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """A new webhook. Its secret is printed now and never again."""

    async def work(at: Desk) -> "Added":
        from kaunta.webhooks import endpoints

        return await endpoints.add(at.rt, await bar_id_of(at, bar), url, by="operator", commit=not dry_run)

    added = at_desk(work, as_json=json)
    if dry_run:
        answer({"bar": bar, "dry_run": True}, as_json=json, lines=["would add it"])
        return
    secret = added.secret.reveal()
    answer({"id": str(added.id), "bar": bar, "secret": secret}, as_json=json, lines=[f"{added.id}", secret])


@app.command()
def test(webhook: Webhook, dry_run: DryRun = False, json: Json = False) -> None:
    """Send a test now. Exit 8 where it was not taken."""

    async def work(at: Desk) -> "Failed | None":
        from kaunta.webhooks import delivering, endpoints

        if dry_run:
            async with at.rt.db.acquire() as db:
                await endpoints.held(db, webhook)
            return None
        return await delivering.try_endpoint(at.rt, webhook, by="operator")

    failure = at_desk(work, as_json=json)
    if failure is not None:
        refuse(Exit.UNREACHABLE, f"The test was not taken ({failure.reason}).", as_json=json)
    said = "would send a test" if dry_run else "taken"
    answer({"id": str(webhook), "dry_run": dry_run}, as_json=json, lines=[said])


@app.command()
def messages(webhook: Webhook, json: Json = False) -> None:
    """A webhook's newest messages and how each stands."""

    async def work(at: Desk) -> "list[Message]":
        from kaunta.webhooks import endpoints
        from kaunta.webhooks.queries.delivery import of_endpoint

        async with at.rt.db.acquire() as db:
            await endpoints.held(db, webhook)
            return await of_endpoint(db, webhook, MOST)

    found = at_desk(work, as_json=json)
    data: list[dict[str, Any]] = [
        {
            "id": str(one.id),
            "type": one.type,
            "at": one.event_at.isoformat(),
            "state": state_of(one),
            "attempts": one.attempts,
            "error": one.last_error,
        }
        for one in found
    ]
    lines = [
        f"{each['id']}  {each['at']}  {each['type']:<18}  {each['state']}"
        + (f"  {each['error']}" if each["error"] else "")
        for each in data
    ]
    answer(data, as_json=json, lines=lines or ["There are no messages."])


@app.command()
def redeliver(
    webhook: Webhook,
    message: Annotated[UUID | None, typer.Option(help="One message, whatever became of it.")] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Send again what was given up, or one message. The ids stay the same."""

    async def work(at: Desk) -> int:
        from kaunta.webhooks import delivering, endpoints
        from kaunta.webhooks.queries.delivery import of_endpoint

        if not dry_run:
            return await delivering.redeliver(at.rt, webhook, message, by="operator")
        async with at.rt.db.acquire() as db:
            await endpoints.held(db, webhook)
            found = await of_endpoint(db, webhook, 1_000_000)
        return sum(one.given_up_at is not None if message is None else one.id == message for one in found)

    count = at_desk(work, as_json=json)
    said = "would be sent again" if dry_run else "to be sent again"
    answer({"id": str(webhook), "messages": count, "dry_run": dry_run}, as_json=json, lines=[f"{count} {said}"])


@app.command()
def remove(webhook: Webhook, dry_run: DryRun = False, json: Json = False) -> None:
    """Send nothing there any more."""

    async def work(at: Desk) -> None:
        from kaunta.webhooks import endpoints

        if not dry_run:
            await endpoints.remove(at.rt, webhook, by="operator")
            return
        async with at.rt.db.acquire() as db:
            await endpoints.held(db, webhook)

    at_desk(work, as_json=json)
    answer(
        {"id": str(webhook), "dry_run": dry_run}, as_json=json, lines=["would remove it" if dry_run else "removed"]
    )  # fmt: skip


def state_of(message: "Message") -> str:
    """One word for where a message is."""
    if message.delivered_at is not None:
        return "delivered"
    return "given_up" if message.given_up_at is not None else "waiting"

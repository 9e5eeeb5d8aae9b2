"""`kaunta creds set`: the three secrets entered again, by an operator, where a diagnosis asks for it."""

import json as json_text
import sys
from getpass import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, answer, refuse
from kaunta.cli.payment import Desk, at_desk, bar_id_of

if TYPE_CHECKING:
    from kaunta.core.secret import Secret

FIELDS = ("consumer_key", "consumer_secret", "passkey")


def put(
    bar: Annotated[str, typer.Option(help="The bar's short name.")],
    environment: Annotated[str, typer.Option(help="sandbox or production.")] = "sandbox",
    shortcode: Annotated[str | None, typer.Option(help="The business shortcode; as stored where left out.")] = None,
    till: Annotated[str | None, typer.Option(help="The till number; as stored where left out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask Safaricom, and store nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Store a bar's credentials as a new version, once Safaricom has taken them; M-Pesa stays on or off as it is.

    The secrets are asked for at a terminal, or read from standard input: one JSON object with consumer_key,
    consumer_secret and passkey. Exit 9: Safaricom does not take them. 8: it could not be asked.
    """
    if environment not in ("sandbox", "production"):
        raise typer.BadParameter("sandbox or production")
    secrets = typed(json)

    async def work(at: Desk) -> str | None:
        from kaunta.bars.mpesa_settings import Wanted, save_settings
        from kaunta.bars.mpesa_wanted import CredentialsNotAccepted, SafaricomUnreachable, complete, prove, to_prove
        from kaunta.core.db import transaction
        from kaunta.credentials.queries import current_version, lock_credential
        from kaunta.credentials.reencrypt_queries import keep_version

        bar_id = await bar_id_of(at, bar)
        wanted = Wanted(
            enabled=False, environment=environment, business_shortcode=shortcode,  # type: ignore[arg-type]
            till_number=till, store_only=True, **secrets,  # type: ignore[arg-type]
        )  # fmt: skip
        try:
            if not dry_run:
                async with transaction(at.rt.db) as db:
                    # Rows that were brought in from elsewhere may lack their version, by which the next is counted.
                    if (row := await lock_credential(db, bar_id, environment)) is not None:
                        await keep_version(db, row.id)
                await save_settings(at.rt, at.daraja, bar_id, wanted, by="operator")
                return None
            async with at.rt.db.acquire() as db:
                present = await current_version(db, bar_id, environment)
            credential = to_prove(at.rt, complete(at.rt, wanted, present), present)
            if credential is not None:
                await prove(at.daraja, credential)
        except CredentialsNotAccepted as refused:
            refuse(Exit.REFUSED, refused.detail, as_json=json)
        except SafaricomUnreachable as unreachable:
            refuse(Exit.UNREACHABLE, unreachable.detail, as_json=json)
        return None

    at_desk(work, as_json=json)
    says = "Safaricom takes them; nothing was stored" if dry_run else "stored as a new version; Safaricom takes them"
    answer({"bar": bar, "environment": environment, "dry_run": dry_run}, as_json=json, lines=[f"{bar}: {says}"])


def typed(as_json: bool) -> "dict[str, Secret]":
    """The three secrets: never from the command's own words, which others can read."""
    from kaunta.core.secret import Secret

    if sys.stdin.isatty():
        return {name: Secret(getpass(f"{name.replace('_', ' ')}: ")) for name in FIELDS}
    try:
        found = json_text.load(sys.stdin)
        return {name: Secret(str(found[name])) for name in FIELDS}
    except (ValueError, KeyError, TypeError):
        # What was typed may be a secret: nothing of it is repeated.
        refuse(Exit.USAGE, f"Give one JSON object with {', '.join(FIELDS)} on standard input.", as_json=as_json)

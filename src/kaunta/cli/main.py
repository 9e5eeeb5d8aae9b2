"""`kaunta`: the tree of commands. A command imports what it needs when it runs, so that `--help` is instant."""

import sys
from typing import Annotated

import typer

from kaunta import __version__
from kaunta.cli import (
    adopt,
    alerts,
    api_key,
    audit,
    backup,
    bar,
    c2b,
    codes,
    collecting,
    creds,
    creds_set,
    db,
    db_roles,
    demo,
    deploy,
    diagnose,
    env,
    init,
    invariants,
    keys,
    mend,
    payment,
    privacy,
    receipts,
    serve,
    simulator,
    sync,
    table_cards,
    user,
    webhooks,
)

app = typer.Typer(
    name="kaunta",
    help="M-Pesa at the bar counter: payments that are right, provably, within a second.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    # Frames and colours around the help would take half of its time, to be imported.
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("invariants")(invariants.invariants)
app.command("diagnose")(diagnose.diagnose)
app.command("reconcile")(payment.reconcile)
app.add_typer(db.app, name="db")
db.app.command("adopt")(adopt.adopt)
db.app.command("mend")(mend.mend)
db.app.command("roles")(db_roles.roles)
app.add_typer(user.app, name="user")
app.add_typer(bar.app, name="bar")
app.add_typer(c2b.app, name="c2b")
bar.app.command("day")(receipts.day)
bar.app.command("cards")(table_cards.cards)
bar.app.command("new-codes")(table_cards.new_codes)
app.add_typer(deploy.app, name="deploy")
app.add_typer(env.app, name="env")
app.add_typer(keys.app, name="keys")
app.add_typer(backup.app, name="backup")
app.add_typer(creds.app, name="creds")
creds.app.command("set")(creds_set.put)
app.add_typer(payment.app, name="payment")
app.add_typer(privacy.app, name="privacy")
app.add_typer(receipts.app, name="receipts")
app.add_typer(sync.app, name="sync")
app.add_typer(codes.app, name="codes")
app.add_typer(audit.app, name="audit")
app.add_typer(alerts.app, name="alerts")
app.add_typer(api_key.app, name="api-key")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(simulator.app, name="simulator")


def show_version(wanted: bool) -> None:
    if wanted:
        print(f"kaunta {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """M-Pesa at the bar counter: payments that are right, provably, within a second."""


def run() -> None:
    """The entry point; Ctrl-C is 130."""
    collecting.start()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)

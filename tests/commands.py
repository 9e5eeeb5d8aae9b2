"""Every command of `kaunta`, and how somebody would call it; who adds one writes it down here."""

from collections.abc import Iterator
from typing import Any

import typer

from kaunta.cli.main import app

#: Serve until they are stopped; what they write is looked at where they are started.
SERVING = frozenset({"demo", "serve", "simulator serve"})

#: Arguments by command. `{bar}`, `{reference}`, `{receipt}`, `{tab}`, `{problem}` and `{webhook}` are of a bar with a
#: paid payment;
#: `{folder}` is empty and writable, `{statement}`, `{script}` and `{env}` are files in it.
CALLS: dict[str, tuple[str, ...]] = {
    "alerts ack": ("{problem}",),
    "alerts list": (),
    "alerts test": ("webhook",),
    "api-key add": ("{bar}", "the drill's till"),
    "api-key list": (),
    "api-key revoke": ("00000000-0000-4000-8000-000000000000",),
    "audit export": ("--bar", "{bar}"),
    "audit tail": ("--lines", "500"),
    "audit verify": (),
    "backup create": ("--folder", "{folder}/backups"),
    "backup list": ("--folder", "{folder}/backups"),
    "backup prune": ("--folder", "{folder}/backups"),
    "backup restore": ("latest", "--folder", "{folder}/backups", "--dry-run"),
    "backup verify": ("latest", "--folder", "{folder}/backups"),
    "bar add": ("Kwa Wanjiru", "--tables", "2"),
    "bar cards": ("{bar}",),
    "bar day": ("--bar", "{bar}"),
    "bar list": (),
    "bar new-codes": ("{bar}", "--all", "--dry-run"),
    "bar resume": ("{bar}",),
    "bar suspend": ("{bar}", "--reason", "a drill", "--dry-run"),
    "c2b register": ("{bar}",),
    "c2b status": ("{bar}",),
    "codes explain": ("1032",),
    "codes list": (),
    "creds reencrypt": (),
    "creds set": ("--bar", "{bar}", "--shortcode", "174379", "--dry-run"),
    "db adopt": ("--dry-run",),
    "db check": (),
    "db mend": ("--dry-run",),
    "db roles": ("--dry-run",),
    "db status": (),
    "db upgrade": ("--dry-run",),
    "deploy check": (),
    "deploy watch": ("--for", "1s", "--rollback-cmd", "true", "--dry-run"),
    "diagnose": (),
    "env add-key": ("a drill",),
    "env compare": ("{env}", "{env}"),
    "env list": (),
    "env revoke-key": ("a drill",),
    "env template": (),
    "init": ("--dry-run", "--env-file", "{folder}/new.env"),
    "invariants": (),
    "keys export-recovery": ("{folder}/recovery.kaunta",),
    "keys generate": (),
    "keys list": (),
    "keys open-recovery": ("{folder}/recovery.kaunta", "--to", "{folder}/keys.txt"),
    "keys retire": ("test", "--dry-run"),
    "keys rotate": ("--dry-run",),
    "keys verify": (),
    "payment check": ("{reference}",),
    "payment list": ("--bar", "{bar}"),
    "payment resolve": ("{reference}", "--reason", "a drill", "--evidence", "none", "--dry-run"),
    "payment show": ("{reference}",),
    "privacy erase": ("--dry-run",),
    "privacy export": ("--masked",),
    "receipts balance": ("--bar", "{bar}"),
    "receipts check": ("{receipt}", "--bar", "{bar}"),
    "receipts import": ("{statement}", "--bar", "{bar}", "--dry-run"),
    "receipts list": ("--bar", "{bar}"),
    "receipts match": ("{receipt}", "--bar", "{bar}", "--tab", "{tab}", "--reason", "a drill", "--dry-run"),
    "reconcile": (),
    "simulator callback send": ("--for", "{reference}", "--result", "0"),
    "simulator replay": ("{script}",),
    "simulator scenario list": (),
    "simulator scenario run": ("happy",),
    "simulator script check": ("{script}",),
    "simulator script run": ("{script}",),
    "sync check": ("--all",),
    "sync guard install": ("--dry-run",),
    "sync guard remove": ("--dry-run",),
    "sync guard status": (),
    "sync repair": ("--dry-run",),
    "user add": ("newcomer", "--bar", "{bar}", "--role", "waiter", "--dry-run"),
    "user disable": ("newcomer", "--dry-run"),
    "user enable": ("newcomer", "--dry-run"),
    "user list": (),
    "user reset-password": ("newcomer", "--dry-run"),
    "user role": ("newcomer", "--bar", "{bar}", "--role", "manager", "--dry-run"),
    "user totp-reset": ("newcomer", "--dry-run"),
    "webhooks add": ("{bar}", "http://127.0.0.1:9/pos", "--dry-run"),
    "webhooks list": (),
    "webhooks messages": ("{webhook}",),
    "webhooks redeliver": ("{webhook}",),
    "webhooks remove": ("{webhook}", "--dry-run"),
    "webhooks test": ("{webhook}",),
    "worker": ("--one-shot",),
}


def commands() -> Iterator[str]:
    """The commands there are, by the words that call them."""
    yield from of(typer.main.get_command(app), ())


def of(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from of(inner, (*words, name))
    else:
        yield " ".join(words)


def knows_json(name: str) -> bool:
    """Whether a command can say it for programs."""
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    return any("--json" in parameter.opts for parameter in command.params)

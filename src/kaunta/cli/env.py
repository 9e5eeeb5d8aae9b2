"""`kaunta env`: every variable, the file to fill in, and two hosts or files side by side. Never a value."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaunta.cli.output import Exit, answer, refuse, run
from kaunta.cli.payment import Desk, at_desk

if TYPE_CHECKING:
    from kaunta.core.vault import Key
    from kaunta.diagnostics.parity import Comparison, Told

app = typer.Typer(help="The environment: what is set, and whether two hosts have the same.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
HERE = "."


@app.command("list")
def list_variables(json: Json = False) -> None:
    """Every variable: is it needed, is it set, how long, of what characters, and its fingerprint. Exit 3: some are
    missing or wrong."""
    from dataclasses import asdict

    from kaunta.diagnostics.variables import listed
    from kaunta.settings import present

    found = listed(present())
    wrong = [one for one in found if one.wrong or (one.needed and not one.is_set)]
    lines = []
    for one in found:
        mark = "WRONG " if one in wrong else "needed" if one.needed else ""
        lines.append(f"{one.name:<34}{mark:<8}{one.fingerprint or '':<14}{one.wrong or one.shape}")
    answer([asdict(one) for one in found], as_json=json, lines=lines, ok=not wrong)
    raise typer.Exit(Exit.FOUND_PROBLEMS if wrong else Exit.OK)


@app.command()
def template(json: Json = False) -> None:
    """Print an environment file to fill in: every variable with its meaning."""
    from kaunta.diagnostics.variables import template

    text = template()
    answer({"template": text}, as_json=json, lines=[text.rstrip("\n")])


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="An environment file, the address of a live host, or . for this process.")],
    b: Annotated[str, typer.Argument(help="The other.")],
    token_file: Annotated[
        Path | None,
        typer.Option(help="A file with the API key (scope diagnostics) for live hosts: one line, or one a host."),
    ] = None,
    json: Json = False,
) -> None:
    """Same key? Same variables? Between development and production the values may differ, and what is set may not.

    A live host tells fingerprints under its own keys, so values are compared only where both have a key in common.
    Exit 3: they differ where they should not. 6: a host does not take the API key. 8: it cannot be reached.
    """
    tokens = tokens_in(token_file, as_json=json)

    async def work() -> "tuple[Told, Told, Comparison]":
        from kaunta.core.entropy import Entropy
        from kaunta.core.vault import KEY_BYTES, Key
        from kaunta.diagnostics.parity import compare

        # Where both are read here, a key for the occasion tells all values apart.
        shared = Key(b"shared", Entropy().bytes(KEY_BYTES))
        told = [await told_of(name, shared, tokens, as_json=json) for name in (a, b)]
        return told[0], told[1], compare(*told)

    one, two, found = run(work, as_json=json)
    lines = [f"same key: {'yes' if found.same_key else 'no'}   same variables: {len(found.same)}"]
    lines += [
        f"{'expected' if each.expected else 'DIFFERS':<10}{each.variable:<34}{each.what}"
        + (f" ({each.why})" if each.why else "")
        for each in found.differences
    ]
    lines += [f"{'unknown':<10}{name:<34}they have no key in common to compare it by" for name in found.untold]
    data = {
        "a": {"name": one.name, "mode": one.mode, "keys": one.keys},
        "b": {"name": two.name, "mode": two.mode, "keys": two.keys},
        "same_key": found.same_key,
        "same": list(found.same),
        "not_comparable": list(found.untold),
        "differences": [
            {"variable": each.variable, "what": each.what, "expected": each.expected, "why": each.why}
            for each in found.differences
        ],
    }
    answer(data, as_json=json, lines=lines, ok=found.ok)
    raise typer.Exit(Exit.OK if found.ok else Exit.FOUND_PROBLEMS)


@app.command("add-key")
def add_key(
    label: Annotated[str, typer.Argument(help="What it is for, like the other host's name.")], json: Json = False
) -> None:
    """Print a new API key for diagnosis and comparison, of this installation. It is shown once."""

    async def work(at: Desk) -> str:
        from kaunta.access.api_keys import add_api_key
        from kaunta.core.db import transaction

        async with transaction(at.rt.db) as db:
            return await add_api_key(db, at.rt, label, None, ["diagnostics"], by="operator")

    key = at_desk(work, as_json=json)
    answer({"label": label, "key": key}, as_json=json, lines=[key])


@app.command("revoke-key")
def revoke_key(label: Annotated[str, typer.Argument(help="What it was made for.")], json: Json = False) -> None:
    """Make the API keys of a label open nothing any more. Exit 5: there is none."""

    async def work(at: Desk) -> int:
        from kaunta.access.api_keys import revoke_api_keys
        from kaunta.core.db import transaction

        async with transaction(at.rt.db) as db:
            return await revoke_api_keys(db, at.rt, label, by="operator")

    count = at_desk(work, as_json=json)
    if not count:
        refuse(Exit.NOT_FOUND, f"There is no API key {label}.", as_json=json)
    answer({"label": label, "revoked": count}, as_json=json, lines=[f"revoked {count}"])


def tokens_in(path: Path | None, *, as_json: bool) -> list[str]:
    if path is None:
        return []
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        refuse(Exit.NOT_FOUND, "The file of --token-file cannot be read.", as_json=as_json)


async def told_of(name: str, shared: "Key", tokens: list[str], *, as_json: bool) -> "Told":
    """What this process, a file or a live host tells of itself."""
    from kaunta.diagnostics.parity import read_file, tell
    from kaunta.settings import present

    if name == HERE:
        return tell("this process", present(), shared)
    if name.startswith(("http://", "https://")):
        return await told_by_live(name.rstrip("/"), tokens, as_json=as_json)
    return tell(name, read_file(file_of(name, as_json=as_json)), shared)


def file_of(name: str, *, as_json: bool) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        refuse(Exit.NOT_FOUND, f"There is no environment file {name}.", as_json=as_json)


async def told_by_live(url: str, tokens: list[str], *, as_json: bool) -> "Told":
    """A live host's fingerprints; its API key goes over https, or to this machine."""
    import json as json_text

    from kaunta.core.outbound import Answer, Outbound, Timeouts
    from kaunta.diagnostics.parity import told_by_host
    from kaunta.settings import is_plain_http_abroad

    if is_plain_http_abroad(url):
        refuse(Exit.USAGE, f"{url}: an API key is sent by https only.", as_json=as_json)
    if not tokens:
        refuse(Exit.USAGE, "A live host wants an API key: name its file with --token-file.", as_json=as_json)
    # One line a host, in the order they are named; the last serves for the rest.
    token = tokens.pop(0) if len(tokens) > 1 else tokens[0]
    async with Outbound() as outbound:
        said = await outbound.request(
            "GET", f"{url}/api/diagnostics/fingerprints", timeout=Timeouts(5, 15),
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
    if not isinstance(said, Answer):
        refuse(Exit.UNREACHABLE, f"{url} cannot be reached ({said.reason}).", as_json=as_json)
    if said.status in (401, 403):
        refuse(Exit.CONFIGURATION, f"{url} does not take this API key (scope diagnostics).", as_json=as_json)
    try:
        body = json_text.loads(said.body) if said.status == 200 else None
    except ValueError:
        body = None
    return told_by_host(url, body)

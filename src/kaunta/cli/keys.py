"""`kaunta keys`: the keyring."""

from typing import Annotated

import typer

from kaunta.cli.output import answer

app = typer.Typer(help="The keyring that seals credentials and personal data.", no_args_is_help=True)


@app.command()
def generate(
    name: Annotated[str, typer.Option(help="What the key is called inside sealed values.")] = "k1",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print a new keyring entry for KAUNTA_KEYS. Keep it safe: without it nothing opens."""
    from kaunta.cli.output import Exit, refuse
    from kaunta.core.entropy import Entropy
    from kaunta.core.vault import KEY_ID, generate_entry

    if not KEY_ID.fullmatch(name):
        refuse(Exit.USAGE, "A key's name has 1 to 32 letters, digits or _ . -", as_json=json)
    entry = generate_entry(Entropy(), name)
    answer({"entry": entry}, as_json=json, lines=[entry])

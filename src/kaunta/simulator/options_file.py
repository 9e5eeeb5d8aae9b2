"""How a simulator is set up, as a YAML file: the fields of `SimulatorOptions` by their names.

Secrets belong into such a file and never into a command's arguments. Every complaint names the line.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

from kaunta.simulator.choosing import Choice
from kaunta.simulator.options import Initiator, Shortcode, SimulatorOptions
from kaunta.simulator.scripts_reading import Fields, Written, read

BUSINESS = ("number", "passkey", "till", "name", "validates")
OPERATOR = ("name", "password", "roles", "locked")
ROLES = ("status", "reversal", "balance")


def read_options(path: Path, base: SimulatorOptions | None = None) -> SimulatorOptions:
    """`base` with what the file says. Raises OSError and `BadFile`."""
    return options_from(path.read_text(encoding="utf-8"), path.name, base)


def options_from(text: str, source: str, base: SimulatorOptions | None = None) -> SimulatorOptions:
    document = read(text, source)
    base = base or SimulatorOptions()
    given = document.entries("the file", tuple(each.name for each in fields(SimulatorOptions)))
    values: dict[str, object] = {}
    for name, written in given.items():
        match name:
            case "credentials":
                values[name] = secrets(written)
            case "shortcodes":
                values[name] = tuple(business(each) for each in written.members(name))
            case "initiators":
                values[name] = tuple(operator(each) for each in written.members(name))
            case _:
                values[name] = plain(name, written)
    options = replace(base, **values)  # type: ignore[arg-type]
    try:
        Choice(options)
    except ValueError as problem:
        raise given.get("auto", document).wrong(str(problem)) from None
    return options


def plain(name: str, written: Written) -> object:
    """A number, text or switch, as the field's type says."""
    declared = get_type_hints(SimulatorOptions)[name]
    kinds = get_args(declared) or (declared,)
    value = written.value
    if value is None and NoneType in kinds:
        return None
    if bool in kinds:
        return Fields(written, {name: written}).yes(name)
    if float in kinds:
        return float(written.number(name))
    return int(written.number(name)) if int in kinds else written.text(name)


def secrets(written: Written) -> Mapping[str, str]:
    return {key: secret.text(f"the secret of {key}") for key, secret in written.entries("credentials").items()}


def business(written: Written) -> Shortcode:
    given = written.fields("a shortcode", BUSINESS, ("number",))
    return Shortcode(
        given.text("number") or "",
        passkey=given.text("passkey"),
        till=given.text("till"),
        name=given.text("name"),
        validates=given.yes("validates") or False,
    )


def operator(written: Written) -> Initiator:
    given = written.fields("an initiator", OPERATOR, ("name",))
    listed = given.given["roles"].members("roles") if given.has("roles") else []
    roles = frozenset(each.text("a role") for each in listed) if given.has("roles") else frozenset(ROLES)
    if roles - set(ROLES):
        raise given.given["roles"].wrong(f"roles are of {', '.join(ROLES)}")
    return Initiator(given.text("name") or "", given.text("password"), roles, given.yes("locked") or False)

"""Every variable as `kaunta env` shows it, and the file to fill in, made from the declarations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic.fields import FieldInfo

from kaunta.alert_settings import AlertSettings
from kaunta.backup_settings import BackupSettings
from kaunta.core.errors import ConfigurationError
from kaunta.core.vault import Keyring
from kaunta.diagnostics.environment import NEEDED, NEEDED_IN_PRODUCTION, read
from kaunta.diagnostics.parity import is_secret
from kaunta.diagnostics.shapes import fingerprint, shape
from kaunta.settings import SAFARICOM_NETWORKS, Mode, Settings, variable

HEAD = """\
# What Kaunta reads from the environment: copy to .env, fill in, keep it to yourself (mode 0600).
# `kaunta init` writes such a file for you. docs/reference/settings.md says more.
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. `shape`: whether it is set, its length and characters. `fingerprint`: under the key that seals
    here, None without one. `wrong`: what start-up would say of it."""

    name: str
    needed: bool
    secret: bool
    is_set: bool
    shape: str
    fingerprint: str | None
    wrong: str | None
    meaning: str


def fields() -> Iterator[tuple[str, str, FieldInfo]]:
    """Field name, variable and declaration, in the order of the module; the backups' and the alerts' last."""

    def part(name: str) -> int:
        return (name in BackupSettings.model_fields) + 2 * (name in AlertSettings.model_fields)

    for name, declared in sorted(Settings.model_fields.items(), key=lambda item: part(item[0])):
        yield name, variable(name), declared


def listed(given: Mapping[str, str]) -> list[Variable]:
    """Every variable there is, as this host has it."""
    found = read(given)
    wrong = {one.name: one.line for one in found.wrong}
    production = found.settings.mode is Mode.PRODUCTION
    needed = NEEDED + (NEEDED_IN_PRODUCTION if production else ())
    try:
        key = Keyring.parse(given.get("KAUNTA_KEYS", "").strip()).primary
    except ConfigurationError:
        key = None
    told = []
    for name, known_as, declared in fields():
        value = given.get(known_as)
        mark = fingerprint(key, known_as, value.strip()) if key is not None and value else None
        told.append(
            Variable(
                known_as, name in needed, is_secret(name), bool(value), shape(value), mark, wrong.get(known_as),
                declared.description or "",
            )
        )  # fmt: skip
    return told


def default(declared: FieldInfo) -> str:
    """The default as it would be written in the environment; empty where there is none."""
    value = declared.default
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if value == SAFARICOM_NETWORKS:
        return SAFARICOM_NETWORKS
    return str(value.value if isinstance(value, StrEnum) else value)


def template() -> str:
    """The environment file to fill in: what is needed stands open, the rest behind a #."""
    lines = [HEAD]
    for name, known_as, declared in fields():
        to_fill_in = name in (*NEEDED, *NEEDED_IN_PRODUCTION)
        written = Mode.PRODUCTION.value if name == "mode" else "" if to_fill_in else default(declared)
        lines.append(f"# {declared.description}")
        lines.append(f"{'' if to_fill_in else '#'}{known_as}={written}\n")
    return "\n".join(lines)

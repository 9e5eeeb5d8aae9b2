"""The environment as a diagnosis reads it: everything that is missing or wrong, and the rest used all the same.

Start-up reads it once and refuses (settings.load). A diagnosis must go on: one misspelt number is no reason not to
look at the keys.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from kaunta.core.errors import ConfigurationError
from kaunta.credentials.legacy import encryption_key_of, kms_key_of
from kaunta.diagnostics.findings import Category, Finding, Severity
from kaunta.diagnostics.scene import Scene
from kaunta.diagnostics.shapes import shape
from kaunta.settings import (
    CallbackSources,
    Mode,
    Settings,
    describe,
    is_plain_http_abroad,
    present,
    validated,
    variable,
)

#: What no installation runs without.
NEEDED = ("mode", "database_url", "keys")
#: What more is needed in production.
NEEDED_IN_PRODUCTION = ("public_url",)

REMEDIES = {
    "mode": "Set KAUNTA_MODE=production, or development where no real money moves.",
    "database_url": "Set KAUNTA_DATABASE_URL=postgresql://user:password@host/database; on a new host `kaunta init` "
    "prepares a database and writes it down.",
    "keys": "Set KAUNTA_KEYS to the keyring this installation has, from its safe copy or from another host. Only a new "
    "installation, in which nothing is stored yet, takes one from `kaunta keys generate`.",
    "public_url": "Set KAUNTA_PUBLIC_URL to the origin that guests reach, like https://pay.example.co.ke.",
}
FIELDS = {variable(name): name for name in Settings.model_fields}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One variable that is missing or wrong, as start-up says it, without the value."""

    name: str
    line: str

    @property
    def is_missing(self) -> bool:
        return " is not set" in self.line


@dataclass(frozen=True, slots=True)
class Read:
    """The settings of what is right, and what is not."""

    settings: Settings
    wrong: tuple[Wrong, ...]


def given_by(settings: Settings) -> dict[str, str]:
    """The variables that settings were read from, as far as they can be told from them."""
    told = {}
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if value is None:
            continue
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        told[variable(name)] = ",".join(str(one) for one in text) if isinstance(text, tuple) else str(text)
    return told


def read(given: Mapping[str, str]) -> Read:
    """Take what is right, and say of the rest what start-up would say, each variable once."""
    fields = {name: value for name in Settings.model_fields if (value := given.get(variable(name), "").strip())}
    wrong: dict[str, Wrong] = {}
    settings, problems = validated(fields)
    while settings is None:
        named = [line for loc, message in problems for line in describe(loc, message)]
        before = len(fields)
        for line in named:
            name = line.partition(":")[0].partition(" ")[0]
            wrong.setdefault(name, Wrong(name, line))
            fields.pop(FIELDS.get(name, ""), None)
        if len(fields) == before:
            # A rule that only production has, or one over several: what is left is taken one by one.
            settings = one_by_one(fields)
        else:
            settings, problems = validated(fields)
    return Read(settings, tuple(wrong.values()))


def one_by_one(fields: Mapping[str, str]) -> Settings:
    taken: dict[str, str] = {}
    settings = Settings.model_validate(taken)
    for name, value in fields.items():
        longer, _ = validated({**taken, name: value})
        if longer is not None:
            settings, taken = longer, {**taken, name: value}
    if "mode" in fields and "mode" not in taken:
        return settings.model_copy(update={"mode": Mode(fields["mode"])})
    return settings


async def look_at_needed(scene: Scene) -> list[Finding]:
    """Every variable that nothing runs without."""
    found = read(scene.given)
    scene.settings = found.settings
    production = scene.settings.mode is Mode.PRODUCTION
    needed = NEEDED + (NEEDED_IN_PRODUCTION if production else ())
    missing = [name for name in needed if variable(name) not in scene.given]
    for name in missing:
        scene.broken[name] = "env.needed"
    if not missing:
        return [well("env.needed", f"All {len(needed)} variables that are needed are set.")]
    return [
        Finding(
            "env.needed", Category.ENV, Severity.CRITICAL, f"{variable(name)} is not set.{slip(scene.given, name)}",
            REMEDIES[name], variable(name),
        )
        for name in missing
    ]  # fmt: skip


def slip(given: Mapping[str, str], name: str) -> str:
    """A variable that nobody reads and that looks like this one."""
    strangers = [stranger for stranger in given if stranger not in FIELDS]
    near = get_close_matches(variable(name), strangers, 1, 0.85)
    return f" {near[0]} is set, and nothing reads it: a slip of the pen?" if near else ""


async def look_at_values(scene: Scene) -> list[Finding]:
    """Every variable's form, range, and the rules of its mode."""
    found = [one for one in read(scene.given).wrong if not one.is_missing]
    for name, check in (("mpesa_kms_key", kms_key_of), ("mpesa_encryption_key", encryption_key_of)):
        try:
            if text := scene.given.get(variable(name), "").strip():
                check(text)
        except ConfigurationError as refused:
            found.append(Wrong(variable(name), refused.detail))
    findings = []
    for one in found:
        scene.broken[FIELDS.get(one.name, one.name)] = "env.values"
        line = one.line if one.line.endswith(".") else one.line + "."
        findings.append(
            Finding(
                "env.values", Category.ENV, Severity.ERROR, f"{line} It is {shape(scene.given.get(one.name))}.",
                mended(one), one.name,
            )
        )  # fmt: skip
    return findings or [well("env.values", f"{len(scene.given)} variables are set, each in its form.")]


def mended(one: Wrong) -> str:
    rule = one.line.removeprefix(f"{one.name}: ").rstrip(".")
    if "leave it out" in rule:
        return f"Unset {one.name}."
    if field := FIELDS.get(one.name):
        declared = Settings.model_fields[field]
        optional = "" if field in NEEDED + NEEDED_IN_PRODUCTION else f", or unset {one.name} for its default"
        return f"Set {one.name} as it must be: {declared.description} ({rule}){optional}."
    return f"Set {one.name} as it must be: {rule}."


async def look_for_strangers(scene: Scene) -> list[Finding]:
    """Variables of ours that nothing reads: most often a name mistyped."""
    findings = []
    for name in sorted(set(scene.given) - FIELDS.keys()):
        near = get_close_matches(name, FIELDS, 1, 0.8)
        if near and FIELDS[near[0]] in scene.broken:
            continue  # said already, where that one is missed
        meant = f" {near[0]} is one that is read." if near else ""
        remedy = f"Unset {name}" + (f"; set {near[0]} if that was meant." if near else ".")
        detail = f"{name} is set, and nothing reads it.{meant}"
        findings.append(Finding("env.strangers", Category.ENV, Severity.WARNING, detail, remedy, name))
    return findings or [well("env.strangers", "Nothing is set that nobody reads.")]


async def look_at_files(scene: Scene) -> list[Finding]:
    """What variables point to on this host's disk."""
    findings = []
    for environment in ("sandbox", "production"):
        path = scene.settings.certificate(environment)
        name = variable(f"{environment}_certificate")
        if path is not None and not os.access(path, os.R_OK):
            detail = f"{name} names no file that this program may read: refunds and checks of codes do not work."
            remedy = f"Set {name} to Safaricom’s certificate, or unset {name}."
            findings.append(Finding("env.files", Category.ENV, Severity.WARNING, detail, remedy, name))
    if not may_be_written(Path(scene.settings.spool_folder)):
        detail = "KAUNTA_SPOOL_FOLDER is no folder that this program may write to: callbacks that come while the "
        detail += "database is away would be lost."
        remedy = "Set KAUNTA_SPOOL_FOLDER to a folder that this program may write to."
        findings.append(Finding("env.files", Category.ENV, Severity.ERROR, detail, remedy, "KAUNTA_SPOOL_FOLDER"))
    return findings or [well("env.files", "The files and folders that are named can be used.")]


def may_be_written(folder: Path) -> bool:
    """Whether the folder can be written to, or made."""
    for place in (folder.absolute(), *folder.absolute().parents):
        if place.exists():
            return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return False


async def look_at_caution(scene: Scene) -> list[Finding]:
    """What is allowed and not wise where real money moves."""
    findings = []
    production = scene.settings.mode is Mode.PRODUCTION
    if production and scene.settings.callback_sources is CallbackSources.OFF:
        detail = "Nobody looks at where callbacks come from."
        remedy = "Set KAUNTA_CALLBACK_SOURCES=log, or enforce once they are seen to come from Safaricom."
        findings.append(
            Finding("env.caution", Category.ENV, Severity.WARNING, detail, remedy, "KAUNTA_CALLBACK_SOURCES")
        )
    endpoint = scene.settings.backup_s3_endpoint
    if production and endpoint is not None and is_plain_http_abroad(endpoint):
        detail = "The store of the backups is spoken to over http: who listens sees which backups there are."
        remedy = "Set KAUNTA_BACKUP_S3_ENDPOINT to an address with https."
        findings.append(
            Finding("env.caution", Category.ENV, Severity.WARNING, detail, remedy, "KAUNTA_BACKUP_S3_ENDPOINT")
        )
    for name in ("recovery_key", "seal_key"):
        if production and name in Settings.model_fields and variable(name) not in scene.given:
            what = {"recovery_key": "backups cannot be made", "seal_key": "the audit cannot be sealed"}[name]
            detail = f"{variable(name)} is not set: {what}."
            remedy = f"Set {variable(name)}: {Settings.model_fields[name].description}"
            findings.append(Finding("env.caution", Category.ENV, Severity.WARNING, detail, remedy, variable(name)))
    return findings or [well("env.caution", "Nothing is set that is unwise in this mode.")]


def well(check: str, detail: str) -> Finding:
    return Finding(check, Category.ENV, Severity.INFO, detail)


__all__ = ["NEEDED", "given_by", "present", "read"]

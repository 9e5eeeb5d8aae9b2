"""Two hosts, or two files, side by side: have they the same key, and the same variables?

The outage behind this began with a key that one host had and another had not. Nothing that is compared here is a value:
a file's are turned into fingerprints on the spot, a live host tells fingerprints only. Two hosts are compared by a key
that both have; under a key of one's own, fingerprints say nothing to the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import SecretStr

from kaunta.core.errors import BadRequest, ConfigurationError
from kaunta.core.vault import Key, Keyring
from kaunta.diagnostics.shapes import characters, key_print, prints
from kaunta.settings import NAMED_AS_BEFORE, Mode, Settings, present, variable

#: What may differ between two hosts of one installation, and why.
BETWEEN_HOSTS = {
    "database_pool": "each host has connections of its own",
    "spool_folder": "each host has a disk of its own",
    "data_folder": "only the demo uses it",
    "backup_folder": "backups may be made on one host",
    "backup_s3_endpoint": "backups may be made on one host",
    "backup_s3_region": "backups may be made on one host",
    "backup_s3_addressing": "backups may be made on one host",
    "backup_s3_key_id": "backups may be made on one host",
    "backup_s3_secret": "backups may be made on one host",
    "seal_folder": "each host has a disk of its own",
    "postgres_folder": "where they lie is the host’s matter",
    "log_format": "a person reads one host’s, a machine another’s",
}
#: What has to be set in one environment and not in another: whatever else is set must be set in both.
SET_IN_ONE = BETWEEN_HOSTS | {
    "daraja_sandbox_url": "development may speak to the simulator",
    "daraja_production_url": "development may speak to the simulator",
    "clock_factor": "only development may hurry",
    "public_url": "development has a default",
    "sandbox_phones": "sandbox payments are made where one develops",
    "mpesa_kms_key": "the old product’s rows are moved in once",
    "mpesa_encryption_key": "the old product’s rows are moved in once",
    "seal_key": "development need not seal",
    "recovery_key": "development need not back up",
}
KEYS = variable("keys")


@dataclass(frozen=True, slots=True)
class Told:
    """What a host or file tells of itself. `keys`: the fingerprint of each by its name, the first seals. `variables`:
    each that is set, with its length, its characters, and its fingerprint under each key, by the key's own."""

    name: str
    mode: str | None
    keys: Mapping[str, str]
    variables: Mapping[str, Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "keys": dict(self.keys),
            "variables": {k: dict(v) for k, v in self.variables.items()},
        }


def tell(name: str, given: Mapping[str, str], shared: Key | None = None) -> Told:
    """Turn variables into fingerprints; under a `shared` key too, where both sides are told by the same process."""
    try:
        ring = dict(Keyring.parse(given.get(KEYS, "").strip()).keys)
    except ConfigurationError:
        ring = {}
    under = ring if shared is None else {**ring, shared.id: shared}
    told = {
        one: {"length": len(value), "characters": characters(value), "prints": prints(under, one, value.strip())}
        for one, value in sorted(given.items())
    }
    mode = given.get(variable("mode"), "").strip()
    return Told(
        name, mode if mode in set(Mode) else None, {id_.decode(): key_print(key) for id_, key in ring.items()}, told
    )


def told_by_host(name: str, answered: Any) -> Told:
    """What a live host answered. Raises `BadRequest` where that is something else."""
    try:
        mode, keys, variables = answered["mode"], answered["keys"], answered["variables"]
        for one in variables.values():
            if not isinstance(one["prints"], dict):
                raise TypeError
        return Told(name, mode, dict(keys), dict(variables))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise BadRequest(f"{name} answered something that is no host’s fingerprints.") from None


@dataclass(frozen=True, slots=True)
class Difference:
    """One variable, or the key, in which the two differ. `expected`: it may, for the reason in `why`."""

    variable: str
    what: str
    expected: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`same_key`: both seal with the same one. `untold`: set in both, and no key in common to compare them by."""

    same_key: bool
    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    untold: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return all(one.expected for one in self.differences)


def compare(a: Told, b: Told) -> Comparison:
    """Same key? Same variables? Between a development and a production, what is set must be the same, not its value."""
    one_installation = a.mode == b.mode or None in (a.mode, b.mode)
    differences = compare_keys(a, b, one_installation=one_installation)
    same, untold = [], []
    for name in sorted({*a.variables, *b.variables} - {KEYS}):
        here, there = a.variables.get(name), b.variables.get(name)
        if here is None or there is None:
            differences.append(set_in_one(name, a if there is None else b, one_installation=one_installation))
            continue
        common = here["prints"].keys() & there["prints"].keys()
        if not common:
            untold.append(name)
        elif all(here["prints"][key] == there["prints"][key] for key in common):
            same.append(name)
        else:
            differences.append(differs(name, one_installation=one_installation))
    return Comparison(
        sealing(a) is not None and sealing(a) == sealing(b), tuple(differences), tuple(same), tuple(untold)
    )


def sealing(told: Told) -> str | None:
    """The fingerprint of the key that seals."""
    return next(iter(told.keys.values()), None)


def compare_keys(a: Told, b: Told, *, one_installation: bool) -> list[Difference]:
    found = []
    for told in (a, b):
        if not told.keys:
            found.append(Difference(KEYS, f"{told.name} has no keyring", expected=False))
    if found:
        return found
    here, there = {mark: name for name, mark in a.keys.items()}, {mark: name for name, mark in b.keys.items()}
    for mark in sorted(here.keys() & there.keys()):
        if here[mark] != there[mark]:
            what = f"the same key is {here[mark]} at {a.name} and {there[mark]} at {b.name}: neither opens the other’s"
            found.append(Difference(KEYS, what, expected=False))
        elif not one_installation:
            what = f"both have the key {here[mark]}: what is real opens where one develops"
            found.append(Difference(KEYS, what, expected=False))
    for told, other, marks in ((a, b, here.keys() - there.keys()), (b, a, there.keys() - here.keys())):
        for mark in sorted(marks):
            name = next(name for name, one in told.keys.items() if one == mark)
            named = "has another key under that name" if name in other.keys else "has not"
            what = f"{told.name} has the key {name}, which {other.name} {named}"
            why = "" if one_installation else "each environment has keys of its own"
            found.append(Difference(KEYS, what, expected=not one_installation, why=why))
    if not found and sealing(a) != sealing(b):
        found.append(Difference(KEYS, "both have the same keys, and seal with different ones", expected=False))
    return found


def set_in_one(name: str, where: Told, *, one_installation: bool) -> Difference:
    why = (BETWEEN_HOSTS if one_installation else SET_IN_ONE).get(field_of(name), "")
    return Difference(name, f"only {where.name} has it", expected=bool(why), why=why)


def differs(name: str, *, one_installation: bool) -> Difference:
    why = BETWEEN_HOSTS.get(field_of(name), "") if one_installation else "each environment has values of its own"
    return Difference(name, "it is set to different values", expected=bool(why), why=why)


def field_of(name: str) -> str:
    return name.lower() if name.lower() in NAMED_AS_BEFORE else name.removeprefix("KAUNTA_").lower()


def read_file(text: str) -> dict[str, str]:
    """The variables of an environment file: NAME=value a line, quoted or not, as a shell and systemd read it."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name.strip()] = value
    return present(found)


def is_secret(name: str) -> bool:
    """Whether a field of the settings is a secret."""
    annotation = Settings.model_fields[name].annotation
    return annotation is SecretStr or SecretStr in get_args(annotation)

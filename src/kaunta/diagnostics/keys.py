"""The keyring: is it one, does what it seals open again, and is it the one that the stored rows need?

A missing or wrong key is told by the envelopes themselves, which name their key and carry a check value of it: nothing
has to be opened for it, and no damage to a row can look like a wrong key.
"""

from collections import Counter
from collections.abc import Mapping

from kaunta.core.db import Connection
from kaunta.core.errors import ConfigurationError
from kaunta.core.vault import (
    DIGEST_BYTES,
    KEY_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    Keyring,
    VaultError,
    context,
    open_sealed,
    seal,
)
from kaunta.diagnostics import queries
from kaunta.diagnostics.envelopes import Fault, Sealer, key_fault, renamed, sealer
from kaunta.diagnostics.environment import REMEDIES, Wrong
from kaunta.diagnostics.findings import Category, Finding, Severity
from kaunta.diagnostics.scene import Scene
from kaunta.diagnostics.shapes import key_print, shape
from kaunta.settings import Mode

#: The keys that are written like a keyring and are none.
OTHERS = ("KAUNTA_RECOVERY_KEY", "KAUNTA_SEAL_KEY")
#: Under the same name and of one deviating value only: a byte that changed in one row, which that row's check tells.
A_ROWS_OWN = 1


async def look_at_form(scene: Scene) -> list[Finding]:
    """Whether KAUNTA_KEYS is a keyring. Gives `keyring`."""
    text = scene.given["KAUNTA_KEYS"]
    try:
        scene.keyring = Keyring.parse(text.strip())
    except ConfigurationError as error:
        detail = f"{error.detail} It is {shape(text)}."
        return [Finding("keys.form", Category.KEY, Severity.CRITICAL, detail, REMEDIES["keys"], "KAUNTA_KEYS")]
    names = ", ".join(name.decode() for name in scene.keyring.keys)
    marks = ", ".join(f"{name.decode()} {key_print(key)}" for name, key in scene.keyring.keys.items())
    detail = f"Keys {names}, each of {KEY_BYTES} bytes; the first seals. Fingerprints: {marks}."
    return [Finding("keys.form", Category.KEY, Severity.INFO, detail)]


def other_faults(given: Mapping[str, str]) -> list[Wrong]:
    """What is wrong with the keys beside the keyring, which are written like it: of backups, of the audit's seal."""
    found = []
    for name in OTHERS:
        try:
            if text := given.get(name, "").strip():
                Keyring.parse(text)
        except ConfigurationError as error:
            found.append(Wrong(name, error.detail.replace("KAUNTA_KEYS", name)))
    return found


def in_the_keyring(given: Mapping[str, str]) -> list[Wrong]:
    """Which of them stand in the keyring as well."""
    held = materials(given.get("KAUNTA_KEYS", ""))
    same = [name for name in OTHERS if materials(given.get(name, "")) & held]
    return [
        Wrong(name, f"{name}: the same key stands in KAUNTA_KEYS; who has one must not have both.") for name in same
    ]


def materials(text: str) -> set[bytes]:
    try:
        return {key.material for key in Keyring.parse(text.strip()).keys.values()}
    except ConfigurationError:
        return set()


async def look_at_others(scene: Scene) -> list[Finding]:
    """Whether the backups' key and the seal's are keys, and keys of their own."""
    findings = []
    production = scene.settings.mode is Mode.PRODUCTION
    for found, severity in (
        (other_faults(scene.given), Severity.ERROR),
        (in_the_keyring(scene.given), Severity.ERROR if production else Severity.WARNING),
    ):
        for one in found:
            detail = f"{one.line} It is {shape(scene.given.get(one.name))}."
            remedy = f"Set {one.name} to the key it had, from its safe copy; `kaunta keys generate` prints a new one."
            findings.append(Finding("keys.others", Category.KEY, severity, detail, remedy, one.name))
    if findings:
        return findings
    those = [name for name in OTHERS if scene.given.get(name, "").strip()]
    detail = f"{' and '.join(those)}: a key of its own." if those else "Neither backups nor seals have a key here."
    return [Finding("keys.others", Category.KEY, Severity.INFO, detail)]


async def look_at_round_trip(scene: Scene) -> list[Finding]:
    """Each key seals something now and opens it again, and nothing opens in another place."""
    failed = []
    here, elsewhere = context("diagnosis", "here"), context("diagnosis", "elsewhere")
    for key in scene.ring.keys.values():
        probe = scene.entropy.bytes(32)
        blob = seal(key, probe, here, scene.entropy)
        try:
            good = open_sealed({key.id: key}, blob, here) == probe
        except VaultError:
            good = False
        try:
            open_sealed({key.id: key}, blob, elsewhere)
            good = False
        except VaultError:
            pass
        if not good:
            failed.append(key.id.decode())
    if failed:
        detail = f"AES-256-GCM does not work here: what {', '.join(failed)} sealed does not open as it must."
        remedy = "Install Kaunta’s dependencies anew (`make setup`), and run `kaunta diagnose keys` again."
        return [Finding("keys.round_trip", Category.ALGORITHM, Severity.CRITICAL, detail, remedy)]
    count = len(scene.ring.keys)
    detail = f"What each of {count} keys seals opens again, and nowhere else."
    return [Finding("keys.round_trip", Category.ALGORITHM, Severity.INFO, detail)]


async def needed(db: Connection) -> Counter[Sealer]:
    """With which keys how many stored values were sealed."""
    found: Counter[Sealer] = Counter()
    for header in await queries.sealed_headers(db):
        if (one := sealer(header.header + bytes(NONCE_BYTES + DIGEST_BYTES + TAG_BYTES))) is not None:
            found[one] += header.count
    return found


def lacking(found: Counter[Sealer], ring: Keyring) -> list[Finding]:
    """What the keyring lacks of it."""
    opened = any(key_fault(one, ring.keys) is None for one in found)
    findings = []
    for one, count in found.most_common():
        fault = key_fault(one, ring.keys)
        if fault is None or fault is Fault.DAMAGED or (count <= A_ROWS_OWN and opened):
            continue
        findings.append(missing(ring, one, count, fault, alone=not opened))
    return findings


async def look_at_needed(scene: Scene) -> list[Finding]:
    """Whether the keyring has every key that a stored row was sealed with."""
    found = await needed(scene.connection)
    if findings := lacking(found, scene.ring):
        return findings
    total = sum(found.values())
    detail = f"{total} stored values were sealed with keys that are here." if total else "Nothing is stored yet."
    return [Finding("keys.needed", Category.KEY, Severity.INFO, detail)]


async def nothing_opens(db: Connection, ring: Keyring) -> list[Finding]:
    """What start-up refuses: everything that is stored was sealed with other keys. One bar's row that lacks its key
    is no reason not to serve the others."""
    found = await needed(db)
    some = any(key_fault(one, ring.keys) is None for one in found)
    return [] if some else lacking(found, ring)


def missing(ring: Keyring, found: Sealer, count: int, fault: Fault, *, alone: bool) -> Finding:
    name = found.name.decode("ascii", "replace")
    values = f"{count} stored value{'' if count == 1 else 's'}"
    other = renamed(found, ring.keys)
    if fault is Fault.RENAMED_KEY and other is not None:
        detail = f"{values} need the key {name}. KAUNTA_KEYS has that very key under the name {other.decode()}."
        remedy = f"Set KAUNTA_KEYS with that entry’s name written {name} instead of {other.decode()}; the key is right."
    elif fault is Fault.WRONG_KEY:
        detail = f"{values} were sealed with another key than the {name} that KAUNTA_KEYS has here."
        remedy = f"Set KAUNTA_KEYS to the keyring that has the {name} of this installation, from its safe copy or from "
        remedy += "another host; `kaunta env compare` tells whether two hosts have the same."
    else:
        detail = f"{values} were sealed with the key {name}, which KAUNTA_KEYS has not."
        remedy = f"Set KAUNTA_KEYS with the entry {name} added behind the others, from the safe copy or from another "
        remedy += "host; a key is left out only after `kaunta keys retire`."
    if alone:
        detail += " Nothing that is stored opens with the keys that are here: it is the key, not the data."
    return Finding("keys.needed", Category.KEY, Severity.CRITICAL, detail, remedy, name)

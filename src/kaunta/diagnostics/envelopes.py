"""What is wrong with a sealed value: the form it is in, its key, its bytes, its place, or what is inside.

The outage behind this was blamed on the key while the form was at fault, so the form is looked at first, and the key is
blamed only by its own check value. Pure functions: the stored bytes and the keys come in as arguments.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kaunta.core.vault import (
    CHECK_BYTES,
    MAGIC,
    VERSION,
    Damaged,
    Key,
    Keyring,
    Moved,
    NotAnEnvelope,
    Truncated,
    UnknownKey,
    VaultError,
    WrongKey,
    key_id,
)
from kaunta.credentials import legacy
from kaunta.credentials.store import NOT_A_SECRET


class Fault(StrEnum):
    """What is wrong with a sealed value; the value completes "The consumer key …"."""

    EMPTY = "is empty: nothing is stored"
    PLACEHOLDER = "is a mask or an example, never a secret that was sealed"
    HEX = "is an envelope written out as hex text: its form is wrong, not the key"
    BASE64 = "is an envelope written out as base64: its form is wrong, not the key"
    JSON = "is an envelope wrapped in JSON: its form is wrong, not the key"
    UNRECOVERABLE = "was written by the old product in a way that nobody can read"
    FOREIGN = "is in no form that is known: its form is wrong, not the key"
    TRUNCATED = "begins like an envelope and ends too early"
    #: After the forms that nothing reads: a row that has one of those is not mended by a key.
    LEGACY = "is in a form of the old product’s"
    NEWER = "is an envelope of another version than this program knows"
    UNKNOWN_KEY = "was sealed with a key that KAUNTA_KEYS has not"
    WRONG_KEY = "was sealed with another key than the one that KAUNTA_KEYS has under that name"
    RENAMED_KEY = "was sealed with a key that KAUNTA_KEYS has under another name"
    DAMAGED = "is damaged: its bytes have changed, or some are missing"
    MOVED = "is whole and was sealed for another place: another bar, environment, field or version"
    NOT_PLAUSIBLE = "opens, and what is inside is a mask, an example or nothing printable"


FORM = frozenset(
    {
        Fault.EMPTY, Fault.PLACEHOLDER, Fault.HEX, Fault.BASE64, Fault.JSON, Fault.LEGACY, Fault.UNRECOVERABLE,
        Fault.FOREIGN, Fault.TRUNCATED,
    }
)  # fmt: skip
KEY = frozenset({Fault.UNKNOWN_KEY, Fault.WRONG_KEY, Fault.RENAMED_KEY})


@dataclass(frozen=True, slots=True)
class Sealer:
    """Which key an envelope says it was sealed with: its name, and the check value of it."""

    name: bytes
    check: bytes


def sealer(blob: bytes) -> Sealer | None:
    """None where the value is no whole envelope."""
    try:
        name = key_id(blob)
    except VaultError:
        return None
    start = len(MAGIC) + 2 + len(name)
    return Sealer(name, blob[start : start + CHECK_BYTES])


def key_fault(found: Sealer, keys: Mapping[bytes, Key]) -> Fault | None:
    """Whether a key at hand is the one; a right key under a wrong name is told by trying each under that name."""
    held = keys.get(found.name)
    if held is not None and held.check == found.check:
        return None
    if renamed(found, keys) is not None:
        return Fault.RENAMED_KEY
    if any(key.check == found.check for key in keys.values()):
        # The check value is that of another key under its own name: not the key, the name's bytes have changed.
        return Fault.DAMAGED
    return Fault.UNKNOWN_KEY if held is None else Fault.WRONG_KEY


def renamed(found: Sealer, keys: Mapping[bytes, Key]) -> bytes | None:
    """The name under which the right key is at hand, where it is another one."""
    if not 1 <= len(found.name) <= 32:
        return None
    for name, key in keys.items():
        if name != found.name and Key(found.name, key.material).check == found.check:
            return name
    return None


def form_fault(blob: bytes) -> Fault | None:
    """What is wrong with the form of a stored value; None for an envelope that is long enough to be one."""
    if not blob:
        return Fault.EMPTY
    try:
        key_id(blob)
    except Truncated:
        return Fault.TRUNCATED
    except NotAnEnvelope:
        return Fault.NEWER if blob.startswith(MAGIC) and blob[len(MAGIC)] != VERSION else unknown_form(blob)
    return None


def unknown_form(blob: bytes) -> Fault:
    text = blob.decode("utf-8", "replace").strip()
    if holds_envelope(unhexed(text)):
        return Fault.HEX
    if holds_envelope(unjsoned(text)):
        return Fault.JSON
    if holds_envelope(unbased(text)):
        return Fault.BASE64
    # After the wrappings, also the old product's: to the rule for placeholders whatever stands in braces is one.
    if not wrapped(blob) and legacy.is_placeholder(text):
        return Fault.PLACEHOLDER
    try:
        legacy.recognise(blob)
    except legacy.Placeholder:
        return Fault.PLACEHOLDER
    except legacy.Unrecoverable:
        return Fault.UNRECOVERABLE
    except legacy.LegacyError:
        return Fault.FOREIGN
    return Fault.LEGACY


def wrapped(blob: bytes) -> bool:
    """Whether it is bytes written out as the old product did, whatever they are."""
    try:
        return legacy.unwrapped(blob) != blob
    except legacy.LegacyError:
        return False


def holds_envelope(inside: bytes) -> bool:
    return inside.startswith(MAGIC)


def unhexed(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("\\x"))
    except ValueError:
        return b""


def unjsoned(text: str) -> bytes:
    """The bytes in the JSON of a Buffer, or in a JSON string of hex or base64."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return b""
    numbers = found.get("data") if isinstance(found, dict) else found
    if isinstance(numbers, str):
        return unhexed(numbers) or unbased(numbers)
    if not isinstance(numbers, list) or not all(type(number) is int and 0 <= number <= 255 for number in numbers):
        return b""
    return bytes(numbers)


def unbased(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def fault_of(blob: bytes, aad: bytes, keyring: Keyring) -> Fault | None:
    """What is wrong with a sealed value that belongs at `aad`; None where it opens to something plausible."""
    if (form := form_fault(blob)) is not None:
        return form
    found = sealer(blob)
    if found is not None and (key := key_fault(found, keyring.keys)) is not None:
        return key
    try:
        plain = keyring.open(blob, aad)
    except (UnknownKey, WrongKey, Damaged):
        return Fault.DAMAGED
    except Moved:
        return Fault.MOVED
    return None if is_plausible(plain) else Fault.NOT_PLAUSIBLE


def is_plausible(plain: bytes) -> bool:
    """Whether it could be a secret that Daraja gave: as loose as storing is (credentials.store)."""
    try:
        text = plain.decode("ascii")
    except UnicodeDecodeError:
        return False
    return 3 <= len(text) <= 1_000 and text.isprintable() and not NOT_A_SECRET.fullmatch(text)

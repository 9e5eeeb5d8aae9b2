"""What may be told of a value: that it is there, how long it is, of what characters, and a keyed fingerprint.

A fingerprint tells whether two hosts have the same value and nothing else: who has not the key cannot try values
against it, so it is taken only where there is a keyring.
"""

import hmac
from collections.abc import Mapping

from kaunta.core.vault import Key, context

PRINT_BYTES = 6

CLASSES = (
    ("letters", str.isalpha),
    ("digits", str.isdigit),
    ("spaces", str.isspace),
)


def characters(value: str) -> str:
    """The classes of a value's characters, in words."""
    found = [name for name, is_one in CLASSES if any(is_one(character) for character in value)]
    if any(not (character.isalnum() or character.isspace()) for character in value):
        found.append("signs" if value.isascii() else "signs beyond ASCII")
    return ", ".join(found) or "nothing"


def shape(value: str | None) -> str:
    """A value as it may be spoken of."""
    if value is None or not value.strip():
        return "not set"
    return f"set, {len(value)} characters: {characters(value)}"


def fingerprint(key: Key, name: str, value: str) -> str:
    """12 hex digits of a keyed hash of a variable's value."""
    own = hmac.digest(key.material, b"kaunta fingerprints", "sha256")
    return hmac.digest(own, context(name, value), "sha256")[:PRINT_BYTES].hex()


def key_print(key: Key) -> str:
    """12 hex digits that tell one key from another, whatever its name."""
    return hmac.digest(key.material, b"kaunta key fingerprint", "sha256")[:PRINT_BYTES].hex()


def prints(keys: Mapping[bytes, Key], name: str, value: str) -> dict[str, str]:
    """A value's fingerprint under each key, by the key's own: two hosts compare by a key that both have."""
    return {key_print(key): fingerprint(key, name, value) for key in keys.values()}

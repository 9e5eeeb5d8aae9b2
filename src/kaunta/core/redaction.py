"""The last net before a text leaves the house or is kept for years: no whole phone number and no secret in it.

It strikes long numbers and long tokens out of any text, wherever they came from. What people type as a reason passes it
on its way into the audit; a support bundle passes it on its way out.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

STRUCK = "•••"
UUID_SHAPE = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
#: Our ids, moments as Daraja writes them (20261121153900, EAT) and its 29115-34620561-1: no phone looks like these.
HARMLESS = re.compile(
    rf"{UUID_SHAPE}|20[2-9]\d(0[1-9]|1[0-2])[0-3]\d[0-2]\d[0-5]\d[0-5]\d|\d{{5}}-\d{{8}}-\d", re.ASCII
)
#: Nine digits or more, however they are spaced: a phone, an account, an id that holds one.
LONG_NUMBER = re.compile(r"\d(?:[\W_]{0,3}\d){8,}")
#: A key, a token, a passkey: a long word with a digit in it, or one that no language has.
TOKEN = re.compile(r"(?=[A-Za-z+/=_\-.~]*\d)[A-Za-z0-9+/=_\-.~]{16,}|[A-Za-z0-9+/=_\-.~]{40,}")
#: Fields of a detail that people write themselves.
TYPED = frozenset({"reason", "evidence", "note", "why"})


def without_secrets(text: str) -> str:
    """A text without whole phone numbers and without anything as long as a token."""
    if HARMLESS.fullmatch(text) or is_moment(text):
        return text
    return LONG_NUMBER.sub(STRUCK, TOKEN.sub(STRUCK, text))


def is_moment(text: str) -> bool:
    """Whether a text is nothing but a moment, as we write them."""
    try:
        return len(text) >= 19 and text[10] == "T" and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def harmless(value: Any) -> Any:
    """A value as JSON knows them, with every text in it (names of fields too) made harmless."""
    match value:
        case None | bool():
            return value
        case int():
            # A number that could be a phone is none of our amounts.
            return value if abs(value) < 10**8 else STRUCK
        case float():
            return value if abs(value) < 10**8 else STRUCK
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return {without_secrets(str(name)): harmless(inner) for name, inner in value.items()}
        case list() | tuple():
            return [harmless(inner) for inner in value]
        case bytes():
            return STRUCK
        case _:
            return without_secrets(str(value))


def typed(detail: Mapping[str, Any]) -> dict[str, Any]:
    """A detail whose fields that people write are without phones and secrets."""
    return {
        name: without_secrets(value) if name in TYPED and isinstance(value, str) else value
        for name, value in detail.items()
    }

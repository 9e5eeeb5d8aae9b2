"""The arithmetic of the audit's seals: what is sealed, and with what; no database and no clock.

A row's digest binds the row to its place in the chain of its kind and month, so that a changed, moved or swapped row is
found by itself, whatever became of its neighbours. A batch's MAC covers every digest in it and the MAC of the batch
before, so that nothing can be taken out of the middle. Both need KAUNTA_SEAL_KEY, which the database does not have.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from kaunta.core.errors import ConfigurationError
from kaunta.core.vault import Key, Keyring, KeyringError, context

#: What stands before the first batch.
BEGINNING = bytes(32)


class Kind(StrEnum):
    """The three tables that make up the audit."""

    PAYMENT = "payment"
    REFUND = "refund"
    AUDIT = "audit"


class SealKeyError(ConfigurationError):
    """KAUNTA_SEAL_KEY is not what the chain was sealed with. Set the key, or add the old one behind the new."""

    code = "seal_key"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the audit as it is sealed. `told`: its fields as PostgreSQL writes a JSON array; `keep`: how long."""

    kind: Kind
    id: int
    at: datetime
    keep: str
    told: str

    @property
    def month(self) -> date:
        return month_of(self.at)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A digest in its place; it stays when its row is forgotten."""

    place: int
    id: int
    at: datetime
    keep: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch says of itself. `key_check` tells a wrong key from a changed batch."""

    number: int
    kind: Kind
    month: date
    first: int
    last: int
    sealed_at: datetime
    key_id: str
    key_check: bytes


def month_of(at: datetime) -> date:
    """The month a row belongs to, by UTC as its partition does."""
    return at.astimezone(UTC).date().replace(day=1)


def keys_from(text: str) -> Keyring:
    """The seal's keys, as KAUNTA_SEAL_KEY gives them: `name:base64 of 32 bytes[,older ones]`, the first seals.

    Raises `SealKeyError`, never with a value.
    """
    try:
        return Keyring.parse(text)
    except KeyringError as error:
        raise SealKeyError(error.detail.replace("KAUNTA_KEYS", "KAUNTA_SEAL_KEY")) from None


def key_of(keys: Mapping[bytes, Key], batch: Batch) -> Key | None:
    """The key a batch was sealed with; None where it is not among these. Raises `SealKeyError` for another key of its
    name."""
    key = keys.get(batch.key_id.encode())
    if key is not None and not hmac.compare_digest(key.check, batch.key_check):
        raise SealKeyError(f"KAUNTA_SEAL_KEY: another key than this stood under the name {batch.key_id}.")
    return key


def digest(key: Key, row: Row, place: int) -> bytes:
    """The keyed digest of a row in its place."""
    about = context("audit row", row.kind, row.month.isoformat(), place, row.id, row.at.astimezone(UTC).isoformat())
    # The fields come last: they may be longer than a length of `context`.
    return hmac.digest(key.material, about + context(row.keep) + row.told.encode(), "sha256")


def mac(key: Key, batch: Batch, before: bytes, rows: Iterable[Sealed]) -> bytes:
    """The MAC of a batch, chained to the MAC of the one before it."""
    content = hashlib.sha256()
    for row in rows:
        content.update(context(row.place, row.id, row.at.astimezone(UTC).isoformat(), row.keep) + row.digest)
    about = context(
        "audit batch", batch.number, batch.kind, batch.month.isoformat(), batch.first, batch.last,
        batch.sealed_at.astimezone(UTC).isoformat(), batch.key_id,
    )  # fmt: skip
    return hmac.digest(key.material, about + before + content.digest(), "sha256")

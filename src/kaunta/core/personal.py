"""Personal data at rest: phones, Daraja's ids (they contain the phone) and raw callback bodies.

They are encrypted under data keys, one a bar and month, which are themselves wrapped under the keyring: rotating
the keyring re-wraps a few rows, and destroying one row makes a bar's month unreadable for good. Look-ups go by a
keyed hash under the index key, so that a stolen copy of the tables cannot be searched by trying every number.

Keys are made before the use case's transaction begins, never inside it: a key used by others must not vanish with
somebody's rollback.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from kaunta.core import queries
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, Pool
from kaunta.core.entropy import Entropy
from kaunta.core.vault import Key, Keyring, UnknownKey, context, key_id, open_sealed, seal


class KeyDestroyed(UnknownKey):
    """The data key was destroyed, and with it what it protected: by retention or at a person's request."""

    code = "data_key_destroyed"


@dataclass(slots=True)
class PersonalKeys:
    """Data keys and the index key of one installation, cached for the life of the process."""

    db: Pool
    keyring: Keyring
    entropy: Entropy
    clock: Clock
    by_id: dict[bytes, Key] = field(default_factory=dict, repr=False)
    by_month: dict[tuple[UUID | None, date], Key] = field(default_factory=dict, repr=False)
    index_key: bytes = field(default=b"", repr=False)

    async def load(self) -> None:
        """Fetch (or, in a new installation, make) the index key. Call once at start."""
        self.index_key = (await self.find_or_make("index", None, None)).material

    def at_hand(self, bar_id: UUID | None) -> Key | None:
        """This month's key of a bar (None: what no bar owns yet), where this process has needed it before."""
        return self.by_month.get((bar_id, month_of(self.clock.now())))

    async def current(self, bar_id: UUID | None) -> Key:
        """The same key, found or made where it is not at hand. Takes its own connection: call it outside."""
        key = self.at_hand(bar_id)
        if key is None:
            month = month_of(self.clock.now())
            key = self.by_month[bar_id, month] = await self.find_or_make("personal", bar_id, month)
        return key

    async def find_or_make(self, purpose: str, bar_id: UUID | None, month: date | None) -> Key:
        async with self.db.acquire() as connection:
            fresh = self.entropy.uuid()
            wrapped = self.keyring.seal(self.entropy.bytes(32), wrapping(fresh), self.entropy)
            row = await queries.find_or_make_data_key(
                connection, fresh, purpose, bar_id, month, wrapped, self.clock.now()
            )
        return self.unwrap(row.id, row.wrapped)

    def unwrap(self, id_: UUID, wrapped: bytes | None) -> Key:
        if wrapped is None:
            raise KeyDestroyed
        key = Key(id_.bytes, self.keyring.open(wrapped, wrapping(id_)))
        self.by_id[key.id] = key
        return key

    def seal(self, key: Key, purpose: str, plaintext: bytes) -> bytes:
        """`plaintext` under a data key; `purpose` names the field and is needed again to open it."""
        return seal(key, plaintext, place(purpose), self.entropy)

    async def open(self, connection: Connection, purpose: str, blob: bytes) -> bytes:
        """What `seal` was given; raises a `VaultError`, or `KeyDestroyed` where it was erased."""
        name = key_id(blob)
        if name not in self.by_id and name in await self.fetch(connection, {name}):
            raise KeyDestroyed
        return open_sealed(self.by_id, blob, place(purpose))

    def has_key_of(self, blob: bytes) -> bool:
        """Whether the key of an envelope is at hand: `open_at_hand` then needs no connection."""
        return key_id(blob) in self.by_id

    def open_at_hand(self, purpose: str, blob: bytes) -> bytes:
        """`open` with the keys at hand; raises a `VaultError`."""
        return open_sealed(self.by_id, blob, place(purpose))

    async def open_many(self, connection: Connection, purpose: str, blobs: Mapping[UUID, bytes]) -> dict[UUID, bytes]:
        """`open` for a page of rows, with one look-up for all missing keys; what was erased is left out."""
        await self.fetch(connection, {key_id(blob) for blob in blobs.values()} - self.by_id.keys())
        aad = place(purpose)
        return {row: open_sealed(self.by_id, blob, aad) for row, blob in blobs.items() if key_id(blob) in self.by_id}

    async def fetch(self, connection: Connection, names: set[bytes]) -> set[bytes]:
        """Read keys by their names; the names of those that were destroyed."""
        ids = [UUID(bytes=name) for name in names if len(name) == 16]
        rows = await queries.data_keys(connection, ids) if ids else []
        for row in rows:
            if row.wrapped is not None:
                self.unwrap(row.id, row.wrapped)
        return {row.id.bytes for row in rows if row.wrapped is None}

    def index(self, purpose: str, text: str) -> bytes:
        """The keyed hash a phone or id is found by: 32 bytes."""
        if not self.index_key:
            raise RuntimeError("PersonalKeys.load() has not been called")
        return hmac.digest(self.index_key, context("index", purpose, text), "sha256")


@lru_cache(maxsize=64)
def place(purpose: str) -> bytes:
    """Where a field of this name belongs, for its envelope. `purpose` is one of a few names of ours."""
    return context("personal", purpose)


def wrapping(id_: UUID) -> bytes:
    return context("data-key", id_.hex)


def month_of(moment: datetime) -> date:
    return moment.date().replace(day=1)

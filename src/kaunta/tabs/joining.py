"""A second phone joins a tab: by the code on the first phone, by that phone's link, or because staff say the code.

Four digits are easy to say and easy to guess, so wrong ones are counted: a phone that missed often has to wait a
little, and at a table where anybody missed often the code grows to eight digits, which the first phone shows at
once. So a stranger's guesses cost a friend four more digits, and never the table its tab.
"""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries
from kaunta.tabs.errors import JoinNeedsMore, JoinRefused, JoinTooOften, TabClosed, TabNotFound
from kaunta.tabs.values import Table

#: Wrong codes of one phone in ten minutes before it has to wait.
PER_DEVICE, DEVICE_SECONDS = 5, 600.0
#: Wrong codes at one table in an hour before four digits no longer open its tabs.
PER_TABLE, TABLE_SECONDS = 10, 3_600.0
SHORT, LONG = 4, 8


@dataclass(frozen=True, slots=True)
class Joined:
    tab_id: UUID
    tab_ref: str


def long_code(ref: str, join_code: str) -> str:
    """The tab's eight digits: its four, and four that follow from its secret reference."""
    digest = hashlib.sha256(f"join:{ref}".encode()).digest()
    return f"{join_code}{int.from_bytes(digest[:4]) % 10_000:04}"


def digits_of(typed: str) -> str | None:
    """A code as people type it (`48 21`): four or eight digits, or None."""
    digits = typed[:32].replace(" ", "").replace("-", "")
    return digits if digits.isascii() and digits.isdigit() and len(digits) in (SHORT, LONG) else None


async def guessed_at(db: Connection, rt: Runtime, table_id: UUID | None) -> bool:
    """Whether so many wrong codes were typed at a table lately that its tabs ask for eight digits."""
    if table_id is None:
        return False
    missed = await queries.missed_joins(db, table_id, b"", rt.clock.before(TABLE_SECONDS), rt.clock.now())
    return missed.at_table >= PER_TABLE


async def join_by_code(rt: Runtime, table: Table, device_hash: bytes, typed: str) -> Joined:
    """Tie a device to the open tab whose code it knows: one of the table's, or one that staff opened without a table.

    Raises `JoinRefused`, `JoinNeedsMore`, `JoinTooOften`.
    """
    code = digits_of(typed)
    if code is None:
        raise JoinRefused
    async with transaction(rt.db) as db:
        await queries.lock_table(db, table.id)
        missed = await queries.missed_joins(
            db, table.id, device_hash, rt.clock.before(TABLE_SECONDS), rt.clock.before(DEVICE_SECONDS)
        )
        if missed.by_device >= PER_DEVICE and missed.first is not None:
            raise JoinTooOften(retryAfter=max(1, round(DEVICE_SECONDS - rt.clock.elapsed(missed.first))))
        if len(code) == SHORT and missed.at_table >= PER_TABLE:
            # Said to right and wrong codes alike, so it is no answer to a guess.
            raise JoinNeedsMore
        tabs = await queries.tabs_to_join(db, table.bar_id, table.id)
        found = next(
            (tab for tab in tabs if hmac.compare_digest(long_code(tab.ref, tab.join_code)[: len(code)], code)), None
        )
        await queries.record_join(db, table.bar_id, table.id, device_hash, found is not None, rt.clock.now())
        if found is not None:
            await queries.join_device(db, device_hash, found.id, table.bar_id, rt.clock.now())
    if found is None:
        # The first phones learn at once when their code has grown.
        rt.live.hint(*(f"tab:{tab.id}" for tab in tabs))
        raise JoinRefused
    rt.live.hint(f"tab:{found.id}")
    return Joined(found.id, found.ref)


async def join_by_ref(rt: Runtime, ref: str, device_hash: bytes) -> Joined:
    """Tie a device to the tab whose secret reference it was given. Raises `TabNotFound`, `TabClosed`."""
    async with transaction(rt.db) as db:
        tab_id = await queries.tab_id_by_ref(db, ref)
        row = await queries.lock_tab(db, tab_id) if tab_id else None
        if row is None:
            raise TabNotFound
        if row.status == "closed":
            raise TabClosed
        await queries.join_device(db, device_hash, row.id, row.bar_id, rt.clock.now())
    return Joined(row.id, row.ref)

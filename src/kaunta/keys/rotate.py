"""Sealing everything under the primary key, while payments go on.

A few rows a transaction: held, opened, sealed anew, written where they have not changed, read back, opened again and
compared, and only then committed. Whoever is killed in between leaves rows under the old key or the new, both of which
the keyring opens; the next run goes on where there is something to do. Nothing is ever deleted.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, one_row
from kaunta.core.entropy import Entropy
from kaunta.core.vault import Keyring, VaultError, key_id
from kaunta.keys import queries, sealed_rows
from kaunta.keys.sealed import REGISTRY, SealedTable
from kaunta.keys.sealed_rows import Need, SealedRow

ROWS_A_PAGE = 500
#: Somebody holds a row for longer than the connection's lock timeout: how often to come back.
TRIES = 5
IN_THE_WAY = (
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.SerializationError,
)


class NotProved(Exception):
    """What was written did not read back as what was meant; the transaction is rolled back."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A sealed value that does not open: where, and what is wrong with it."""

    row: str
    column: str
    code: str
    error: str


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of some rows of a table: how many are sealed anew, and what could not be."""

    table: str
    rows: int
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Tools:
    """What rows are sealed with. `by`: who asked for it, for the audit log."""

    keyring: Keyring
    entropy: Entropy
    clock: Clock
    by: str


async def all_needs(db: Connection) -> list[Need]:
    """How many rows of each table need each key."""
    return [need for table in REGISTRY for need in await sealed_rows.needs(db, table)]


async def verify(db: Connection, keyring: Keyring) -> AsyncGenerator[Turned, None]:
    """Open every sealed value there is, a page in memory at a time; a result a page."""
    for table in REGISTRY:
        after: tuple[Any, ...] | None = None
        while rows := await sealed_rows.page(db, table, after, ROWS_A_PAGE):
            found = [(row, faults_of(row, keyring)) for row in rows]
            bad = tuple(fault for _, faults in found for fault in faults)
            yield Turned(table.name, sum(1 for _, faults in found if not faults), bad)
            after = rows[-1].key


def faults_of(row: SealedRow, keyring: Keyring) -> list[Fault]:
    found = []
    for column, blob, place in row.sealed():
        try:
            keyring.open(blob, place)
        except VaultError as error:
            found.append(Fault(row.name, column, error.code, error.detail))
    return found


async def rotate(db: Connection, tools: Tools, *, batch: int = 20) -> AsyncGenerator[Turned, None]:
    """Seal anew whatever is not under the primary key; a result a batch, committed when it is yielded."""
    primary = tools.keyring.primary.id.decode()
    for table in REGISTRY:
        after: tuple[Any, ...] | None = None
        while rows := await sealed_rows.page(db, table, after, batch, but_under=primary):
            yield await turned(db, table, rows, tools)
            after = rows[-1].key


async def turned(db: Connection, table: SealedTable, rows: Sequence[SealedRow], tools: Tools) -> Turned:
    """One batch, tried again where somebody is in the way."""
    for left in reversed(range(TRIES)):
        try:
            return await turn(db, table, rows, tools)
        except IN_THE_WAY:
            if not left:
                return Turned(
                    table.name, 0, tuple(Fault(row.name, "", "busy", "Somebody held this row.") for row in rows)
                )
    raise AssertionError("unreachable")


async def turn(db: Connection, table: SealedTable, seen: Sequence[SealedRow], tools: Tools) -> Turned:
    """One batch in one transaction."""
    primary, moved, faults = tools.keyring.primary.id, list[SealedRow](), list[Fault]()
    async with db.transaction(isolation="read_committed"):
        if table.bar is not None:
            await queries.lock_bars(db, sorted({row.columns[table.bar] for row in seen}))
        for row in await sealed_rows.held(db, table, [row.key for row in seen]):
            bad = faults_of(row, tools.keyring)
            if bad:
                faults += bad
                continue
            blobs = {
                column: tools.keyring.seal(tools.keyring.open(blob, place), place, tools.entropy)
                for column, blob, place in row.sealed()
                if key_id(blob) != primary
            }
            if blobs:
                one_row(await sealed_rows.replace(db, row, blobs), "sealing anew")
                await prove(db, row, tools.keyring)
                moved.append(row)
        if moved:
            under = {key_id(blob).decode() for row in moved for _, blob, _ in row.sealed()}
            await audit(
                db, tools.clock, tools.by, "keys.rotated", "key", primary.decode(), table=table.name, rows=len(moved),
                before=sorted(under - {primary.decode()}),
            )  # fmt: skip
    return Turned(table.name, len(moved), tuple(faults))


async def prove(db: Connection, before: SealedRow, keyring: Keyring) -> None:
    """Open what is stored now and compare it with what was there. Raises `NotProved`."""
    (after,) = await sealed_rows.held(db, before.table, [before.key])
    for column, old in before.blobs.items():
        new = after.blobs[column]
        try:
            same = (old is None and new is None) or (
                old is not None
                and new is not None
                and keyring.open(new, after.place(column)) == keyring.open(old, before.place(column))
            )
        except VaultError:
            same = False
        if not same:
            raise NotProved(f"{before.name}: {column} does not read back as what was there")

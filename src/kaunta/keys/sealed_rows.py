"""The SQL of sealed columns, composed from the registry's fixed names and nothing else; tests run it on every table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.vault import MAGIC
from kaunta.keys.sealed import SealedTable

#: What an envelope begins with, as SQL writes it.
BEGINS = f"'\\x{MAGIC.hex()}'::bytea"
#: Who needs no key: its value is no envelope of ours.
NO_ENVELOPE = ""


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One row: its primary key, what its places are made of, its sealed values by column (None: empty)."""

    table: SealedTable
    key: tuple[Any, ...]
    columns: Mapping[str, Any]
    blobs: Mapping[str, bytes | None]

    @property
    def id(self) -> UUID:
        """The row's first key column."""
        first: UUID = self.key[0]
        return first

    @property
    def name(self) -> str:
        """The row as people read it: table and key."""
        return f"{self.table.name} {' v'.join(str(part) for part in self.key)}"

    def place(self, column: str) -> bytes:
        return self.table.columns[column](self.columns)

    def sealed(self) -> list[tuple[str, bytes, bytes]]:
        """Column, envelope and place of every sealed value."""
        return [(column, blob, self.place(column)) for column, blob in self.blobs.items() if blob is not None]


@dataclass(frozen=True, slots=True)
class Need:
    """How many rows of a table need a key; `key_id` empty: their value is no envelope of ours."""

    table: str
    key_id: str
    rows: int


def key_id_of(column: str) -> str:
    """An expression for the key id that an envelope names."""
    return (
        f"case when substring(t.{column} for 4) = {BEGINS} and length(t.{column}) > 6 "
        f"then encode(substring(t.{column} from 7 for get_byte(t.{column}, 5)), 'escape') else '{NO_ENVELOPE}' end"
    )


def selected(table: SealedTable, relation: str) -> str:
    names = dict.fromkeys((*table.key, *table.read, *table.columns))
    return f"select {', '.join(f't.{name}' for name in names)} from {relation} t"


def row_of(table: SealedTable, found: Any) -> SealedRow:
    return SealedRow(
        table,
        tuple(found[name] for name in table.key),
        {name: found[name] for name in table.read},
        {name: found[name] for name in table.columns},
    )


async def needs(db: Connection, table: SealedTable, relation: str | None = None) -> list[Need]:
    """Rows by the key they need; a row whose columns need two counts for both."""
    blobs = ", ".join(f"(t.{name}, {key_id_of(name)})" for name in table.columns)
    sql = f"""
        select v.key_id, count(distinct ({", ".join(f"t.{name}" for name in table.key)})) as rows
        from {relation or table.name} t cross join lateral (values {blobs}) v (blob, key_id)
        where v.blob is not null group by v.key_id order by v.key_id
    """
    return [Need(table.name, row["key_id"], row["rows"]) for row in await db.fetch(sql)]


async def page(
    db: Connection,
    table: SealedTable,
    after: tuple[Any, ...] | None,
    limit: int,
    *,
    but_under: str | None = None,
    relation: str | None = None,
) -> list[SealedRow]:
    """Rows with anything sealed, in the order of their keys; `but_under`: only those with a value under another key."""
    wanted = " or ".join(
        f"(t.{name} is not null{f' and {key_id_of(name)} <> ${len(table.key) + 2}' if but_under is not None else ''})"
        for name in table.columns
    )
    keys = ", ".join(f"t.{name}" for name in table.key)
    casts = ("uuid", "int")
    begins = ", ".join(f"${number}::{cast}" for number, cast in zip(range(1, len(table.key) + 1), casts, strict=False))
    sql = f"""
        {selected(table, relation or table.name)}
        where ($1::uuid is null or ({keys}) > ({begins})) and ({wanted})
        order by {keys} limit ${len(table.key) + 1}
    """
    given = after if after is not None else (None,) * len(table.key)
    more = () if but_under is None else (but_under,)
    return [row_of(table, found) for found in await db.fetch(sql, *given, limit, *more)]


async def held(
    db: Connection, table: SealedTable, keys: Iterable[tuple[Any, ...]], *, relation: str | None = None
) -> list[SealedRow]:
    """Rows as they are now, in the order of their keys, held against other writers until the transaction ends."""
    wanted = list(keys)
    columns: Sequence[list[Any]] = [list(column) for column in zip(*wanted, strict=True)]
    casts = ("uuid[]", "int[]")
    arrays = ", ".join(f"${number}::{cast}" for number, cast in zip(range(1, len(columns) + 1), casts, strict=False))
    names = ", ".join(f"t.{name}" for name in table.key)
    sql = f"""
        {selected(table, relation or table.name)}
        where ({names}) in (select * from unnest({arrays})) order by {names} for no key update of t
    """
    return [row_of(table, found) for found in await db.fetch(sql, *columns)]


async def replace(db: Connection, row: SealedRow, blobs: Mapping[str, bytes], *, relation: str | None = None) -> str:
    """Write sealed values in the place of those that were read; nothing where they have changed since."""
    table, first = row.table, len(row.key)
    assigned = ", ".join(f"{name} = ${first + 1 + 2 * number}" for number, name in enumerate(blobs))
    unchanged = " and ".join(
        f"t.{name} is not distinct from ${first + 2 + 2 * number}" for number, name in enumerate(blobs)
    )
    named = " and ".join(f"t.{name} = ${number}" for number, name in enumerate(table.key, start=1))
    values = [value for name, blob in blobs.items() for value in (blob, row.blobs[name])]
    sql = f"update {relation or table.name} t set {assigned} where {named} and {unchanged}"
    return await db.execute(sql, *row.key, *values)

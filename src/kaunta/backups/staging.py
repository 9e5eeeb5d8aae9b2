"""A backup's rows in a scratch schema, proved there before anything that counts is touched.

The scratch schema is PostgreSQL's temporary one: nobody else sees it, and it is gone with the session, however that
ends. Every sealed value is opened, with the keyring of today or the one inside the backup, sealed under today's primary
key where today's keyring would not open it, and read back. What does not open is taken out and named.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kaunta.backups.archive import Reader
from kaunta.backups.create import KEYRING, SOURCES, Tools
from kaunta.backups.manifest import BackupDamaged
from kaunta.core.db import Connection, one_row
from kaunta.core.errors import Conflict
from kaunta.core.vault import Keyring, VaultError
from kaunta.keys import sealed_rows
from kaunta.keys.rotate import ROWS_A_PAGE, Fault, NotProved, faults_of
from kaunta.keys.sealed import BY_NAME, REGISTRY, SealedTable
from kaunta.keys.sealed_rows import SealedRow

ROWS_AT_ONCE = 500


class NotCredentials(Conflict):
    """This is a backup of the whole database: it is brought back as such."""

    code = "not_credentials"


@dataclass(frozen=True, slots=True)
class Staged:
    """A backup in the scratch schema. `columns`: those that the backup has, by table."""

    columns: dict[str, tuple[str, ...]]
    faults: tuple[Fault, ...]


def relation(table: str) -> str:
    """A table's copy in the scratch schema."""
    return f"restored_{table}"


async def stage(db: Connection, reader: Reader, tools: Tools) -> Staged:
    """Load and prove. Raises `BackupDamaged`, `NotCredentials`."""
    if reader.header.kind != "credentials":
        raise NotCredentials
    reader.check()
    for table, source in SOURCES.items():
        await make(db, table, source)
    columns = await load(db, reader)
    inside = Keyring.parse(b"".join(reader.part(KEYRING)).decode())
    faults: list[Fault] = []
    for sealed in REGISTRY:
        faults += await prove(db, sealed, inside, tools)
    return Staged(columns, tuple(faults))


async def make(db: Connection, table: str, source: str) -> None:
    """An empty copy: a second backup in the same session takes the first one's place."""
    drop = f"drop table if exists pg_temp.{relation(table)}"
    create = f"create temporary table {relation(table)} as select * from {source} t limit 0"
    key = ", ".join(BY_NAME[table].key if table in BY_NAME else ("id",))
    for sql in (drop, create, f"alter table {relation(table)} add primary key ({key})"):
        await db.execute(sql)


async def load(db: Connection, reader: Reader) -> dict[str, tuple[str, ...]]:
    """The backup's rows, as typed as the tables they belong to; the columns they have."""
    columns: dict[str, tuple[str, ...]] = {}
    waiting: list[dict[str, Any]] = []
    of = ""
    for table, row in reader.rows():
        if table != of or len(waiting) >= ROWS_AT_ONCE:
            await insert(db, of, waiting)
            waiting, of = [], table
        if table not in SOURCES:
            raise BackupDamaged(f"This backup has rows of {table}, which this version does not know.")
        columns.setdefault(table, tuple(row))
        waiting.append(row)
    await insert(db, of, waiting)
    return columns


async def insert(db: Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        name = relation(table)
        sql = f"insert into {name} select * from jsonb_populate_recordset(null::{name}, $1::text::jsonb)"
        await db.execute(sql, json.dumps(rows))


async def prove(db: Connection, table: SealedTable, inside: Keyring, tools: Tools) -> list[Fault]:
    """Every sealed value of a table opens with today's keyring, or its row is taken out."""
    faults: list[Fault] = []
    after: tuple[Any, ...] | None = None
    copy = relation(table.name)
    while rows := await sealed_rows.page(db, table, after, ROWS_A_PAGE, relation=copy):
        for row in rows:
            if bad := await made_ours(db, row, inside, tools, copy):
                faults += bad
                await take_out(db, row)
        after = rows[-1].key
    return faults


async def made_ours(db: Connection, row: SealedRow, inside: Keyring, tools: Tools, copy: str) -> list[Fault]:
    """Seal a row's values anew where today's keyring would not open them; what is wrong with it."""
    ours: dict[str, bytes] = {}
    for column, blob, place in row.sealed():
        try:
            tools.keyring.open(blob, place)
            continue
        except VaultError as error:
            today = Fault(row.name, column, error.code, error.detail)
        try:
            ours[column] = tools.keyring.seal(inside.open(blob, place), place, tools.entropy)
        except VaultError:
            return [today]
    if not ours:
        return []
    one_row(await sealed_rows.replace(db, row, ours, relation=copy), "sealing anew")
    (written,) = await sealed_rows.held(db, row.table, [row.key], relation=copy)
    if faults_of(written, tools.keyring):
        raise NotProved(f"{row.name} does not read back")
    return []


async def take_out(db: Connection, row: SealedRow) -> None:
    named = " and ".join(f"{name} = ${number}" for number, name in enumerate(row.table.key, start=1))
    sql = f"delete from {relation(row.table.name)} where {named}"
    await db.execute(sql, *row.key)

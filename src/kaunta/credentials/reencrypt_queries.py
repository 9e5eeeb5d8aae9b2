"""Re-encryption's SQL, for our own tables and for the old product's, which has neither versions nor our audit log.

Which table a row is in and which columns are there chooses among fixed texts; nothing else is composed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.vault import MAGIC

NEVER_BEFORE = UUID(int=0)
#: The name a secret is sealed under, and its column; the last is not everywhere.
FIELDS = {
    "consumer_key": "consumer_key_enc",
    "consumer_secret": "consumer_secret_enc",
    "passkey": "passkey_enc",
    "security_credential": "security_credential_enc",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table with sealed columns: what its columns are called, and which fields it has."""

    name: str
    id: str
    version: str
    bar: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row as stored, locked or not. `blobs` by field; None where the field is empty."""

    credential_id: UUID
    version: int
    bar_id: UUID
    environment: str
    blobs: dict[str, bytes | None]


async def columns(db: Connection, table: str) -> dict[str, str]:
    """Type by name of a table's columns; empty where there is no such table."""
    rows = await db.fetch(
        """
        select a.attname::text as name, format_type(a.atttypid, null) as type from pg_attribute a
        where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
        """,
        table,
    )
    return {row["name"]: row["type"] for row in rows}


async def rows_hidden(db: Connection) -> bool:
    """Whether row-level security would hide rows from this login."""
    return bool(await db.fetchval("select row_security_active('mpesa_credentials')"))


def selected(table: Table) -> str:
    blobs = ", ".join(f"t.{FIELDS[field]} as {field}" for field in table.fields)
    return (
        f"select t.{table.id} as credential_id, {table.version} as version, t.{table.bar} as bar_id, t.environment, "
        f"{blobs} from {table.name} t"
    )


def stored(table: Table, row: Any) -> StoredRow:
    return StoredRow(
        row["credential_id"], row["version"], row["bar_id"], row["environment"],
        {field: row[field] for field in table.fields},
    )  # fmt: skip


async def page(db: Connection, table: Table, after: tuple[UUID, int], limit: int) -> list[StoredRow]:
    """Rows with anything that is no envelope of ours, in the order of their keys."""
    legacy = " or ".join(f"substring(t.{FIELDS[field]} for 4) <> $3" for field in table.fields)
    sql = f"""
        {selected(table)} where (t.{table.id}, {table.version}) > ($1::uuid, $2::int) and ({legacy})
        order by t.{table.id}, {table.version} limit $4
    """
    return [stored(table, row) for row in await db.fetch(sql, *after, MAGIC, limit)]


async def lock_bar(db: Connection, bar_id: UUID) -> None:
    """The bar's row first, as everywhere."""
    await db.execute("select from bars where id = $1 for no key update", bar_id)


async def locked(db: Connection, table: Table, credential_id: UUID, version: int) -> StoredRow | None:
    """A row, held until the transaction ends."""
    sql = f"{selected(table)} where t.{table.id} = $1 and {table.version} = $2::int for update"
    row = await db.fetchrow(sql, credential_id, version)
    return stored(table, row) if row else None


async def replace(db: Connection, table: Table, row: StoredRow, blobs: Sequence[bytes | None]) -> str:
    """Write a row's blobs, in the order of the table's fields; the command tag tells how many rows."""
    assignments = ", ".join(f"{FIELDS[field]} = ${number}" for number, field in enumerate(table.fields, start=3))
    sql = f"update {table.name} t set {assignments} where t.{table.id} = $1 and {table.version} = $2::int"
    return await db.execute(sql, row.credential_id, row.version, *blobs)


async def keep_version(db: Connection, credential_id: UUID) -> None:
    """The present version beside the others, where an import brought only the row: payments are queried with it."""
    await db.execute(
        """
        insert into mpesa_credential_versions (credential_id, version, bar_id, environment, business_shortcode,
                                               till_number, consumer_key_enc, consumer_secret_enc, passkey_enc)
        select id, version, tenant_id, environment, business_shortcode, till_number, consumer_key_enc,
               consumer_secret_enc, passkey_enc
        from mpesa_credentials where id = $1
        on conflict do nothing
        """,
        credential_id,
    )


async def key_has_opened(db: Connection, fingerprint: str) -> bool:
    """Whether an earlier run read rows with the key of this fingerprint."""
    return bool(
        await db.fetchval(
            """
            select exists (select from audit_events
                           where action = 'credentials.reencrypted' and detail -> 'legacy_keys' ? $1)
            """,
            fingerprint,
        )
    )

"""Re-encryption's SQL, for our own tables and for the old product's, which has neither versions nor our audit log.

Which table a row is in and which columns are there chooses among fixed texts; nothing else is composed.
"""

from collections.abc import Mapping
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
#: The same in `bars`, where the old product kept them before and after it had a table for them.
FIELDS_OF_BARS = {
    "consumer_key": "mpesa_consumer_key_encrypted",
    "consumer_secret": "mpesa_consumer_secret_encrypted",
    "passkey": "mpesa_passkey_encrypted",
}
TEXT = frozenset({"text", "character varying"})


@dataclass(frozen=True, slots=True)
class Column:
    """A sealed column. `is_text`: bytes stand in it as `\\x` and hex digits, which is how that column held them."""

    name: str
    is_text: bool

    @property
    def holds_legacy(self) -> str:
        """A condition; $3 is how an envelope of ours begins."""
        if self.is_text:
            return f"(t.{self.name} <> '' and substring(t.{self.name} for 10) <> '\\x' || encode($3::bytea, 'hex'))"
        return f"substring(t.{self.name} for 4) <> $3"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with sealed columns: what its columns are called, and which fields it has."""

    name: str
    id: str
    version: str
    bar: str
    environment: str
    columns: dict[str, Column]


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row as stored, locked or not. `blobs` by field; None where the field is empty."""

    credential_id: UUID
    version: int
    bar_id: UUID
    environment: str
    blobs: dict[str, bytes | str | None]


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


async def rows_hidden(db: Connection, table: str) -> bool:
    """Whether row-level security would hide rows from this login."""
    return bool(await db.fetchval("select row_security_active($1::text)", table))


def selected(table: Table) -> str:
    blobs = ", ".join(f"t.{column.name} as {field}" for field, column in table.columns.items())
    return (
        f"select t.{table.id} as credential_id, {table.version} as version, t.{table.bar} as bar_id, "
        f"{table.environment} as environment, {blobs} from {table.name} t"
    )


def stored(table: Table, row: Any) -> StoredRow:
    return StoredRow(
        row["credential_id"], row["version"], row["bar_id"], row["environment"],
        {field: blob_in(row[field]) for field in table.columns},
    )  # fmt: skip


def blob_in(value: bytes | str | None) -> bytes | str | None:
    """An envelope of ours that stands in a text column, as bytes; anything else as it stands, and "" as nothing."""
    if isinstance(value, str) and value.startswith("\\x" + MAGIC.hex()):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            return value
    return value or None


async def page(db: Connection, table: Table, after: tuple[UUID, int], limit: int) -> list[StoredRow]:
    """Rows with anything that is no envelope of ours, in the order of their keys."""
    legacy = " or ".join(column.holds_legacy for column in table.columns.values())
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


async def replace(db: Connection, table: Table, row: StoredRow, envelopes: Mapping[str, bytes]) -> str:
    """Write envelopes by field, and leave the other fields alone; the command tag tells how many rows."""
    columns = [table.columns[field] for field in envelopes]
    assignments = ", ".join(f"{column.name} = ${number}" for number, column in enumerate(columns, start=3))
    values = [
        "\\x" + blob.hex() if column.is_text else blob for column, blob in zip(columns, envelopes.values(), strict=True)
    ]
    sql = f"update {table.name} t set {assignments} where t.{table.id} = $1 and {table.version} = $2::int"
    return await db.execute(sql, row.credential_id, row.version, *values)


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

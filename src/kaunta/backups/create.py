"""Making a backup: everything of one moment, into a new file, read back to its end before it counts.

`credentials`: the bars and all that the keyring seals, with the keyring itself, so that the recovery key alone brings
them back. `whole`: the database as pg_dump writes it, and the keyring.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from kaunta.backups import queries, whole
from kaunta.backups.archive import Reader, Writer
from kaunta.backups.manifest import BackupDamaged, Header
from kaunta.backups.place import Found, Place, name_of
from kaunta.backups.queries import BackupRow
from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.entropy import Entropy
from kaunta.core.vault import Keyring
from kaunta.keys.recovery import written
from kaunta.keys.rotate import all_needs

#: The part that holds the keyring, and the one that pg_dump wrote.
KEYRING, DATABASE = "keyring", "database"
#: What a table's rows are taken from. Of people only what the keyring seals.
SOURCES = {
    "bars": "bars",
    "mpesa_credentials": "mpesa_credentials",
    "mpesa_credential_versions": "mpesa_credential_versions",
    "mpesa_initiators": "mpesa_initiators",
    "c2b_addresses": "c2b_addresses",
    "webhook_endpoints": "webhook_endpoints",
    "data_keys": "data_keys",
    "staff_accounts": "(select id, totp_secret_enc from staff_accounts where totp_secret_enc is not null)",
}
ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Tools:
    """What backups are made and read with. `by`: who asked for it; `programs`: where the operator says pg_dump is."""

    keyring: Keyring
    recovery: Keyring
    entropy: Entropy
    clock: Clock
    by: str
    programs: Path | None = None


async def create(
    db: Connection, tools: Tools, place: Place, *, kind: str, reason: str, url: str | None = None
) -> BackupRow:
    """A backup of this moment, written, kept, read back and noted; `url`: where pg_dump finds the database of a whole
    one.

    Raises what the place raises, `PostgresMissing`, `DumpFailed`.
    """
    header = Header(tools.entropy.uuid(), kind, reason, tools.clock.now(), tools.by)
    with place.draft(header) as draft:
        async with db.transaction(isolation="repeatable_read", readonly=True):
            made = await write(db, tools, header, draft.file, url)
        # The moment is let go before it is handed over, which may take its time.
        await asyncio.to_thread(draft.keep)
    return await prove(db, tools, made, Found(place, name_of(header), header, made.size))


async def create_within(db: Connection, tools: Tools, place: Place) -> BackupRow:
    """A credentials backup inside the caller's transaction, which holds what it is about to change."""
    header = Header(tools.entropy.uuid(), "credentials", "safety", tools.clock.now(), tools.by)
    with place.draft(header) as draft:
        made = await write(db, tools, header, draft.file, None)
        await asyncio.to_thread(draft.keep)
    return await prove(db, tools, made, Found(place, name_of(header), header, made.size))


async def write(db: Connection, tools: Tools, header: Header, file: IO[bytes], url: str | None) -> BackupRow:
    """All of it, as the caller's transaction sees it."""
    writer = Writer(file, tools.recovery, header, tools.entropy)
    writer.begin(KEYRING)
    writer.write(written(tools.keyring).reveal().encode())
    needs = await all_needs(db)
    counts: dict[str, int] = {}
    for table in SOURCES:
        counts[table] = await count_of(db, table)
        if header.kind == "credentials":
            writer.begin(table)
            async with aclosing(rows_of(db, table)) as rows:
                async for row in rows:
                    writer.row(row)
    if header.kind == "whole":
        if url is None:
            raise RuntimeError("a whole backup needs the database's address")
        writer.begin(DATABASE)
        folder_of_programs = whole.programs(await queries.server_version(db), tools.programs)
        await whole.dump(url, await queries.snapshot(db), folder_of_programs, writer.write)
    manifest = writer.finish(
        key_ids=tuple(sorted({need.key_id for need in needs if need.key_id})),
        schema_version=await queries.schema_version(db),
        counts=counts,
    )
    return BackupRow(
        id=header.id,
        kind=header.kind,
        reason=header.reason,
        target="",
        created_at=header.created_at,
        created_by=tools.by,
        size=writer.size,
        digest=writer.digest,
        schema_version=manifest.schema_version,
        key_ids=list(manifest.key_ids),
        counts=dict(manifest.counts),
        verified_at=None,
        ok=None,
        fault=None,
        removed_at=None,
    )


async def rows_of(db: Connection, table: str) -> AsyncGenerator[str, None]:
    """A table's rows as JSON, as the caller's transaction sees them; never more than a few in memory."""
    sql = f"select to_jsonb(t)::text from {SOURCES[table]} t"
    async for record in db.cursor(sql, prefetch=ROWS_AT_ONCE):
        yield record[0]


async def count_of(db: Connection, table: str) -> int:
    sql = f"select count(*) from {SOURCES[table]} t"
    return int(await db.fetchval(sql))


async def prove(db: Connection, tools: Tools, made: BackupRow, found: Found) -> BackupRow:
    """Read a backup to its end, from where it is kept, and note it with how that went."""
    made = replace(made, target=found.target)
    fault = await asyncio.to_thread(read_through, found, made.digest, tools.recovery)
    row = replace(made, verified_at=tools.clock.now(), ok=fault is None, fault=fault)
    await queries.put(db, row)
    await audit(
        db, tools.clock, tools.by, "backup.created", "backup", made.id, outcome="failed" if fault else "ok",
        kind=made.kind, reason_made=made.reason, size=made.size,
    )  # fmt: skip
    return row


def read_through(found: Found, digest: bytes | None, recovery: Keyring) -> str | None:
    """Read all of a backup: every piece, every part's digest, and that of the whole where it is known; what is wrong,
    or None. Raises `OtherRecoveryKey`, `NotABackup`, and what its place raises."""
    try:
        with found.open() as file:
            Reader(file, recovery).check()
            file.seek(0)
            if digest is not None and hashlib.file_digest(file, "sha256").digest() != digest:  # type: ignore[arg-type]
                return "digest"
    except BackupDamaged as error:
        return error.code
    return None

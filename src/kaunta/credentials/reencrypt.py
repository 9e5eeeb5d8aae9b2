"""Moves what the old product wrote into our envelopes: one row at a time, each proved before its commit.

The old form cannot tell a wrong key from damage. What can is the company: where other rows open, the key is right and
the row is damaged; where none does, it is the key (ruling 21). So every row is tried once before the first is written,
and the audit log remembers which keys have opened something. A row that cannot be read is left exactly as it is.
"""

import hmac
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import Connection, one_row
from kaunta.core.entropy import Entropy
from kaunta.core.errors import ConfigurationError
from kaunta.core.secret import Secret
from kaunta.core.vault import Keyring, VaultError
from kaunta.credentials import legacy
from kaunta.credentials import reencrypt_queries as queries
from kaunta.credentials.legacy import Form, LegacyError, LegacyKeyMissing, LegacyKeys
from kaunta.credentials.reencrypt_queries import FIELDS, FIELDS_OF_BARS, TEXT, Column, StoredRow, Table
from kaunta.credentials.store import place

ROWS_A_PAGE = 100


class NoCredentialsTable(ConfigurationError):
    """The database has encrypted columns neither in `mpesa_credentials` nor in `bars`."""

    code = "reencrypt_tables"


class Damaged(LegacyError):
    """The bytes are damaged: the key is right, for other rows open with it. Restore this row from a backup, or have the
    owner enter the credentials again."""

    code = "legacy_damaged"


class WrongKey(LegacyError):
    """No row opens with this key: it is not the one that the old product used."""

    code = "legacy_wrong_key"


class NotProved(Exception):
    """What was written did not read back as what was meant; the row's transaction is rolled back."""


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row. `code` and `error` tell why it failed, `field` where; `key_at_fault`: the keys are to be
    mended, not the row."""

    table: str
    credential_id: UUID
    version: int
    bar_id: UUID
    environment: str
    outcome: str
    field: str | None = None
    code: str | None = None
    error: str | None = None
    key_at_fault: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """What a row is read and written with. `by`: who asked for it, for the audit log."""

    keyring: Keyring
    keys: LegacyKeys
    entropy: Entropy
    clock: Clock
    by: str


@dataclass(frozen=True, slots=True)
class Place:
    """The tables to go through, and whether they are ours, with versions and an audit log."""

    tables: tuple[Table, ...]
    ours: bool


class Unreadable(Exception):
    """A field of a row cannot be read."""

    def __init__(self, field: str, error: LegacyError | LegacyKeyMissing) -> None:
        super().__init__(field)
        self.field, self.error = field, error


async def read_place(db: Connection) -> Place:
    """The places with sealed columns in this database. Raises `NoCredentialsTable`."""
    credentials = await queries.columns(db, "mpesa_credentials")
    versions = await queries.columns(db, "mpesa_credential_versions")
    bars = await queries.columns(db, "bars")
    tables = []
    if sealed := columns_in(credentials, FIELDS):
        version = "t.version" if "version" in credentials else "1"
        tables.append(Table("mpesa_credentials", "id", version, "tenant_id", "t.environment", sealed))
    if sealed := columns_in(versions, FIELDS):
        tables.append(
            Table("mpesa_credential_versions", "credential_id", "t.version", "bar_id", "t.environment", sealed)
        )
    if sealed := columns_in(bars, FIELDS_OF_BARS):
        environment = "coalesce(t.mpesa_environment, 'sandbox')" if "mpesa_environment" in bars else "'sandbox'"
        tables.append(Table("bars", "id", "1", "id", environment, sealed))
    if not tables:
        raise NoCredentialsTable
    for table in tables:
        if await queries.rows_hidden(db, table.name):
            raise NoCredentialsTable(f"Row-level security hides {table.name} from this login. Use the table's owner.")
    return Place(tuple(tables), ours=bool(versions) and bool(await queries.columns(db, "audit_events")))


def columns_in(types: dict[str, str], names: dict[str, str]) -> dict[str, Column]:
    """The sealed columns of a table, by field; none where one that must be there is missing or of another type."""
    found = {
        field: Column(name, is_text=types[name] in TEXT)
        for field, name in names.items()
        if types.get(name) == "bytea" or (types.get(name) in TEXT and names is FIELDS_OF_BARS)
    }
    return found if {"consumer_key", "consumer_secret", "passkey"} <= found.keys() else {}


async def legacy_rows(db: Connection, table: Table) -> AsyncGenerator[StoredRow, None]:
    """Every row with something of the old product's in it, a page in memory at a time."""
    after = (queries.NEVER_BEFORE, 0)
    while rows := await queries.page(db, table, after, ROWS_A_PAGE):
        for row in rows:
            yield row
        after = (rows[-1].credential_id, rows[-1].version)


def plaintexts(row: StoredRow, keys: LegacyKeys) -> dict[str, Secret]:
    """A row's legacy fields, opened. Raises `Unreadable` for the first that is not to be read."""
    found = {}
    for field, blob in row.blobs.items():
        if blob is not None and legacy.is_legacy(blob):
            try:
                found[field] = legacy.read(blob, keys)
            except (LegacyError, LegacyKeyMissing) as error:
                raise Unreadable(field, error) from None
    return found


def forms_opened(row: StoredRow, keys: LegacyKeys) -> set[Form]:
    """Which keys this row proves to be right: each of its fields is tried, whatever the others say."""
    proved = set()
    for blob in row.blobs.values():
        if blob is None or not legacy.is_legacy(blob):
            continue
        try:
            sealed = legacy.recognise(blob)
        except LegacyError:
            continue
        try:
            legacy.opened(sealed, keys)
        except (legacy.DoesNotOpen, LegacyKeyMissing):
            continue
        except LegacyError:
            # A tag that fits proves the key, whatever is inside; CBC has none.
            if sealed.form is not Form.GCM:
                continue
        proved.add(sealed.form)
    return proved


async def proved_keys(db: Connection, where: Place, keys: LegacyKeys) -> set[Form]:
    """The keys that open something, here or in an earlier run."""
    proved: set[Form] = set()
    if where.ours:
        for form in Form:
            if (mark := fingerprint(keys, form)) is not None and await queries.key_has_opened(db, mark):
                proved.add(form)
    for table in where.tables:
        async with aclosing(legacy_rows(db, table)) as rows:
            async for row in rows:
                proved |= forms_opened(row, keys)
    return proved


def fingerprint(keys: LegacyKeys, form: Form) -> str | None:
    """Tells one key from another and nothing about it."""
    key = keys.gcm if form is Form.GCM else keys.cbc
    return None if key is None else hmac.digest(key, b"kaunta legacy key", "sha256")[:8].hex()


async def reencrypt(db: Connection, where: Place, tools: Tools, *, dry_run: bool) -> AsyncGenerator[RowResult, None]:
    """Go through every row that is not in our envelopes; a result each, committed when it is yielded."""
    proved = await proved_keys(db, where, tools.keys)
    for table in where.tables:
        async with aclosing(legacy_rows(db, table)) as rows:
            async for row in rows:
                yield await moved(db, where, table, row, tools, proved, dry_run=dry_run)


async def moved(
    db: Connection, where: Place, table: Table, row: StoredRow, tools: Tools, proved: set[Form], *, dry_run: bool
) -> RowResult:
    """One row into envelopes, in a transaction of its own; a dry run only reads it."""
    try:
        if dry_run:
            plaintexts(row, tools.keys)
        else:
            await move(db, where, table, row, tools)
    except Unreadable as unreadable:
        error = judged(unreadable.error, row.blobs[unreadable.field], proved)
        at_fault = isinstance(error, (WrongKey, LegacyKeyMissing))
        return result(table, row, "failed", unreadable.field, error.code, error.detail, key_at_fault=at_fault)
    except NotProved as error:
        return result(table, row, "failed", None, "not_proved", str(error))
    return result(table, row, "would_move" if dry_run else "moved")


def judged(
    error: LegacyError | LegacyKeyMissing, blob: bytes | str | None, proved: set[Form]
) -> LegacyError | LegacyKeyMissing:
    """The key's fault or the row's, by the company it is in."""
    if not isinstance(error, legacy.DoesNotOpen) or blob is None:
        return error
    form = legacy.recognise(blob).form
    return Damaged() if form in proved else WrongKey(f"No row opens with this {form.variable}: it is another key.")


async def move(db: Connection, where: Place, table: Table, seen: StoredRow, tools: Tools) -> None:
    """Seal a row's legacy fields anew, read them back, compare, and only then commit."""
    async with db.transaction(isolation="read_committed"):
        await queries.lock_bar(db, seen.bar_id)
        row = await queries.locked(db, table, seen.credential_id, seen.version)
        if row is None:
            raise NotProved("The row is not there any more.")
        secrets = plaintexts(row, tools.keys)
        if not secrets:
            return  # another run was quicker
        envelopes = {
            field: tools.keyring.seal(
                secret.reveal().encode(), place(row.bar_id, row.environment, field, row.version), tools.entropy
            )
            for field, secret in secrets.items()
        }
        one_row(await queries.replace(db, table, row, envelopes), "re-encrypting")
        await prove(db, table, row, secrets, tools.keyring)
        if where.ours:
            if table.name == "mpesa_credentials":
                await queries.keep_version(db, row.credential_id)
            used = {legacy.recognise(blob).form for field, blob in row.blobs.items() if blob and field in secrets}
            await audit(
                db, tools.clock, tools.by, "credentials.reencrypted", "credentials", row.credential_id,
                bar_id=row.bar_id, environment=row.environment, version=row.version, table=table.name,
                legacy_keys=sorted(filter(None, (fingerprint(tools.keys, form) for form in used))),
            )  # fmt: skip


async def prove(db: Connection, table: Table, row: StoredRow, secrets: dict[str, Secret], keyring: Keyring) -> None:
    """Open what is stored now and compare it with what was read. Raises `NotProved`."""
    written = await queries.locked(db, table, row.credential_id, row.version)
    for field, secret in secrets.items():
        blob = written.blobs[field] if written else None
        aad = place(row.bar_id, row.environment, field, row.version)
        try:
            same = isinstance(blob, bytes) and Secret(keyring.open(blob, aad).decode()) == secret
        except VaultError:
            same = False
        if not same:
            raise NotProved(f"{field}: what was written does not read back as what was there.")


def result(
    table: Table,
    row: StoredRow,
    outcome: str,
    field: str | None = None,
    code: str | None = None,
    error: str | None = None,
    *,
    key_at_fault: bool = False,
) -> RowResult:
    return RowResult(
        table.name,
        row.credential_id,
        row.version,
        row.bar_id,
        row.environment,
        outcome,
        field,
        code,
        error,
        key_at_fault,
    )

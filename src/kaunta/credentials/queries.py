"""The credentials' SQL. Secrets are in the sealed columns only."""

from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection, affected


@dataclass(frozen=True, slots=True)
class SealedCredential:
    """One version of a bar's credentials as stored."""

    credential_id: UUID
    version: int
    bar_id: UUID
    environment: str
    business_shortcode: str
    till_number: str | None
    consumer_key_enc: bytes
    consumer_secret_enc: bytes
    passkey_enc: bytes
    #: Whether its row still stands under the bar and environment that it was sealed for.
    at_home: bool = True


SEALED = """
    v.credential_id, v.version, v.bar_id, v.environment, v.business_shortcode, v.till_number,
    v.consumer_key_enc, v.consumer_secret_enc, v.passkey_enc
"""
FIELDS = tuple(field.name for field in fields_of(SealedCredential))
#: Where the row has been given to another bar, its secrets would still open as the first one's.
AT_HOME = "v.bar_id = c.tenant_id and v.environment = c.environment as at_home"


def sealed_in(row: Any) -> SealedCredential:
    """The version among a joined row's columns."""
    return SealedCredential(**{field: row[field] for field in FIELDS})


async def current_version(db: Connection, bar_id: UUID, environment: str) -> SealedCredential | None:
    """The present version of a bar's credentials for an environment."""
    row = await db.fetchrow(
        f"""
        select {SEALED}, {AT_HOME} from mpesa_credentials c
        join mpesa_credential_versions v on v.credential_id = c.id and v.version = c.version
        where c.tenant_id = $1 and c.environment = $2
        """,
        bar_id, environment,
    )  # fmt: skip
    return SealedCredential(**row) if row else None


async def version(db: Connection, credential_id: UUID, number: int) -> SealedCredential | None:
    """The version a payment was pushed with."""
    row = await db.fetchrow(
        f"select {SEALED} from mpesa_credential_versions v where v.credential_id = $1 and v.version = $2",
        credential_id, number,
    )  # fmt: skip
    return SealedCredential(**row) if row else None


@dataclass(frozen=True, slots=True)
class Numbered:
    """One version of one credentials row."""

    id: UUID
    version: int


async def lock_credential(db: Connection, bar_id: UUID, environment: str) -> Numbered | None:
    """The row to be replaced, locked."""
    row = await db.fetchrow(
        "select id, version from mpesa_credentials where tenant_id = $1 and environment = $2 for update",
        bar_id, environment,
    )  # fmt: skip
    return Numbered(**row) if row else None


async def insert_credential(db: Connection, sealed: SealedCredential) -> None:
    """A bar's first credentials for an environment, not yet active."""
    await db.execute(
        """
        insert into mpesa_credentials (id, version, tenant_id, environment, business_shortcode, till_number,
                                       consumer_key_enc, consumer_secret_enc, passkey_enc)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *fields(sealed),
    )


async def replace_credential(db: Connection, sealed: SealedCredential) -> str:
    """A new version in the place of the present one; a former test's outcome is void."""
    return await db.execute(
        """
        update mpesa_credentials
        set version = $2, business_shortcode = $5, till_number = $6, consumer_key_enc = $7, consumer_secret_enc = $8,
            passkey_enc = $9, test_status = 'pending', tested_version = null, tested_at = null, updated_at = now()
        where id = $1 and tenant_id = $3 and environment = $4
        """,
        *fields(sealed),
    )


async def insert_version(db: Connection, sealed: SealedCredential) -> None:
    """Keep a version: its payments are queried with it."""
    await db.execute(
        """
        insert into mpesa_credential_versions (credential_id, version, bar_id, environment, business_shortcode,
                                               till_number, consumer_key_enc, consumer_secret_enc, passkey_enc)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *fields(sealed),
    )


def fields(sealed: SealedCredential) -> tuple[object, ...]:
    return (
        sealed.credential_id, sealed.version, sealed.bar_id, sealed.environment, sealed.business_shortcode,
        sealed.till_number, sealed.consumer_key_enc, sealed.consumer_secret_enc, sealed.passkey_enc,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A present credentials row with its state."""

    sealed: SealedCredential
    is_active: bool
    updated_at: datetime
    test_status: str
    tested_version: int | None
    tested_at: datetime | None

    @property
    def tested_well(self) -> bool:
        """Safaricom took this very version."""
        return self.test_status == "success" and self.tested_version == self.sealed.version


async def stored(db: Connection, bar_id: UUID) -> list[StoredRow]:
    """A bar's credentials rows, sandbox last."""
    rows = await db.fetch(
        f"""
        select {SEALED}, {AT_HOME}, c.is_active, c.updated_at, c.test_status, c.tested_version, c.tested_at
        from mpesa_credentials c
        join mpesa_credential_versions v on v.credential_id = c.id and v.version = c.version
        where c.tenant_id = $1 order by c.environment
        """,
        bar_id,
    )
    state = ("is_active", "updated_at", "test_status", "tested_version", "tested_at")
    return [StoredRow(sealed=sealed_in(row), **{name: row[name] for name in state}) for row in rows]


async def record_test(db: Connection, tested: Numbered, status: str, at: datetime) -> bool:
    """What a test came to; False where another version has taken the tested one's place meanwhile."""
    tag = await db.execute(
        """
        update mpesa_credentials set test_status = $3, tested_version = version, tested_at = $4
        where id = $1 and version = $2
        """,
        tested.id, tested.version, status, at,
    )  # fmt: skip
    return affected(tag) == 1


@dataclass(frozen=True, slots=True)
class InUse:
    """What a bar that is switched on would pay with; `sealed` None: its version is missing. `noted`: a problem is
    open."""

    bar_id: UUID
    sealed: SealedCredential | None
    noted: bool


async def in_use(db: Connection, after: UUID, problem: str, limit: int) -> list[InUse]:
    """The credentials of bars that are switched on, in the order of the bars' ids."""
    rows = await db.fetch(
        f"""
        select b.id as of_bar, {SEALED}, {AT_HOME},
               exists (select from problems p where p.kind = $2 and p.subject = b.id::text
                       and p.closed_at is null) as noted
        from bars b
        join mpesa_credentials c on c.tenant_id = b.id and c.environment = b.mpesa_environment
        left join mpesa_credential_versions v on v.credential_id = c.id and v.version = c.version
        where b.active and b.mpesa_enabled and b.id > $1 order by b.id limit $3
        """,
        after, problem, limit,
    )  # fmt: skip
    return [InUse(row["of_bar"], sealed_in(row) if row["version"] is not None else None, row["noted"]) for row in rows]

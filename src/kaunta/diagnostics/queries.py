"""What a diagnosis asks the database: of its schema, its rights, and what is sealed in it. It writes nothing."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class HeaderCount:
    """The beginning of envelopes, up to the check value of their key, and how many begin so."""

    header: bytes
    count: int


async def sealed_headers(db: Connection) -> list[HeaderCount]:
    """With which keys everything that the keyring seals was sealed; only what has the form of an envelope."""
    rows = await db.fetch(
        """
        with sealed (blob) as (
            select unnest(array[consumer_key_enc, consumer_secret_enc, passkey_enc]) from mpesa_credential_versions
            union all
            select unnest(array[consumer_key_enc, consumer_secret_enc, passkey_enc, security_credential_enc])
            from mpesa_credentials
            union all select wrapped from data_keys
            union all select password_enc from mpesa_initiators
            union all select totp_secret_enc from staff_accounts
            union all select secret_enc from c2b_addresses
        )
        select substring(blob for 14 + get_byte(blob, 5)) as header, count(*)::int as count from sealed
        where case when length(blob) > 50 and substring(blob for 5) = '\\x4b4e544101'
                   then length(blob) >= 50 + get_byte(blob, 5) and get_byte(blob, 5) between 1 and 32
                   else false end
        group by 1
        """
    )
    return [HeaderCount(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class StoredBlobs:
    """The sealed fields of one version of a bar's credentials, in one of the two tables that keep it.

    `present`: it is the bar's present version. `used`: M-Pesa is on with it, or a payment that has not ended needs it.
    `at_home`: it stands under the bar and environment that its version was kept for.
    """

    credential_id: UUID
    version: int
    bar_id: UUID
    slug: str
    environment: str
    business_shortcode: str
    till_number: str | None
    present: bool
    used: bool
    at_home: bool
    kept: bool
    consumer_key: bytes
    consumer_secret: bytes
    passkey: bytes


async def stored_blobs(db: Connection, bar_id: UUID | None, after: UUID, limit: int) -> list[StoredBlobs]:
    """Bars' present credentials as they would be used, in the order of their ids; one bar's only, where given.

    `kept` false: the present version is not among the versions, so its own row stands in.
    """
    rows = await db.fetch(
        """
        select c.id as credential_id, c.version, c.tenant_id as bar_id, b.slug, c.environment,
               c.business_shortcode, c.till_number, true as present,
               b.active and b.mpesa_enabled and c.is_active and c.environment = b.mpesa_environment as used,
               coalesce(v.bar_id = c.tenant_id and v.environment = c.environment, true) as at_home,
               v.credential_id is not null as kept,
               coalesce(v.consumer_key_enc, c.consumer_key_enc) as consumer_key,
               coalesce(v.consumer_secret_enc, c.consumer_secret_enc) as consumer_secret,
               coalesce(v.passkey_enc, c.passkey_enc) as passkey
        from mpesa_credentials c
        join bars b on b.id = c.tenant_id
        left join mpesa_credential_versions v on v.credential_id = c.id and v.version = c.version
        where ($1::uuid is null or c.tenant_id = $1) and c.id > $2 order by c.id limit $3
        """,
        bar_id, after, limit,
    )  # fmt: skip
    return [StoredBlobs(**row) for row in rows]


async def needed_versions(db: Connection, bar_id: UUID | None) -> list[StoredBlobs]:
    """Earlier versions that a payment which has not ended was pushed with."""
    rows = await db.fetch(
        """
        select v.credential_id, v.version, v.bar_id, b.slug, v.environment, v.business_shortcode, v.till_number,
               false as present, true as used, true as at_home, true as kept,
               v.consumer_key_enc as consumer_key, v.consumer_secret_enc as consumer_secret, v.passkey_enc as passkey
        from mpesa_credential_versions v join bars b on b.id = v.bar_id
        where ($1::uuid is null or v.bar_id = $1)
          and exists (select from mpesa_transactions t where t.credential_id = v.credential_id
                      and t.credential_version = v.version and t.status in ('pending', 'sent', 'timeout'))
          and not exists (select from mpesa_credentials c where c.id = v.credential_id and c.version = v.version)
        order by v.credential_id, v.version limit 1000
        """,
        bar_id,
    )
    return [StoredBlobs(**row) for row in rows]


async def copies_that_differ(db: Connection, bar_id: UUID | None) -> list[StoredBlobs]:
    """Credentials rows of which the kept version is not the same bytes: what stands in the row itself. That need not
    be wrong: each is sealed anew for itself when keys change."""
    rows = await db.fetch(
        """
        select c.id as credential_id, c.version, c.tenant_id as bar_id, b.slug, c.environment,
               c.business_shortcode, c.till_number, true as present, c.is_active as used, true as at_home, true as kept,
               c.consumer_key_enc as consumer_key, c.consumer_secret_enc as consumer_secret,
               c.passkey_enc as passkey
        from mpesa_credentials c
        join mpesa_credential_versions v on v.credential_id = c.id and v.version = c.version
        join bars b on b.id = c.tenant_id
        where ($1::uuid is null or c.tenant_id = $1)
          and (c.consumer_key_enc, c.consumer_secret_enc, c.passkey_enc)
              is distinct from (v.consumer_key_enc, v.consumer_secret_enc, v.passkey_enc)
        order by b.slug limit 10000
        """,
        bar_id,
    )
    return [StoredBlobs(**row) for row in rows]


async def has_table(db: Connection, name: str) -> bool:
    """Whether this login finds a table of that name."""
    return bool(await db.fetchval("select to_regclass($1) is not null", name))


@dataclass(frozen=True, slots=True)
class Login:
    """Who is connected, to what: `name` quoted as SQL wants it."""

    name: str
    version: int
    in_app: bool
    in_worker: bool


async def login(db: Connection) -> Login:
    """The connected role, the server's version (like 160004), and whether the role has ours."""
    row = await db.fetchrow(
        """
        select quote_ident(current_user) as name, current_setting('server_version_num')::int as version,
               coalesce((select pg_has_role(current_user, oid, 'usage') from pg_roles where rolname = 'kaunta_app'),
                        false) as in_app,
               coalesce((select pg_has_role(current_user, oid, 'usage') from pg_roles where rolname = 'kaunta_worker'),
                        false) as in_worker
        """
    )
    if row is None:
        raise RuntimeError("a select without a table has one row")
    return Login(**row)


async def rights_missing(db: Connection, rights: list[str], tables: list[str]) -> list[tuple[str, str]]:
    """Which of these rights on these tables, pair by pair, the connected role has not; a table that is missing is no
    missing right. A right on one column is written `update (column)`."""
    rows = await db.fetch(
        """
        select wanted.right_, wanted.table_ from unnest($1::text[], $2::text[]) with ordinality
            as wanted (right_, table_, position)
        where to_regclass(wanted.table_) is not null
          and not case when wanted.right_ like '%(%'
              then has_column_privilege(wanted.table_, rtrim(split_part(wanted.right_, '(', 2), ')'),
                                        trim(split_part(wanted.right_, '(', 1)))
              else has_table_privilege(wanted.table_, wanted.right_) end
        order by wanted.position
        """,
        rights, tables,
    )  # fmt: skip
    return [(row["right_"], row["table_"]) for row in rows]


async def sequences_shut(db: Connection) -> list[str]:
    """Sequences of ours that the connected role may not draw from, quoted."""
    rows = await db.fetch(
        """
        select quote_ident(c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public'
          and case when c.relkind = 'S' then not has_sequence_privilege(c.oid, 'usage') else false end
        order by 1
        """
    )
    return [row["name"] for row in rows]


async def server_time(db: Connection) -> datetime:
    """What the database's server takes for now."""
    now: datetime = await db.fetchval("select clock_timestamp()")
    return now


async def last_callback(db: Connection) -> datetime | None:
    """When an answer of Safaricom's to one of our payments last came in by its own address."""
    at: datetime | None = await db.fetchval(
        """
        select received_at from mpesa_callbacks
        where channel = 'stk' and token_hash is not null and transaction_id is not null order by id desc limit 1
        """
    )
    return at


async def environments_in_use(db: Connection) -> frozenset[str]:
    """The environments that bars have credentials for."""
    rows = await db.fetch("select distinct environment from mpesa_credentials")
    return frozenset(row["environment"] for row in rows)


async def waiting_callbacks(db: Connection, since: datetime) -> int:
    """Callbacks that came before a moment and that nobody has understood yet."""
    count: int = await db.fetchval(
        "select count(*)::int from mpesa_callbacks where processed_at is null and received_at < $1", since
    )
    return count


async def last_backup(db: Connection) -> datetime | None:
    """When the youngest backup was made that is there and was not found to be bad."""
    at: datetime | None = await db.fetchval(
        "select max(created_at) from backups where removed_at is null and ok is distinct from false"
    )
    return at


async def found_before(db: Connection, kinds: list[str], place: str) -> list[tuple[str, str]]:
    """Kind and subject of what earlier looks at a place have found, and is open."""
    rows = await db.fetch(
        """
        select kind, subject from problems
        where kind = any($1) and closed_at is null and right(subject, length($2) + 4) = ' at ' || $2
        """,
        kinds, place,
    )  # fmt: skip
    return [(row["kind"], row["subject"]) for row in rows]


async def limits_missing(db: Connection) -> list[str]:
    """The limits that a connection of ours should have and this one has not."""
    rows = await db.fetch(
        """
        select name from pg_catalog.pg_settings
        where name in ('statement_timeout', 'idle_in_transaction_session_timeout') and setting = '0' order by name
        """
    )
    return [row["name"] for row in rows]


SERVER_PROCESS = "select pg_backend_pid()"


async def server_process(db: Connection) -> int:
    """Which of the server's processes answers."""
    pid: int = await db.fetchval(SERVER_PROCESS)
    return pid

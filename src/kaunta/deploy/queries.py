"""Deploying's SQL: what happened between two moments, for all bars, as counts.

Each row is judged once, at a fixed age, so that the counts of one stretch of time and the next can be added. Indexes
of ranges (migrations/sql/0002/68_deploy.sql) keep a look at the newest rows cheap, however many there are.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Counted:
    """So many bad ones of so many."""

    bad: int
    total: int


async def openings(db: Connection, since: datetime, until: datetime) -> Counted:
    """Openings of credentials that were put on the record, and those that failed."""
    row = await db.fetchrow(
        """
        select count(*) filter (where outcome <> 'ok')::int as bad, count(*)::int as total
        from audit_events
        where at > $1 and at <= $2 and action like 'credentials.%' and action = 'credentials.opened'
        """,
        since, until,
    )  # fmt: skip
    return Counted(**dict(row or {}))


async def callbacks_of_ours(db: Connection, since: datetime, until: datetime) -> Counted:
    """Callbacks of known payments, and those that wait still or contradict; a stranger's count for nothing."""
    row = await db.fetchrow(
        """
        select count(*) filter (where processed_at is null or verdict = 'contradictory')::int as bad,
               count(*)::int as total
        from mpesa_callbacks
        where received_at > $1 and received_at <= $2 and channel = 'stk'
          and (transaction_id is not null or (processed_at is null and token_hash is not null))
        """,
        since, until,
    )  # fmt: skip
    return Counted(**dict(row or {}))


async def called_back(db: Connection, since: datetime, until: datetime) -> Counted:
    """Payments begun then that Safaricom took, and those that it never called back."""
    row = await db.fetchrow(
        """
        select count(*) filter (where not exists (select from mpesa_callbacks c
                                                  where c.transaction_id = t.id and c.channel = 'stk'))::int as bad,
               count(*)::int as total
        from mpesa_transactions t where t.created_at > $1 and t.created_at <= $2 and t.sent_at is not null
        """,
        since, until,
    )  # fmt: skip
    return Counted(**dict(row or {}))


@dataclass(frozen=True, slots=True)
class EndRow:
    """Payments that stand alike."""

    status: str
    failure_reason: str | None
    result_code: str | None
    result_desc: str | None
    count: int


async def ends(db: Connection, since: datetime, until: datetime) -> list[EndRow]:
    """How payments stand that were begun between two moments."""
    rows = await db.fetch(
        """
        select status::text as status, failure_reason, result_code, result_desc, count(*)::int as count
        from mpesa_transactions where created_at > $1 and created_at <= $2 group by 1, 2, 3, 4
        """,
        since, until,
    )  # fmt: skip
    return [EndRow(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class BarsNow:
    """Bars that take M-Pesa; of these, where a problem was opened after the deployment."""

    taking: int
    unreadable: int
    stopped: int


async def bars_now(db: Connection, since: datetime) -> BarsNow:
    """Bars that take M-Pesa, those whose credentials became unreadable since a moment, and those that were stopped
    since then because payments failed by our fault; a stop by hand names no payments."""
    row = await db.fetchrow(
        """
        select count(*)::int as taking,
               count(*) filter (where exists (
                   select from problems p where p.kind = 'credentials_unreadable' and p.subject = b.id::text
                   and p.closed_at is null and p.opened_at > $1))::int as unreadable,
               count(*) filter (where exists (
                   select from problems p where p.kind = 'mpesa_suspended' and p.subject = b.id::text
                   and p.closed_at is null and p.opened_at > $1 and p.detail ? 'payments'))::int as stopped
        from bars b where b.active and b.mpesa_enabled
        """,
        since,
    )
    return BarsNow(**dict(row or {}))


async def bars_to_look_at(db: Connection, since: datetime, limit: int) -> list[UUID]:
    """Some bars where M-Pesa is offered, as far as the records tell, and was before that moment; those that took a
    payment last come first."""
    rows = await db.fetch(
        """
        select b.id from bars b
        join mpesa_credentials c on c.tenant_id = b.id and c.environment = b.mpesa_environment and c.is_active
        where b.active and b.mpesa_enabled and b.mpesa_suspended_reason is null and b.created_at <= $1
          and not exists (select from problems p where p.kind = 'credentials_unreadable' and p.subject = b.id::text
                          and p.closed_at is null and p.opened_at <= $1)
        order by (select max(t.created_at) from mpesa_transactions t where t.bar_id = b.id) desc nulls last, b.id
        limit $2
        """,
        since, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Source:
    """An address that callbacks came from."""

    source: str | None
    count: int


async def callback_sources(db: Connection, since: datetime) -> list[Source]:
    """Where the callbacks of payments came from, by address; the busiest thousand."""
    rows = await db.fetch(
        """
        select host(source) as source, count(*)::int as count from mpesa_callbacks
        where received_at > $1 and channel = 'stk' and transaction_id is not null
        group by 1 order by 2 desc limit 1000
        """,
        since,
    )
    return [Source(**row) for row in rows]


async def last_restore(db: Connection) -> datetime | None:
    """When a backup was last brought back."""
    at: datetime | None = await db.fetchval("select max(restored_at) from backup_restores")
    return at


@dataclass(frozen=True, slots=True)
class LoginMay:
    """How much the login may do beyond what a process needs."""

    superuser: bool
    owns: bool


async def login_may(db: Connection) -> LoginMay:
    """Whether the login is a superuser, and whether it owns the ledger."""
    row = await db.fetchrow(
        """
        select r.rolsuper as superuser, pg_has_role(current_user, c.relowner, 'member') as owns
        from pg_roles r, pg_class c where r.rolname = current_user and c.oid = 'tab_payments'::regclass
        """
    )
    return LoginMay(**dict(row or {}))


async def critical_problems(db: Connection) -> list[str]:
    """The kinds of critical problems that are open."""
    rows = await db.fetch(
        "select distinct kind from problems where closed_at is null and severity = 'critical' order by kind"
    )
    return [row["kind"] for row in rows]


async def bars_in_sandbox(db: Connection) -> list[str]:
    """Bars that offer M-Pesa and are in the sandbox, by their names in addresses."""
    rows = await db.fetch(
        "select slug from bars where active and mpesa_enabled and mpesa_environment = 'sandbox' order by slug"
    )
    return [row["slug"] for row in rows]


async def legacy_columns(db: Connection) -> bool:
    """Whether the table of bars has columns for secrets, as the old product's had."""
    found: bool = await db.fetchval(
        """
        select exists (select from pg_attribute where attrelid = 'bars'::regclass and not attisdropped
                       and attname in ('mpesa_consumer_key_encrypted', 'mpesa_consumer_secret_encrypted',
                                       'mpesa_passkey_encrypted'))
        """
    )
    return found


async def channels_tested(db: Connection, since: datetime) -> list[str]:
    """Channels by which a test alert was taken since a moment."""
    rows = await db.fetch(
        "select distinct object_id from audit_events where at > $1 and action = 'alert.tested' and outcome = 'ok'",
        since,
    )
    return [row["object_id"] for row in rows]


async def administrators(db: Connection) -> int:
    """Administrators with a second factor."""
    count: int = await db.fetchval(
        "select count(*) from staff_accounts where active and is_administrator and totp_confirmed_at is not null"
    )
    return count


@dataclass(frozen=True, slots=True)
class LiveBar:
    """A bar that takes real money, or is about to."""

    id: UUID
    slug: str


async def live_bars(db: Connection, limit: int) -> list[LiveBar]:
    """Bars in production with M-Pesa on, and those that have production credentials stored."""
    rows = await db.fetch(
        """
        select b.id, b.slug from bars b
        where b.active and ((b.mpesa_enabled and b.mpesa_environment = 'production')
               or exists (select from mpesa_credentials c where c.tenant_id = b.id and c.environment = 'production'))
        order by b.slug limit $1
        """,
        limit,
    )
    return [LiveBar(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class MostPrompts:
    """The most prompts that one phone got."""

    minute: int
    day: int


async def most_prompts(db: Connection, since: datetime) -> MostPrompts:
    """Since a moment: within a minute of the clock, and in all."""
    row = await db.fetchrow(
        """
        with each as (
            select phone_hash, date_trunc('minute', created_at, 'UTC') as minute, count(*)::int as count
            from mpesa_transactions where created_at > $1 group by 1, 2
        )
        select coalesce((select max(count) from each), 0)::int as minute,
               coalesce((select max(total) from (select sum(count)::int as total from each group by phone_hash) a), 0)
                   ::int as day
        """,
        since,
    )
    return MostPrompts(**dict(row or {"minute": 0, "day": 0}))

"""Access's SQL. Tokens and keys are stored as hashes only."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class AccountRow:
    id: UUID
    username: str
    name: str
    password_hash: str
    is_administrator: bool


async def account_by_username(db: Connection, username: str) -> AccountRow | None:
    """An active account by its name, whatever the letters' case."""
    row = await db.fetchrow(
        """
        select id, username, name, password_hash, is_administrator from staff_accounts
        where lower(username) = lower($1) and active
        """,
        username,
    )
    return AccountRow(**row) if row else None


async def insert_account(
    db: Connection, username: str, name: str, password_hash: str, is_administrator: bool
) -> UUID | None:
    """A new account; None where the name is taken."""
    id_: UUID | None = await db.fetchval(
        """
        insert into staff_accounts (username, name, password_hash, is_administrator) values ($1, $2, $3, $4)
        on conflict (lower(username)) do nothing returning id
        """,
        username, name, password_hash, is_administrator,
    )  # fmt: skip
    return id_


async def set_password_hash(db: Connection, account_id: UUID, password_hash: str) -> None:
    """A new password, or the same one under today's hashing cost."""
    await db.execute("update staff_accounts set password_hash = $2 where id = $1", account_id, password_hash)


async def set_member(db: Connection, account_id: UUID, bar_id: UUID, role: str) -> None:
    """Give an account a role at a bar, or another one."""
    await db.execute(
        """
        insert into bar_members (account_id, bar_id, role) values ($1, $2, $3)
        on conflict (account_id, bar_id) do update set role = excluded.role
        """,
        account_id, bar_id, role,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MembershipRow:
    bar_id: UUID
    bar_slug: str
    bar_name: str
    role: str


async def memberships(db: Connection, account_id: UUID) -> list[MembershipRow]:
    """The bars an account works at."""
    rows = await db.fetch(
        """
        select m.bar_id, b.slug as bar_slug, b.name as bar_name, m.role
        from bar_members m join bars b on b.id = m.bar_id where m.account_id = $1 and b.active order by b.name
        """,
        account_id,
    )
    return [MembershipRow(**row) for row in rows]


async def insert_session(
    db: Connection, token_hash: bytes, account_id: UUID, bar_id: UUID | None, csrf: str, at: datetime, until: datetime
) -> None:
    """A signed-in browser."""
    await db.execute(
        """
        insert into staff_sessions (token_hash, account_id, bar_id, csrf, created_at, last_seen_at, expires_at)
        values ($1, $2, $3, $4, $5, $5, $6)
        """,
        token_hash, account_id, bar_id, csrf, at, until,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionRow:
    account_id: UUID
    name: str
    csrf: str
    bar_id: UUID | None
    is_administrator: bool


async def session(db: Connection, token_hash: bytes, at: datetime) -> SessionRow | None:
    """A session that is still good, of an account that still is."""
    row = await db.fetchrow(
        """
        select s.account_id, a.name, s.csrf, s.bar_id, a.is_administrator
        from staff_sessions s join staff_accounts a on a.id = s.account_id
        where s.token_hash = $1 and s.expires_at > $2 and a.active
        """,
        token_hash, at,
    )  # fmt: skip
    return SessionRow(**row) if row else None


async def choose_bar(db: Connection, token_hash: bytes, bar_id: UUID) -> None:
    """Which of their bars a session looks at."""
    await db.execute("update staff_sessions set bar_id = $2 where token_hash = $1", token_hash, bar_id)


async def delete_session(db: Connection, token_hash: bytes) -> None:
    """Sign out."""
    await db.execute("delete from staff_sessions where token_hash = $1", token_hash)


async def lock_sign_ins(db: Connection, username_hash: bytes) -> None:
    """One attempt after the other for one name, until the transaction ends: else a hundred at once all count none."""
    await db.execute(
        "select pg_advisory_xact_lock(hashtextextended('sign-in ' || encode($1, 'hex'), 0))", username_hash
    )


async def insert_sign_in(db: Connection, username_hash: bytes, source: str | None, at: datetime) -> int:
    """An attempt to sign in; it counts as failed until it has succeeded."""
    id_: int = await db.fetchval(
        """
        insert into sign_in_attempts (username_hash, source, succeeded, at) values ($1, $2::text::inet, false, $3)
        returning id
        """,
        username_hash, source, at,
    )  # fmt: skip
    return id_


async def set_sign_in_succeeded(db: Connection, attempt_id: int) -> None:
    """The attempt's password was right."""
    await db.execute("update sign_in_attempts set succeeded = true where id = $1", attempt_id)


async def forget_sign_ins(db: Connection, before: datetime) -> str:
    """Drop attempts nobody counts any more."""
    return await db.execute("delete from sign_in_attempts where at < $1", before)


async def forget_sessions(db: Connection, at: datetime) -> str:
    """Drop sessions that have ended by themselves."""
    return await db.execute("delete from staff_sessions where expires_at < $1", at)


async def failed_sign_ins(db: Connection, username_hash: bytes, source: str | None, since: datetime) -> int:
    """Failures for this name from this address since a moment."""
    count: int = await db.fetchval(
        """
        select count(*) from sign_in_attempts
        where username_hash = $1 and at > $3 and not succeeded and source is not distinct from $2::text::inet
        """,
        username_hash, source, since,
    )  # fmt: skip
    return count


async def insert_api_key(db: Connection, key_hash: bytes, label: str, bar_id: UUID | None, scopes: list[str]) -> UUID:
    """A machine's key."""
    id_: UUID = await db.fetchval(
        "insert into api_keys (key_hash, label, bar_id, scopes) values ($1, $2, $3, $4) returning id",
        key_hash, label, bar_id, scopes,
    )  # fmt: skip
    return id_


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    id: UUID
    bar_id: UUID | None
    scopes: list[str]


async def api_key(db: Connection, key_hash: bytes) -> ApiKeyRow | None:
    """A key that has not been revoked."""
    row = await db.fetchrow(
        "select id, bar_id, scopes from api_keys where key_hash = $1 and revoked_at is null", key_hash
    )
    return ApiKeyRow(**row) if row else None

"""Signed-in browsers, under the hashes of their tokens."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


async def insert_session(
    db: Connection,
    token_hash: bytes,
    account_id: UUID,
    bar_id: UUID | None,
    csrf: str,
    *,
    second_factor_due: bool,
    at: datetime,
    until: datetime,
) -> None:
    """A browser whose password was right."""
    await db.execute(
        """
        insert into staff_sessions
            (token_hash, account_id, bar_id, csrf, second_factor_due, created_at, last_seen_at, proved_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $6, $6, $7)
        """,
        token_hash, account_id, bar_id, csrf, second_factor_due, at, until,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionRow:
    account_id: UUID
    username: str
    name: str
    csrf: str
    bar_id: UUID | None
    is_administrator: bool
    second_factor_due: bool
    has_second_factor: bool
    proved_at: datetime


async def session(db: Connection, token_hash: bytes, at: datetime) -> SessionRow | None:
    """A session that is still good, of an account that still is."""
    row = await db.fetchrow(
        """
        select s.account_id, a.username, a.name, s.csrf, s.bar_id, a.is_administrator, s.second_factor_due,
            a.totp_confirmed_at is not null as has_second_factor, s.proved_at
        from staff_sessions s join staff_accounts a on a.id = s.account_id
        where s.token_hash = $1 and s.expires_at > $2 and a.active
        """,
        token_hash, at,
    )  # fmt: skip
    return SessionRow(**row) if row else None


async def replace_token(db: Connection, old_hash: bytes, new_hash: bytes, csrf: str, at: datetime) -> None:
    """More was proved: the session goes on under a new token, and the old one opens nothing."""
    await db.execute(
        """
        update staff_sessions
        set token_hash = $2, csrf = $3, second_factor_due = false, proved_at = $4, last_seen_at = $4
        where token_hash = $1
        """,
        old_hash, new_hash, csrf, at,
    )  # fmt: skip


async def choose_bar(db: Connection, token_hash: bytes, bar_id: UUID, csrf: str) -> None:
    """Which of their bars a session looks at. A form that shows another bar is worth nothing from now on."""
    await db.execute("update staff_sessions set bar_id = $2, csrf = $3 where token_hash = $1", token_hash, bar_id, csrf)


async def delete_session(db: Connection, token_hash: bytes) -> None:
    """Sign out."""
    await db.execute("delete from staff_sessions where token_hash = $1", token_hash)


async def forget_sessions(db: Connection, at: datetime) -> str:
    """Drop sessions that have ended by themselves."""
    return await db.execute("delete from staff_sessions where expires_at < $1", at)


async def delete_sessions_of(db: Connection, account_id: UUID, but: bytes | None) -> int:
    """Sign an account out everywhere, or everywhere else; how many browsers that were."""
    gone = await db.fetch(
        "delete from staff_sessions where account_id = $1 and token_hash is distinct from $2 returning 1",
        account_id,
        but,
    )
    return len(gone)


@dataclass(frozen=True, slots=True)
class OpenSession:
    created_at: datetime
    expires_at: datetime
    this: bool


async def sessions_of(db: Connection, account_id: UUID, token_hash: bytes, at: datetime) -> list[OpenSession]:
    """Where an account is signed in, newest first; `this`: here."""
    rows = await db.fetch(
        """
        select created_at, expires_at, token_hash = $2 as this from staff_sessions
        where account_id = $1 and expires_at > $3 order by created_at desc
        """,
        account_id, token_hash, at,
    )  # fmt: skip
    return [OpenSession(**row) for row in rows]

"""Accounts and where they work."""

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
    has_second_factor: bool


async def account_by_username(db: Connection, username: str) -> AccountRow | None:
    """An active account by its name, whatever the letters' case."""
    row = await db.fetchrow(
        """
        select id, username, name, password_hash, is_administrator, totp_confirmed_at is not null as has_second_factor
        from staff_accounts where lower(username) = lower($1) and active
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


async def account(db: Connection, account_id: UUID) -> AccountRow | None:
    """An active account by its id."""
    row = await db.fetchrow(
        """
        select id, username, name, password_hash, is_administrator, totp_confirmed_at is not null as has_second_factor
        from staff_accounts where id = $1 and active
        """,
        account_id,
    )
    return AccountRow(**row) if row else None


async def hold_password(db: Connection, account_id: UUID, password_hash: str) -> bool:
    """Whether this is the password of an active account still; it stays so until the transaction ends."""
    still = await db.fetchval(
        "select true from staff_accounts where id = $1 and password_hash = $2 and active for share",
        account_id, password_hash,
    )  # fmt: skip
    return still is True


async def set_password_hash(db: Connection, account_id: UUID, password_hash: str, at: datetime) -> None:
    """A new password."""
    await db.execute(
        "update staff_accounts set password_hash = $2, password_changed_at = $3 where id = $1",
        account_id, password_hash, at,
    )  # fmt: skip


async def set_active(db: Connection, account_id: UUID, active: bool) -> None:
    """Whether an account may sign in at all."""
    await db.execute("update staff_accounts set active = $2 where id = $1", account_id, active)


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
    environment: str


async def memberships(db: Connection, account_id: UUID) -> list[MembershipRow]:
    """The bars an account works at."""
    rows = await db.fetch(
        """
        select m.bar_id, b.slug as bar_slug, b.name as bar_name, m.role, b.mpesa_environment as environment
        from bar_members m join bars b on b.id = m.bar_id where m.account_id = $1 and b.active order by b.name
        """,
        account_id,
    )
    return [MembershipRow(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class AccountLine:
    username: str
    name: str
    active: bool
    administrator: bool
    second_factor: bool
    bars: list[str]


async def all_accounts(db: Connection) -> list[AccountLine]:
    """Every account with its bars as "slug: role"."""
    rows = await db.fetch(
        """
        select a.username, a.name, a.active, a.is_administrator as administrator,
            a.totp_confirmed_at is not null as second_factor,
            array(select b.slug || ': ' || m.role from bar_members m join bars b on b.id = m.bar_id
                  where m.account_id = a.id order by b.slug) as bars
        from staff_accounts a order by lower(a.username)
        """
    )
    return [AccountLine(**row) for row in rows]


async def account_id_named(db: Connection, username: str) -> UUID | None:
    """An account by its name, disabled or not."""
    id_: UUID | None = await db.fetchval("select id from staff_accounts where lower(username) = lower($1)", username)
    return id_

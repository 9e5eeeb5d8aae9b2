"""The people of a bar, and who is invited."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Person:
    account_id: UUID
    username: str
    name: str
    role: str
    active: bool
    has_second_factor: bool
    last_signed_in: datetime | None


async def people(db: Connection, bar_id: UUID) -> list[Person]:
    """Who works at a bar; owners first."""
    rows = await db.fetch(
        """
        select a.id as account_id, a.username, a.name, m.role, a.active,
            a.totp_confirmed_at is not null as has_second_factor,
            (select max(s.created_at) from staff_sessions s where s.account_id = a.id) as last_signed_in
        from bar_members m join staff_accounts a on a.id = m.account_id where m.bar_id = $1
        order by array_position(array['owner', 'manager', 'cashier', 'waiter'], m.role), lower(a.name)
        """,
        bar_id,
    )
    return [Person(**row) for row in rows]


async def lock_people(db: Connection, bar_id: UUID) -> dict[UUID, str]:
    """The roles at a bar by account, held until the transaction ends: two owners cannot demote each other at once."""
    rows = await db.fetch(
        "select account_id, role from bar_members where bar_id = $1 order by account_id for update", bar_id
    )
    return {row["account_id"]: row["role"] for row in rows}


async def remove_member(db: Connection, bar_id: UUID, account_id: UUID) -> None:
    """They work there no more. Sessions that looked at the bar look at nothing."""
    await db.execute("delete from bar_members where bar_id = $1 and account_id = $2", bar_id, account_id)
    await db.execute(
        "update staff_sessions set bar_id = null where bar_id = $1 and account_id = $2", bar_id, account_id
    )


@dataclass(frozen=True, slots=True)
class Invitation:
    bar_id: UUID
    bar_name: str
    role: str
    name: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None


async def insert_invitation(
    db: Connection, token_hash: bytes, bar_id: UUID, role: str, name: str, by: UUID, at: datetime, until: datetime
) -> None:
    """An invitation under the hash of its link's token."""
    await db.execute(
        """
        insert into staff_invitations (token_hash, bar_id, role, name, invited_by, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        token_hash, bar_id, role, name, by, at, until,
    )  # fmt: skip


#: An invitation `i` is worth what its author is: whoever was taken out must not come back by a link of their own.
BY_AN_OWNER = """
    exists (select from bar_members m join staff_accounts a on a.id = m.account_id
            where m.bar_id = i.bar_id and m.account_id = i.invited_by and m.role = 'owner' and a.active)
"""


async def invitation(db: Connection, token_hash: bytes, at: datetime) -> Invitation | None:
    """An invitation that may still be accepted, held until the transaction ends."""
    row = await db.fetchrow(
        f"""
        select i.bar_id, b.name as bar_name, i.role, i.name, i.created_at, i.expires_at, i.accepted_at
        from staff_invitations i join bars b on b.id = i.bar_id
        where i.token_hash = $1 and i.accepted_at is null and i.expires_at > $2 and b.active and {BY_AN_OWNER}
        for update of i
        """,
        token_hash, at,
    )  # fmt: skip
    return Invitation(**row) if row else None


async def open_invitations(db: Connection, bar_id: UUID, at: datetime) -> list[Invitation]:
    """A bar's invitations that nobody has accepted yet, newest first."""
    rows = await db.fetch(
        f"""
        select i.bar_id, b.name as bar_name, i.role, i.name, i.created_at, i.expires_at, i.accepted_at
        from staff_invitations i join bars b on b.id = i.bar_id
        where i.bar_id = $1 and i.accepted_at is null and i.expires_at > $2 and {BY_AN_OWNER}
        order by i.created_at desc
        """,
        bar_id, at,
    )  # fmt: skip
    return [Invitation(**row) for row in rows]


async def set_accepted(db: Connection, token_hash: bytes, account_id: UUID, at: datetime) -> None:
    """The invitation is used up."""
    await db.execute(
        "update staff_invitations set accepted_at = $3, account_id = $2 where token_hash = $1",
        token_hash, account_id, at,
    )  # fmt: skip


async def withdraw_invitations(db: Connection, bar_id: UUID, created_at: datetime) -> int:
    """Take back what was sent out at that moment and not accepted; how many that were."""
    gone = await db.fetch(
        "delete from staff_invitations where bar_id = $1 and created_at = $2 and accepted_at is null returning 1",
        bar_id, created_at,
    )  # fmt: skip
    return len(gone)

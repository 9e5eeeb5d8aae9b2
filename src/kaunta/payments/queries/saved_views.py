"""The history's filters that people keep. Each is found by bar and person together."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class SavedView:
    """`query`: the filter as an address holds it, without the question mark."""

    id: UUID
    name: str
    query: str


async def views_of(db: Connection, bar_id: UUID, account_id: UUID) -> list[SavedView]:
    """One person's views at one bar, by name."""
    rows = await db.fetch(
        """
        select id, name, query from saved_views where bar_id = $1 and account_id = $2
        order by lower(name), name
        """,
        bar_id, account_id,
    )  # fmt: skip
    return [SavedView(**row) for row in rows]


async def lock_person(db: Connection, bar_id: UUID, account_id: UUID) -> bool:
    """Hold a person's place at a bar; False where they have none."""
    found = await db.fetchval(
        "select true from bar_members where bar_id = $1 and account_id = $2 for no key update", bar_id, account_id
    )
    return found is True


async def count(db: Connection, bar_id: UUID, account_id: UUID) -> int:
    """How many views somebody keeps at a bar."""
    found: int = await db.fetchval(
        "select count(*) from saved_views where bar_id = $1 and account_id = $2", bar_id, account_id
    )
    return found


async def insert(
    db: Connection, id_: UUID, bar_id: UUID, account_id: UUID, name: str, query: str, at: datetime
) -> bool:
    """Keep a view; False where the person has one of that name here."""
    row = await db.fetchrow(
        """
        insert into saved_views (id, bar_id, account_id, name, query, created_at) values ($1, $2, $3, $4, $5, $6)
        on conflict (bar_id, account_id, name) do nothing returning id
        """,
        id_, bar_id, account_id, name, query, at,
    )  # fmt: skip
    return row is not None


async def delete(db: Connection, bar_id: UUID, account_id: UUID, id_: UUID) -> bool:
    """Delete a view; False where the person has no such one here."""
    row = await db.fetchrow(
        "delete from saved_views where bar_id = $1 and account_id = $2 and id = $3 returning id",
        bar_id, account_id, id_,
    )  # fmt: skip
    return row is not None

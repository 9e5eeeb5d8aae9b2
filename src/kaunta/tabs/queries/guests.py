"""Guests' phones: which tab each belongs to, who tried to join one, which payments it started, how a tab is split."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.tabs.values import Split


async def join_device(db: Connection, device_hash: bytes, tab_id: UUID, bar_id: UUID, at: datetime) -> None:
    """Remember that a guest's device belongs to a tab; the one it joined last counts."""
    await db.execute(
        """
        insert into guest_devices (device_hash, tab_id, bar_id, joined_at) values ($1, $2, $3, $4)
        on conflict (device_hash, tab_id) do update set joined_at = excluded.joined_at
        """,
        device_hash, tab_id, bar_id, at,
    )  # fmt: skip


async def tab_ref_of_device(db: Connection, bar_id: UUID, device_hash: bytes) -> str | None:
    """The open tab a guest's device joined last at a bar."""
    ref: str | None = await db.fetchval(
        """
        select t.ref from guest_devices d join tabs t on t.id = d.tab_id
        where d.device_hash = $2 and d.bar_id = $1 and t.status <> 'closed' order by d.joined_at desc limit 1
        """,
        bar_id, device_hash,
    )  # fmt: skip
    return ref


@dataclass(frozen=True, slots=True)
class TabToJoin:
    """A tab that somebody at a table may join."""

    id: UUID
    ref: str
    join_code: str


async def tabs_to_join(db: Connection, bar_id: UUID, table_id: UUID) -> list[TabToJoin]:
    """The open tabs that a guest at this table may belong to: the table's own, and those without a table."""
    rows = await db.fetch(
        """
        select id, ref, join_code from tabs
        where bar_id = $1 and status <> 'closed' and (table_code_id = $2 or table_code_id is null)
        order by opened_at desc limit 300
        """,
        bar_id, table_id,
    )  # fmt: skip
    return [TabToJoin(**row) for row in rows]


async def tab_open_at(db: Connection, table_id: UUID) -> bool:
    """Whether somebody at this table has an open tab."""
    there: bool = await db.fetchval(
        "select exists (select from tabs where table_code_id = $1 and status <> 'closed')", table_id
    )
    return there


async def join_code_taken(db: Connection, bar_id: UUID, code: str) -> bool:
    """Whether an open tab of the bar has this code. The bar is locked."""
    taken: bool = await db.fetchval(
        "select exists (select from tabs where bar_id = $1 and status <> 'closed' and join_code = $2)", bar_id, code
    )
    return taken


async def lock_table(db: Connection, table_id: UUID) -> None:
    """One guess at a table at a time: each is counted before the next is looked at."""
    await db.execute("select from table_codes where id = $1 for no key update", table_id)


@dataclass(frozen=True, slots=True)
class Missed:
    """Wrong codes typed lately; `first` is when the device's oldest of them was."""

    at_table: int
    by_device: int
    first: datetime | None


async def missed_joins(
    db: Connection, table_id: UUID, device_hash: bytes, since: datetime, since_device: datetime
) -> Missed:
    """Wrong codes at a table since one moment, and by a device, at any table, since another."""
    row = await db.fetchrow(
        """
        select (select count(*)::int from join_attempts where table_code_id = $1 and at > $3 and not succeeded)
                   as at_table,
               count(*)::int as by_device, min(at) as first
        from join_attempts where device_hash = $2 and at > $4 and not succeeded
        """,
        table_id, device_hash, since, since_device,
    )  # fmt: skip
    return Missed(**row) if row else Missed(0, 0, None)


async def record_join(
    db: Connection, bar_id: UUID, table_id: UUID, device_hash: bytes, succeeded: bool, at: datetime
) -> None:
    """Somebody typed a code at a table."""
    await db.execute(
        """
        insert into join_attempts (bar_id, table_code_id, device_hash, succeeded, at) values ($1, $2, $3, $4, $5)
        """,
        bar_id, table_id, device_hash, succeeded, at,
    )  # fmt: skip


async def keep_payment(db: Connection, device_hash: bytes, transaction_id: UUID, at: datetime) -> None:
    """Remember which device started a payment."""
    await db.execute(
        """
        insert into guest_payments (device_hash, transaction_id, bar_id, at)
        select $1, id, bar_id, $3 from mpesa_transactions where id = $2
        on conflict do nothing
        """,
        device_hash, transaction_id, at,
    )  # fmt: skip


async def own_payments(db: Connection, bar_id: UUID, device_hash: bytes, since: datetime) -> list[UUID]:
    """The payments a device started at a bar since a moment, newest first."""
    rows = await db.fetch(
        """
        select transaction_id from guest_payments where device_hash = $2 and bar_id = $1 and at > $3
        order by at desc limit 20
        """,
        bar_id, device_hash, since,
    )  # fmt: skip
    return [row["transaction_id"] for row in rows]


async def split_of_tab(db: Connection, tab_id: UUID) -> Split | None:
    """How a tab is shared, if its guests said so."""
    row = await db.fetchrow("select people, total, ordered from tab_splits where tab_id = $1", tab_id)
    return Split(**row) if row else None


async def set_split(db: Connection, tab_id: UUID, bar_id: UUID, split: Split, at: datetime) -> None:
    """Share a tab from now on. The tab is locked."""
    await db.execute(
        """
        insert into tab_splits (tab_id, bar_id, people, total, ordered, at) values ($1, $2, $3, $4, $5, $6)
        on conflict (tab_id) do update set people = excluded.people, total = excluded.total,
            ordered = excluded.ordered, at = excluded.at
        """,
        tab_id, bar_id, split.people, split.total, split.ordered, at,
    )  # fmt: skip


async def end_split(db: Connection, tab_id: UUID) -> None:
    """A tab is no longer shared."""
    await db.execute("delete from tab_splits where tab_id = $1", tab_id)

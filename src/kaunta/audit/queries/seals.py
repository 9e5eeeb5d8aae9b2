"""Sealing's SQL: what is committed and not sealed yet, and the seals themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from kaunta.audit.chain import Batch, Kind, Row, Sealed
from kaunta.core.db import Connection

#: Each table's line as it is sealed. JSON written by PostgreSQL is canonical: keys in one order, numbers as stored.
PAYMENT = """
    'payment' as kind, e.id, e.at, 'money' as keep,
    jsonb_build_array(e.bar_id, e.transaction_id, e.kind, e.from_status, e.to_status, e.actor, e.detail)::text as told
"""
REFUND = """
    'refund' as kind, e.id, e.at, 'money' as keep,
    jsonb_build_array(e.bar_id, e.refund_id, e.kind, e.from_state, e.to_state, e.actor, e.reason, e.detail)::text
        as told
"""
AUDIT = """
    'audit' as kind, e.id, e.at, kaunta_audit_keep(e.action) as keep,
    jsonb_build_array(e.bar_id, e.actor, e.action, e.object_kind, e.object_id, e.outcome, e.reason, e.detail)::text
        as told
"""
#: What may be sealed: below the oldest transaction at work nothing can be added any more, and no number a cluster has
#: yet to give is its own.
HERE = "(e.xact, e.id) > ($1::text::xid8, $2::bigint) and e.xact < pg_snapshot_xmin(pg_current_snapshot())"
ELSEWHERE = "(e.xact, e.id) > ($1::text::xid8, $2::bigint) and e.xact >= pg_snapshot_xmax(pg_current_snapshot())"
UNSEALED = "not exists (select from audit_digests d where d.kind = $3 and d.id = e.id and d.at = e.at)"
ORDER = "order by e.xact, e.id limit $4"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a kind is sealed: rows of this cluster's transactions, and rows that came with a restored copy."""

    kind: Kind
    here: tuple[str, int]
    elsewhere: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A row to seal, and the transaction that wrote it."""

    row: Row
    xact: str


async def take_marks(db: Connection) -> list[Mark]:
    """The marks, ours until the transaction ends; none where another sealer has them. A new cluster begins anew."""
    taken = await db.fetch("select kind from audit_marks order by kind for update skip locked")
    if len(taken) < len(Kind):
        return []
    await db.execute(
        """
        update audit_marks set cluster = c.system_identifier, xact = '0', id = 0, elsewhere_xact = '0', elsewhere_id = 0
        from pg_control_system() c where cluster <> c.system_identifier
        """
    )
    return await marks(db)


async def marks(db: Connection) -> list[Mark]:
    """How far each kind is sealed."""
    rows = await db.fetch(
        "select kind, xact::text, id, elsewhere_xact::text, elsewhere_id from audit_marks order by kind"
    )
    return [
        Mark(Kind(row["kind"]), (row["xact"], row["id"]), (row["elsewhere_xact"], row["elsewhere_id"])) for row in rows
    ]


async def unsealed_payments(db: Connection, after: tuple[str, int], limit: int) -> list[Unsealed]:
    """Payments' events, in the order of their transactions."""
    return unsealed(await db.fetch(
        f"select e.xact::text, {PAYMENT} from payment_events e where {HERE} and {UNSEALED} {ORDER}",
        *after, Kind.PAYMENT, limit,
    ))  # fmt: skip


async def unsealed_refunds(db: Connection, after: tuple[str, int], limit: int) -> list[Unsealed]:
    """Refunds' events."""
    return unsealed(await db.fetch(
        f"select e.xact::text, {REFUND} from refund_events e where {HERE} and {UNSEALED} {ORDER}",
        *after, Kind.REFUND, limit,
    ))  # fmt: skip


async def unsealed_others(db: Connection, after: tuple[str, int], limit: int) -> list[Unsealed]:
    """Everything else that is on record."""
    return unsealed(await db.fetch(
        f"select e.xact::text, {AUDIT} from audit_events e where {HERE} and {UNSEALED} {ORDER}",
        *after, Kind.AUDIT, limit,
    ))  # fmt: skip


async def restored_payments(db: Connection, after: tuple[str, int], limit: int) -> list[Unsealed]:
    """Payments' events that another cluster wrote."""
    return unsealed(await db.fetch(
        f"select e.xact::text, {PAYMENT} from payment_events e where {ELSEWHERE} and {UNSEALED} {ORDER}",
        *after, Kind.PAYMENT, limit,
    ))  # fmt: skip


async def restored_refunds(db: Connection, after: tuple[str, int], limit: int) -> list[Unsealed]:
    """Refunds' events that another cluster wrote."""
    return unsealed(await db.fetch(
        f"select e.xact::text, {REFUND} from refund_events e where {ELSEWHERE} and {UNSEALED} {ORDER}",
        *after, Kind.REFUND, limit,
    ))  # fmt: skip


async def restored_others(db: Connection, after: tuple[str, int], limit: int) -> list[Unsealed]:
    """Everything else that another cluster wrote."""
    return unsealed(await db.fetch(
        f"select e.xact::text, {AUDIT} from audit_events e where {ELSEWHERE} and {UNSEALED} {ORDER}",
        *after, Kind.AUDIT, limit,
    ))  # fmt: skip


def unsealed(rows: Sequence[asyncpg.Record]) -> list[Unsealed]:
    return [
        Unsealed(Row(Kind(row["kind"]), row["id"], row["at"], row["keep"], row["told"]), row["xact"]) for row in rows
    ]


async def move_here(db: Connection, kind: Kind, xact: str, id_: int) -> None:
    """All of this cluster up to here is sealed."""
    await db.execute("update audit_marks set xact = $2::text::xid8, id = $3 where kind = $1", kind, xact, id_)


async def move_elsewhere(db: Connection, kind: Kind, xact: str, id_: int) -> None:
    """All that was restored up to here is sealed."""
    await db.execute(
        "update audit_marks set elsewhere_xact = $2::text::xid8, elsewhere_id = $3 where kind = $1", kind, xact, id_
    )


async def head(db: Connection) -> tuple[int, bytes, datetime] | None:
    """The newest batch: its number, its MAC, when it was sealed."""
    row = await db.fetchrow("select batch, mac, sealed_at from audit_seals order by batch desc limit 1")
    return None if row is None else (row["batch"], row["mac"], row["sealed_at"])


async def last_place(db: Connection, kind: Kind, month: date) -> int:
    """Where the chain of a kind and month ends; 0 where it has not begun."""
    place: int | None = await db.fetchval(
        "select last_place from audit_seals where kind = $1 and month = $2 order by first_place desc limit 1",
        kind, month,
    )  # fmt: skip
    return place or 0


async def write_batch(db: Connection, batch: Batch, mac: bytes, rows: list[Sealed]) -> None:
    """A batch and the digests in it."""
    await db.execute(
        """
        insert into audit_seals (batch, kind, month, first_place, last_place, sealed_at, key_id, key_check, mac)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        batch.number, batch.kind, batch.month, batch.first, batch.last, batch.sealed_at, batch.key_id, batch.key_check,
        mac,
    )  # fmt: skip
    await db.execute(
        """
        insert into audit_digests (batch, kind, month, place, id, at, keep, digest)
        select $1, $2, $3, r.place, r.id, r.at, r.keep, r.digest
        from unnest($4::bigint[], $5::bigint[], $6::timestamptz[], $7::text[], $8::bytea[])
            as r (place, id, at, keep, digest)
        """,
        batch.number, batch.kind, batch.month, [r.place for r in rows], [r.id for r in rows], [r.at for r in rows],
        [r.keep for r in rows], [r.digest for r in rows],
    )  # fmt: skip


async def forget(db: Connection, keep: str, before: datetime, most: int) -> int:
    """Sealed lines of a kind older than `before` go, at most `most` a table; how many went."""
    gone: int = await db.fetchval("select kaunta_forget_audit($1, $2, $3)", keep, before, most)
    return gone

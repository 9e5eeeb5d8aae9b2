"""Verification's SQL: the chain with the rows it speaks of, and rows that no seal speaks of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from kaunta.audit.chain import Batch, Kind, Sealed
from kaunta.audit.queries.seals import AUDIT, PAYMENT, REFUND
from kaunta.core.db import Connection

LINKS = "select d.batch, d.place, d.id as sealed_id, d.at as sealed_at, d.keep as sealed_keep, d.digest,"
OF_BATCHES = "and d.batch between $1 and $2 order by d.batch, d.place"
#: Sealing has been past these, so that one without a seal came in beside it.
PASSED = """
    (e.xact, e.id) > ($1::text::xid8, $2::bigint)
    and ((e.xact, e.id) <= (m.xact, m.id) or e.xact >= pg_snapshot_xmax(pg_current_snapshot())
                                             and (e.xact, e.id) <= (m.elsewhere_xact, m.elsewhere_id))
    order by e.xact, e.id limit $3
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A digest in its batch, and its row as it is now; `told` None: there is no row."""

    batch: int
    kind: Kind
    sealed: Sealed
    keep: str | None
    told: str | None


@dataclass(frozen=True, slots=True)
class Passed:
    """A row that should be sealed, and whether it is."""

    kind: Kind
    xact: str
    id: int
    at: datetime
    sealed: bool


async def batches(db: Connection, after: int, limit: int) -> list[tuple[Batch, bytes]]:
    """The chain's batches from its beginning, with their MACs."""
    rows = await db.fetch("select * from audit_seals where batch > $1 order by batch limit $2", after, limit)
    return [
        (
            Batch(
                row["batch"], Kind(row["kind"]), row["month"], row["first_place"], row["last_place"], row["sealed_at"],
                row["key_id"], row["key_check"],
            ),
            row["mac"],
        )
        for row in rows
    ]  # fmt: skip


async def links(db: Connection, first: int, last: int) -> list[Link]:
    """The digests of some batches, each with its row."""
    found = [
        *await db.fetch(
            f"{LINKS} {PAYMENT} from audit_digests d left join payment_events e on e.id = d.id and e.at = d.at "
            f"where d.kind = 'payment' {OF_BATCHES}",
            first, last,
        ),
        *await db.fetch(
            f"{LINKS} {REFUND} from audit_digests d left join refund_events e on e.id = d.id and e.at = d.at "
            f"where d.kind = 'refund' {OF_BATCHES}",
            first, last,
        ),
        *await db.fetch(
            f"{LINKS} {AUDIT} from audit_digests d left join audit_events e on e.id = d.id and e.at = d.at "
            f"where d.kind = 'audit' {OF_BATCHES}",
            first, last,
        ),
    ]  # fmt: skip
    return [
        Link(
            row["batch"],
            Kind(row["kind"]),
            Sealed(row["place"], row["sealed_id"], row["sealed_at"], row["sealed_keep"], row["digest"]),
            # The joined row's own id tells whether it is there: its other columns are computed and never null.
            None if row["id"] is None else row["keep"],
            None if row["id"] is None else row["told"],
        )
        for row in found
    ]


async def passed_payments(db: Connection, after: tuple[str, int], limit: int) -> list[Passed]:
    """Payments' events that sealing has been past, in the order of their transactions."""
    return passed(await db.fetch(
        f"""
        select 'payment' as kind, e.xact::text, e.id, e.at, exists (
            select from audit_digests d where d.kind = 'payment' and d.id = e.id and d.at = e.at) as sealed
        from payment_events e join audit_marks m on m.kind = 'payment' where {PASSED}
        """,
        *after, limit,
    ))  # fmt: skip


async def passed_refunds(db: Connection, after: tuple[str, int], limit: int) -> list[Passed]:
    """Refunds' events that sealing has been past."""
    return passed(await db.fetch(
        f"""
        select 'refund' as kind, e.xact::text, e.id, e.at, exists (
            select from audit_digests d where d.kind = 'refund' and d.id = e.id and d.at = e.at) as sealed
        from refund_events e join audit_marks m on m.kind = 'refund' where {PASSED}
        """,
        *after, limit,
    ))  # fmt: skip


async def passed_others(db: Connection, after: tuple[str, int], limit: int) -> list[Passed]:
    """Everything else that sealing has been past."""
    return passed(await db.fetch(
        f"""
        select 'audit' as kind, e.xact::text, e.id, e.at, exists (
            select from audit_digests d where d.kind = 'audit' and d.id = e.id and d.at = e.at) as sealed
        from audit_events e join audit_marks m on m.kind = 'audit' where {PASSED}
        """,
        *after, limit,
    ))  # fmt: skip


def passed(rows: Sequence[asyncpg.Record]) -> list[Passed]:
    return [Passed(Kind(row["kind"]), row["xact"], row["id"], row["at"], row["sealed"]) for row in rows]


async def unmarked(db: Connection) -> list[tuple[Kind, int]]:
    """Kinds whose mark names a row that no seal holds: the chain was cut behind it."""
    rows = await db.fetch(
        """
        select m.kind, greatest(m.id, m.elsewhere_id) as id from audit_marks m
        where (m.id > 0 and not exists (select from audit_digests d where d.kind = m.kind and d.id = m.id))
           or (m.elsewhere_id > 0
               and not exists (select from audit_digests d where d.kind = m.kind and d.id = m.elsewhere_id))
        """
    )
    return [(Kind(row["kind"]), row["id"]) for row in rows]


async def forgotten_before(db: Connection) -> dict[str, datetime]:
    """For each kind of keeping, how far what is older was forgotten, by the audit's own word for it."""
    rows = await db.fetch(
        """
        select object_id as keep, max(least((detail ->> 'before')::timestamptz,
            at - case object_id when 'access' then interval '30 days' else interval '5 years' end)) as before
        from audit_events where action = 'audit.forgotten' and object_kind = 'audit' group by object_id
        """
    )
    return {row["keep"]: row["before"] for row in rows}


async def mac_of(db: Connection, batch: int) -> bytes | None:
    """The MAC of a batch."""
    found: bytes | None = await db.fetchval("select mac from audit_seals where batch = $1", batch)
    return found


async def take_watch(db: Connection, now: datetime, next_at: datetime) -> bool:
    """Whether the chain is due to be followed, and by us."""
    taken = await db.fetchval("update audit_watch set next_at = $2 where next_at <= $1 returning true", now, next_at)
    return bool(taken)


async def write_found(db: Connection, at: datetime, batch: int, rows: int, findings: list[dict[str, Any]]) -> None:
    """What following the chain found."""
    await db.execute(
        "update audit_watch set checked_at = $1, through_batch = $2, rows_checked = $3, findings = $4",
        at, batch, rows, findings,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stand:
    """How the chain stands; None: nothing sealed, or never followed. `waiting`: since when a row waits for its seal."""

    sealed_at: datetime | None
    batch: int | None
    checked_at: datetime | None
    rows_checked: int | None
    findings: list[dict[str, Any]] | None
    waiting: datetime | None


async def stand(db: Connection) -> Stand:
    """How the chain stands, for a page."""
    row = await db.fetchrow(
        """
        select s.sealed_at, s.batch, w.checked_at, w.rows_checked, w.findings, (
            select min(at) from (
                (select e.at from payment_events e join audit_marks m on m.kind = 'payment'
                 where (e.xact, e.id) > (m.xact, m.id) and m.elsewhere_id = 0 order by e.xact, e.id limit 1)
                union all
                (select e.at from refund_events e join audit_marks m on m.kind = 'refund'
                 where (e.xact, e.id) > (m.xact, m.id) and m.elsewhere_id = 0 order by e.xact, e.id limit 1)
                union all
                (select e.at from audit_events e join audit_marks m on m.kind = 'audit'
                 where (e.xact, e.id) > (m.xact, m.id) and m.elsewhere_id = 0 order by e.xact, e.id limit 1)
            ) waiting) as waiting
        from audit_watch w left join lateral (
            select sealed_at, batch from audit_seals order by batch desc limit 1) s on true
        """
    )
    if row is None:
        return Stand(None, None, None, None, None, None)
    return Stand(**row)

"""The whole installation's audit, for its operator: the newest lines, and all of them with their seals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from kaunta.audit.queries import Entry
from kaunta.core.db import Connection

PAYMENT = """
    'payment' as source, e.id, e.at, e.bar_id, e.actor, e.kind as action, 'transaction' as object_kind,
    e.transaction_id::text as object_id, 'ok' as outcome, e.detail ->> 'reason' as reason,
    e.detail || jsonb_strip_nulls(jsonb_build_object('from', e.from_status, 'to', e.to_status)) as detail
"""
REFUND = """
    'refund' as source, e.id, e.at, e.bar_id, e.actor, e.kind as action, 'refund' as object_kind,
    e.refund_id::text as object_id, 'ok' as outcome, e.reason,
    e.detail || jsonb_strip_nulls(jsonb_build_object('from', e.from_state, 'to', e.to_state)) as detail
"""
OTHER = """
    'audit' as source, e.id, e.at, e.bar_id, e.actor, e.action, e.object_kind, e.object_id, e.outcome, e.reason,
    e.detail
"""
SEALED = "d.batch, d.place, encode(d.digest, 'hex') as digest"
WISHED = """
    e.id > $1 and ($2::uuid is null or e.bar_id = $2) and ($3::timestamptz is null or e.at >= $3)
    and ($4::timestamptz is null or e.at < $4) order by e.id limit $5
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """A line and its seal; not sealed yet: None."""

    entry: Entry
    bar_id: UUID | None
    batch: int | None
    place: int | None
    digest: str | None

    def told(self) -> dict[str, Any]:
        """As JSON."""
        one = self.entry
        return {
            "source": one.source, "id": one.id, "at": one.at.isoformat(),
            "bar_id": str(self.bar_id) if self.bar_id else None, "actor": one.actor, "action": one.action,
            "object_kind": one.object_kind, "object_id": one.object_id, "outcome": one.outcome, "reason": one.reason,
            "detail": one.detail, "batch": self.batch, "place": self.place, "digest": self.digest,
        }  # fmt: skip


async def newest(db: Connection, bar_id: UUID | None, limit: int) -> list[Exported]:
    """The newest lines of a bar, or of everything, newest first."""
    found = await db.fetch(
        f"""
        select * from (
            (select {PAYMENT}, {SEALED} from payment_events e
             left join audit_digests d on d.kind = 'payment' and d.id = e.id and d.at = e.at
             where $1::uuid is null or e.bar_id = $1 order by e.id desc limit $2)
            union all
            (select {REFUND}, {SEALED} from refund_events e
             left join audit_digests d on d.kind = 'refund' and d.id = e.id and d.at = e.at
             where $1::uuid is null or e.bar_id = $1 order by e.id desc limit $2)
            union all
            (select {OTHER}, {SEALED} from audit_events e
             left join audit_digests d on d.kind = 'audit' and d.id = e.id and d.at = e.at
             where $1::uuid is null or e.bar_id = $1 order by e.id desc limit $2)
        ) newest order by at desc, source, id desc limit $2
        """,
        bar_id, limit,
    )  # fmt: skip
    return exported(found)


async def payments_after(
    db: Connection, id_: int, bar_id: UUID | None, since: datetime | None, until: datetime | None, limit: int
) -> list[Exported]:
    """Payments' events, oldest first."""
    return exported(await db.fetch(
        f"""
        select {PAYMENT}, {SEALED} from payment_events e
        left join audit_digests d on d.kind = 'payment' and d.id = e.id and d.at = e.at where {WISHED}
        """,
        id_, bar_id, since, until, limit,
    ))  # fmt: skip


async def refunds_after(
    db: Connection, id_: int, bar_id: UUID | None, since: datetime | None, until: datetime | None, limit: int
) -> list[Exported]:
    """Refunds' events, oldest first."""
    return exported(await db.fetch(
        f"""
        select {REFUND}, {SEALED} from refund_events e
        left join audit_digests d on d.kind = 'refund' and d.id = e.id and d.at = e.at where {WISHED}
        """,
        id_, bar_id, since, until, limit,
    ))  # fmt: skip


async def others_after(
    db: Connection, id_: int, bar_id: UUID | None, since: datetime | None, until: datetime | None, limit: int
) -> list[Exported]:
    """Everything else that is on record, oldest first."""
    return exported(await db.fetch(
        f"""
        select {OTHER}, {SEALED} from audit_events e
        left join audit_digests d on d.kind = 'audit' and d.id = e.id and d.at = e.at where {WISHED}
        """,
        id_, bar_id, since, until, limit,
    ))  # fmt: skip


def exported(rows: Sequence[asyncpg.Record]) -> list[Exported]:
    seal = ("bar_id", "batch", "place", "digest")
    return [
        Exported(
            Entry(**{name: value for name, value in row.items() if name not in seal}), *(row[name] for name in seal)
        )
        for row in rows
    ]

"""A payment's history: what happened to it, which is its audit too, and what we asked Daraja about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.origin import with_origin
from kaunta.core.redaction import typed


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What happened to a payment: its history and its audit row in one."""

    at: datetime
    bar_id: UUID
    transaction_id: UUID
    kind: str
    actor: str
    detail: dict[str, Any]
    from_status: str | None = None
    to_status: str | None = None


def columns(event: NewEvent | None) -> tuple[Any, ...]:
    """An event as the statements take it that write it along with what it tells."""
    if event is None:
        return (None,) * 7
    detail = with_origin(event.actor, typed(event.detail))
    return (event.at, event.bar_id, event.kind, event.from_status, event.to_status, event.actor, detail)


async def append(
    db: Connection,
    at: datetime,
    bar_id: UUID,
    transaction_id: UUID,
    kind: str,
    actor: str,
    detail: dict[str, Any],
    from_status: str | None = None,
    to_status: str | None = None,
) -> None:
    """Something happened to a payment that changes nothing of its row."""
    event = NewEvent(at, bar_id, transaction_id, kind, actor, detail, from_status, to_status)
    await db.execute(
        """
        insert into payment_events (at, bar_id, transaction_id, kind, from_status, to_status, actor, detail)
        values ($1, $2, $8, $3, $4::text::transaction_status, $5::text::transaction_status, $6, $7)
        """,
        *columns(event), transaction_id,
    )  # fmt: skip


async def append_exchange(
    db: Connection,
    at: datetime,
    bar_id: UUID,
    transaction_id: UUID | None,
    kind: str,
    outcome: str,
    http_status: int | None,
    duration_ms: int,
    request: dict[str, Any],
    response: dict[str, Any],
) -> None:
    """One call to Daraja and its answer, redacted."""
    await db.execute(
        """
        insert into daraja_exchanges (at, bar_id, transaction_id, kind, outcome, http_status, duration_ms, request,
                                      response)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        at, bar_id, transaction_id, kind, outcome, http_status, duration_ms, request, response,
    )  # fmt: skip

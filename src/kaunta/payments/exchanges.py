"""What we asked Daraja and what it answered, kept beside the payment it was about.

The client hands each redacted exchange to `sink` as it happens; `collecting` gathers those of one use case, which
stores them in the transaction that records the answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from kaunta.core.db import Connection
from kaunta.daraja.exchanges import ExchangeRecord
from kaunta.payments.queries import events

collected: ContextVar[list[ExchangeRecord] | None] = ContextVar("kaunta_exchanges", default=None)


def sink(record: ExchangeRecord) -> None:
    """Given to `DarajaClient`; keeps the exchange for whoever is collecting in this task."""
    records = collected.get()
    if records is not None:
        records.append(record)


@contextmanager
def collecting() -> Iterator[list[ExchangeRecord]]:
    """Gather the exchanges of the block."""
    records: list[ExchangeRecord] = []
    token = collected.set(records)
    try:
        yield records
    finally:
        collected.reset(token)


async def store(db: Connection, bar_id: UUID, transaction_id: UUID | None, records: list[ExchangeRecord]) -> None:
    """Write gathered exchanges, in the caller's transaction."""
    for record in records:
        await events.append_exchange(
            db,
            record.at,
            bar_id,
            transaction_id,
            record.kind,
            record.outcome,
            record.http_status,
            record.duration_ms,
            dict(record.request),
            dict(record.response),
        )

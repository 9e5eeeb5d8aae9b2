"""The worker's sealing: what is committed is chained, in batches, and no money transaction ever waits for it.

Rows are taken in the order of the transactions that wrote them, and only below the oldest transaction still at work:
a later commit may carry a lower id, and would be skipped otherwise. One sealer at a time; any other finds the marks
taken and goes on.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from kaunta.audit import anchors
from kaunta.audit.chain import BEGINNING, Batch, Kind, Sealed, digest, keys_from, mac
from kaunta.audit.queries import seals
from kaunta.audit.queries.seals import Mark, Unsealed
from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Key

#: Rows of a kind that one turn seals at most.
AT_ONCE = 500

Read = Callable[[Connection, tuple[str, int], int], Awaitable[list[Unsealed]]]
READ: dict[Kind, tuple[Read, Read]] = {
    Kind.PAYMENT: (seals.unsealed_payments, seals.restored_payments),
    Kind.REFUND: (seals.unsealed_refunds, seals.restored_refunds),
    Kind.AUDIT: (seals.unsealed_others, seals.restored_others),
}


class Head(NamedTuple):
    """The end of the chain."""

    batch: int
    mac: bytes


async def seal(rt: Runtime) -> int:
    """Seal what is due; how many rows. Without KAUNTA_SEAL_KEY nothing is sealed."""
    if rt.settings.seal_key is None:
        return 0
    key = keys_from(rt.settings.seal_key.get_secret_value()).primary
    now, sealed = rt.clock.now(), 0
    async with transaction(rt.db) as db:
        marks = await seals.take_marks(db)
        last = await seals.head(db)
        head = Head(last[0], last[1]) if last else Head(0, BEGINNING)
        for mark in marks:
            head, count = await seal_kind(db, key, mark, head, now)
            sealed += count
    if sealed or last:
        anchors.write_when_due(rt, head.batch, head.mac)
    return sealed


async def seal_kind(db: Connection, key: Key, mark: Mark, head: Head, now: datetime) -> tuple[Head, int]:
    """Seal a kind's rows: first what was restored, which is older than what this cluster wrote."""
    here, elsewhere = READ[mark.kind]
    restored = await elsewhere(db, mark.elsewhere, AT_ONCE)
    if restored:
        await seals.move_elsewhere(db, mark.kind, restored[-1].xact, restored[-1].row.id)
    written = await here(db, mark.here, AT_ONCE)
    if written:
        await seals.move_here(db, mark.kind, written[-1].xact, written[-1].row.id)
    for month, rows in groupby((*restored, *written), key=lambda one: one.row.month):
        first = place = await seals.last_place(db, mark.kind, month) + 1
        told = []
        for one in rows:
            told.append(Sealed(place, one.row.id, one.row.at, one.row.keep, digest(key, one.row, place)))
            place += 1
        batch = Batch(head.batch + 1, mark.kind, month, first, place - 1, now, key.id.decode(), key.check)
        head = Head(batch.number, mac(key, batch, head.mac, told))
        await seals.write_batch(db, batch, head.mac, told)
    return head, len(restored) + len(written)

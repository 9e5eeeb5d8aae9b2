"""Events become messages: a worker reads what is committed and writes, for each endpoint of the bar, what to send.

Nothing here is in the way of money: the events are read after their commit, by a mark that never passes a transaction
still at work, so that none is skipped, and one event is one message to one endpoint however often it is read.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.webhooks.queries import telling as queries
from kaunta.webhooks.queries.telling import Happened, Mark

#: Events that one turn reads at most.
AT_ONCE = 500
#: Older events are told to nobody; messages are kept for longer than this, so that none is told anew. Real days.
OLDEST = timedelta(days=30)
#: How far before its last mark a restored copy is looked through: longer than a worker lags.
OVERLAP = timedelta(hours=1)

COMPLETED, IRREGULAR, REFUNDED = "payment.completed", "payment.irregular", "payment.refunded"
#: What the audit calls it when money straight to the till is put on a tab, and taken off it.
CREDITED = frozenset({"receipt.credited", "receipt.matched"})
TAKEN_BACK = frozenset({"receipt.taken_back", "receipt.disproved"})


async def begin(db: Connection, rt: Runtime) -> None:
    """Before the first endpoint of all: what happened until now is nobody's to be told."""
    if not await queries.any_endpoint(db):
        marks = await queries.hold_marks(db, wait=True)
        for mark in marks:
            await queries.move(db, mark.source, await queries.oldest_at_work(db), 0, rt.clock.now())


async def tell(rt: Runtime) -> int:
    """A worker's turn: what happened becomes messages; how many events that were."""
    async with rt.db.acquire() as db:
        if not await queries.any_endpoint(db):
            return 0
    count = 0
    async with transaction(rt.db) as db:
        for mark in await queries.hold_marks(db):
            count += await (tell_restored(db, rt, mark) if mark.anew else tell_new(db, rt, mark))
    return count


async def tell_new(db: Connection, rt: Runtime, mark: Mark) -> int:
    """What this cluster wrote since the mark."""
    now = rt.clock.now()
    read = queries.payments if mark.source == "payment" else queries.refunds
    # Asked first: every transaction below it has ended, so the reading that follows sees all of them.
    below = await queries.oldest_at_work(db)
    found = await read(db, mark.xact, mark.id, below, now - OLDEST, AT_ONCE)
    await write(db, rt, mark.source, found, now)
    if len(found) == AT_ONCE:
        await queries.move(db, mark.source, found[-1].xact, found[-1].id, now)
    elif found or mark.moved_at is None or now - mark.moved_at > OVERLAP / 4:
        # Numbers begin at 1: this is before the first event of the oldest transaction at work.
        await queries.move(db, mark.source, below, 0, now)
    return len(found)


async def tell_restored(db: Connection, rt: Runtime, mark: Mark) -> int:
    """A copy of another cluster's: what it had not told yet is about as old as its mark."""
    now = rt.clock.now()
    read = queries.payments_since if mark.source == "payment" else queries.refunds_since
    found = await read(db, mark.moved_at - OVERLAP) if mark.moved_at else []
    await write(db, rt, mark.source, found, now)
    await queries.move(db, mark.source, await queries.oldest_at_work(db), 0, now)
    return len(found)


async def write(db: Connection, rt: Runtime, source: str, found: list[Happened], now: datetime) -> None:
    """The messages about events, to those who listened when they happened."""
    if not found:
        return
    listening = await queries.listeners(db, list({each.bar_id for each in found}))
    for each in found:
        for listener in listening:
            if listener.bar_id != each.bar_id or each.at < listener.created_at:
                continue
            for type_ in types_of(source, each):
                body = json.dumps(document(type_, each), ensure_ascii=False, separators=(",", ":"))
                await queries.insert(db, rt.entropy.uuid(), listener, type_, source, each.id, each.at, body, now)


def types_of(source: str, event: Happened) -> list[str]:
    """What an event means to a bar's programs; one that completes a payment unusually means two things."""
    if source == "refund":
        return [REFUNDED]
    completes = event.kind in CREDITED or (event.after == "completed" and event.before != "completed")
    return [COMPLETED] * completes + [IRREGULAR] * bool(irregularities_of(event))


def irregularities_of(event: Happened) -> list[str]:
    if event.kind == "claim_disproved" or event.kind in TAKEN_BACK:
        return ["claim_disproved"]
    if event.kind == "receipt.unmatched":
        return ["unmatched"]
    said = event.detail.get("irregularities")
    return [str(each) for each in said] if isinstance(said, list) else []


def document(type_: str, event: Happened) -> dict[str, Any]:
    """A message's body. It holds no phone, no name, and no reference that opens a guest's page."""
    data: dict[str, Any] = {
        "barId": str(event.bar_id),
        "environment": event.environment,
        "transactionId": str(event.payment_id) if event.payment_id else None,
        "reference": event.reference,
        "tabNumber": event.tab_number,
        "amount": event.asked,
    }
    if type_ == REFUNDED:
        data |= {
            "refundId": event.detail.get("refund"),
            "amountRefunded": event.detail.get("refunded"),
            "method": event.method,
            "mpesaReceiptNumber": event.receipt,
        }
    else:
        data |= {
            "status": event.after or "completed",
            "amountReceived": received(event),
            "mpesaReceiptNumber": event.detail.get("receipt"),
            "irregularities": irregularities_of(event),
        }
    return {"type": type_, "timestamp": event.at.isoformat(), "data": data}


def received(event: Happened) -> int | None:
    """Shillings that came, below zero where they left the tab again; None where no amount is known."""
    amount = event.detail.get("amount")
    return None if amount is None else -int(amount) if event.kind in TAKEN_BACK else int(amount)

"""Receipts that belonged to nobody are tried again: a payment that they fit may have come since."""

from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import sightings
from kaunta.payments.receipts import APART_SECONDS, Placing, Sighting, may_take, place, prepare

#: Receipts that belong to nobody look again for a payment that has come without one, this long.
LOOK_AGAIN_SECONDS = 48 * 3600.0


async def look_again(rt: Runtime, limit: int = 50) -> int:
    """A worker's turn: receipts that belonged to nobody, where a payment without one has come since; how many found
    their place."""
    async with rt.db.acquire() as db:
        waiting = await sightings.unplaced(db, rt.clock.before(LOOK_AGAIN_SECONDS), limit)
    placed = 0
    for receipt_id in waiting:
        placed += await place_again(rt, receipt_id)
    return placed


async def note_nobodys(rt: Runtime, limit: int = 50) -> int:
    """A worker's turn: money that has had its time to find its payment, and is still on no tab, goes on record once;
    how much of it there was. The bar's programs are told by that record."""
    async with rt.db.acquire() as db:
        waiting = await sightings.nobodys(
            db, rt.clock.before(LOOK_AGAIN_SECONDS), rt.clock.before(APART_SECONDS), limit
        )
    for receipt_id in waiting:
        async with transaction(rt.db) as db:
            receipt = await sightings.hold(db, receipt_id)
            if receipt is None or receipt.ledger_id is not None or receipt.set_aside:
                continue
            if not await sightings.on_record_as_nobodys(db, receipt_id):
                await audit(
                    db, rt.clock, "kaunta", "receipt.unmatched", "receipt", receipt_id, bar_id=receipt.bar_id,
                    receipt=receipt.receipt, amount=receipt.amount,
                )  # fmt: skip
    return len(waiting)


async def place_again(rt: Runtime, receipt_id: UUID) -> bool:
    """Try once more to place a receipt by what is known of it; True where it found its payment."""
    async with rt.db.acquire() as db:
        receipt = await sightings.seen(db, receipt_id)
        if receipt is None or receipt.ledger_id is not None or receipt.set_aside:
            return False
        sighting = Sighting(
            receipt.bar_id, receipt.environment, receipt.business_shortcode, receipt.receipt, receipt.amount,
            receipt.first_channel, receipt.transacted_at, receipt.reference,
        )  # fmt: skip
    plan = await prepare(rt, sighting)
    if plan.candidate is None:
        return False
    async with transaction(rt.db) as db:
        present = await sightings.seen_by_code(db, sighting.environment, sighting.receipt)
        if present is None or present.ledger_id is not None or not await may_take(db, plan, present):
            return False
        placed = await place(db, rt, plan, sighting)
    rt.live.hint(*placed.topics)
    return placed.placing is Placing.BOOKED

"""A person decides an unknown payment, with a reason and evidence.

Their word books money, so it is audited, flagged `by_hand`, and never stands against Safaricom's: a proven receipt
that comes later fills it in, and a success after "not paid" is booked all the same. A code they type is a claim; one
that is already proven for this bar and booked nowhere else is better than their word and is used as what it is.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, Conflict
from kaunta.core.runtime import Runtime
from kaunta.payments.apply import Applied, Facts, apply, patience
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.queries import receipts, transactions
from kaunta.payments.states import RESOLVE_SECONDS, Event, Nothing, Paid, Resolved

RECEIPT = re.compile(r"[A-Z0-9]{8,15}")


class ReceiptUsed(Conflict):
    """This M-Pesa code was already used for another payment."""

    code = "receipt_used"


class NotResolved(Conflict):
    """This payment cannot be resolved so."""

    code = "not_resolved"


@dataclass(frozen=True, slots=True)
class Resolution:
    """`reason`: why a person had to decide; `evidence`: what they saw; `receipt`: the code, where they have one."""

    paid: bool
    reason: str
    evidence: str
    by: str
    receipt: str | None = None


async def resolve(rt: Runtime, transaction_id: UUID, resolution: Resolution) -> Applied:
    """Decide a payment. Raises `PaymentNotFound`, `BadRequest`, `ReceiptUsed`, `NotResolved`; then nothing changed."""
    check(resolution)
    async with rt.db.acquire() as db:
        place = await transactions.place(db, transaction_id)
    if place is None:
        raise PaymentNotFound
    key = await rt.keys.current(place.bar_id)
    async with transaction(rt.db) as db:
        event = await event_of(db, rt, place, resolution)
        applied = await apply(db, rt, key, place, event, Facts(actor=resolution.by))
        if isinstance(applied.decision, Nothing):
            raise NotResolved(f"{applied.decision.reason.capitalize()}.")
        if resolution.receipt and isinstance(event, Resolved):
            await receipts.claim(
                db, rt.entropy.uuid(), place.bar_id, place.tab_id, place.id, resolution.receipt, resolution.by,
                rt.clock.now(),
            )  # fmt: skip
        await audit(
            db, rt.clock, resolution.by, "payment.resolved", "transaction", place.id, bar_id=place.bar_id,
            reason=resolution.reason, evidence=resolution.evidence, paid=resolution.paid, receipt=resolution.receipt,
        )  # fmt: skip
    rt.live.hint(*applied.topics)
    return applied


def check(resolution: Resolution) -> None:
    if len(resolution.reason.strip()) < 3 or len(resolution.evidence.strip()) < 3:
        raise BadRequest("Say why a person has to decide, and what you saw: a reason and evidence are needed.")
    if resolution.receipt is not None and not RECEIPT.fullmatch(resolution.receipt):
        raise BadRequest("An M-Pesa code has 8 to 15 capital letters and digits, usually 10.")
    if resolution.receipt is not None and not resolution.paid:
        raise BadRequest("A payment with an M-Pesa code was paid.")


async def event_of(db: Connection, rt: Runtime, place: transactions.Place, resolution: Resolution) -> Event:
    """What the person's word amounts to: a proven receipt where their code is one, else only their word."""
    if resolution.receipt is not None:
        known = await receipts.proven(db, place.id, resolution.receipt)
        if known is not None and (known.booked or known.bar_id != place.bar_id):
            raise ReceiptUsed
        if known is not None:
            return Paid(resolution.receipt, known.amount)
        if await receipts.claimed_elsewhere(db, place.bar_id, place.id, resolution.receipt):
            raise ReceiptUsed
    return Resolved(resolution.paid, rt.clock.now(), patience(rt, RESOLVE_SECONDS))

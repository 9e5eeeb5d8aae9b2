"""A person decides an unknown payment, with a reason and evidence.

Their word books money, so it is audited, flagged `by_hand`, and never stands against Safaricom's: a proven receipt
that comes later fills it in, and a success after "not paid" is booked all the same. A code they type is a claim; where
it is already proven for this bar and booked nowhere else, its amount counts and the receipt is tied to the payment, but
that the two belong together remains their word: the receipt may yet prove to be another guest's.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, Conflict
from kaunta.core.problems import close_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Key
from kaunta.payments import given_back
from kaunta.payments.apply import Applied, Facts, apply, patience
from kaunta.payments.claims import UNMATCHED
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.queries import receipts, sightings, transactions
from kaunta.payments.states import RESOLVE_SECONDS, Irregularity, Nothing, Resolved
from kaunta.tabs import queries as tab_queries

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
        applied = await resolve_within(db, rt, key, place, resolution)
    rt.live.hint(*applied.topics)
    return applied


async def resolve_within(
    db: Connection, rt: Runtime, key: Key, place: transactions.Place, resolution: Resolution
) -> Applied:
    """`resolve` in the caller's transaction, who hints its topics afterwards. Raises as `resolve` does."""
    check(resolution)
    # The tab before the receipt, here as everywhere.
    await tab_queries.lock_tab(db, place.tab_id)
    known = await proven_code(db, place, resolution)
    amount = known.amount if known else None
    event = Resolved(resolution.paid, rt.clock.now(), patience(rt, RESOLVE_SECONDS), amount)
    applied = await apply(db, rt, key, place, event, Facts(actor=resolution.by))
    if isinstance(applied.decision, Nothing):
        raise NotResolved(f"{applied.decision.reason.capitalize()}.")
    if resolution.receipt:
        await receipts.claim(
            db, rt.entropy.uuid(), place.bar_id, place.tab_id, place.id, resolution.receipt, resolution.by,
            rt.clock.now(),
        )  # fmt: skip
    if known is not None:
        await attach(db, rt, place, known, resolution.by)
    await audit(
        db, rt.clock, resolution.by, "payment.resolved", "transaction", place.id, bar_id=place.bar_id,
        reason=resolution.reason, evidence=resolution.evidence, paid=resolution.paid, receipt=resolution.receipt,
    )  # fmt: skip
    return applied


def check(resolution: Resolution) -> None:
    if len(resolution.reason.strip()) < 3 or len(resolution.evidence.strip()) < 3:
        raise BadRequest("Say why a person has to decide, and what you saw: a reason and evidence are needed.")
    if resolution.receipt is not None and not RECEIPT.fullmatch(resolution.receipt):
        raise BadRequest("An M-Pesa code has 8 to 15 capital letters and digits, usually 10.")
    if resolution.receipt is not None and not resolution.paid:
        raise BadRequest("A payment with an M-Pesa code was paid.")


async def proven_code(
    db: Connection, place: transactions.Place, resolution: Resolution
) -> receipts.KnownReceipt | None:
    """The proven receipt their code names, locked. Raises `ReceiptUsed` where it is another payment's."""
    if resolution.receipt is None:
        return None
    known = await receipts.proven(db, place.id, resolution.receipt)
    if known is not None and (known.booked or not known.ours):
        raise ReceiptUsed
    if known is None and await receipts.claimed_elsewhere(db, place.bar_id, place.id, resolution.receipt):
        raise ReceiptUsed
    return known


async def attach(db: Connection, rt: Runtime, place: transactions.Place, known: receipts.KnownReceipt, by: str) -> None:
    """The payment's credit rests on this receipt now. It stays out of the payment's row: that they belong together is
    a person's word, and gives way to Safaricom's."""
    ledger_id = await tab_queries.receiptless_credit(db, place.id)
    if ledger_id is None:
        raise RuntimeError(f"payment {place.id} was resolved without a credit")
    await sightings.book_for(db, known.id, place.id, ledger_id)
    await given_back.follow(db, rt, known.id, ledger_id)
    await close_problem(db, rt.clock, UNMATCHED, known.id, by=by, reason="matched to a payment")
    await close_problem(db, rt.clock, Irregularity.NO_RECEIPT, place.id, by=by, reason="its receipt was found")

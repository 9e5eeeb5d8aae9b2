"""Codes people typed, against receipts that are proven: proven beats claimed.

A credit that rests on a person's word is a claim: a code they were believed for, or a proven receipt they matched. When
Safaricom proves that the receipt belongs to another payment, the claim's credit is taken back by a row of its own and
a person looks: in the transaction that books the proof. A person may take their own word back the same way.
"""

from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import events, receipts, refunds, sightings, transactions
from kaunta.payments.vocabulary import Irregularity
from kaunta.tabs import queries as tab_queries
from kaunta.tabs import settle

#: The problem of a receipt that nobody's payment or tab explains; its subject is the receipt's row.
UNMATCHED = "receipt_unmatched"


async def disprove(db: Connection, rt: Runtime, proved: transactions.Locked, receipt: str) -> tuple[str, ...]:
    """Take back what was credited for this code elsewhere; the topics to hint once it is committed."""
    topics: list[str] = []
    for claim in await receipts.claims_of_others(db, proved.environment, receipt, proved.id):
        reason = "its M-Pesa code belongs to another payment"
        if await take_back(db, rt, claim, proved.environment, "safaricom", reason):
            subject = claim.transaction_id or claim.tab_id
            await open_problem(
                db, rt.clock, "claim_disproved", subject, bar_id=claim.bar_id, severity=Severity.ERROR,
                amount=claim.amount, receipt=receipt,
            )  # fmt: skip
            await note_disproved(db, rt, claim, proved.environment, receipt)
        topics += topics_of(claim)
    return tuple(topics)


async def note_disproved(db: Connection, rt: Runtime, claim: receipts.Claim, environment: str, receipt: str) -> None:
    """Money straight to the till has left the tab that it was on; of a payment's, its own event tells."""
    seen = await sightings.seen_by_code(db, environment, receipt)
    if claim.transaction_id is None and seen is not None:
        await audit(
            db, rt.clock, "safaricom", "receipt.disproved", "receipt", seen.id, bar_id=claim.bar_id, receipt=receipt,
            amount=claim.amount, tab=str(claim.tab_id),
        )  # fmt: skip


async def give_way(db: Connection, rt: Runtime, proved: transactions.Locked, receipt: str) -> tuple[str, ...]:
    """The payment's credit rested on another code, and now its own is proven: the other is nobody's again."""
    held = await sightings.receipt_of_payment(db, proved.id)
    if held is None or held.receipt == receipt or held.ledger_id is None:
        return ()
    if claim := await receipts.claim_of_credit(db, held.ledger_id):
        await receipts.refuse_claim(db, claim.id, "safaricom", rt.clock.now())
    await settle.undo_refunds(db, rt, held.ledger_id, "safaricom")
    await sightings.release(db, held.ledger_id)
    await refunds.leave_credit(db, held.ledger_id)
    await put_before_a_person(db, rt, held)
    return (f"bar:{held.bar_id}",)


async def put_before_a_person(db: Connection, rt: Runtime, receipt: sightings.SeenReceipt) -> None:
    """A proven receipt that belongs to nobody is money of somebody's: it stays open until it has its place."""
    await open_problem(
        db, rt.clock, UNMATCHED, receipt.id, bar_id=receipt.bar_id, severity=Severity.WARNING,
        receipt=receipt.receipt, amount=receipt.amount, channel=receipt.first_channel,
    )  # fmt: skip


async def take_back(db: Connection, rt: Runtime, claim: receipts.Claim, environment: str, by: str, reason: str) -> bool:
    """Refuse a claim and take its credit back, its receipt's refunds with it; True where there was one.

    What was sent by hand for a credit without a known code stays in the ledger: that money has left.
    """
    # Deadlock is possible where two proofs disprove each other's tabs; one of them is then tried again.
    await tab_queries.lock_tab(db, claim.tab_id)
    # Looked at again now that the tab is held: while we waited, its own receipt may have come and made it proven.
    # Taking it back then would take money away that Safaricom has.
    current = await receipts.claim_of_credit(db, claim.ledger_id)
    if current is None:
        return False
    claim = current
    await receipts.refuse_claim(db, claim.id, by, rt.clock.now())
    if not claim.reversible:
        return False
    if claim.stands:
        # Safaricom took the money and said so; only the receipt that seemed to be its own is not.
        await settle.undo_refunds(db, rt, claim.ledger_id, by)
        await sightings.release(db, claim.ledger_id)
        await refunds.leave_credit(db, claim.ledger_id)
        await open_problem(
            db, rt.clock, Irregularity.NO_RECEIPT, claim.transaction_id or claim.tab_id, bar_id=claim.bar_id,
            severity=Severity.WARNING, reason="the receipt it was given is not its own",
        )  # fmt: skip
        return False
    await settle.reverse(
        db, rt, claim.bar_id, claim.tab_id, claim.ledger_id, -claim.amount, environment, claim.transaction_id,
        reason, claim_id=claim.id, by=by,
    )  # fmt: skip
    await settle.undo_refunds(db, rt, claim.ledger_id, by)
    if await sightings.release(db, claim.ledger_id) is not None:
        await refunds.leave_credit(db, claim.ledger_id)
    if claim.transaction_id is not None:
        await events.append(
            db, rt.clock.now(), claim.bar_id, claim.transaction_id, "claim_disproved", by, {"amount": -claim.amount}
        )
    return True


def topics_of(claim: receipts.Claim) -> list[str]:
    named = [f"payment:{claim.transaction_id}"] if claim.transaction_id else []
    return [*named, f"tab:{claim.tab_id}", f"bar:{claim.bar_id}"]


async def claim(
    db: Connection, rt: Runtime, receipt: sightings.SeenReceipt, tab_id: UUID, by: str, reason: str
) -> UUID:
    """Credit a tab with a proven receipt on somebody's word, under the locks of both; the ledger row's id."""
    claim_id = rt.entropy.uuid()
    await receipts.insert_match(
        db, claim_id, receipt.bar_id, tab_id, receipt.environment, receipt.receipt, by, reason, rt.clock.now()
    )
    ledger_id = await settle.credit_on_claim(
        db, rt, receipt.bar_id, tab_id, receipt.environment, receipt.amount, claim_id, by
    )
    await receipts.give_match_its_credit(db, claim_id, ledger_id)
    await sightings.book_for(db, receipt.id, None, ledger_id)
    return ledger_id

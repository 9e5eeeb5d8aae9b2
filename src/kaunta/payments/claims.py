"""Codes people typed, against receipts that are proven: proven beats claimed.

A code that somebody was believed for is a claim. When Safaricom proves that the receipt belongs to another payment,
the claim's credit is taken back by a row of its own and a person looks: in the transaction that books the proof.
"""

from kaunta.core.db import Connection
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import receipts, transactions
from kaunta.tabs import queries as tab_queries
from kaunta.tabs import settle


async def disprove(db: Connection, rt: Runtime, proved: transactions.Locked, receipt: str) -> tuple[str, ...]:
    """Take back what was credited for this code elsewhere; the topics to hint once it is committed."""
    topics: list[str] = []
    for claim in await receipts.claims_of_others(db, proved.environment, receipt, proved.id):
        # Deadlock is possible where two proofs disprove each other's tabs; one of them is then tried again.
        await tab_queries.lock_tab(db, claim.tab_id)
        await receipts.refuse_claim(db, claim.id, "safaricom", rt.clock.now())
        if claim.reversible:
            await settle.reverse(
                db, rt, claim.bar_id, claim.tab_id, claim.ledger_id, -claim.amount, proved.environment,
                claim.transaction_id, "its M-Pesa code belongs to another payment",
            )  # fmt: skip
            await transactions.append_event(
                db, rt.clock.now(), claim.bar_id, claim.transaction_id, "claim_disproved", "safaricom",
                {"amount": -claim.amount},
            )  # fmt: skip
            await open_problem(
                db, rt.clock, "claim_disproved", claim.transaction_id, bar_id=claim.bar_id, severity=Severity.ERROR,
                amount=claim.amount,
            )  # fmt: skip
        topics += [f"payment:{claim.transaction_id}", f"tab:{claim.tab_id}", f"bar:{claim.bar_id}"]
    return tuple(topics)

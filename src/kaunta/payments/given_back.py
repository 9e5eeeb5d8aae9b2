"""Refunded money in the ledger: one row a refund, on the tab that its receipt credits, and nowhere while it credits
none. Where a receipt finds its tab after money of it went back, the rows follow it there.
"""

from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import refundable, refunds
from kaunta.payments.queries.refunds import Refund
from kaunta.tabs import queries as tab_queries
from kaunta.tabs import settle


async def book(db: Connection, rt: Runtime, refund: Refund, by: str) -> tuple[str, ...]:
    """The ledger's row of a refund whose receipt is credited; the topics to hint. The tab is locked."""
    if refund.credit_id is None or refund.tab_id is None:
        return ()
    credit = await tab_queries.ledger_row(db, refund.credit_id)
    await settle.give_back(
        db,
        rt,
        settle.GivenBack(
            bar_id=refund.bar_id,
            tab_id=refund.tab_id,
            ledger_id=refund.credit_id,
            environment=refund.environment,
            amount=refund.amount,
            receipt=credit.receipt,
            transaction_id=credit.transaction_id,
            claim_id=credit.claim_id,
            reason=refund.reason,
            # The credit is in it: a receipt that moves to another credit takes its refunds along.
            key=f"refund:{refund.id}:{refund.credit_id}",
        ),
        by,
    )
    return (f"tab:{refund.tab_id}", f"bar:{refund.bar_id}")


async def follow(db: Connection, rt: Runtime, receipt_id: UUID, ledger_id: UUID, *, proven: bool = False) -> None:
    """A receipt was just credited: what was given back of it, or of that credit, belongs together now.

    Unless it is only believed that they belong together (not `proven`): then what was sent by hand while no code was
    known stays the credit's own, or it would leave with a receipt that turns out to be somebody else's.
    """
    left = await refundable.refundable_receipt(db, receipt_id)
    if left is not None and left.left < 0:
        # The proof is smaller than what has gone already. It is booked all the same; no other try would change it.
        await open_problem(
            db, rt.clock, "given_back_too_much", receipt_id, bar_id=left.bar_id, severity=Severity.CRITICAL,
            receipt=left.receipt, amount=-left.left, received=left.received,
        )  # fmt: skip
    for refund in await refunds.of_receipt(db, receipt_id):
        if refund.receipt_id is None and not proven:
            continue
        await refunds.join_credit(db, refund.id, receipt_id, ledger_id)
        joined = await refunds.refund(db, refund.id)
        if joined is not None and joined.state == "refunded":
            await book(db, rt, joined, "kaunta")

"""What can be given back: of a receipt, of a credit, of a payment's credits."""

from dataclasses import dataclass
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class Refundable:
    """A credit, or a receipt that credits nobody. `given`: shillings refunded or on their way."""

    bar_id: UUID
    environment: str
    receipt_id: UUID | None
    receipt: str | None
    credit_id: UUID | None
    tab_id: UUID | None
    received: int
    given: int

    @property
    def left(self) -> int:
        return self.received - self.given


GIVEN = """
    (select coalesce(sum(f.amount), 0)::int from mpesa_refunds f
     where f.state not in ('failed', 'withdrawn') and (f.receipt_id = r.id or f.credit_id = p.id))
"""


async def refundable_receipt(db: Connection, receipt_id: UUID) -> Refundable | None:
    """What can be given back of a receipt."""
    row = await db.fetchrow(
        f"""
        select r.bar_id, r.environment, r.id as receipt_id, r.receipt, p.id as credit_id, p.tab_id,
               r.amount as received, {GIVEN} as given
        from mpesa_receipts r left join tab_payments p on p.id = r.ledger_id where r.id = $1
        """,
        receipt_id,
    )
    return Refundable(**row) if row else None


CREDIT = f"""
    select p.bar_id, p.environment, r.id as receipt_id, r.receipt, p.id as credit_id, p.tab_id,
           p.amount + (select coalesce(sum(c.amount), 0)::int from tab_payments c
                       where c.corrects = p.id and c.kind = 'correction') as received, {GIVEN} as given
    from tab_payments p left join mpesa_receipts r on r.ledger_id = p.id
    where p.kind = 'payment' and p.method = 'mpesa'
      and not exists (select from tab_payments x where x.corrects = p.id and x.kind = 'reversal')
"""


async def refundable_credit(db: Connection, ledger_id: UUID) -> Refundable | None:
    """What can be given back of an M-Pesa credit, corrections included; none of one that was taken back."""
    row = await db.fetchrow(f"{CREDIT} and p.id = $1", ledger_id)
    return Refundable(**row) if row else None


async def refundable_of_payment(db: Connection, transaction_id: UUID) -> list[Refundable]:
    """The credits of a payment, oldest first: one, or as many as Safaricom took; that without a receipt last."""
    rows = await db.fetch(
        f"{CREDIT} and p.transaction_id = $1 order by r.id is null, p.created_at, p.id", transaction_id
    )
    return [Refundable(**row) for row in rows]

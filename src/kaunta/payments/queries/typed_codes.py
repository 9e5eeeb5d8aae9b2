"""M-Pesa codes that guests type: a row each in `receipt_claims`, and what the proven receipts say about them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class TypedCode:
    """A code somebody typed on a tab. `amount` and `here` only where the receipt is proven and credited: how many
    shillings, and whether to this tab. `transaction_id`: the payment it proves, as far as it may be told here."""

    id: UUID
    receipt: str
    status: str
    created_at: datetime
    amount: int | None
    here: bool
    transaction_id: UUID | None


#: A proven receipt that is credited, beside the claim that names it.
TYPED = """
    select c.id, c.receipt, c.status, c.created_at, l.amount, coalesce(l.tab_id = c.tab_id, false) as here,
           case when l.tab_id = c.tab_id then r.transaction_id end as transaction_id
    from receipt_claims c join bars b on b.id = c.bar_id
    left join mpesa_receipts r
           on r.receipt = c.receipt and r.environment = b.mpesa_environment and r.ledger_id is not null
    left join tab_payments l on l.id = r.ledger_id
"""


async def typed_on_tab(db: Connection, tab_id: UUID) -> list[TypedCode]:
    """What guests typed on a tab, newest first."""
    rows = await db.fetch(
        f"{TYPED} where c.tab_id = $1 and c.claimed_by = 'guest' order by c.created_at desc, c.id limit 5", tab_id
    )
    return [TypedCode(**row) for row in rows]


async def typed_code(db: Connection, tab_id: UUID, receipt: str) -> TypedCode | None:
    """This code on this tab, if a guest typed it before."""
    row = await db.fetchrow(
        f"{TYPED} where c.tab_id = $1 and c.receipt = $2 and c.claimed_by = 'guest' order by c.created_at limit 1",
        tab_id, receipt,
    )  # fmt: skip
    return TypedCode(**row) if row else None


async def typed_since(db: Connection, tab_id: UUID, since: datetime) -> int:
    """How many codes guests typed on a tab since a moment."""
    count: int = await db.fetchval(
        "select count(*) from receipt_claims where tab_id = $1 and claimed_by = 'guest' and created_at > $2",
        tab_id, since,
    )  # fmt: skip
    return count


async def insert_typed(
    db: Connection, id_: UUID, bar_id: UUID, tab_id: UUID, transaction_id: UUID | None, receipt: str, at: datetime
) -> None:
    """Keep a typed code: a claim nobody has decided. A payment of another tab is not taken along."""
    await db.execute(
        """
        insert into receipt_claims (id, bar_id, tab_id, transaction_id, receipt, claimed_by, created_at)
        values ($1, $2, $3, (select id from mpesa_transactions where id = $4 and tab_id = $3), $5, 'guest', $6)
        """,
        id_, bar_id, tab_id, transaction_id, receipt, at,
    )  # fmt: skip


async def decide_typed(db: Connection, receipt: str, tab_id: UUID, at: datetime) -> list[tuple[UUID, UUID]]:
    """Open claims of a code that Safaricom has now proven for `tab_id`: right there, wrong elsewhere. (claim, tab)."""
    rows = await db.fetch(
        """
        update receipt_claims set status = case when tab_id = $2 then 'matched' else 'refused' end,
               decided_by = 'safaricom', decided_at = $3
        where receipt = $1 and status = 'open' returning id, tab_id
        """,
        receipt, tab_id, at,
    )  # fmt: skip
    return [(row["id"], row["tab_id"]) for row in rows]

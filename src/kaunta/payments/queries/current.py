"""Where payments stand, as the programs that started them ask every second: many at once, in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaunta.core.db import Connection


@dataclass(frozen=True, slots=True)
class CurrentRow:
    """`fruitless`: when this payer's attempts at this tab that came to nothing began, newest first; looked for only
    where another attempt may follow."""

    id: UUID
    tab_status: str
    status: str
    irregularities: list[str]
    amount: int
    received: int | None
    phone_enc: bytes
    receipt: str | None
    transaction_date: datetime | None
    result_code: str | None
    result_desc: str | None
    failure_reason: str | None
    created_at: datetime
    push_started_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None
    updated_at: datetime
    checkout_request_id_enc: bytes | None
    fruitless: list[datetime] | None


async def current(db: Connection, ids: Sequence[UUID]) -> list[CurrentRow | None]:
    """Each payment by its id, in the order asked; None where there is none."""
    rows = await db.fetch(
        """
        select p.id, t.status as tab_status, p.status::text as status, p.irregularities, p.amount,
               p.amount_received as received, p.phone_enc,
               coalesce(p.receipt, (select r.receipt from mpesa_receipts r join tab_payments l on l.id = r.ledger_id
                                    where r.transaction_id = p.id and l.receipt is null limit 1)) as receipt,
               p.transaction_date, p.result_code, p.result_desc, p.failure_reason, p.created_at, p.push_started_at,
               p.sent_at, p.settled_at, p.updated_at, p.checkout_request_id_enc,
               case when p.status in ('failed', 'cancelled', 'timeout') then (
                    select array_agg(a.created_at order by a.created_at desc) from mpesa_transactions a
                    where a.tab_id = p.tab_id and a.phone_hash = p.phone_hash
                      and a.status::text in ('failed', 'cancelled', 'timeout')
                      and a.failure_reason is distinct from 'not_sent') end as fruitless
        from mpesa_transactions p join tabs t on t.id = p.tab_id
        -- As a list that is not looked into when it is planned: it is planned once, not anew for each length.
        where p.id = any((select $1::uuid[])::uuid[])
        """,
        ids,
    )
    found = {row["id"]: CurrentRow(*row) for row in rows}
    return [found.get(id_) for id_ in ids]

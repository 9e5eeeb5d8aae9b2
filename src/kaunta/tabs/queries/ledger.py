"""The ledger: facts, added and never changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from kaunta.core.db import Connection, one_row
from kaunta.core.redaction import without_secrets


async def ledger_of_tab(db: Connection, tab_id: UUID) -> list[dict[str, Any]]:
    """A tab's ledger, oldest first."""
    rows = await db.fetch(
        """
        select id, kind, method, amount, receipt, created_at, transaction_id from tab_payments
        where tab_id = $1 order by created_at, id
        """,
        tab_id,
    )
    return [dict(row) for row in rows]


async def ledger_row_by_key(db: Connection, tab_id: UUID, key: str) -> UUID | None:
    """The ledger row an idempotency key made."""
    id_: UUID | None = await db.fetchval(
        "select id from tab_payments where tab_id = $1 and idempotency_key = $2", tab_id, key
    )
    return id_


async def insert_ledger_row(
    db: Connection,
    id_: UUID,
    bar_id: UUID,
    tab_id: UUID,
    kind: str,
    method: str | None,
    amount: int,
    recorded_by: str,
    at: datetime,
    *,
    environment: str | None = None,
    transaction_id: UUID | None = None,
    receipt: str | None = None,
    corrects: UUID | None = None,
    reason: str | None = None,
    key: str | None = None,
    claim_id: UUID | None = None,
) -> None:
    """One fact in the ledger."""
    await db.execute(
        """
        insert into tab_payments (id, bar_id, tab_id, kind, method, amount, recorded_by, created_at, environment,
                                  transaction_id, receipt, corrects, reason, idempotency_key, claim_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """,
        id_, bar_id, tab_id, kind, method, amount, recorded_by, at, environment,
        transaction_id, receipt, corrects, None if reason is None else without_secrets(reason), key, claim_id,
    )  # fmt: skip


async def receiptless_credit(db: Connection, transaction_id: UUID) -> UUID | None:
    """The ledger row of a payment that was booked before its receipt was known."""
    id_: UUID | None = await db.fetchval(
        "select id from tab_payments where transaction_id = $1 and kind = 'payment' and receipt is null", transaction_id
    )
    return id_


@dataclass(frozen=True, slots=True)
class Reversal:
    """A row that took a credit back; `amount` is below zero."""

    id: UUID
    amount: int


async def reversal_of(db: Connection, ledger_id: UUID) -> Reversal | None:
    """The row that took a credit back, where there is one."""
    row = await db.fetchrow("select id, amount from tab_payments where corrects = $1 and kind = 'reversal'", ledger_id)
    return Reversal(**row) if row else None


@dataclass(frozen=True, slots=True)
class Credit:
    """What a row that takes away carries on of the credit it takes from."""

    receipt: str | None
    transaction_id: UUID | None
    claim_id: UUID | None


async def ledger_row(db: Connection, ledger_id: UUID) -> Credit:
    """A credit's grounds."""
    row = await db.fetchrow("select receipt, transaction_id, claim_id from tab_payments where id = $1", ledger_id)
    if row is None:
        raise RuntimeError("a ledger row vanished")
    return Credit(**row)


@dataclass(frozen=True, slots=True)
class Standing:
    """A row that counts, with what its opposite carries on."""

    id: UUID
    bar_id: UUID
    tab_id: UUID
    amount: int
    environment: str
    receipt: str | None
    transaction_id: UUID | None
    claim_id: UUID | None


STANDING = """
    select x.id, x.bar_id, x.tab_id, x.amount, x.environment, x.receipt, x.transaction_id, x.claim_id
    from tab_payments x
"""


async def standing_refunds(db: Connection, ledger_id: UUID) -> list[Standing]:
    """A credit's refunds that nothing has cancelled, and that leave with its receipt. What somebody sent by hand while
    no code was known was sent for this credit, and stays on record whatever becomes of the receipt."""
    rows = await db.fetch(
        f"""
        {STANDING} where x.corrects = $1 and x.kind = 'refund'
          and not exists (select from tab_payments y where y.corrects = x.id and y.kind = 'correction')
          and not exists (select from mpesa_refunds f where f.credit_id = $1 and f.receipt_id is null
                          and x.idempotency_key = 'refund:' || f.id || ':' || f.credit_id)
        """,
        ledger_id,
    )
    return [Standing(**row) for row in rows]


async def undone_refund(db: Connection, refund_row: UUID) -> Standing | None:
    """What cancelled a refund's row, where nothing has cancelled that."""
    row = await db.fetchrow(
        f"""
        {STANDING} where x.corrects = $1 and x.kind = 'correction'
          and not exists (select from tab_payments y where y.corrects = x.id and y.kind = 'correction')
        """,
        refund_row,
    )
    return Standing(**row) if row else None


async def fill_ledger_receipt(db: Connection, ledger_id: UUID, receipt: str) -> None:
    """Add the receipt to a credit that was booked without one."""
    one_row(
        await db.execute("update tab_payments set receipt = $2 where id = $1 and receipt is null", ledger_id, receipt),
        "filling in a receipt",
    )

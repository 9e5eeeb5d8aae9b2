"""The ledger's one door: money that arrived is written here, exactly once.

M-Pesa credits come from `payments/apply.py`, in the same transaction as the payment's state; the database refuses a
second credit for a receipt or a receiptless transaction. Cash and card come from staff.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries
from kaunta.tabs.errors import AmountRefused, TabClosed, TabNotFound


@dataclass(frozen=True, slots=True)
class MpesaCredit:
    """Money Safaricom took for a transaction of ours. `receipt` None: proven by two agreeing words."""

    bar_id: UUID
    tab_id: UUID
    transaction_id: UUID
    environment: str
    amount: int
    receipt: str | None


async def credit_mpesa(db: Connection, rt: Runtime, credit: MpesaCredit) -> UUID:
    """Credit a tab, in the caller's transaction and under the tab's lock; the ledger row's id."""
    ledger_id = rt.entropy.uuid()
    await queries.insert_ledger_row(
        db,
        ledger_id,
        credit.bar_id,
        credit.tab_id,
        "payment",
        "mpesa",
        credit.amount,
        "safaricom",
        rt.clock.now(),
        environment=credit.environment,
        transaction_id=credit.transaction_id,
        receipt=credit.receipt,
    )
    return ledger_id


async def fill_receipt(db: Connection, rt: Runtime, credit: MpesaCredit, correction: int) -> UUID:
    """The receipt of a credit booked without one has come; where the amount differs, a correction row says so."""
    ledger_id = await queries.receiptless_credit(db, credit.transaction_id)
    if ledger_id is None or credit.receipt is None:
        raise RuntimeError(f"transaction {credit.transaction_id} has no receiptless credit to fill")
    await queries.fill_ledger_receipt(db, ledger_id, credit.receipt)
    if reversal := await queries.reversal_of(db, ledger_id):
        # It was booked for a code that proved to be another payment's, and taken back. Now it has its own.
        await queries.insert_ledger_row(
            db,
            rt.entropy.uuid(),
            credit.bar_id,
            credit.tab_id,
            "correction",
            "mpesa",
            -reversal.amount,
            "safaricom",
            rt.clock.now(),
            environment=credit.environment,
            transaction_id=credit.transaction_id,
            receipt=credit.receipt,
            corrects=reversal.id,
            reason="taken back for a wrong code, and proven by its own receipt since",
        )
    if correction:
        await queries.insert_ledger_row(
            db,
            rt.entropy.uuid(),
            credit.bar_id,
            credit.tab_id,
            "correction",
            "mpesa",
            correction,
            "safaricom",
            rt.clock.now(),
            environment=credit.environment,
            transaction_id=credit.transaction_id,
            receipt=credit.receipt,
            corrects=ledger_id,
            reason="the receipt's amount differs from the one booked",
        )
    return ledger_id


async def reverse(
    db: Connection,
    rt: Runtime,
    bar_id: UUID,
    tab_id: UUID,
    ledger_id: UUID,
    amount: int,
    environment: str,
    transaction_id: UUID | None,
    reason: str,
    *,
    claim_id: UUID | None = None,
    by: str = "safaricom",
) -> None:
    """Take an M-Pesa credit back by a row of its own (`amount` below zero), in the caller's transaction."""
    await queries.insert_ledger_row(
        db,
        rt.entropy.uuid(),
        bar_id,
        tab_id,
        "reversal",
        "mpesa",
        amount,
        by,
        rt.clock.now(),
        environment=environment,
        transaction_id=transaction_id,
        corrects=ledger_id,
        reason=reason,
        claim_id=claim_id,
    )


async def credit_on_claim(
    db: Connection, rt: Runtime, bar_id: UUID, tab_id: UUID, environment: str, amount: int, claim_id: UUID, by: str
) -> UUID:
    """Credit a tab because somebody said that a proven receipt is its money; under the tab's lock. The row's id.

    The receipt stays out of the row: Safaricom's proof for a payment must find its place free.
    """
    ledger_id = rt.entropy.uuid()
    await queries.insert_ledger_row(
        db, ledger_id, bar_id, tab_id, "payment", "mpesa", amount, by, rt.clock.now(), environment=environment,
        claim_id=claim_id,
    )  # fmt: skip
    return ledger_id


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Money of an M-Pesa credit (`ledger_id`) that went back. `key` makes it one row, however often it is told."""

    bar_id: UUID
    tab_id: UUID
    ledger_id: UUID
    environment: str
    amount: int
    receipt: str | None
    transaction_id: UUID | None
    claim_id: UUID | None
    reason: str
    key: str


async def give_back(db: Connection, rt: Runtime, back: GivenBack, by: str) -> None:
    """A refund's row in the ledger, in the caller's transaction and under the tab's lock."""
    if made := await queries.ledger_row_by_key(db, back.tab_id, back.key):
        await refund_again(db, rt, made, by)
        return
    await queries.insert_ledger_row(
        db, rt.entropy.uuid(), back.bar_id, back.tab_id, "refund", "mpesa", -back.amount, by, rt.clock.now(),
        environment=back.environment, transaction_id=back.transaction_id, receipt=back.receipt,
        corrects=back.ledger_id, reason=back.reason, key=back.key, claim_id=back.claim_id,
    )  # fmt: skip


async def undo_refunds(db: Connection, rt: Runtime, ledger_id: UUID, by: str) -> None:
    """A credit was taken back, and its receipt's refunds go with the receipt: each is cancelled by a correction."""
    for row in await queries.standing_refunds(db, ledger_id):
        await correct(db, rt, row, by, "its receipt's credit was taken back")


async def refund_again(db: Connection, rt: Runtime, refund_row: UUID, by: str) -> None:
    """A refund that was cancelled with its credit counts again: its receipt has come back."""
    undone = await queries.undone_refund(db, refund_row)
    if undone is not None:
        await correct(db, rt, undone, by, "its receipt has come back")


async def correct(db: Connection, rt: Runtime, row: queries.Standing, by: str, reason: str) -> None:
    """The opposite of a row, by a row of its own."""
    await queries.insert_ledger_row(
        db, rt.entropy.uuid(), row.bar_id, row.tab_id, "correction", "mpesa", -row.amount, by, rt.clock.now(),
        environment=row.environment, transaction_id=row.transaction_id, receipt=row.receipt, corrects=row.id,
        reason=reason, claim_id=row.claim_id,
    )  # fmt: skip


async def close_if_settled(db: Connection, rt: Runtime, tab_id: UUID) -> None:
    """An overdue tab closes when it is paid in full; an open one stays open, the evening may go on.

    The caller holds the tab's lock and has made sure that no payment of it is contradicted.
    """
    row = await queries.tab(db, tab_id)
    if row is not None and row.status == "overdue" and row.paid >= row.ordered:
        await queries.set_tab_closed(db, tab_id, "system", rt.clock.now())


async def record_payment(
    rt: Runtime,
    bar_id: UUID,
    tab_id: UUID,
    amount: int,
    method: Literal["cash", "card"],
    account_id: UUID,
    key: str,
) -> UUID:
    """Staff took cash or card: 1 … balance shillings. The same key is the same payment.

    Raises `TabNotFound`, `TabClosed`, `AmountRefused`.
    """
    async with transaction(rt.db) as db:
        row = await queries.lock_tab(db, tab_id)
        if row is None or row.bar_id != bar_id:
            raise TabNotFound
        if made := await queries.ledger_row_by_key(db, tab_id, key):
            return made
        if row.status == "closed":
            raise TabClosed
        if not 1 <= amount <= row.ordered - row.paid:
            raise AmountRefused(
                "Take an amount between 1 shilling and what is owed.", balance=max(row.ordered - row.paid, 0)
            )
        ledger_id = rt.entropy.uuid()
        actor = f"staff:{account_id}"
        await queries.insert_ledger_row(
            db, ledger_id, bar_id, tab_id, "payment", method, amount, actor, rt.clock.now(), key=key
        )
        await audit(db, rt.clock, actor, f"payment.{method}", "tab", tab_id, bar_id=bar_id, amount=amount)
        await close_if_settled(db, rt, tab_id)
    rt.live.hint(f"bar:{bar_id}", f"tab:{tab_id}")
    return ledger_id


async def write_off(
    db: Connection, rt: Runtime, bar_id: UUID, tab_id: UUID, amount: int, *, reason: str, by: str
) -> None:
    """Lower what is owed without money, in the caller's transaction and under the tab's lock."""
    await queries.insert_ledger_row(
        db, rt.entropy.uuid(), bar_id, tab_id, "write_off", None, amount, by, rt.clock.now(), reason=reason
    )
    await audit(db, rt.clock, by, "payment.written_off", "tab", tab_id, bar_id=bar_id, reason=reason, amount=amount)

"""Receipts that belong to nobody, and the person who knows whose they are.

What speaks for a tab or a payment (a guest typed the code, the amount and the time fit) is shown as evidence and never
booked by itself. A person's word books it as a claim: it stands until Safaricom proves otherwise, and they may take it
back. Where rulings 6 say whose a receipt is, it goes there first, whatever anybody says.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, Conflict, NotFound
from kaunta.core.problems import close_problem
from kaunta.core.redaction import without_secrets
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.payments import claims
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.looking_again import place_again
from kaunta.payments.queries import matching as queries
from kaunta.payments.queries import receipts, sightings, transactions
from kaunta.payments.queries.sightings import SeenReceipt
from kaunta.payments.receipts import to_tab
from kaunta.payments.resolve import Resolution, attach, resolve
from kaunta.payments.states import Status
from kaunta.tabs import queries as tab_queries
from kaunta.tabs.errors import TabNotFound

#: A push and its money lie at most this far apart, seconds of policy: a prompt lives a minute, a callback may be lost.
NEAR_SECONDS = 600.0
LONGEST_QUEUE = 200


class ReceiptNotFound(NotFound):
    """This M-Pesa receipt is not known here."""

    code = "receipt_not_found"


class ReceiptBooked(Conflict):
    """This M-Pesa receipt is credited already."""

    code = "receipt_booked"


class ReceiptGoesElsewhere(Conflict):
    """This M-Pesa receipt belongs to a payment that had none, and was credited there."""

    code = "receipt_goes_elsewhere"


class ReceiptDiffers(Conflict):
    """This payment has its own receipt, or another amount."""

    code = "receipt_differs"


class NotOnAClaim(Conflict):
    """Safaricom itself proved where this receipt belongs. Nobody can take that back."""

    code = "not_on_a_claim"


class Ground(StrEnum):
    """What speaks for a suggestion, the strongest first."""

    CODE_TYPED = "code_typed"
    PAYMENT_FITS = "payment_fits"
    BALANCE_FITS = "balance_fits"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A tab (and payment) that a receipt may be for. `at`: when the code was typed, the push sent, the tab opened;
    `by`: who typed it; `status` and `reference`: the payment's."""

    ground: Ground
    tab_id: UUID
    tab_number: int
    at: datetime
    transaction_id: UUID | None = None
    reference: str | None = None
    status: str | None = None
    by: str | None = None
    table_label: str | None = None


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A receipt that waits for a person. `phone`: as Safaricom told it, never shown whole; `name`: the first one."""

    receipt_id: UUID
    receipt: str
    amount: int
    at: datetime | None
    channel: str
    reference: str
    phone: str
    name: str
    seen_at: datetime


async def unmatched(rt: Runtime, bar_id: UUID) -> list[Unmatched]:
    """A bar's queue, oldest first."""
    async with rt.db.acquire() as db:
        rows = await queries.unmatched(db, bar_id, LONGEST_QUEUE)
        return [await shown(db, rt, row) for row in rows]


async def shown(db: Connection, rt: Runtime, receipt: SeenReceipt) -> Unmatched:
    return Unmatched(
        receipt_id=receipt.id,
        receipt=receipt.receipt,
        amount=receipt.amount,
        at=receipt.transacted_at,
        channel=receipt.first_channel,
        reference=receipt.reference,
        phone=discreet(await opened(db, rt, "phone", receipt.phone_enc)),
        name=(await opened(db, rt, "payer_name", receipt.name_enc)).partition(" ")[0],
        seen_at=receipt.created_at,
    )


async def opened(db: Connection, rt: Runtime, purpose: str, sealed: bytes | None) -> str:
    try:
        return (await rt.keys.open(db, purpose, sealed)).decode() if sealed else ""
    except VaultError:
        # Erased at its owner's request, or by age: the books stay, the person is gone.
        return ""


def discreet(phone: str) -> str:
    """The last three digits of a number, whether it came plain or masked; nothing of a hash."""
    digits = "".join(character for character in phone if character.isdigit())
    return f"••• {digits[-3:]}" if digits and len(phone) <= 20 else ""


async def suggestions(rt: Runtime, receipt_id: UUID) -> list[Suggestion]:
    """What speaks for whom, the strongest first. Raises `ReceiptNotFound`."""
    async with rt.db.acquire() as db:
        receipt = await sightings.seen(db, receipt_id)
        if receipt is None:
            raise ReceiptNotFound
        at = receipt.transacted_at or receipt.created_at
        near = timedelta(seconds=rt.clock.wait(NEAR_SECONDS))
        typed = await queries.claims_naming(db, receipt.bar_id, receipt.receipt)
        payments = await queries.fitting_payments(
            db, receipt.environment, receipt.business_shortcode, receipt.bar_id, receipt.amount, at, near
        )
        tabs = await queries.fitting_tabs(db, receipt.bar_id, receipt.amount, at)
    return [
        *(
            Suggestion(
                Ground.CODE_TYPED, each.tab_id, each.tab_number, each.created_at, each.transaction_id,
                by=each.claimed_by,
            )
            for each in typed
        ),
        *(
            Suggestion(
                Ground.PAYMENT_FITS, each.tab_id, each.tab_number, each.started_at, each.transaction_id,
                each.reference, each.status,
            )
            for each in payments
        ),
        *(
            Suggestion(
                Ground.BALANCE_FITS, each.tab_id, each.tab_number, each.opened_at, table_label=each.table_label
            )
            for each in tabs
        ),
    ]  # fmt: skip


async def match_to_tab(rt: Runtime, bar_id: UUID, receipt_id: UUID, tab_id: UUID, *, by: str, reason: str) -> None:
    """A person says that a receipt is a tab's money. Raises `ReceiptNotFound`, `TabNotFound`, `ReceiptBooked`,
    `ReceiptGoesElsewhere`, `BadRequest`; then nothing changed (but for where it goes first)."""
    check(reason)
    await first_where_it_goes(rt, bar_id, receipt_id)
    async with transaction(rt.db) as db:
        tab = await tab_queries.lock_tab(db, tab_id)
        if tab is None or tab.bar_id != bar_id:
            raise TabNotFound
        receipt = await sightings.hold(db, receipt_id)
        if receipt is None or receipt.bar_id != bar_id:
            raise ReceiptNotFound
        if receipt.ledger_id is not None:
            raise ReceiptBooked
        unusual = await to_tab(db, rt, receipt, tab_id, by, reason)
        await audit(
            db, rt.clock, by, "receipt.matched", "receipt", receipt.id, bar_id=bar_id, reason=reason,
            receipt=receipt.receipt, amount=receipt.amount, tab=str(tab_id), irregularities=unusual,
        )  # fmt: skip
    rt.live.hint(f"tab:{tab_id}", f"bar:{bar_id}")


async def match_to_payment(
    rt: Runtime, bar_id: UUID, receipt_id: UUID, transaction_id: UUID, *, by: str, reason: str
) -> None:
    """A person says that a receipt is what an unknown payment came to. Raises as `match_to_tab` and `resolve` do."""
    check(reason)
    await first_where_it_goes(rt, bar_id, receipt_id)
    async with rt.db.acquire() as db:
        receipt = await sightings.seen(db, receipt_id)
    if receipt is None:
        raise ReceiptNotFound
    async with transaction(rt.db) as db:
        if await attach_to_receiptless(db, rt, bar_id, receipt_id, transaction_id, by, reason):
            return
    evidence = f"M-Pesa receipt {receipt.receipt} over {receipt.amount}, seen by {receipt.first_channel}"
    await resolve(rt, transaction_id, Resolution(True, reason, evidence, by, receipt.receipt))


async def attach_to_receiptless(
    db: Connection, rt: Runtime, bar_id: UUID, receipt_id: UUID, transaction_id: UUID, by: str, reason: str
) -> bool:
    """Tie a receipt to a payment that is completed without one; False where the payment is not. Raises
    `ReceiptDiffers`."""
    at = await transactions.place(db, transaction_id)
    if at is None or at.bar_id != bar_id:
        raise PaymentNotFound
    await tab_queries.lock_tab(db, at.tab_id)
    payment = await transactions.lock(db, transaction_id)
    receipt = await sightings.hold(db, receipt_id)
    if payment is None or receipt is None:
        return False
    if payment.status != Status.COMPLETED:
        # No limit holds a person back here because the money is proven: then it must be that much.
        if payment.amount != receipt.amount:
            raise ReceiptDiffers
        return False
    if receipt.ledger_id is not None:
        raise ReceiptBooked
    receiptless = await sightings.still_receiptless(db, transaction_id, by_word=True)
    if not receiptless or payment.amount_received != receipt.amount:
        raise ReceiptDiffers
    await receipts.claim(db, rt.entropy.uuid(), bar_id, at.tab_id, transaction_id, receipt.receipt, by, rt.clock.now())
    known = receipts.KnownReceipt(receipt.id, ours=True, amount=receipt.amount, booked=False)
    await attach(db, rt, at, known, by)
    await audit(
        db, rt.clock, by, "receipt.matched", "receipt", receipt.id, bar_id=bar_id, reason=reason,
        receipt=receipt.receipt, amount=receipt.amount, payment=str(transaction_id),
    )  # fmt: skip
    return True


async def set_aside(rt: Runtime, bar_id: UUID, receipt_id: UUID, *, by: str, reason: str) -> None:
    """A person says that a receipt is nobody's bill here. Raises `ReceiptNotFound`, `ReceiptBooked`, `BadRequest`."""
    check(reason)
    async with transaction(rt.db) as db:
        receipt = await sightings.hold(db, receipt_id)
        if receipt is None or receipt.bar_id != bar_id:
            raise ReceiptNotFound
        if receipt.ledger_id is not None:
            raise ReceiptBooked
        await sightings.set_aside(db, receipt_id, by, without_secrets(reason), rt.clock.now())
        await close_problem(db, rt.clock, claims.UNMATCHED, receipt_id, by=by, reason=reason)
        await audit(
            db, rt.clock, by, "receipt.set_aside", "receipt", receipt_id, bar_id=bar_id, reason=reason,
            receipt=receipt.receipt, amount=receipt.amount,
        )  # fmt: skip
    rt.live.hint(f"bar:{bar_id}")


async def take_back(rt: Runtime, bar_id: UUID, receipt_id: UUID, *, by: str, reason: str) -> None:
    """A match was a mistake: what rested on it alone is reversed, and the receipt waits again. Raises
    `ReceiptNotFound`, `NotOnAClaim`, `BadRequest`."""
    check(reason)
    async with rt.db.acquire() as db:
        seen = await sightings.seen(db, receipt_id)
    if seen is None or seen.bar_id != bar_id:
        raise ReceiptNotFound
    async with transaction(rt.db) as db:
        if seen.tab_id is not None:
            await tab_queries.lock_tab(db, seen.tab_id)
        receipt = await sightings.hold(db, receipt_id)
        claim = await receipts.claim_of_credit(db, receipt.ledger_id) if receipt and receipt.ledger_id else None
        if receipt is None or claim is None or not claim.reversible:
            raise NotOnAClaim
        await claims.take_back(db, rt, claim, receipt.environment, by, reason)
        await claims.put_before_a_person(db, rt, receipt)
        await audit(
            db, rt.clock, by, "receipt.taken_back", "receipt", receipt_id, bar_id=bar_id, reason=reason,
            receipt=receipt.receipt, amount=claim.amount, tab=str(claim.tab_id),
            **({"payment": str(claim.transaction_id)} if claim.transaction_id else {}),
        )  # fmt: skip
    rt.live.hint(*claims.topics_of(claim))


async def first_where_it_goes(rt: Runtime, bar_id: UUID, receipt_id: UUID) -> None:
    """Rulings 6: a payment without a receipt comes before anybody's word."""
    async with rt.db.acquire() as db:
        receipt = await sightings.seen(db, receipt_id)
    if receipt is None or receipt.bar_id != bar_id:
        raise ReceiptNotFound
    if receipt.ledger_id is not None:
        raise ReceiptBooked
    if await place_again(rt, receipt_id):
        raise ReceiptGoesElsewhere


def check(reason: str) -> None:
    if not 3 <= len(reason.strip()) <= 500:
        raise BadRequest("Say why: what you saw, or who told you.")

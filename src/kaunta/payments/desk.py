"""What a person at the counter may do with a payment now, asked of the very rules that will judge it when they do.

Each answer is None where it would be taken, else the sentence that says why not. Nothing is written.
"""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, Conflict, KauntaError
from kaunta.core.phone import Msisdn, dialled
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.daraja.client import DarajaClient
from kaunta.daraja.exchanges import without_personal
from kaunta.payments import terms
from kaunta.payments.apply import as_payment, patience
from kaunta.payments.errors import MpesaUnavailable, PaymentNotFound
from kaunta.payments.queries import limits, proposals, reading, transactions
from kaunta.payments.queries import silence as asking
from kaunta.payments.reconcile import NothingToAsk, check_now
from kaunta.payments.states import OPEN, RESOLVE_SECONDS, Nothing, Resolved, Status, decide
from kaunta.payments.views import PaymentView
from kaunta.tabs import queries as tab_queries

#: A person asks Safaricom about one payment at most this often; whoever presses again only waits.
ASK_AGAIN_SECONDS = 10
#: A person decides on an answer of Safaricom's that is no older than this, seconds of policy.
FRESH_SECONDS = 600.0

#: The audit's word for a note.
NOTED = "payment.noted"
#: Notes that a payment holds at most; more is a mistake or mischief.
NOTES = 50
#: And for somebody's question to Safaricom before they decide.
CHECKED = "payment.checked"


class AskedAlready(KauntaError):
    """M-Pesa was asked about this a moment ago. Its answer is below; ask again in ten seconds."""

    status = 429
    code = "asked_already"


class NotesFull(Conflict):
    """This payment has all the notes it can hold."""

    code = "notes_full"


class PhoneErased(Conflict):
    """The number was erased, at its owner's wish or with its time; the books stay."""

    code = "phone_erased"


class CheckFirst(Conflict):
    """Check with M-Pesa first: what a person says must rest on a fresh answer, or on a fresh silence."""

    code = "check_first"


class Act(StrEnum):
    """What may be done: ask Safaricom, send another prompt, say that it was paid, or that it was not."""

    CHECK = "check"
    PUSH = "push"
    PAID = "paid"
    NOT_PAID = "not_paid"


@dataclass(frozen=True, slots=True)
class Standing:
    """The answers, the shillings that another prompt would ask for (0: none), and those above which a cashier, and
    anybody at all, does not decide alone. `checked`: whether a decision now rests on a fresh answer."""

    refused: dict[Act, str | None]
    payable: int
    resolve_limit: int
    alone_limit: int
    checked: bool

    def may(self, act: Act) -> bool:
        return self.refused[act] is None

    def needs_second(self, role: str, amount: int) -> bool:
        """Whether somebody of this role proposes how a payment of so many shillings ended, and another agrees."""
        return amount > self.alone_limit or (role == "cashier" and amount > self.resolve_limit)


async def standing(rt: Runtime, transaction_id: UUID) -> Standing:
    """What may be done with a payment now. Raises `PaymentNotFound`."""
    async with rt.db.acquire() as db:
        row = await transactions.unlocked(db, transaction_id)
        tab = await tab_queries.tab(db, row.tab_id) if row else None
        if tab is None or row is None:
            raise PaymentNotFound
        free = tab.ordered - tab.paid - await limits.open_amount(db, tab.id)
        payable = max(min(row.amount, free), 0)
        payment = as_payment(row, tab_closed=tab.status == "closed")
        refused: dict[Act, str | None] = {
            Act.CHECK: await check_refused(db, rt, transaction_id),
            Act.PUSH: await push_refused(db, rt, tab, row, payable),
        }
        for act, paid in ((Act.PAID, True), (Act.NOT_PAID, False)):
            event = Resolved(paid, rt.clock.now(), patience(rt, RESOLVE_SECONDS), None)
            decision = decide(payment, event)
            refused[act] = f"{decision.reason.capitalize()}." if isinstance(decision, Nothing) else None
        limit = await reading.resolve_limit(db, row.bar_id)
        alone = await proposals.alone_limit(db, row.bar_id)
        fresh = await checked(db, rt, transaction_id)
    return Standing(refused, payable, limit, alone, fresh)


async def checked(db: Connection, rt: Runtime, transaction_id: UUID) -> bool:
    """Whether Safaricom was asked about it lately, or cannot be asked."""
    if await asking.claim_one(db, transaction_id) is None:
        return True
    moments = (
        await asking.last_asked(db, transaction_id),
        await proposals.last_checked(db, transaction_id, CHECKED),
    )
    return any(at is not None and rt.clock.elapsed(at) < FRESH_SECONDS for at in moments)


async def check_before_deciding(rt: Runtime, daraja: DarajaClient, bar_id: UUID, transaction_id: UUID, by: str) -> None:
    """The question that comes before a person's word. That it was put counts: Safaricom's silence, or secrets that do
    not open, must not keep a bar from its books. Raises `PaymentNotFound`, `NothingToAsk`, `AskedTooOften`."""
    with suppress(AskedAlready):
        await ask(rt, daraja, transaction_id)
    async with transaction(rt.db) as db:
        await audit(db, rt.clock, by, CHECKED, "transaction", transaction_id, bar_id=bar_id)
    rt.live.hint(f"payment:{transaction_id}", f"bar:{bar_id}")


async def check_refused(db: Connection, rt: Runtime, transaction_id: UUID) -> str | None:
    """Why Safaricom would not be asked about it."""
    if await asking.claim_one(db, transaction_id) is None:
        return NothingToAsk().detail
    asked = await asking.last_asked(db, transaction_id)
    if asked is not None and rt.clock.elapsed(asked) < ASK_AGAIN_SECONDS:
        return AskedAlready().detail
    return None


async def ask(rt: Runtime, daraja: DarajaClient, transaction_id: UUID) -> None:
    """Somebody at the counter asks Safaricom. Raises `AskedAlready` and what `check_now` raises."""
    async with rt.db.acquire() as db:
        asked = await asking.last_asked(db, transaction_id)
    if asked is not None and rt.clock.elapsed(asked) < ASK_AGAIN_SECONDS:
        raise AskedAlready(retryAfter=ASK_AGAIN_SECONDS)
    await check_now(rt, daraja, transaction_id)


async def note(rt: Runtime, bar_id: UUID, transaction_id: UUID, text: str, *, by: str) -> None:
    """What somebody wants to be read beside a payment; kept in the audit. Raises `BadRequest`, `NotesFull`."""
    if not 1 <= len(text.strip()) <= 500:
        raise BadRequest("Write a note of at most 500 characters.")
    async with transaction(rt.db) as db:
        if await reading.count_audited(db, transaction_id, NOTED) >= NOTES:
            raise NotesFull
        await audit(
            db, rt.clock, by, NOTED, "transaction", transaction_id, bar_id=bar_id, reason=without_personal(text.strip())
        )
    rt.live.hint(f"payment:{transaction_id}", f"bar:{bar_id}")


async def payer_phone(rt: Runtime, p: PaymentView, *, by: str) -> str:
    """The payer's whole number, as people dial it; who wanted to see it is in the audit. Raises `PhoneErased`."""
    async with transaction(rt.db) as db:
        row = await reading.payment(db, p.id)
        phones = await rt.keys.open_many(db, "phone", {row.id: row.phone_enc}) if row else {}
        if p.id not in phones:
            raise PhoneErased
        await audit(db, rt.clock, by, "payment.phone_shown", "transaction", p.id, bar_id=p.bar_id)
    return dialled(Msisdn(phones[p.id].decode()))


async def push_refused(
    db: Connection, rt: Runtime, tab: tab_queries.TabRow, row: transactions.Locked, payable: int
) -> str | None:
    """Why another prompt to the same phone would not go out; who asks says that the guest has no M-Pesa SMS."""
    if row.status == Status.COMPLETED:
        return "This payment has been paid."
    if row.status in OPEN:
        return "Its prompt may still be answered."
    phone_hash = await transactions.phone_hash(db, row.id)
    try:
        usable = await terms.check_methods(db, rt, tab.bar_id)
        earlier = await terms.earlier(db, rt, tab.id, phone_hash)
        terms.check_amount(tab, max(payable, 1), earlier.reserved, usable.most)
        terms.check_payer(rt, earlier.last, acknowledged=True)
        await terms.check_prompts(db, rt, phone_hash, earlier.in_vain)
    except VaultError:
        return MpesaUnavailable().detail
    except KauntaError as error:
        return error.detail
    return None

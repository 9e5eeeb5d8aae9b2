"""What Safaricom says about money on its way back: the reversal's own Result, an answer about it, and what a statement
shows, whether we asked for it or the payer took it back by themselves (SMS to 456).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kaunta.core.db import Connection, transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.daraja.callbacks import receipt_of
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.notices import ResultEnvelope
from kaunta.daraja.wire import shillings
from kaunta.payments import given_back
from kaunta.payments.initiators import note_refused
from kaunta.payments.queries import inbox, refundable, sightings
from kaunta.payments.queries import initiators as requests
from kaunta.payments.queries import refunds as queries
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.refund_states import SENT, Done, Event, Failed, State, Unclear
from kaunta.payments.refunds import lock_refund, settle
from kaunta.payments.reversals import step, tell
from kaunta.payments.verdict import Verdict
from kaunta.tabs import queries as tab_queries


async def take(
    rt: Runtime, stored: inbox.Stored, request: requests.Request, result: ResultEnvelope | None
) -> Verdict | None:
    """A reversal's Result (None: word that it expired in the queue); None where somebody else understood it."""
    if request.refund_id is None:
        raise RuntimeError("a reversal without a refund")
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, request.refund_id)
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        told = await apply(db, rt, refund, event_of(refund, result), code_of(result))
        await requests.answer(
            db, request.id, "answered" if result else "timed_out", result.result_code if result else None,
            without_personal(result.result_desc) if result else None, None, rt.clock.now(),
        )  # fmt: skip
        await note_refused(db, rt, request, result.result_code if result else None)
        verdict = Verdict("answered" if told else "duplicate", topics=told)
        await inbox.finish(db, stored.id, stored.received_at, verdict.name, None, rt.clock.now())
    rt.live.hint(*told)
    return verdict


def event_of(refund: Refund, result: ResultEnvelope | None) -> Event:
    if result is None:
        return Unclear("expired in Safaricom's queue")
    if result.result_code is None:
        return Unclear("a result without a code")
    if result.result_code.strip("0") != "":
        return Failed(result.result_code)
    original = receipt_of(result.first("OriginalTransactionID"))
    if original is not None and refund.receipt is not None and original.upper() != refund.receipt:
        return Unclear("a result about another receipt")
    exact = result.amount_exact
    return Done(None if exact is None else shillings(exact) or -1, code_of(result))


def code_of(result: ResultEnvelope | None) -> str | None:
    """The reversal's own receipt; a failed one has a number too, which proves nothing."""
    if result is None or result.result_code is None or result.result_code.strip("0") != "":
        return None
    code = receipt_of(result.transaction_id)
    return code.upper() if code else None


async def take_status(
    rt: Runtime, stored: inbox.Stored, request: requests.Request, result: ResultEnvelope | None
) -> Verdict | None:
    """What Daraja says about a reversal when it is asked by its name. Only "Completed" says anything: that it does not
    know the call may only mean that it does not know it yet."""
    if request.refund_id is None:
        raise RuntimeError("a question about no refund")
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, request.refund_id)
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        told: tuple[str, ...] = ()
        if result is not None and (result.result_code or "").strip("0") == "" and completed(result):
            code = (result.receipt or "").upper()
            if code and code != refund.receipt:
                exact = result.amount_exact
                told = await apply(db, rt, refund, Done(None if exact is None else shillings(exact) or -1, code), code)
        await requests.answer(
            db, request.id, "answered" if result else "timed_out", result.result_code if result else None,
            without_personal(result.result_desc) if result else None, None, rt.clock.now(),
        )  # fmt: skip
        await note_refused(db, rt, request, result.result_code if result else None)
        await inbox.finish(db, stored.id, stored.received_at, "answered", None, rt.clock.now())
    rt.live.hint(*told)
    return Verdict("answered", topics=told)


def completed(result: ResultEnvelope) -> bool:
    return str(result.first("TransactionStatus") or "").strip().casefold() == "completed"


async def apply(db: Connection, rt: Runtime, refund: Refund, event: Event, code: str | None) -> tuple[str, ...]:
    """Write what an event means, unless the books have no room for it: then money went back twice, and a person must
    know before anything else."""
    if isinstance(event, Done) and refund.state == State.FAILED and refund.receipt_id is not None:
        left = await refundable.refundable_receipt(db, refund.receipt_id)
        if left is not None and left.left < refund.amount:
            await tell(db, rt, refund, "given_back_too_much", "refunded after it had failed", Severity.CRITICAL)
            return (f"bar:{refund.bar_id}",)
    if code is not None and (other := await queries.by_code(db, refund.environment, code)) not in (None, refund.id):
        await tell(db, rt, refund, "refund_contradicted", f"its code is refund {other}'s", Severity.CRITICAL)
        code = None
    return await step(db, rt, refund, event, "safaricom", code=code)


@dataclass(frozen=True, slots=True)
class ReversalSeen:
    """A list of Safaricom's shows that `amount` shillings of `receipt` went back, under `code` where it says so."""

    bar_id: UUID
    environment: str
    shortcode: str
    receipt: str
    amount: int
    code: str | None
    at: datetime | None
    channel: str = "statement"


#: Of money that went back: the payment is nobody's here; or it is another bar's of the same shortcode.
WITHOUT_RECEIPT, SEEN_ELSEWHERE = "reversal_without_receipt", "reversal_seen_elsewhere"


class SeenAs(StrEnum):
    #: A refund of ours, whose end was not known or that is on record.
    OURS = "ours"
    KNOWN = "known"
    TAKEN_BACK = "taken_back"
    STRANGE = "strange"
    #: Of another bar's payment at the same shortcode.
    ELSEWHERE = "elsewhere"
    EXCESS = "excess"


async def reversal_seen(rt: Runtime, seen: ReversalSeen) -> SeenAs:
    """Book what a list shows of money that went back; the same line again changes nothing."""
    code = seen.code.upper() if seen.code else None
    async with rt.db.acquire() as db:
        receipt = await sightings.seen_by_code(db, seen.environment, seen.receipt.upper())
        ours = await queries.open_reversal(db, receipt.id, seen.amount) if receipt else None
    if receipt is None or receipt.bar_id != seen.bar_id:
        return await not_our_receipts(rt, receipt, seen, code)
    if ours is not None and await settled_by_list(rt, ours, receipt.id, seen, code):
        return SeenAs.OURS
    async with transaction(rt.db) as db:
        if receipt.tab_id is not None:
            await tab_queries.lock_tab(db, receipt.tab_id)
        held = await sightings.hold(db, receipt.id)
        if held is None or held.tab_id != receipt.tab_id:
            raise RuntimeError("a receipt moved while a reversal of it was being booked")
        outcome, told = await taken_back(db, rt, held, seen, code)
        await no_longer_strange(db, rt, receipt.id, seen)
    rt.live.hint(*told)
    return outcome


async def not_our_receipts(
    rt: Runtime, receipt: sightings.SeenReceipt | None, seen: ReversalSeen, code: str | None
) -> SeenAs:
    """Money went back of a payment that this bar does not have: of one that nobody has, or of a bar's that shares the
    shortcode. That bar's books follow its own list only; until then its people know where to look."""
    async with transaction(rt.db) as db:
        if receipt is None or receipt.business_shortcode != seen.shortcode:
            await open_problem(
                db, rt.clock, WITHOUT_RECEIPT, f"{seen.environment}:{seen.receipt.upper()}",
                bar_id=seen.bar_id, severity=Severity.ERROR, receipt=seen.receipt, amount=seen.amount,
            )  # fmt: skip
            return SeenAs.STRANGE
        if await known(db, receipt.id, seen, code):
            return SeenAs.KNOWN
        await open_problem(
            db, rt.clock, SEEN_ELSEWHERE, receipt.id, bar_id=receipt.bar_id, severity=Severity.ERROR,
            receipt=receipt.receipt, amount=seen.amount,
        )  # fmt: skip
    rt.live.hint(f"bar:{receipt.bar_id}")
    return SeenAs.ELSEWHERE


async def known(db: Connection, receipt_id: UUID, seen: ReversalSeen, code: str | None) -> bool:
    """Whether this very reversal is on record; without a code of its own, whether one of its amount is."""
    if code is not None:
        return await queries.by_code(db, seen.environment, code) is not None
    same = [each for each in await queries.of_receipt(db, receipt_id) if each.amount == seen.amount]
    return any(each.state == State.REFUNDED for each in same)


async def no_longer_strange(db: Connection, rt: Runtime, receipt_id: UUID, seen: ReversalSeen) -> None:
    """The receipt's own bar has the reversal on record, whoever saw it first."""
    reason = f"on record by the {seen.channel}"
    await close_problem(db, rt.clock, SEEN_ELSEWHERE, receipt_id, by=seen.channel, reason=reason)
    subject = f"{seen.environment}:{seen.receipt.upper()}"
    await close_problem(db, rt.clock, WITHOUT_RECEIPT, subject, by=seen.channel, reason=reason)


async def settled_by_list(rt: Runtime, refund_id: UUID, receipt_id: UUID, seen: ReversalSeen, code: str | None) -> bool:
    """A reversal of ours that was sent: the list says that it happened."""
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, refund_id)
        if State(refund.state) not in SENT:
            return False
        if code is not None and await queries.by_code(db, refund.environment, code) not in (None, refund.id):
            return False
        told = await settle(db, rt, refund, State.REFUNDED, seen.channel, f"seen on the {seen.channel}", code=code)
        await no_longer_strange(db, rt, receipt_id, seen)
    rt.live.hint(*told)
    return True


async def taken_back(
    db: Connection, rt: Runtime, receipt: sightings.SeenReceipt, seen: ReversalSeen, code: str | None
) -> tuple[SeenAs, tuple[str, ...]]:
    """Money that went back without our doing: on record at once, and before a person. Tab and receipt are locked."""
    moment = seen.at.isoformat() if seen.at else "-"
    key = f"seen:{receipt.id}:{code or f'{seen.amount}:{moment}'}"
    if await queries.by_key(db, seen.bar_id, key) is not None:
        return SeenAs.KNOWN, ()
    if await known(db, receipt.id, seen, code):
        return SeenAs.KNOWN, ()
    left = await refundable.refundable_receipt(db, receipt.id)
    told: tuple[str, ...] = (f"bar:{receipt.bar_id}",)
    if left is None or left.left < seen.amount:
        await open_problem(
            db, rt.clock, "given_back_too_much", receipt.id, bar_id=receipt.bar_id, severity=Severity.CRITICAL,
            receipt=receipt.receipt, amount=seen.amount, left=left.left if left else 0,
        )  # fmt: skip
        return SeenAs.EXCESS, told
    now = rt.clock.now()
    refund_id = rt.entropy.uuid()
    reason = f"reversed, as the {seen.channel} shows"
    await queries.insert(
        db,
        queries.NewRefund(
            refund_id, receipt.bar_id, receipt.environment, receipt.id, receipt.ledger_id, seen.amount, "taken_back",
            State.REFUNDED, reason, code, seen.channel, False, key, now, None, now,
        ),
    )  # fmt: skip
    await queries.append_event(
        db, now, receipt.bar_id, refund_id, "taken_back", None, State.REFUNDED, seen.channel, reason,
        {"amount": seen.amount, "receipt": receipt.receipt, "code": code},
    )  # fmt: skip
    refund = await queries.refund(db, refund_id)
    if refund is not None:
        told += await given_back.book(db, rt, refund, seen.channel)
    await open_problem(
        db, rt.clock, "reversed_by_customer", receipt.id, bar_id=receipt.bar_id, severity=Severity.ERROR,
        receipt=receipt.receipt, amount=seen.amount,
    )  # fmt: skip
    return SeenAs.TAKEN_BACK, told

"""Giving money back: asked for by one person, above a limit agreed to by another, and never more than was received.

Where the bar can act through M-Pesa the money is reversed by Safaricom (`reversals.py` sends it, once); else a person
sends it themselves and the other transaction's code is recorded. A refund's rows in the ledger are written when the
money has gone. The database counts too: it refuses what would exceed the receipt, whoever asks.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import asyncpg

from kaunta.core.db import Connection, transaction
from kaunta.core.errors import BadRequest, Conflict, KauntaError, NotFound
from kaunta.core.problems import Severity, close_problem, close_problems, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments import given_back, initiators
from kaunta.payments.claims import UNMATCHED
from kaunta.payments.queries import refundable, sightings
from kaunta.payments.queries import refunds as queries
from kaunta.payments.queries.refundable import Refundable
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.refund_states import State
from kaunta.payments.resolve import RECEIPT
from kaunta.tabs import queries as tab_queries

Method = Literal["reversal", "by_hand"]
#: Sooner than this nobody may say that an unknown reversal failed, seconds of policy: its Result may be on its way.
SETTLE_SECONDS = 600.0


class RefundNotFound(NotFound):
    """This refund does not exist."""

    code = "refund_not_found"


class RefundRefused(KauntaError):
    """This much cannot be given back."""

    status = 422
    code = "refund_refused"


class RefundState(Conflict):
    """The refund is not in a state for this."""

    code = "refund_state"


class RefundUnderWay(Conflict):
    """A refund of this payment is on its way already. Wait until it has ended."""

    code = "refund_under_way"


class SecondPersonNeeded(Conflict):
    """Somebody else has to agree to this refund."""

    code = "second_person_needed"


class RefundKeyReused(Conflict):
    """This request was used for another refund."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class RefundWanted:
    """`amount` shillings of a receipt, or of a credit whose receipt is not known (by hand only). `code`: of the other
    transaction, for a refund by hand. `key` makes a double click one refund."""

    bar_id: UUID
    amount: int
    reason: str
    method: Method
    key: str
    receipt_id: UUID | None = None
    credit_id: UUID | None = None
    code: str | None = None


async def request(rt: Runtime, wanted: RefundWanted, *, by: str) -> Refund:
    """Ask for a refund; it is sent by `reversals.send` (or by the worker) once nobody has to agree any more.

    Raises `RefundNotFound`, `RefundRefused`, `RefundUnderWay`, `RefundKeyReused`, `BadRequest`, `NoInitiator`.
    """
    code = check(wanted)
    try:
        async with transaction(rt.db) as db:
            at = await find(db, wanted)
            held = await lock(db, wanted.bar_id, at)
            made = await queries.by_key(db, wanted.bar_id, wanted.key)
            if made is None:
                made = await insert(db, rt, wanted, held, code, by)
            elif (made.amount, made.method, made.code) != (wanted.amount, wanted.method, code):
                raise RefundKeyReused
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "mpesa_refunds_one_open_reversal":
            raise RefundUnderWay from None
        if error.constraint_name == "mpesa_refunds_one_a_code":
            raise RefundRefused("This M-Pesa code was already used for another refund.", field="code") from None
        raise
    rt.live.hint(f"bar:{made.bar_id}", *([f"tab:{made.tab_id}"] if made.tab_id else []))
    return made


def check(wanted: RefundWanted) -> str | None:
    """The other transaction's code as it is kept. Raises `BadRequest`."""
    if not 3 <= len(wanted.reason.strip()) <= 300:
        raise BadRequest("Say why money is given back.", field="reason")
    if wanted.amount < 1:
        raise BadRequest("Give back at least 1 shilling.", field="amount")
    if not 8 <= len(wanted.key) <= 200:
        raise BadRequest("A key of 8 to 200 characters makes the request safe to repeat.", field="key")
    code = (wanted.code or "").strip().upper() or None
    if wanted.method == "by_hand" and (code is None or not RECEIPT.fullmatch(code)):
        raise BadRequest("The code of the M-Pesa message that sent the money back is needed.", field="code")
    if wanted.method == "reversal" and (code is not None or wanted.receipt_id is None):
        raise BadRequest("A reversal needs the receipt, and brings its own code.", field="code")
    return code


async def find(db: Connection, wanted: RefundWanted) -> Refundable:
    found = None
    if wanted.receipt_id is not None:
        found = await refundable.refundable_receipt(db, wanted.receipt_id)
    elif wanted.credit_id is not None:
        found = await refundable.refundable_credit(db, wanted.credit_id)
    if found is None or found.bar_id != wanted.bar_id:
        raise RefundNotFound("There is no such payment.")
    return found


async def lock(db: Connection, bar_id: UUID, at: Refundable) -> Refundable:
    """Tab, then receipt: what is left of it stays left until the commit."""
    if at.tab_id is not None:
        await tab_queries.lock_tab(db, at.tab_id)
    if at.receipt_id is not None:
        await sightings.hold(db, at.receipt_id)
        held = await refundable.refundable_receipt(db, at.receipt_id)
    else:
        held = await refundable.refundable_credit(db, at.credit_id) if at.credit_id else None
    if held is None or held.bar_id != bar_id or held.tab_id != at.tab_id:
        # It was matched or moved between our look and our lock: whoever asked should see that first.
        raise RefundState("This payment has just changed. Look at it again.")
    return held


async def insert(
    db: Connection, rt: Runtime, wanted: RefundWanted, held: Refundable, code: str | None, by: str
) -> Refund:
    if wanted.amount > held.left:
        raise RefundRefused("More than is left of this payment cannot be given back.", left=max(held.left, 0))
    if code is not None and await queries.code_is_a_payment(db, held.environment, code):
        raise RefundRefused("This is the code of money that came in, not of money sent back.", field="code")
    if wanted.method == "reversal" and not await initiators.available(db, rt, held.bar_id, held.environment):
        raise initiators.NoInitiator
    # What is already on its way counts: a large refund in small pieces is a large refund.
    second = held.given + wanted.amount > await queries.alone_limit(db, held.bar_id)
    now = rt.clock.now()
    new = queries.NewRefund(
        id=rt.entropy.uuid(),
        bar_id=held.bar_id,
        environment=held.environment,
        receipt_id=held.receipt_id,
        credit_id=held.credit_id,
        amount=wanted.amount,
        method=wanted.method,
        state=State.REQUESTED,
        reason=wanted.reason.strip(),
        code=code,
        requested_by=by,
        needs_approval=second,
        key=wanted.key,
        settled_at=None,
        next_check_at=None if second or wanted.method == "by_hand" else now,
        at=now,
    )
    await queries.insert(db, new)
    await queries.append_event(
        db, now, new.bar_id, new.id, "requested", None, State.REQUESTED, by, new.reason,
        {"amount": new.amount, "method": new.method, "receipt": held.receipt},
    )  # fmt: skip
    if second:
        await open_problem(
            db, rt.clock, "refund_waits", new.id, bar_id=new.bar_id, severity=Severity.INFO, amount=new.amount
        )
    elif wanted.method == "by_hand":
        await settle(db, rt, await held_refund(db, new.id), State.REFUNDED, by, "recorded by hand")
    return await held_refund(db, new.id)


async def held_refund(db: Connection, refund_id: UUID) -> Refund:
    refund = await queries.hold(db, refund_id)
    if refund is None:
        raise RefundNotFound
    return refund


async def lock_refund(db: Connection, refund_id: UUID) -> Refund:
    """A refund under the locks of its tab and its receipt, in this order. Raises `RefundNotFound`."""
    while True:
        seen = await queries.refund(db, refund_id)
        if seen is None:
            raise RefundNotFound
        if seen.tab_id is not None:
            await tab_queries.lock_tab(db, seen.tab_id)
        if seen.receipt_id is not None:
            await sightings.hold(db, seen.receipt_id)
        refund = await held_refund(db, refund_id)
        # The receipt may have found (or changed) its tab before we held it; then once more, with that tab.
        if refund.tab_id == seen.tab_id:
            return refund


async def moved(db: Connection, rt: Runtime, refund: Refund) -> bool:
    """Of bars that share a shortcode one asked for a refund of a receipt that was then proven for another's guest: it
    is not the one's to give back, and ends here. True where that is so; the refund is locked."""
    if await queries.bar_of_receipt(db, refund.id) in (None, refund.bar_id):
        return False
    await settle(db, rt, refund, State.WITHDRAWN, "kaunta", "the receipt was proven to be another bar's")
    return True


async def settle(
    db: Connection, rt: Runtime, refund: Refund, state: State, actor: str, reason: str, *, code: str | None = None
) -> tuple[str, ...]:
    """A refund's end, under its locks: its row, its event, the ledger's row where money went. Topics to hint."""
    now = rt.clock.now()
    failed = state is not State.REFUNDED
    await queries.write(db, refund.id, state, now, code=code, failure=reason if failed else None, settled_at=now)
    detail = {"amount": refund.amount, "receipt": refund.receipt, "code": code or refund.code}
    await queries.append_event(
        db, now, refund.bar_id, refund.id, state.value, refund.state, state, actor, reason, detail
    )
    await close_problems(db, rt.clock, ["refund_unknown", "refund_waits"], refund.id, by=actor, reason=reason)
    told = await given_back.book(db, rt, refund, actor) if state is State.REFUNDED else ()
    if state is State.REFUNDED and refund.receipt_id is not None and refund.credit_id is None:
        of_it = await refundable.refundable_receipt(db, refund.receipt_id)
        ended = [each for each in await queries.of_receipt(db, refund.receipt_id) if each.state == State.REFUNDED]
        # What is still on its way may fail: then the rest is on no tab, and nobody would look.
        if of_it is not None and sum(each.amount for each in ended) >= of_it.received:
            await close_problem(db, rt.clock, UNMATCHED, refund.receipt_id, by=actor, reason="given back")
    return (f"bar:{refund.bar_id}", *told)


async def approve(rt: Runtime, refund_id: UUID, *, by: str) -> Refund:
    """A second person agrees. Raises `RefundNotFound`, `RefundState`, `SecondPersonNeeded`."""
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, refund_id)
        if refund.state != State.REQUESTED or refund.ready:
            raise RefundState
        if refund.requested_by == by:
            raise SecondPersonNeeded
        if await moved(db, rt, refund):
            return await held_refund(db, refund_id)
        await queries.approve(db, refund_id, by, rt.clock.now())
        await queries.append_event(
            db, rt.clock.now(), refund.bar_id, refund_id, "approved", refund.state, State.REQUESTED, by, None, {}
        )
        await close_problem(db, rt.clock, "refund_waits", refund_id, by=by, reason="approved")
        if refund.method == "by_hand":
            refund = await held_refund(db, refund_id)
            await settle(db, rt, refund, State.REFUNDED, by, "recorded by hand")
        refund = await held_refund(db, refund_id)
    rt.live.hint(f"bar:{refund.bar_id}")
    return refund


async def withdraw(rt: Runtime, refund_id: UUID, *, by: str, reason: str) -> None:
    """It is not to be after all. Raises `RefundNotFound`, `RefundState` where it was sent already."""
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, refund_id)
        if refund.state != State.REQUESTED:
            raise RefundState
        await settle(db, rt, refund, State.WITHDRAWN, by, reason)
    rt.live.hint(f"bar:{refund.bar_id}")


async def settle_by_hand(
    rt: Runtime, refund_id: UUID, *, refunded: bool, by: str, reason: str, code: str | None = None
) -> None:
    """A person says how an unknown reversal ended: what they saw on the statement, or with Safaricom's help.

    Raises `RefundNotFound`, `RefundState`, `BadRequest`.
    """
    if len(reason.strip()) < 3:
        raise BadRequest("Say what you saw.", field="reason")
    if code is not None and not RECEIPT.fullmatch(code):
        raise BadRequest("An M-Pesa code has 8 to 15 capital letters and digits.", field="code")
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, refund_id)
        if refund.state != State.UNKNOWN:
            raise RefundState
        if not refunded and refund.asked_at is not None and rt.clock.elapsed(refund.asked_at) < SETTLE_SECONDS:
            raise RefundState("Wait ten minutes: Safaricom's answer may still come.")
        state = State.REFUNDED if refunded else State.FAILED
        told = await settle(db, rt, refund, state, by, reason, code=code if refunded else None)
    rt.live.hint(*told)

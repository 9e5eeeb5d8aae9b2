"""Sending money back through Safaricom: at most once, and never forgotten.

The intent is committed before the call and the database refuses a second reversal of one refund, so that neither a
double click nor two workers nor a crash sends money twice. A call whose answer was lost is `unknown`; then the worker
asks Daraja by the name it gave the call, and where it gave none, only the Result, the statement or a person can tell.
"""

from typing import assert_never
from uuid import UUID

import asyncpg
import stamina
import structlog

from kaunta.core.db import TRANSIENT_ERRORS, Connection, transaction
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.daraja.client import CallAccepted, CallOutcome, DarajaClient, NoAnswer, NotSent, Rejected
from kaunta.daraja.exchanges import ExchangeRecord
from kaunta.payments import asking, exchanges
from kaunta.payments.initiators import NoCertificate, NoInitiator
from kaunta.payments.queries import initiators as requests
from kaunta.payments.queries import refunds as queries
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.refund_states import Decision, Event, NeverSent, Odd, Same, State, Step, Unclear, decide
from kaunta.payments.refunds import lock_refund, moved, settle

log = structlog.get_logger(__name__)

#: What the receiver of a reversal reads.
REMARKS = "Refund"
#: Seconds of policy until an acknowledgement that never came, and a Result that never came, count as lost.
ACKNOWLEDGED_SECONDS, RESULT_SECONDS = 60.0, 600.0
#: When Daraja is asked about an unknown reversal, in seconds after it became that; then no more.
ASK_SECONDS = (60.0, 300.0, 900.0, 3_600.0, 10_800.0, 43_200.0)
#: Whoever took a refund up has this long before another worker does.
LEASE_SECONDS = 60.0
#: A refund that cannot be sent, for want of an initiator, is tried again after this.
WAIT_SECONDS = 300.0


async def send(rt: Runtime, daraja: DarajaClient, refund_id: UUID) -> None:
    """Send a refund's reversal, if it is ready and was not sent before; the answer is recorded in the same breath."""
    try:
        prepared = await intend(rt, refund_id)
    except (NoInitiator, NoCertificate) as error:
        await cannot(rt, refund_id, error.code)
        return
    except asyncpg.UniqueViolationError:
        # Somebody was quicker: the database has the last word.
        return
    if prepared is None:
        return
    call, refund = prepared
    with exchanges.collecting() as records:
        outcome = await daraja.reversal(
            call.credential, call.initiator, call.reply, receipt=refund.receipt or "", amount=refund.amount,
            remarks=REMARKS,
        )  # fmt: skip
    try:
        async for attempt in stamina.retry_context(on=TRANSIENT_ERRORS, attempts=8, timeout=30, wait_max=5):
            with attempt:
                await answered(rt, refund, call.request_id, outcome, records)
    except TRANSIENT_ERRORS as error:
        log.critical("reversal.answer_not_recorded", refund_id=str(refund_id), error=type(error).__name__)


async def intend(rt: Runtime, refund_id: UUID) -> tuple[asking.Prepared, Refund] | None:
    """Commit that it will be sent. None where it is not to be sent, or was."""
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, refund_id)
        if refund.state != State.REQUESTED or refund.method != "reversal" or not refund.ready:
            return None
        if await moved(db, rt, refund):
            return None
        call = await asking.prepare(
            db, rt, refund.bar_id, refund.environment, "reversal", by=refund.requested_by, refund_id=refund_id
        )
        now = rt.clock.now()
        await queries.write(
            db, refund_id, State.PROCESSING, now, asked_at=now, next_check_at=rt.clock.after(ACKNOWLEDGED_SECONDS)
        )
        await queries.append_event(
            db, now, refund.bar_id, refund_id, "sent", refund.state, State.PROCESSING, "kaunta", None, {}
        )
    return call, refund


async def cannot(rt: Runtime, refund_id: UUID, code: str) -> None:
    """Nothing was sent and nothing can be: the owner must know; it is tried again."""
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, refund_id)
        if refund.state != State.REQUESTED:
            return
        await queries.write(
            db, refund_id, State.REQUESTED, rt.clock.now(), failure=code, next_check_at=rt.clock.after(WAIT_SECONDS)
        )
        await open_problem(
            db, rt.clock, "refund_not_sent", refund_id, bar_id=refund.bar_id, severity=Severity.ERROR, reason=code
        )


async def answered(
    rt: Runtime, refund: Refund, request_id: UUID, outcome: CallOutcome, records: list[ExchangeRecord]
) -> None:
    """What Daraja answered at once, in one transaction."""
    async with transaction(rt.db) as db:
        held = await lock_refund(db, refund.id)
        await asking.record(db, request_id, outcome)
        told: tuple[str, ...] = ()
        match outcome:
            case CallAccepted():
                if held.state == State.PROCESSING:
                    await queries.write(
                        db, held.id, State.PROCESSING, rt.clock.now(), next_check_at=rt.clock.after(RESULT_SECONDS)
                    )
            case Rejected():
                told = await step(db, rt, held, NeverSent(outcome.error_code), "safaricom")
            case NotSent():
                told = await step(db, rt, held, NeverSent(outcome.reason), "kaunta")
            case NoAnswer():
                told = await step(db, rt, held, Unclear(outcome.reason), "kaunta")
            case _:
                assert_never(outcome)
        await exchanges.store(db, refund.bar_id, None, records)
    rt.live.hint(*told)


async def step(
    db: Connection, rt: Runtime, refund: Refund, event: Event, actor: str, *, code: str | None = None
) -> tuple[str, ...]:
    """Decide what an event means for a refund and write it, under its locks. Topics to hint."""
    return await write(db, rt, refund, decide(State(refund.state), refund.amount, event), actor, code=code)


async def write(
    db: Connection, rt: Runtime, refund: Refund, decision: Decision, actor: str, *, code: str | None = None
) -> tuple[str, ...]:
    match decision:
        case Same():
            return ()
        case Odd(reason=reason, problem=problem):
            await queries.append_event(
                db, rt.clock.now(), refund.bar_id, refund.id, "anomaly", refund.state, refund.state, actor, reason,
                {"code": code},
            )  # fmt: skip
            await tell(db, rt, refund, problem, reason, Severity.CRITICAL)
            return (f"bar:{refund.bar_id}",)
        case Step(state=State.UNKNOWN, reason=reason):
            now = rt.clock.now()
            await queries.write(
                db, refund.id, State.UNKNOWN, now, failure=reason, next_check_at=rt.clock.after(ASK_SECONDS[0])
            )
            await queries.append_event(
                db, now, refund.bar_id, refund.id, "unknown", refund.state, State.UNKNOWN, actor, reason, {}
            )
            await tell(db, rt, refund, "refund_unknown", reason, Severity.ERROR)
            return (f"bar:{refund.bar_id}",)
        case Step(state=state, reason=reason, problem=problem):
            told = await settle(db, rt, refund, state, actor, reason, code=code)
            if problem is not None:
                await tell(db, rt, refund, problem, reason, Severity.ERROR)
            return told
        case _:
            assert_never(decision)


async def tell(db: Connection, rt: Runtime, refund: Refund, problem: str, reason: str, severity: Severity) -> None:
    await open_problem(
        db, rt.clock, problem, refund.id, bar_id=refund.bar_id, severity=severity, reason=reason, amount=refund.amount,
        receipt=refund.receipt,
    )  # fmt: skip


async def work(rt: Runtime, daraja: DarajaClient, limit: int = 20) -> int:
    """A worker's turn: refunds to send, Results that did not come, unknown ones to ask about; how many were taken."""
    async with transaction(rt.db) as db:
        due = await queries.claim_due(db, rt.clock.now(), rt.clock.after(LEASE_SECONDS), limit)
    for refund_id in due:
        async with rt.db.acquire() as db:
            refund = await queries.refund(db, refund_id)
        if refund is None:
            continue
        match State(refund.state):
            case State.REQUESTED:
                await send(rt, daraja, refund_id)
            case State.PROCESSING:
                await overdue(rt, refund_id)
            case State.UNKNOWN:
                await ask(rt, daraja, refund_id)
            case State.REFUNDED | State.FAILED | State.WITHDRAWN:
                continue
    return len(due)


async def overdue(rt: Runtime, refund_id: UUID) -> None:
    """Neither acknowledged nor answered in time: nobody knows."""
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, refund_id)
        told = await step(db, rt, refund, Unclear("no result"), "kaunta")
    rt.live.hint(*told)


async def ask(rt: Runtime, daraja: DarajaClient, refund_id: UUID) -> None:
    """Ask Daraja what became of an unknown reversal, by the name it gave the call; its answer comes as a Result."""
    async with transaction(rt.db) as db:
        refund = await lock_refund(db, refund_id)
        reversal = await requests.reversal_of(db, refund_id)
        if refund.state != State.UNKNOWN or reversal is None:
            return
        later = next((each for each in ASK_SECONDS if refund.checks <= ASK_SECONDS.index(each) + 1), None)
        await queries.write(
            db, refund_id, State.UNKNOWN, rt.clock.now(), failure=refund.failure,
            next_check_at=rt.clock.after(later) if later else None,
        )  # fmt: skip
        name = reversal.originator_conversation_id
        if name is None:
            # Daraja never named it: only a Result, the statement or a person can tell.
            return
        try:
            call = await asking.prepare(
                db, rt, refund.bar_id, refund.environment, "status", by="kaunta", refund_id=refund_id
            )
        except (NoInitiator, NoCertificate):
            return
    with exchanges.collecting() as records:
        outcome = await daraja.transaction_status(call.credential, call.initiator, call.reply, conversation_id=name)
    async with transaction(rt.db) as db:
        await asking.record(db, call.request_id, outcome)
        await exchanges.store(db, refund.bar_id, None, records)

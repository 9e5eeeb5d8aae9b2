"""Payments nobody answered for: ask Daraja, wait longer each time, time out without declaring failure.

The rows are the queue. Claiming a payment moves its next question ahead, so that a worker that dies while asking
loses nothing but that one question. Daraja is asked outside any transaction.
"""

import asyncio
from datetime import datetime
from typing import assert_never

import structlog

from kaunta.core import tracing
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.core.vault import VaultError
from kaunta.credentials import store
from kaunta.daraja.client import DarajaClient, QueryFailed, QueryPending, QueryResult
from kaunta.daraja.results import ResultKind, explain
from kaunta.payments import exchanges
from kaunta.payments.apply import Facts, apply, patience
from kaunta.payments.queries import silence, transactions
from kaunta.payments.states import (
    AGREEMENT_SECONDS,
    SILENCE_SECONDS,
    Declined,
    Event,
    SaidPaid,
    Silence,
    Source,
    Undecided,
    Unproven,
)

log = structlog.get_logger(__name__)

#: When Daraja is asked, in seconds of policy after the push; then no more (ux.md §1.3).
SCHEDULE = (30, 50, 75, 105, 180, 300, 600, 1_200, 2_400, 3_600, 10_800, 21_600, 86_400)


async def ask_about_due(rt: Runtime, daraja: DarajaClient, limit: int = 20) -> int:
    """A worker's turn: ask about the payments whose time has come; how many were asked about."""
    async with transaction(rt.db) as db:
        due = await silence.claim_due(db, rt.clock.now(), limit)
        mine = []
        # Budgets in one order everywhere: two workers that take two bars' in opposite orders would deadlock.
        for payment in sorted(due, key=lambda payment: payment.credential_id):
            allowed = await silence.spend_query(
                db,
                payment.credential_id,
                payment.bar_id,
                rt.settings.queries_per_minute,
                rt.clock.now(),
                rt.clock.factor,
            )
            if allowed:
                mine.append(payment)
                await silence.schedule(db, payment.id, next_slot(rt, payment.waiting_since), asked=True)
            else:
                pause = 60 / rt.settings.queries_per_minute
                await silence.schedule(db, payment.id, rt.clock.after(pause), asked=False)
    await asyncio.gather(*(ask(rt, daraja, payment) for payment in mine))
    return len(mine)


def next_slot(rt: Runtime, since: datetime) -> datetime | None:
    """The next moment of the schedule; None after its end."""
    elapsed = rt.clock.elapsed(since)
    later = next((slot for slot in SCHEDULE if slot > elapsed + 1), None)
    return rt.clock.after(later - elapsed) if later is not None else None


async def ask(rt: Runtime, daraja: DarajaClient, payment: silence.SilentPayment) -> None:
    """Ask about one payment and write what the answer means."""
    try:
        async with rt.db.acquire() as db:
            place = await transactions.place(db, payment.id)
            credential = await store.of_version(
                db, rt, payment.credential_id, payment.credential_version, why="a status query"
            )
            checkout_id = await rt.keys.open(db, "checkout_request_id", payment.checkout_request_id_enc)
    except VaultError as error:
        async with transaction(rt.db) as db:
            await store.note_unreadable(db, rt, payment.bar_id, error, why="a status query", by="kaunta")
        return
    if credential is None or place is None:
        raise RuntimeError(f"payment {payment.id} has lost its credentials")
    began = rt.clock.now()
    with exchanges.collecting() as records:
        answer = await daraja.stk_query(credential, checkout_id.decode())
    tracing.step(place.id, "stk query", began, rt.clock.now(), outcome=type(answer).__name__)
    key = await rt.keys.current(place.bar_id)
    event = event_of(rt, answer)
    topics: tuple[str, ...] = ()
    async with transaction(rt.db) as db:
        if event is not None:
            code, desc = said(answer)
            facts = Facts(actor="query", result_code=code, result_desc=desc)
            topics = (await apply(db, rt, key, place, event, facts)).topics
        elif isinstance(answer, QueryFailed) and answer.rate_limited:
            await silence.narrow_budget(db, payment.credential_id)
        await exchanges.store(db, place.bar_id, place.id, records)
    rt.live.hint(*topics)


def event_of(rt: Runtime, answer: QueryResult | QueryPending | QueryFailed) -> Event | None:
    """What an answer says; None where it says nothing about the payment."""
    match answer:
        case QueryFailed():
            return None
        case QueryPending(code=code):
            return Undecided(code, Source.QUERY)
        case QueryResult(result_code=code):
            match explain(code).kind:
                case ResultKind.SUCCESS:
                    return SaidPaid(Source.QUERY, rt.clock.now(), patience(rt, AGREEMENT_SECONDS))
                case ResultKind.FINAL:
                    return Declined(code, Source.QUERY)
                case ResultKind.CANCEL:
                    return Declined(code, Source.QUERY, cancelled=True)
                case ResultKind.UNPROVEN:
                    return Unproven(code, Source.QUERY)
                case ResultKind.PENDING | ResultKind.UNKNOWN:
                    return Undecided(code, Source.QUERY)
        case _:
            assert_never(answer)


def said(answer: QueryResult | QueryPending | QueryFailed) -> tuple[str | None, str | None]:
    if isinstance(answer, QueryResult):
        return answer.result_code, answer.result_desc
    return None, None


async def time_out_silent(rt: Runtime, limit: int = 100) -> int:
    """A worker's turn: open payments without an answer for five minutes become `timeout`; how many did."""
    async with rt.db.acquire() as db:
        ids = await silence.silent_since(db, rt.clock.before(SILENCE_SECONDS), limit)
    for transaction_id in ids:
        async with rt.db.acquire() as db:
            place = await transactions.place(db, transaction_id)
        if place is None:
            continue
        key = await rt.keys.current(place.bar_id)
        async with transaction(rt.db) as db:
            event = Silence(rt.clock.now(), patience(rt, SILENCE_SECONDS))
            applied = await apply(db, rt, key, place, event, Facts(actor="kaunta"))
        rt.live.hint(*applied.topics)
    return len(ids)

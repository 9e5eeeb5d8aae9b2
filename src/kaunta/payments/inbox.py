"""The inbox: a callback is stored as it came and committed; only then is Safaricom told "accepted".

What it means is found out afterwards, each callback in a transaction of its own: at once by the process that took
it, else by a worker. The token in its address finds the payment and is what makes a callback believed; one without
a right token is never believed on its own word, but it may make us ask Daraja about the payment it names.
"""

import asyncio
from typing import assert_never

import structlog

from kaunta.core import tracing
from kaunta.core.db import TRANSIENT_ERRORS, Connection, transaction
from kaunta.core.metrics import CALLBACK_DELAY, CALLBACKS
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.together import WAIT_SECONDS
from kaunta.core.vault import Key
from kaunta.daraja.callbacks import StkCallback, parse_stk_callback
from kaunta.daraja.results import ResultKind, explain
from kaunta.daraja.wire import Malformed
from kaunta.payments import c2b, results
from kaunta.payments.apply import Facts, apply, patience
from kaunta.payments.queries import inbox, silence, transactions
from kaunta.payments.states import (
    AGREEMENT_SECONDS,
    Anomaly,
    Change,
    Declined,
    Event,
    Nothing,
    Paid,
    SaidPaid,
    Source,
    Undecided,
    Unproven,
)
from kaunta.payments.verdict import Verdict

log = structlog.get_logger(__name__)

#: Whoever stored a callback has this long to deal with it before a worker takes it up.
LEASE_SECONDS = 20.0
#: An unproven word may bring a payment's next query forward this often.
NUDGE_SECONDS = 60.0
#: … and all of them together may spend this much of a credential's questions.
NUDGE_SHARE = 0.1


async def receive(
    rt: Runtime, body: bytes, *, token_hash: bytes | None, source: str | None, channel: str = "stk"
) -> inbox.Stored:
    """Keep a callback, committed with whatever else arrives now. Raises what the database raises, `TimeoutError` where
    it does not answer in time, or `TooMuchAtOnce`: the caller answers 503."""
    key = rt.keys.at_hand(None)
    if key is not None:
        return await keep(rt, key, body, token_hash, source, channel)
    async with asyncio.timeout(WAIT_SECONDS):
        # Whoever gives up waiting does not wait for the driver either.
        key = await asyncio.shield(rt.keys.current(None))
        return await keep(rt, key, body, token_hash, source, channel)


async def keep(
    rt: Runtime, key: Key, body: bytes, token_hash: bytes | None, source: str | None, channel: str
) -> inbox.Stored:
    now = rt.clock.now()
    sealed = rt.keys.seal(key, "callback", body)
    arrival = inbox.Arrival(now, channel, token_hash, source, sealed, rt.clock.after(LEASE_SECONDS))
    return inbox.Stored(await rt.together.write(inbox.store, arrival), now)


async def process_stored(
    rt: Runtime, stored: inbox.Stored, body: bytes, token_hash: bytes | None, channel: str
) -> Verdict | None:
    """Understand one stored message, whichever of Safaricom's it is; None where somebody else did already."""
    match channel:
        case "c2b":
            verdict = await c2b.process(rt, stored, body, token_hash)
        case "validation":
            verdict = await c2b.note_question(rt, stored, body, token_hash)
        case "result" | "timeout":
            verdict = await results.process(rt, stored, body, token_hash, timed_out=channel == "timeout")
        case _:
            return await process(rt, stored, body, token_hash)
    if verdict is not None:
        CALLBACKS.labels(verdict.name).inc()
    return verdict


async def process(rt: Runtime, stored: inbox.Stored, body: bytes, token_hash: bytes | None) -> Verdict | None:
    """Understand one stored callback and write what it means; None where somebody else did already.

    Those of the same payment that came before it and still wait are understood first: "paid, then declined" must not
    become "declined, then paid" because two tasks woke in another order.
    """
    async with rt.db.acquire() as db:
        place = await transactions.place_by_token(db, token_hash) if token_hash else None
        key = rt.keys.at_hand(place.bar_id) if place else None
        if place is not None and token_hash is not None and key is not None:
            return await take_turns(db, rt, key, place, stored, body, token_hash)
    if place is None or token_hash is None:
        return await keep_apart(rt, stored, body)
    # A data key is made outside the transaction that uses it, and by a connection of its own.
    key = await rt.keys.current(place.bar_id)
    async with rt.db.acquire() as db:
        return await take_turns(db, rt, key, place, stored, body, token_hash)


async def take_turns(
    db: Connection,
    rt: Runtime,
    key: Key,
    place: transactions.Place,
    stored: inbox.Stored,
    body: bytes,
    token_hash: bytes,
) -> Verdict | None:
    """Understand a payment's waiting callbacks up to this one, each in a transaction of its own."""
    passed_over: list[int] = []
    while True:
        turn: inbox.Turn | None = None
        try:
            async with db.transaction():
                turn = await inbox.lock_first_waiting(db, token_hash, stored.id, stored.received_at, passed_over)
                if turn is None:
                    return None
                verdict = await understand(db, rt, key, place, turn, body)
                await inbox.finish(db, turn.id, turn.received_at, verdict.name, place.id, rt.clock.now())
        except Exception as error:
            if turn is None or turn.id == stored.id or isinstance(error, TRANSIENT_ERRORS):
                raise
            # It is tried again in its own time, and must not keep back what came after it: that may be the money.
            log.error("callback.passed_over", callback_id=turn.id, error=type(error).__name__)
            passed_over.append(turn.id)
            continue
        CALLBACK_DELAY.observe((rt.clock.now() - turn.received_at).total_seconds())
        tracing.step(place.id, "callback understood", turn.received_at, rt.clock.now(), verdict=verdict.name)
        told(rt, verdict)
        if turn.id == stored.id:
            return verdict


async def keep_apart(rt: Runtime, stored: inbox.Stored, body: bytes) -> Verdict | None:
    """A callback that no token proves: kept, and at most a reason to ask."""
    async with transaction(rt.db) as db:
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        verdict = await set_aside(db, rt, stored.id, parse_stk_callback(body), None)
        await inbox.finish(db, stored.id, stored.received_at, verdict.name, verdict.transaction_id, rt.clock.now())
    told(rt, verdict)
    return verdict


async def understand(
    db: Connection, rt: Runtime, key: Key, place: transactions.Place, turn: inbox.Turn, body: bytes
) -> Verdict:
    """What a callback of a known payment comes to; `body` is that of the callback that asked for its turn."""
    parsed = parse_stk_callback(body if turn.body_enc is None else await rt.keys.open(db, "callback", turn.body_enc))
    if not (isinstance(parsed, StkCallback) and await known_ids_agree(db, rt, place, parsed)):
        return await set_aside(db, rt, turn.id, parsed, place)
    applied = await apply(db, rt, key, place, event_of(rt, parsed), facts_of(parsed, turn.id))
    match applied.decision:
        case Change():
            return Verdict("applied", place.id, applied.topics)
        case Anomaly():
            return Verdict("contradictory", place.id, applied.topics)
        case Nothing():
            return Verdict("duplicate", place.id)
        case _:
            assert_never(applied.decision)


def told(rt: Runtime, verdict: Verdict) -> None:
    """Once it is committed: counted, and hinted to whoever looks."""
    CALLBACKS.labels(verdict.name).inc()
    rt.live.hint(*verdict.topics)


async def known_ids_agree(db: Connection, rt: Runtime, place: transactions.Place, callback: StkCallback) -> bool:
    """A token-right callback that names another push is not believed."""
    named = rt.keys.index("checkout_request_id", callback.checkout_request_id)
    # One payment has a name, and keeps it: what was read before the lock holds.
    if named == place.checkout_hash:
        return True
    other = await transactions.place_by_checkout_hash(db, named)
    if other is not None:
        return other.id == place.id
    return await transactions.checkout_unknown(db, place.id)


async def set_aside(
    db: Connection,
    rt: Runtime,
    callback_id: int,
    parsed: StkCallback | Malformed,
    place: transactions.Place | None,
) -> Verdict:
    """A callback that may not be believed is kept and shown, and at most makes us ask."""
    if isinstance(parsed, Malformed):
        if place:
            await open_problem(db, rt.clock, "callback_malformed", place.id, bar_id=place.bar_id, reason=parsed.reason)
            await nudge(db, rt, place)
        return Verdict("malformed", place.id if place else None)
    if place is not None:
        await open_problem(
            db, rt.clock, "callback_ids_differ", place.id, bar_id=place.bar_id, severity=Severity.ERROR,
            callback_id=callback_id,
        )  # fmt: skip
        await nudge(db, rt, place)
        return Verdict("contradictory", place.id)
    named = await transactions.place_by_checkout_hash(
        db, rt.keys.index("checkout_request_id", parsed.checkout_request_id)
    )
    if named is None:
        # Anybody can send such a thing: an hour's are one matter.
        await open_problem(
            db, rt.clock, "callback_orphan", f"{rt.clock.now():%Y-%m-%dT%H}Z", bar_id=None, callback_id=callback_id,
            result_code=parsed.result_code,
        )  # fmt: skip
        return Verdict("orphan")
    await nudge(db, rt, named)
    return Verdict("unauthenticated", named.id)


async def nudge(db: Connection, rt: Runtime, place: transactions.Place) -> None:
    share = max(1, int(rt.settings.queries_per_minute * NUDGE_SHARE))
    await silence.nudge(db, place.id, rt.clock.now(), rt.clock.before(NUDGE_SECONDS), share)


def event_of(rt: Runtime, callback: StkCallback) -> Event:
    """What a believed callback says."""
    code = callback.result_code
    match explain(code).kind:
        case ResultKind.SUCCESS:
            if callback.receipt:
                # Receipts are kept in capitals, so that one code is one receipt however it is written.
                return Paid(callback.receipt.upper(), callback.amount)
            return SaidPaid(Source.CALLBACK, rt.clock.now(), patience(rt, AGREEMENT_SECONDS))
        case ResultKind.FINAL:
            return Declined(code, Source.CALLBACK)
        case ResultKind.CANCEL:
            return Declined(code, Source.CALLBACK, cancelled=True)
        case ResultKind.UNPROVEN:
            return Unproven(code, Source.CALLBACK)
        case ResultKind.PENDING | ResultKind.UNKNOWN:
            return Undecided(code, Source.CALLBACK)


def facts_of(callback: StkCallback, callback_id: int) -> Facts:
    return Facts(
        actor="safaricom",
        merchant_request_id=callback.merchant_request_id,
        checkout_request_id=callback.checkout_request_id,
        result_code=callback.result_code,
        result_desc=callback.result_desc,
        transaction_date=callback.transaction_date,
        phone=callback.phone,
        callback_id=callback_id,
    )

"""The only writer of payment state.

`apply` holds the tab, then the payment, asks `states.decide` what the event means, and writes status, ledger,
receipt, event and problems in the caller's one transaction: all of it or nothing. Whoever calls it hints after the
commit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kaunta.core import tracing
from kaunta.core.db import Connection
from kaunta.core.metrics import PAID_SECONDS
from kaunta.core.problems import Severity, close_problem, close_problems, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Key
from kaunta.daraja.exchanges import without_personal
from kaunta.payments import given_back, typed_codes
from kaunta.payments.claims import disprove, give_way
from kaunta.payments.queries import events, receipts, transactions
from kaunta.payments.states import (
    Anomaly,
    Change,
    Check,
    Credit,
    Decision,
    Event,
    Irregularity,
    Nothing,
    Paid,
    Payment,
    Status,
    decide,
)
from kaunta.tabs import settle

#: Seconds of policy after the acknowledgement, and after a lone "0", until Daraja is asked.
FIRST_LOOK_SECONDS = 30.0
SECOND_LOOK_SECONDS = 21.0

FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
GRAVE = frozenset({"duplicate", "contradicted", "receipt_of_another", "success_without_receipt"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a message said besides its event: stored, never decided upon. `phone` may be masked or missing."""

    actor: str
    merchant_request_id: str | None = None
    checkout_request_id: str | None = None
    result_code: str | None = None
    result_desc: str | None = None
    transaction_date: datetime | None = None
    phone: str | None = None
    callback_id: int | None = None
    channel: str = "stk"
    #: What the payer wrote, and their name as far as it is told.
    reference: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What was decided and written, with the topics to hint once it is committed."""

    decision: Decision
    before: Status
    after: Status
    topics: tuple[str, ...]


async def apply(
    db: Connection, rt: Runtime, key: Key, place: transactions.Place, event: Event, facts: Facts
) -> Applied:
    """Decide and write, in the caller's transaction. `key` is the bar's data key of this month."""
    began = rt.clock.now()
    tab_status = await transactions.hold(db, place.tab_id, place.id)
    row = await transactions.unlocked(db, place.id)
    if tab_status is None or row is None:
        raise RuntimeError(f"payment {place.id} has no row")
    payment = as_payment(row, tab_closed=tab_status == "closed")
    decision: Decision = decide(payment, event)

    proven: receipts.ProvenReceipt | None = None
    if isinstance(event, Paid):
        proven = await prove(db, rt, key, row, event, facts)
        if isinstance(decision, Change) and proven.ledger_id is not None and not proven.on_claim:
            # Credited elsewhere already: believing it again would credit one receipt twice. What is only claimed
            # gives way below.
            decision = Anomaly("the receipt belongs to another payment", problems=("receipt_of_another",))

    told = topics(place)
    if proven is not None and isinstance(decision, Change) and isinstance(event, Paid):
        claimed = await receipts.is_claimed(db, event.receipt)
        if claimed:
            told += await disprove(db, rt, row, event.receipt)
        if decision.fill_receipt is not None:
            told += await give_way(db, rt, row, event.receipt)
        if claimed:
            told += await typed_codes.decide(db, rt, event.receipt, row.tab_id)
    status = decision.status if isinstance(decision, Change) else payment.status
    flags = payment.irregularities | (frozenset() if isinstance(decision, Nothing) else decision.irregularities)
    if isinstance(decision, Change):
        await book(db, rt, row, decision, proven)
        if decision.credit is not None:
            PAID_SECONDS.observe((rt.clock.now() - row.push_started_at).total_seconds())
            tracing.step(
                place.id, "credited", began, rt.clock.now(), status=status.value, before=payment.status.value,
                by=facts.actor.partition(":")[0],
            )  # fmt: skip
    await write(db, rt, key, row, decision, status, flags, facts, event)
    if isinstance(decision, Change | Anomaly):
        await put_before_people(db, rt, row, decision, status)
    # What was booked on words alone lets its tab close when the receipt comes.
    proves = isinstance(decision, Change) and (decision.credit is not None or decision.fill_receipt is not None)
    if proves and tab_status == "overdue" and not await transactions.contradicted_on_tab(db, row.tab_id):
        await settle.close_if_settled(db, rt, row.tab_id)
    return Applied(decision, payment.status, status, told)


def topics(place: transactions.Place) -> tuple[str, ...]:
    return (f"payment:{place.id}", f"tab:{place.tab_id}", f"bar:{place.bar_id}")


def as_payment(row: transactions.Locked, *, tab_closed: bool) -> Payment:
    return Payment(
        status=Status(row.status),
        amount=row.amount,
        push_started_at=row.push_started_at,
        sent_at=row.sent_at,
        received=row.amount_received,
        receipt=row.receipt,
        receipts=frozenset(row.receipts),
        callback_success_at=row.callback_success_at,
        query_success_at=row.query_success_at,
        unproven_code=row.unproven_code,
        irregularities=frozenset(Irregularity(flag) for flag in row.irregularities),
        tab_closed=tab_closed,
    )


async def prove(
    db: Connection, rt: Runtime, key: Key, row: transactions.Locked, event: Paid, facts: Facts
) -> receipts.ProvenReceipt:
    """The receipt's one row, locked, and this sighting of it."""
    proven = await receipts.prove(
        db,
        receipts.NewReceipt(
            id=rt.entropy.uuid(),
            environment=row.environment,
            receipt=event.receipt,
            bar_id=row.bar_id,
            business_shortcode=row.business_shortcode,
            amount=row.amount if event.amount is None else event.amount,
            phone_enc=rt.keys.seal(key, "phone", facts.phone.encode()) if facts.phone else None,
            transacted_at=facts.transaction_date,
            channel=facts.channel,
            at=rt.clock.now(),
            reference=facts.reference,
            name_enc=rt.keys.seal(key, "payer_name", facts.name.encode()) if facts.name else None,
        ),
        facts.callback_id,
    )
    if event.amount is not None and event.amount != proven.amount:
        await open_problem(
            db, rt.clock, "receipt_amount_differs", proven.id, bar_id=row.bar_id, severity=Severity.ERROR,
            receipt=event.receipt, first=proven.amount, now=event.amount, channel=facts.channel,
        )  # fmt: skip
    return proven


async def book(
    db: Connection, rt: Runtime, row: transactions.Locked, change: Change, proven: receipts.ProvenReceipt | None
) -> None:
    """The ledger's share of a change."""

    def credit(of: Credit) -> settle.MpesaCredit:
        return settle.MpesaCredit(row.bar_id, row.tab_id, row.id, row.environment, of.amount, of.receipt)

    ledger_id: UUID | None = None
    if change.credit is not None:
        ledger_id = await settle.credit_mpesa(db, rt, credit(change.credit))
    elif change.fill_receipt is not None:
        filled = credit(Credit(row.amount_received or row.amount, change.fill_receipt))
        ledger_id = await settle.fill_receipt(db, rt, filled, change.correction)
    if ledger_id is not None and proven is not None:
        await receipts.book(db, proven.id, row.id, ledger_id)
        if proven.new and change.credit is not None:
            # Of a receipt and a credit that are both a moment old nothing can have gone back, nobody can have asked.
            return
        await given_back.follow(db, rt, proven.id, ledger_id, proven=True)
        await close_problem(db, rt.clock, "receipt_unmatched", proven.id, by="safaricom", reason="it was proven whose")


async def write(
    db: Connection,
    rt: Runtime,
    key: Key,
    row: transactions.Locked,
    decision: Decision,
    status: Status,
    flags: frozenset[Irregularity],
    facts: Facts,
    event: Event,
) -> None:
    """The payment's row with its event. Daraja's ids are stored whatever the decision: they may be the only way to
    ask."""
    now = rt.clock.now()
    change = decision if isinstance(decision, Change) else None
    new_ids = facts.checkout_request_id if row.checkout_request_id_hash is None else None
    if change is None and isinstance(decision, Nothing) and new_ids is None:
        return
    check = Check.KEEP if isinstance(decision, Nothing) else decision.check
    first_credit = change.credit if change and row.status != Status.COMPLETED else None
    received = first_credit.amount if first_credit else None
    if change and change.fill_receipt is not None:
        received = (row.amount_received or row.amount) + change.correction
    await transactions.write(
        db,
        transactions.Written(
            id=row.id,
            status=status,
            irregularities=sorted(flags),
            at=now,
            sent_at=now if status is Status.SENT or (new_ids and row.sent_at is None) else None,
            settled_at=now if status in FINAL else None,
            keep_settled=status == row.status,
            next_check_at=next_check(rt, check),
            keep_next_check=check is Check.KEEP,
            merchant_request_id=facts.merchant_request_id if new_ids else None,
            checkout_request_id_enc=rt.keys.seal(key, "checkout_request_id", new_ids.encode()) if new_ids else None,
            checkout_request_id_hash=rt.keys.index("checkout_request_id", new_ids) if new_ids else None,
            result_code=facts.result_code if change else None,
            # In the clear, for years: an erasure does not look for a number in a sentence.
            result_desc=without_personal(facts.result_desc) if change and facts.result_desc is not None else None,
            failure_reason=change.reason if change and status in (Status.FAILED, Status.CANCELLED) else None,
            receipt=(first_credit.receipt if first_credit else None) or (change.fill_receipt if change else None),
            transaction_date=facts.transaction_date if change and isinstance(event, Paid) else None,
            amount_received=received,
            callback_success_at=change.callback_success_at if change else None,
            query_success_at=change.query_success_at if change else None,
            unproven_code=change.unproven_code if change else None,
        ),
        None if isinstance(decision, Nothing) else event_of(now, row, decision, status, facts),
    )


def next_check(rt: Runtime, check: Check) -> datetime | None:
    match check:
        case Check.NOW:
            return rt.clock.now()
        case Check.FIRST:
            return rt.clock.after(FIRST_LOOK_SECONDS)
        case Check.AGREE:
            return rt.clock.after(SECOND_LOOK_SECONDS)
        case Check.STOP | Check.KEEP:
            return None


def event_of(
    at: datetime, row: transactions.Locked, decision: Change | Anomaly, after: Status, facts: Facts
) -> events.NewEvent:
    """The event that is also the audit row."""
    detail: dict[str, object] = {"reason": decision.reason}
    if decision.irregularities:
        detail["irregularities"] = sorted(decision.irregularities)
    if facts.result_code is not None:
        detail["result_code"] = facts.result_code
    if facts.callback_id is not None:
        detail["callback_id"] = facts.callback_id
    if isinstance(decision, Change) and decision.credit is not None:
        detail |= {"amount": decision.credit.amount, "receipt": decision.credit.receipt}
    if isinstance(decision, Change) and decision.fill_receipt is not None:
        detail |= {"receipt": decision.fill_receipt, "correction": decision.correction}
    kind = "anomaly" if isinstance(decision, Anomaly) else "changed" if after != row.status else "learnt"
    return events.NewEvent(at, row.bar_id, row.id, kind, facts.actor, detail, row.status, after.value)


async def put_before_people(
    db: Connection, rt: Runtime, row: transactions.Locked, decision: Change | Anomaly, after: Status
) -> None:
    """The problems that open with a decision, and those that are over by it."""
    for problem in decision.problems:
        severity = Severity.ERROR if problem in GRAVE else Severity.WARNING
        await open_problem(
            db, rt.clock, problem, row.id, bar_id=row.bar_id, severity=severity, reason=decision.reason,
            **proposal(decision, problem, row.amount),
        )  # fmt: skip
    if after in FINAL:
        settled = {*transactions.OVER_ENDED}
        if after is Status.COMPLETED:
            settled |= {*transactions.OVER_PAID}
        if isinstance(decision, Change) and decision.fill_receipt is not None:
            settled |= {*transactions.OVER_PROVEN}
        # Most payments end without ever having been a problem: then there is nothing to ask the database.
        if over := sorted(settled & {*row.to_close, *decision.problems}):
            await close_problems(db, rt.clock, over, row.id, by="kaunta", reason=decision.reason)


def proposal(decision: Change | Anomaly, problem: str, asked: int) -> dict[str, object]:
    """What to give back, where Safaricom took too much."""
    credit = decision.credit if isinstance(decision, Change) else None
    if credit is None or problem not in (Irregularity.DUPLICATE, Irregularity.OVERPAID):
        return {}
    too_much = credit.amount if problem == Irregularity.DUPLICATE else credit.amount - asked
    return {"propose_refund": too_much, "receipt": credit.receipt}


def patience(rt: Runtime, seconds: float) -> timedelta:
    """Policy seconds as the real time they last."""
    return timedelta(seconds=rt.clock.wait(seconds))

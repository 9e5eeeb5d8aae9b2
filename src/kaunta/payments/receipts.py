"""A proven receipt was seen, on whatever channel: find whose it is, book it once, or put it before a person.

In this order, and never by anything else (rulings 6): the payment whose reference it carries; a completed payment that
has no receipt and that it fits, where there is exactly one; the tab whose number the payer was told to type. Phones
are never compared: they come masked, hashed and plain. What fits nobody is a problem until somebody has decided.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Key
from kaunta.daraja.exchanges import without_personal
from kaunta.payments import claims, given_back, typed_codes
from kaunta.payments.apply import Facts, apply
from kaunta.payments.queries import events, receipts, sightings, transactions
from kaunta.payments.queries.sightings import Candidate, SeenReceipt
from kaunta.payments.states import Change, Irregularity, Paid
from kaunta.tabs import queries as tab_queries
from kaunta.tabs import settle as tab_settle

#: How far a receiptless payment and a receipt may lie apart, seconds of policy (rulings 6).
APART_SECONDS = 300.0
#: A payment's reference, and a tab's number as the till page tells guests to type it.
REFERENCE = re.compile(r"TB-?([2-9A-HJ-NP-TV-Z]{5,9})")
TAB = re.compile(r"TAB-?([1-9][0-9]{0,8})")


class Placing(StrEnum):
    """What became of a sighting."""

    BOOKED = "booked"
    #: It was booked before; now it was only seen again.
    KNOWN = "known"
    UNMATCHED = "unmatched"
    #: A person said before that it is nobody's bill here.
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Sighting:
    """Safaricom says that this receipt paid `amount` whole shillings to `shortcode` (the credentials' business
    shortcode) at `at`. `reference`: what the payer wrote; `phone` (plain, masked or hashed) and `name` are sealed and
    shown to staff as evidence, nothing else."""

    bar_id: UUID
    environment: str
    shortcode: str
    receipt: str
    amount: int
    channel: str
    at: datetime | None
    reference: str = ""
    phone: str | None = None
    name: str = ""
    callback_id: int | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a receipt is now. `topics`: to hint once it is committed."""

    placing: Placing
    receipt_id: UUID
    transaction_id: UUID | None = None
    tab_id: UUID | None = None
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Whose a receipt may be, found before the transaction. `fits`: only by amount and time, so it is asked again."""

    candidate: Candidate | None
    fits: bool
    key: Key


async def sighted(rt: Runtime, sighting: Sighting) -> Placed:
    """Take a receipt in, in a transaction of its own. The same sighting twice is the same as once."""
    plan = await prepare(rt, sighting)
    async with transaction(rt.db) as db:
        placed = await place(db, rt, plan, sighting)
    rt.live.hint(*placed.topics)
    return placed


async def prepare(rt: Runtime, sighting: Sighting) -> Plan:
    """What has to be known before the transaction: whose it may be, and the data key of that bar."""
    fits = False
    async with rt.db.acquire() as db:
        candidate = await by_reference(db, sighting)
        if candidate is None and sighting.at is not None and not await was_believed(db, sighting):
            apart = timedelta(seconds=rt.clock.wait(APART_SECONDS))
            found = await sightings.receiptless_fits(
                db, sighting.environment, sighting.shortcode, sighting.amount, sighting.at, apart
            )
            # Two that it fits are two that it may be: a person decides.
            candidate, fits = (found[0], True) if len(found) == 1 else (None, False)
    return Plan(candidate, fits, await rt.keys.current(candidate.bar_id if candidate else sighting.bar_id))


async def was_believed(db: Connection, sighting: Sighting) -> bool:
    """Somebody was credited for this very code: it is tied to that, and not to what it fits besides."""
    code = sighting.receipt.upper()
    return await receipts.believed(db, sighting.environment, sighting.shortcode, code) is not None


async def by_reference(db: Connection, sighting: Sighting) -> Candidate | None:
    reference = our_reference(sighting.reference)
    if reference is None:
        return None
    found = await sightings.by_reference(db, sighting.environment, sighting.shortcode, reference)
    if len(found) > 1:
        return next((each for each in found if each.bar_id == sighting.bar_id), None)
    return found[0] if found else None


def our_reference(text: str) -> str | None:
    """A payment's reference in what a payer wrote: any case, with or without spaces and the dash."""
    found = REFERENCE.fullmatch(re.sub(r"\s", "", text).upper())
    return f"TB-{found[1]}" if found else None


def tab_number(text: str) -> int | None:
    found = TAB.fullmatch(re.sub(r"\s", "", text).upper())
    return int(found[1]) if found else None


async def place(db: Connection, rt: Runtime, plan: Plan, sighting: Sighting) -> Placed:
    """Book a receipt where it belongs, in the caller's transaction; it holds tab, payment and receipt in this order."""
    present = await sightings.seen_by_code(db, sighting.environment, sighting.receipt.upper())
    if plan.candidate is not None and await may_take(db, plan, present):
        if plan.fits:
            return await to_receiptless(db, rt, plan.key, plan.candidate, sighting)
        return await to_payment(db, rt, plan.key, plan.candidate, sighting)
    number = tab_number(sighting.reference)
    tab_id = await sightings.tab_by_number(db, sighting.bar_id, number) if number is not None else None
    believed = await receipts.believed(db, sighting.environment, sighting.shortcode, sighting.receipt.upper())
    if believed is not None:
        tab_id = believed.tab_id
    tab = await tab_queries.lock_tab(db, tab_id) if tab_id is not None else None
    receipt = await prove(db, rt, plan.key, sighting)
    if receipt.ledger_id is not None:
        return Placed(Placing.KNOWN, receipt.id, receipt.transaction_id, receipt.tab_id)
    if receipt.set_aside:
        return Placed(Placing.ASIDE, receipt.id)
    if believed is not None and believed.amount == receipt.amount:
        # Somebody was believed for this code before it was proven: what their credit rests on is here now.
        await sightings.book_for(db, receipt.id, believed.transaction_id, believed.ledger_id)
        await close_problem(db, rt.clock, claims.UNMATCHED, receipt.id, by="kaunta", reason="claimed before")
        return Placed(Placing.BOOKED, receipt.id, believed.transaction_id, believed.tab_id)
    if believed is None and tab is not None and tab.status != "closed" and receipt.bar_id == tab.bar_id:
        # The payer named the tab by a number that is easily mistyped: it stands until somebody proves otherwise.
        unusual = await to_tab(db, rt, receipt, tab.id, "payer", "the payer wrote the tab's number")
        await audit(
            db, rt.clock, "payer", "receipt.credited", "receipt", receipt.id, bar_id=receipt.bar_id,
            receipt=receipt.receipt, amount=receipt.amount, tab=str(tab.id), irregularities=unusual,
        )  # fmt: skip
        return Placed(Placing.BOOKED, receipt.id, None, tab.id, (f"tab:{tab.id}", f"bar:{tab.bar_id}"))
    await claims.put_before_a_person(db, rt, receipt)
    return Placed(Placing.UNMATCHED, receipt.id, topics=(f"bar:{receipt.bar_id}",))


async def may_take(db: Connection, plan: Plan, present: SeenReceipt | None) -> bool:
    """A reference is proof. A fit is not enough for a receipt that has its place, nor for a payment that has one."""
    if plan.candidate is None or not plan.fits:
        return plan.candidate is not None
    await tab_queries.lock_tab(db, plan.candidate.tab_id)
    held = await sightings.hold(db, present.id) if present is not None else None
    if held is not None and (held.ledger_id is not None or held.set_aside):
        return False
    return await sightings.still_receiptless(db, plan.candidate.id)


async def to_payment(db: Connection, rt: Runtime, key: Key, candidate: Candidate, sighting: Sighting) -> Placed:
    """The receipt proves a payment: `apply` decides and writes what that means."""
    facts = Facts(
        actor="safaricom",
        transaction_date=sighting.at,
        phone=sighting.phone,
        callback_id=sighting.callback_id,
        channel=sighting.channel,
        reference=kept_reference(sighting.reference),
        name=sighting.name,
    )
    at = transactions.Place(candidate.id, candidate.bar_id, candidate.tab_id)
    applied = await apply(db, rt, key, at, Paid(sighting.receipt.upper(), sighting.amount), facts)
    receipt = await sightings.seen_by_code(db, sighting.environment, sighting.receipt.upper())
    if receipt is None:
        raise RuntimeError("a receipt vanished while it was being booked")
    if receipt.ledger_id is None:
        await claims.put_before_a_person(db, rt, receipt)
        return Placed(Placing.UNMATCHED, receipt.id, topics=applied.topics)
    placing = Placing.BOOKED if isinstance(applied.decision, Change) else Placing.KNOWN
    return Placed(placing, receipt.id, candidate.id, candidate.tab_id, applied.topics)


async def to_receiptless(db: Connection, rt: Runtime, key: Key, candidate: Candidate, sighting: Sighting) -> Placed:
    """A completed payment without a receipt has found one that fits it; its tab is locked.

    Amount and time may deceive: the receipt is tied to the credit and stays out of the payment's row, so that the
    callback that proves it for another payment finds its place free.
    """
    # Another bar of the shortcode may have seen it first: it is the payment's bar's.
    receipt = await prove(db, rt, key, replace(sighting, bar_id=candidate.bar_id))
    ledger_id = await tab_queries.receiptless_credit(db, candidate.id)
    if receipt.ledger_id is not None or ledger_id is None:
        return Placed(Placing.KNOWN, receipt.id, receipt.transaction_id, receipt.tab_id)
    now = rt.clock.now()
    await receipts.claim(
        db, rt.entropy.uuid(), candidate.bar_id, candidate.tab_id, candidate.id, receipt.receipt, receipts.FIT, now
    )
    await sightings.book_for(db, receipt.id, candidate.id, ledger_id)
    await given_back.follow(db, rt, receipt.id, ledger_id)
    await typed_codes.decide(db, rt, receipt.receipt, candidate.tab_id)
    await events.append(db, now, candidate.bar_id, candidate.id, "receipt_fits", "kaunta", {"receipt": receipt.receipt})
    await close_problem(db, rt.clock, claims.UNMATCHED, receipt.id, by="kaunta", reason="it fits a payment")
    await close_problem(db, rt.clock, Irregularity.NO_RECEIPT, candidate.id, by="kaunta", reason="a receipt fits it")
    topics = (f"payment:{candidate.id}", f"tab:{candidate.tab_id}", f"bar:{candidate.bar_id}")
    return Placed(Placing.BOOKED, receipt.id, candidate.id, candidate.tab_id, topics)


async def prove(db: Connection, rt: Runtime, key: Key, sighting: Sighting) -> SeenReceipt:
    """The receipt's one row, locked, with this sighting of it."""
    now = rt.clock.now()
    phone = rt.keys.seal(key, "phone", sighting.phone.encode()) if sighting.phone else None
    name = rt.keys.seal(key, "payer_name", sighting.name.encode()) if sighting.name else None
    reference = kept_reference(sighting.reference)
    proven = await receipts.prove(
        db,
        receipts.NewReceipt(
            id=rt.entropy.uuid(),
            environment=sighting.environment,
            receipt=sighting.receipt.upper(),
            bar_id=sighting.bar_id,
            business_shortcode=sighting.shortcode,
            amount=sighting.amount,
            phone_enc=phone,
            transacted_at=sighting.at,
            channel=sighting.channel,
            at=now,
            reference=reference,
            name_enc=name,
        ),
        sighting.callback_id,
    )
    await sightings.tell_more(db, proven.id, reference, phone, name, sighting.at)
    receipt = await sightings.seen(db, proven.id)
    if receipt is None:
        raise RuntimeError("a receipt vanished while it was being proven")
    if receipt.amount != sighting.amount:
        await open_problem(
            db, rt.clock, "receipt_amount_differs", receipt.id, bar_id=receipt.bar_id, severity=Severity.ERROR,
            receipt=receipt.receipt, first=receipt.amount, now=sighting.amount, channel=sighting.channel,
        )  # fmt: skip
    return receipt


def kept_reference(text: str) -> str:
    """What is kept of a payer's words: some type their phone number there."""
    return without_personal(text)[:64]


async def to_tab(db: Connection, rt: Runtime, receipt: SeenReceipt, tab_id: UUID, by: str, reason: str) -> list[str]:
    """Credit a tab with a receipt on somebody's word; under the locks of both; what is unusual is shown, and given
    back by its names."""
    tab = await tab_queries.tab(db, tab_id)
    if tab is None:
        raise RuntimeError("a tab vanished while it was being credited")
    ledger_id = await claims.claim(db, rt, receipt, tab_id, by, reason)
    await given_back.follow(db, rt, receipt.id, ledger_id)
    await typed_codes.decide(db, rt, receipt.receipt, tab_id)
    await close_problem(db, rt.clock, claims.UNMATCHED, receipt.id, by=by, reason=reason)
    too_much = tab.paid + receipt.amount - tab.ordered
    if too_much > 0:
        await open_problem(
            db, rt.clock, "overpaid", receipt.id, bar_id=receipt.bar_id, severity=Severity.WARNING,
            receipt=receipt.receipt, propose_refund=min(too_much, receipt.amount), tab=tab.number,
        )  # fmt: skip
    if tab.status == "closed":
        await open_problem(
            db, rt.clock, "closed_tab", receipt.id, bar_id=receipt.bar_id, receipt=receipt.receipt, tab=tab.number
        )
    elif not await transactions.contradicted_on_tab(db, tab_id):
        await tab_settle.close_if_settled(db, rt, tab_id)
    return ["overpaid"] * (too_much > 0) + ["closed_tab"] * (tab.status == "closed")

"""Direct payments: what Safaricom posts about money that came to the till or paybill, by our push or without it.

A confirmation under the right secret proves its receipt; its phone, masked, hashed or plain, is kept for staff's eyes
and compared with nothing. The same payment's STK callback tells the same receipt: whichever comes first books it, the
other is a sighting. A validation is Safaricom's question before the money moves; it is answered by the bar's rule and
proves nothing.
"""

from dataclasses import dataclass

from kaunta.core.db import Connection, transaction
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.daraja.notices import C2bPayment, parse_c2b
from kaunta.daraja.wire import Malformed
from kaunta.payments.queries import c2b as queries
from kaunta.payments.queries import inbox, sightings
from kaunta.payments.queries.c2b import Address
from kaunta.payments.receipts import Placed, Placing, Sighting, our_reference, place, prepare, tab_number
from kaunta.payments.verdict import Verdict

VERDICTS = {
    Placing.BOOKED: "applied",
    Placing.KNOWN: "duplicate",
    Placing.UNMATCHED: "unmatched",
    Placing.ASIDE: "unmatched",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a validation; Safaricom takes the money only for `accepted`."""

    accepted: bool
    code: str = "0"

    def as_json(self) -> dict[str, str]:
        return {"ResultCode": self.code, "ResultDesc": "Accepted" if self.accepted else "Rejected"}


ACCEPTED = Reply(accepted=True)
WRONG_ACCOUNT, WRONG_SHORTCODE, OTHER = (Reply(False, code) for code in ("C2B00012", "C2B00015", "C2B00016"))


async def process(rt: Runtime, stored: inbox.Stored, body: bytes, token_hash: bytes | None) -> Verdict | None:
    """Understand one stored confirmation and book what it proves; None where somebody else did already."""
    async with rt.db.acquire() as db:
        address = await queries.by_secret(db, token_hash) if token_hash else None
    payment = parse_c2b(body)
    if address is None or isinstance(payment, Malformed) or payment.amount is None or foreign(address, payment):
        return await keep_apart(rt, stored, address, payment)
    sighting = sighting_of(address, payment, payment.amount, stored.id)
    plan = await prepare(rt, sighting)
    async with transaction(rt.db) as db:
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        placed = await place(db, rt, plan, sighting)
        verdict = verdict_of(placed)
        await queries.heard(db, address.id, rt.clock.now())
        await inbox.finish(db, stored.id, stored.received_at, verdict.name, verdict.transaction_id, rt.clock.now())
    rt.live.hint(*verdict.topics)
    return verdict


def sighting_of(address: Address, payment: C2bPayment, amount: int, callback_id: int) -> Sighting:
    return Sighting(
        bar_id=address.bar_id,
        environment=address.environment,
        # A till's money is announced under the till or the store; our payments go by the store.
        shortcode=address.business_shortcode or address.shortcode,
        receipt=payment.receipt,
        amount=amount,
        channel="c2b",
        at=payment.at,
        reference=payment.bill_reference,
        phone=payment.msisdn,
        name=" ".join(filter(None, (payment.first_name, payment.middle_name, payment.last_name))),
        callback_id=callback_id,
    )


def verdict_of(placed: Placed) -> Verdict:
    return Verdict(VERDICTS[placed.placing], placed.transaction_id, placed.topics)


def foreign(address: Address, payment: C2bPayment) -> bool:
    """It speaks of a shortcode that is not this address's."""
    return payment.shortcode not in (address.shortcode, address.business_shortcode, address.till_number)


async def keep_apart(
    rt: Runtime, stored: inbox.Stored, address: Address | None, payment: C2bPayment | Malformed
) -> Verdict | None:
    """A confirmation that proves nothing here: kept, and shown where money may stand behind it."""
    async with transaction(rt.db) as db:
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        verdict = await shown(db, rt, stored, address, payment)
        await inbox.finish(db, stored.id, stored.received_at, verdict, None, rt.clock.now())
    return Verdict(verdict)


async def shown(
    db: Connection, rt: Runtime, stored: inbox.Stored, address: Address | None, payment: C2bPayment | Malformed
) -> str:
    if address is None:
        # One problem for all of them: anybody can post here.
        await open_problem(db, rt.clock, "c2b_unauthenticated", "c2b", bar_id=None, callback_id=stored.id)
        return "unauthenticated"
    if isinstance(payment, Malformed):
        await open_problem(
            db, rt.clock, "c2b_malformed", str(stored.id), bar_id=address.bar_id, severity=Severity.ERROR,
            reason=payment.reason,
        )  # fmt: skip
        return "malformed"
    kind = "c2b_shortcode_differs" if foreign(address, payment) else "receipt_not_whole"
    await open_problem(
        db, rt.clock, kind, str(stored.id), bar_id=address.bar_id, severity=Severity.ERROR, receipt=payment.receipt,
        shortcode=payment.shortcode, amount=str(payment.amount_exact),
    )  # fmt: skip
    return "contradictory"


async def judge(rt: Runtime, token_hash: bytes | None, body: bytes) -> Reply:
    """What Safaricom is told when it asks whether to take a payment. A stranger's question is turned down."""
    async with rt.db.acquire() as db:
        address = await queries.by_secret(db, token_hash) if token_hash else None
        payment = parse_c2b(body)
        if address is None or isinstance(payment, Malformed):
            return OTHER
        if foreign(address, payment):
            return WRONG_SHORTCODE
        if address.rule == "all":
            return ACCEPTED
        return ACCEPTED if await waited_for(db, address, payment) else WRONG_ACCOUNT


async def waited_for(db: Connection, address: Address, payment: C2bPayment) -> bool:
    if reference := our_reference(payment.bill_reference):
        return await queries.reference_is_open(db, address.bar_id, address.environment, reference)
    number = tab_number(payment.bill_reference)
    return number is not None and await sightings.tab_by_number(db, address.bar_id, number) is not None


async def note_question(rt: Runtime, stored: inbox.Stored, body: bytes, token_hash: bytes | None) -> Verdict | None:
    """A stored validation was answered when it came; it proves nothing and books nothing."""
    async with transaction(rt.db) as db:
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        known = token_hash is not None and await queries.by_secret(db, token_hash) is not None
        verdict = Verdict("answered" if known else "unauthenticated")
        await inbox.finish(db, stored.id, stored.received_at, verdict.name, None, rt.clock.now())
    return verdict

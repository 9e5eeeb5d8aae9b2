"""Is this code real? Answered from the receipts that are proven here, else by asking Safaricom, and it says which.

Anybody can type ten characters, so nothing is booked on a question. Where Safaricom knows the receipt and it paid this
bar, it is proven like any other and finds its place, or waits for a person with what speaks for whom.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kaunta.bars import queries as bar_queries
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, KauntaError, NotFound
from kaunta.core.runtime import Runtime
from kaunta.credentials import queries as credential_queries
from kaunta.daraja.client import DarajaClient
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.notices import ResultEnvelope
from kaunta.daraja.wire import moment_of, shillings, text_of
from kaunta.payments import asking, exchanges, initiators
from kaunta.payments.initiators import NoCertificate, NoInitiator, note_refused
from kaunta.payments.queries import inbox, sightings
from kaunta.payments.queries import initiators as queries
from kaunta.payments.receipts import Placing, Sighting, place, prepare
from kaunta.payments.resolve import RECEIPT
from kaunta.payments.verdict import Verdict

#: A question is not put again before this has passed, seconds of policy; until then its answer is waited for.
PATIENCE_SECONDS = 180.0
#: Questions about codes that a bar may put in a window of so many seconds of policy: whoever tries codes one after the
#: other would use up what Safaricom answers, for refunds and for everybody else.
LIMITS = ((60.0, 10), (3_600.0, 60))
#: What Safaricom calls money that leaves an organisation (ReasonType).
OUTGOING = ("b2c", "business payment", "reversal", "withdraw", "settlement", "salary", "promotion")
#: A phone, plain or masked, as against a shortcode.
PAYER = re.compile(r"(254|0)[17][\d*]{8}|[\d*]*\*[\d*]*")


class TooManyChecks(KauntaError):
    """Safaricom was asked about many codes just now. Wait a few minutes, then check this one again."""

    status = 429
    code = "too_many_checks"


class Source(StrEnum):
    """Who says so."""

    RECEIPTS = "receipts"
    SAFARICOM = "safaricom"
    NOBODY = "nobody"


class Standing(StrEnum):
    """Where a code stands."""

    BOOKED = "booked"
    #: Proven, and nobody's yet.
    UNMATCHED = "unmatched"
    SET_ASIDE = "set_aside"
    #: Proven at another bar of this installation: no more is told.
    ELSEWHERE = "elsewhere"
    #: Safaricom was asked; its answer is not here yet.
    ASKED = "asked"
    #: Safaricom answered that it has no such receipt, or none that paid this bar.
    NOT_FOUND = "not_found"
    #: Not proven, and this bar cannot ask.
    CANNOT_ASK = "cannot_ask"
    #: Safaricom could not be asked, or did not answer.
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class CodeAnswer:
    """What is known of a code. `receipt_id`, `amount`, `at`, `channel`, `tab_id`: of a receipt proven for this bar."""

    code: str
    source: Source
    standing: Standing
    receipt_id: UUID | None = None
    amount: int | None = None
    at: datetime | None = None
    channel: str | None = None
    tab_id: UUID | None = None
    transaction_id: UUID | None = None
    asked_at: datetime | None = None


async def check_code(rt: Runtime, daraja: DarajaClient, bar_id: UUID, code: str, *, by: str) -> CodeAnswer:
    """Say what is known of a code, and ask Safaricom where nothing is. Asked again, it says what came of it.

    Raises `NotFound`, `BadRequest`, `TooManyChecks`.
    """
    code = "".join(code.split()).upper()
    if not RECEIPT.fullmatch(code):
        raise BadRequest("An M-Pesa code has 8 to 15 letters and digits, usually 10.", field="code")
    async with rt.db.acquire() as db:
        switch = await bar_queries.switch(db, bar_id)
        if switch is None:
            raise NotFound("There is no such bar.")
        environment = switch.environment
        receipt = await sightings.seen_by_code(db, environment, code)
        asked = await queries.latest_about(db, environment, bar_id, code)
        can_ask = await initiators.available(db, rt, bar_id, environment)
    if receipt is not None:
        return known(bar_id, receipt)
    if asked is not None and rt.clock.elapsed(asked.asked_at) < PATIENCE_SECONDS:
        return answer_of(code, asked)
    if not can_ask:
        return answer_of(code, asked) if asked else CodeAnswer(code, Source.NOBODY, Standing.CANNOT_ASK)
    return await ask(rt, daraja, bar_id, environment, code, by)


def known(bar_id: UUID, receipt: sightings.SeenReceipt) -> CodeAnswer:
    source = Source.SAFARICOM if receipt.first_channel == "status" else Source.RECEIPTS
    if receipt.bar_id != bar_id:
        return CodeAnswer(receipt.receipt, source, Standing.ELSEWHERE)
    standing = Standing.UNMATCHED
    if receipt.ledger_id is not None:
        standing = Standing.BOOKED
    elif receipt.set_aside:
        standing = Standing.SET_ASIDE
    return CodeAnswer(
        receipt.receipt, source, standing, receipt.id, receipt.amount, receipt.transacted_at, receipt.first_channel,
        receipt.tab_id, receipt.transaction_id,
    )  # fmt: skip


def answer_of(code: str, request: queries.Request) -> CodeAnswer:
    """What became of a question."""
    standing = Standing.NO_ANSWER
    if request.state == "answered":
        standing = Standing.NOT_FOUND
    elif request.state in ("asked", "accepted"):
        standing = Standing.ASKED
    source = Source.SAFARICOM if standing is Standing.NOT_FOUND else Source.NOBODY
    return CodeAnswer(code, source, standing, asked_at=request.asked_at)


async def ask(rt: Runtime, daraja: DarajaClient, bar_id: UUID, environment: str, code: str, by: str) -> CodeAnswer:
    """Put the question; its answer comes as a Result."""
    try:
        async with transaction(rt.db) as db:
            # Two who ask at once are counted one after the other.
            await bar_queries.lock_bar(db, bar_id)
            for seconds, most in LIMITS:
                if await queries.checks_of_bar(db, bar_id, rt.clock.before(seconds)) >= most:
                    raise TooManyChecks(retryAfter=int(rt.clock.wait(seconds)) + 1)
            call = await asking.prepare(db, rt, bar_id, environment, "status", by=by, receipt=code)
    except (NoInitiator, NoCertificate):
        return CodeAnswer(code, Source.NOBODY, Standing.CANNOT_ASK)
    with exchanges.collecting() as records:
        outcome = await daraja.transaction_status(call.credential, call.initiator, call.reply, receipt=code)
    async with transaction(rt.db) as db:
        await asking.record(db, call.request_id, outcome)
        await exchanges.store(db, bar_id, None, records)
        request = await queries.request(db, call.request_id)
    rt.live.hint(f"bar:{bar_id}")
    return answer_of(code, request) if request else CodeAnswer(code, Source.NOBODY, Standing.NO_ANSWER)


async def take(
    rt: Runtime, stored: inbox.Stored, request: queries.Request, result: ResultEnvelope | None
) -> Verdict | None:
    """A Result about a receipt: where it paid this bar it is proven and placed; None where somebody else took it."""
    sighting = await sighting_of(rt, request, result) if result else None
    plan = await prepare(rt, sighting) if sighting else None
    async with transaction(rt.db) as db:
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        verdict = Verdict("duplicate" if request.state == "answered" else "answered", topics=(f"bar:{request.bar_id}",))
        if sighting is not None and plan is not None:
            placed = await place(db, rt, plan, sighting)
            if placed.placing is Placing.BOOKED:
                verdict = Verdict("applied", placed.transaction_id, placed.topics)
        await queries.answer(
            db, request.id, "answered" if result else "timed_out", result.result_code if result else None,
            without_personal(result.result_desc) if result else None, None, rt.clock.now(),
        )  # fmt: skip
        await note_refused(db, rt, request, result.result_code if result else None)
        await inbox.finish(db, stored.id, stored.received_at, verdict.name, verdict.transaction_id, rt.clock.now())
    rt.live.hint(*verdict.topics)
    return verdict


async def sighting_of(rt: Runtime, request: queries.Request, result: ResultEnvelope) -> Sighting | None:
    """The payment that a Result tells of; None where it tells of none, or of money that did not come to this bar.

    `DebitPartyName` comes twice, once with the payer and once with the organisation (daraja.md §1), so who is who is
    told by our own shortcode: money that we paid out has a receipt too.
    """
    if (result.result_code or "").strip("0") != "" or (result.receipt or "").upper() != request.receipt:
        return None
    if str(result.first("TransactionStatus") or "").strip().casefold() != "completed":
        return None
    async with rt.db.acquire() as db:
        numbers = await credential_queries.current_version(db, request.bar_id, request.environment)
    if numbers is None or pays_out(result):
        return None
    exact = result.amount_exact
    amount = shillings(exact) if exact is not None else None
    ours = {numbers.business_shortcode, numbers.till_number}
    named = [*parties(result, "DebitPartyName"), *parties(result, "CreditPartyName")]
    if amount is None or not concerns(ours, named):
        return None
    payer = next((each for each in named if each[0] not in ours), ("", ""))
    return Sighting(
        bar_id=request.bar_id,
        environment=request.environment,
        shortcode=numbers.business_shortcode,
        receipt=request.receipt or "",
        amount=amount,
        channel="status",
        at=moment_of(result.first("InitiatedTime")) or result.completed_at,
        phone=payer[0] or None,
        name=payer[1],
    )


def pays_out(result: ResultEnvelope) -> bool:
    """Money of the organisation's to somebody else: a payout, a withdrawal, a reversal."""
    reason = text_of(result.first("ReasonType")).casefold()
    return any(word in reason for word in OUTGOING)


def concerns(ours: set[str | None], named: list[tuple[str, str]]) -> bool:
    """Whether the money came to us: not from us (the first named is who paid), and not to another organisation."""
    numbers = [number for number, _ in named if number]
    if not numbers:
        return True
    if numbers[0] in ours:
        return False
    return any(number in ours for number in numbers) or all(PAYER.fullmatch(number) for number in numbers)


def parties(result: ResultEnvelope, key: str) -> list[tuple[str, str]]:
    return [party(value) for value in result.parameters.get(key, ())]


def party(value: object) -> tuple[str, str]:
    """`254708374149 - John Doe`: number and name."""
    number, _, name = text_of(value, 128).partition(" - ")
    return number.strip(), name.strip()

"""What asynchronous calls came to: a Result, or word that none will come, late, twice, or by somebody else's hand.

The address finds the call and is what makes a Result believed; one that names another conversation than Daraja's
acknowledgement is not. What it means is the asker's to say: a refund's, a question's about a receipt, a balance's.
"""

from kaunta.core.db import transaction
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.daraja.exchanges import without_personal
from kaunta.daraja.notices import ResultEnvelope, parse_result_envelope
from kaunta.daraja.wire import Malformed, decimal_of
from kaunta.payments import checking, refund_results
from kaunta.payments.initiators import note_refused
from kaunta.payments.queries import inbox
from kaunta.payments.queries import initiators as queries
from kaunta.payments.verdict import Verdict


async def process(
    rt: Runtime, stored: inbox.Stored, body: bytes, token_hash: bytes | None, *, timed_out: bool
) -> Verdict | None:
    """Understand one stored Result and write what it means; None where somebody else did already."""
    async with rt.db.acquire() as db:
        request = await queries.request_by_token(db, token_hash) if token_hash else None
    parsed = parse_result_envelope(body)
    if request is None or (isinstance(parsed, Malformed) and not timed_out):
        return await keep_apart(rt, stored, request, parsed)
    if isinstance(parsed, ResultEnvelope) and not same_call(request, parsed):
        return await keep_apart(rt, stored, request, parsed)
    result = None if timed_out or isinstance(parsed, Malformed) else parsed
    match request.kind:
        case "reversal":
            return await refund_results.take(rt, stored, request, result)
        case "status" if request.refund_id is not None:
            return await refund_results.take_status(rt, stored, request, result)
        case "status":
            return await checking.take(rt, stored, request, result)
        case _:
            return await take_balance(rt, stored, request, result)


def same_call(request: queries.Request, result: ResultEnvelope) -> bool:
    """Whether it names the conversation that Daraja's acknowledgement named; where one is silent, nothing differs."""
    pairs = (
        (request.originator_conversation_id, result.originator_conversation_id),
        (request.conversation_id, result.conversation_id),
    )
    return all(ours is None or theirs is None or ours == theirs for ours, theirs in pairs)


async def keep_apart(
    rt: Runtime, stored: inbox.Stored, request: queries.Request | None, parsed: ResultEnvelope | Malformed
) -> Verdict | None:
    """A Result that may not be believed is kept and shown, and changes nothing."""
    async with transaction(rt.db) as db:
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        if request is None:
            await open_problem(db, rt.clock, "result_unauthenticated", "results", bar_id=None, callback_id=stored.id)
            verdict = "unauthenticated"
        else:
            verdict = "malformed" if isinstance(parsed, Malformed) else "contradictory"
            await open_problem(
                db, rt.clock, "result_forged", request.id, bar_id=request.bar_id, severity=Severity.ERROR,
                asked=request.kind, callback_id=stored.id,
            )  # fmt: skip
        await inbox.finish(db, stored.id, stored.received_at, verdict, None, rt.clock.now())
    return Verdict(verdict)


async def take_balance(
    rt: Runtime, stored: inbox.Stored, request: queries.Request, result: ResultEnvelope | None
) -> Verdict | None:
    """What is in the accounts: `Name|KES|available|…&Name|KES|…`, in shillings."""
    async with transaction(rt.db) as db:
        if not await inbox.lock_unprocessed(db, stored.id, stored.received_at):
            return None
        duplicate = request.state == "answered"
        # A Result without figures is an answer too; it does not stand in the place of an earlier one's.
        accounts = (accounts_of(str(result.first("AccountBalance") or "")) or None) if result else None
        await queries.answer(
            db, request.id, "answered" if result else "timed_out", result.result_code if result else None,
            without_personal(result.result_desc) if result else None, accounts, rt.clock.now(),
        )  # fmt: skip
        await note_refused(db, rt, request, result.result_code if result else None)
        verdict = "duplicate" if duplicate else "answered"
        await inbox.finish(db, stored.id, stored.received_at, verdict, None, rt.clock.now())
    return Verdict(verdict, topics=(f"bar:{request.bar_id}",))


def accounts_of(text: str) -> dict[str, str]:
    """Account by account what is available, as written."""
    found: dict[str, str] = {}
    for account in text.split("&"):
        name, _, rest = account.partition("|")
        available = decimal_of(rest.split("|")[1]) if rest.count("|") else None
        if name.strip() and available is not None:
            found[name.strip()[:64]] = str(available)
    return found

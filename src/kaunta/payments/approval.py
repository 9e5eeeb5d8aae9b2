"""Above a limit nobody decides alone how an unknown payment ended: one person proposes, another agrees.

A proposal books nothing. Agreeing goes through `resolve`, which asks everything again: what was true when it was
proposed may have been settled by Safaricom, or by somebody else, since. A proposal that nobody agrees to expires.
"""

from datetime import timedelta
from uuid import UUID

from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest, Conflict, NotFound
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.apply import Applied, as_payment, patience
from kaunta.payments.errors import PaymentNotFound
from kaunta.payments.queries import proposals as queries
from kaunta.payments.queries import transactions
from kaunta.payments.queries.proposals import Proposal
from kaunta.payments.resolve import NotResolved, Resolution, check, proven_code, resolve_within
from kaunta.payments.states import RESOLVE_SECONDS, Nothing, Resolved, decide
from kaunta.tabs import queries as tab_queries

#: How long a second person has to agree, seconds of policy.
PROPOSAL_SECONDS = 24 * 3_600.0
#: The problem that puts a proposal before whoever may agree to it; its subject is the payment.
WAITS = "resolution_waits"


class ProposalNotFound(NotFound):
    """This proposal does not exist."""

    code = "proposal_not_found"


class ProposalDecided(Conflict):
    """This was decided already, by somebody or by Safaricom, or nobody agreed in time. Look at the payment again."""

    code = "proposal_decided"


class ProposedAlready(Conflict):
    """Somebody has proposed already how this payment ended. A second person has to agree, or to decline."""

    code = "proposed_already"


class AnotherPersonNeeded(Conflict):
    """You proposed it: somebody else has to agree."""

    code = "another_person_needed"


async def propose(rt: Runtime, transaction_id: UUID, resolution: Resolution) -> UUID:
    """Keep what a person would decide until another agrees; the proposal's id.

    Raises `PaymentNotFound`, `BadRequest`, `ReceiptUsed`, `NotResolved`, `ProposedAlready`.
    """
    check(resolution)
    if max(len(resolution.reason.strip()), len(resolution.evidence.strip())) > 500:
        raise BadRequest("Reason and evidence have at most 500 characters.")
    async with transaction(rt.db) as db:
        place = await transactions.place(db, transaction_id)
        if place is None:
            raise PaymentNotFound
        tab = await tab_queries.lock_tab(db, place.tab_id)
        row = await transactions.lock(db, place.id)
        if tab is None or row is None:
            raise PaymentNotFound
        await proven_code(db, place, resolution)
        now = rt.clock.now()
        event = Resolved(resolution.paid, now, patience(rt, RESOLVE_SECONDS), None)
        decision = decide(as_payment(row, tab_closed=tab.status == "closed"), event)
        if isinstance(decision, Nothing):
            raise NotResolved(f"{decision.reason.capitalize()}.")
        await queries.expire(db, now, place.id)
        id_ = rt.entropy.uuid()
        until = now + timedelta(seconds=rt.clock.wait(PROPOSAL_SECONDS))
        if not await queries.insert(
            db, id_, place.bar_id, place.id, resolution.paid, resolution.receipt, resolution.reason.strip(),
            resolution.evidence.strip(), resolution.by, now, until,
        ):  # fmt: skip
            raise ProposedAlready
        await audit(
            db, rt.clock, resolution.by, "payment.resolution_proposed", "transaction", place.id, bar_id=place.bar_id,
            reason=resolution.reason, evidence=resolution.evidence, paid=resolution.paid, receipt=resolution.receipt,
            proposal=str(id_), amount=row.amount,
        )  # fmt: skip
        await open_problem(
            db, rt.clock, WAITS, place.id, bar_id=place.bar_id, severity=Severity.INFO, amount=row.amount
        )
    rt.live.hint(f"payment:{place.id}", f"bar:{place.bar_id}")
    return id_


async def approve(rt: Runtime, proposal_id: UUID, *, by: str) -> Applied:
    """A second person agrees, and the payment is decided; or nothing is, and the proposal stays.

    Raises `ProposalNotFound`, `ProposalDecided`, `AnotherPersonNeeded`, and all that `resolve` raises.
    """
    async with rt.db.acquire() as db:
        proposal = await queries.proposal(db, proposal_id)
        place = await transactions.place(db, proposal.transaction_id) if proposal else None
    if proposal is None or place is None:
        raise ProposalNotFound
    if proposal.proposed_by == by:
        raise AnotherPersonNeeded
    key = await rt.keys.current(place.bar_id)
    async with transaction(rt.db) as db:
        await tab_queries.lock_tab(db, place.tab_id)
        # Under the tab's lock: of two people who agree at once, one decides.
        if not await queries.decide(db, proposal_id, "approved", by, rt.clock.now()):
            raise ProposalDecided
        await close_problem(db, rt.clock, WAITS, place.id, by=by, reason="a second person agreed")
        applied = await resolve_within(db, rt, key, place, resolution_of(proposal))
        await audit(
            db, rt.clock, by, "payment.resolution_approved", "transaction", place.id, bar_id=place.bar_id,
            proposal=str(proposal_id), proposed_by=proposal.proposed_by, paid=proposal.paid,
        )  # fmt: skip
    rt.live.hint(*applied.topics)
    return applied


def resolution_of(proposal: Proposal) -> Resolution:
    """The decision in the words, and in the name, of who proposed it."""
    return Resolution(proposal.paid, proposal.reason, proposal.evidence, proposal.proposed_by, proposal.receipt)


async def decline(rt: Runtime, proposal_id: UUID, *, by: str, reason: str) -> None:
    """It is not to be: a second person says no, or who proposed it takes it back.

    Raises `ProposalNotFound`, `ProposalDecided`, `BadRequest`.
    """
    if not 3 <= len(reason.strip()) <= 500:
        raise BadRequest("Say why not.")
    async with transaction(rt.db) as db:
        proposal = await queries.proposal(db, proposal_id)
        if proposal is None:
            raise ProposalNotFound
        if not await queries.decide(db, proposal_id, "declined", by, rt.clock.now()):
            raise ProposalDecided
        await audit(
            db, rt.clock, by, "payment.resolution_declined", "transaction", proposal.transaction_id,
            bar_id=proposal.bar_id, reason=reason.strip(), proposal=str(proposal_id),
        )  # fmt: skip
        await close_problem(db, rt.clock, WAITS, proposal.transaction_id, by=by, reason="declined")
    rt.live.hint(f"payment:{proposal.transaction_id}", f"bar:{proposal.bar_id}")


async def expire(rt: Runtime) -> int:
    """Close what nobody agreed to in time; how many there were. The worker's."""
    async with transaction(rt.db) as db:
        expired = await queries.expire(db, rt.clock.now())
        for transaction_id in expired:
            await close_problem(db, rt.clock, WAITS, transaction_id, by="kaunta", reason="nobody agreed in time")
    rt.live.hint(*(f"payment:{transaction_id}" for transaction_id in expired))
    return len(expired)

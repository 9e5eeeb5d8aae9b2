"""Lines find their places: a payment goes to the tab it belongs to or before a person, a reversal to its refund.

The lines that wait are the queue. Whoever imported a file places what can be placed while they wait; a worker does the
rest. Doing it twice changes nothing: `sighted` and `reversal_seen` know what they have seen.
"""

from typing import assert_never
from uuid import UUID

import structlog

from kaunta.core.db import transaction
from kaunta.core.problems import Severity, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.receipts import Placing, Sighting, sighted
from kaunta.payments.refund_results import ReversalSeen, SeenAs, reversal_seen
from kaunta.statements import parties
from kaunta.statements.queries import lines
from kaunta.statements.queries.lines import Waiting

log = structlog.get_logger(__name__)

#: A line that somebody took up is theirs for so long.
LEASE_SECONDS = 120.0
#: A line that cannot be placed is tried this often, then shown to a person.
TRIES = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 3_600.0
BATCH = 50


async def place_due(rt: Runtime, import_id: UUID | None = None, limit: int = BATCH) -> int:
    """Lines that are due, of one import or of any, find their places; how many were taken up."""
    async with transaction(rt.db) as db:
        if import_id is None:
            await lines.wake_reversals(db, rt.clock.now())
        waiting = await lines.claim(db, rt.clock.now(), rt.clock.after(LEASE_SECONDS), limit, import_id)
    for line in waiting:
        await attempt(rt, line)
    return len(waiting)


async def place_of_import(rt: Runtime, import_id: UUID, at_most: int) -> int:
    """What can be placed while somebody waits; how many lines are left for a worker."""
    taken = 0
    while taken < at_most and (now := await place_due(rt, import_id, min(BATCH, at_most - taken))):
        taken += now
    async with rt.db.acquire() as db:
        return await lines.waiting(db, import_id)


async def attempt(rt: Runtime, line: Waiting) -> None:
    try:
        placed_as = await place(rt, line)
    except Exception as error:  # noqa: BLE001 - whatever it was, the line is kept, tried again and shown
        log.error("statement.line_not_placed", id=line.id, attempt=line.tries + 1, error=type(error).__name__)
        pause = min(FIRST_PAUSE_SECONDS * 3**line.tries, LONGEST_PAUSE_SECONDS)
        async with transaction(rt.db) as db:
            await lines.postpone(db, line.id, rt.clock.after(pause))
            if line.tries + 1 >= TRIES:
                await open_problem(
                    db, rt.clock, "statement_line_not_placed", str(line.id), bar_id=line.bar_id,
                    severity=Severity.ERROR, receipt=line.receipt, error=type(error).__name__,
                )  # fmt: skip
        return
    async with transaction(rt.db) as db:
        await lines.placed(db, line.id, placed_as)


async def place(rt: Runtime, line: Waiting) -> str:
    """What became of a line."""
    if line.cents % 100:
        return await not_whole(rt, line)
    amount = line.cents // 100
    if line.kind == "reversal":
        return await reversal(rt, line, amount)
    async with rt.db.acquire() as db:
        party = await parties.opened(db, rt, line.party_enc)
    placed = await sighted(
        rt,
        Sighting(
            line.bar_id, line.environment, line.shortcode, line.receipt, amount, "statement", line.at,
            party.reference, party.phone or None, party.name,
        ),
    )  # fmt: skip
    match placed.placing:
        case Placing.BOOKED | Placing.KNOWN | Placing.UNMATCHED | Placing.ASIDE:
            return placed.placing.value
        case _:
            assert_never(placed.placing)


async def reversal(rt: Runtime, line: Waiting, amount: int) -> str:
    """Money of a payment went back: our refund's end, or the payer's own doing, which a person hears of at once."""
    if line.linked is None:
        async with transaction(rt.db) as db:
            await open_problem(
                db, rt.clock, "reversal_without_receipt", line.receipt, bar_id=line.bar_id, severity=Severity.ERROR,
                amount=amount,
            )  # fmt: skip
        return SeenAs.STRANGE.value
    seen = ReversalSeen(line.bar_id, line.environment, line.shortcode, line.linked, amount, line.receipt, line.at)
    return (await reversal_seen(rt, seen)).value


async def not_whole(rt: Runtime, line: Waiting) -> str:
    """Kaunta books whole shillings; what has cents is a person's."""
    async with transaction(rt.db) as db:
        await open_problem(
            db, rt.clock, "receipt_not_whole", line.receipt, bar_id=line.bar_id, severity=Severity.ERROR,
            receipt=line.receipt, cents=line.cents,
        )  # fmt: skip
    return "not_whole"

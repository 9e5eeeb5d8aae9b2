"""Failures that are ours: two in a row and M-Pesa stops at that bar, before the next guest meets the third.

A wrong passkey or shortcode fails for everybody, and each guest would be asked to try again. The worker looks at what
ended lately, within seconds; a result that is not our fault between two that are breaks the row. The stop is
`bars.suspension`'s: it ends by itself, when the credentials are proven anew, or when staff switch on again.
"""

from uuid import UUID

import structlog

from kaunta.bars import queries as bar_queries
from kaunta.bars import suspension
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.daraja.results import RESULT_CODES
from kaunta.daraja.words import ResultClass
from kaunta.payments.meaning import meaning
from kaunta.payments.queries import faults

log = structlog.get_logger(__name__)

IN_A_ROW = 2
#: How far back the worker looks for new failures, and how old the payments of a row may be, policy seconds.
LOOK_BACK_SECONDS = 600.0
ROW_SECONDS = 86_400.0
#: Daraja's results that are our fault.
OUR_CODES = sorted(code for code, row in RESULT_CODES.items() if row.klass is ResultClass.OUR_FAULT)


async def stop_where_we_fail(rt: Runtime, limit: int = 50) -> int:
    """A worker's turn: stops that have had their time end, and bars where our fault came twice in a row are stopped;
    how many were."""
    await suspension.end_expired(rt)
    async with rt.db.acquire() as db:
        ids = await faults.bars_to_look_at(db, rt.clock.before(LOOK_BACK_SECONDS), OUR_CODES, limit)
    stopped = 0
    for bar_id in ids:
        stopped += await stop_if_twice(rt, bar_id)
    # Looking again at once would find the same bars: those that fail now and then are no work left over.
    return stopped


async def stop_if_twice(rt: Runtime, bar_id: UUID) -> bool:
    async with transaction(rt.db) as db:
        # Under the bar's lock: the credentials may have been replaced, or M-Pesa switched, a moment ago.
        await bar_queries.lock_bar(db, bar_id)
        ended = await faults.last_ended(db, bar_id, rt.clock.before(ROW_SECONDS), IN_A_ROW)
        causes = [meaning(row.status, row.failure_reason, row.result_code, row.result_desc) for row in ended]
        if len(causes) < IN_A_ROW or any(cause.klass is not ResultClass.OUR_FAULT for cause in causes):
            return False
        await suspension.suspend(
            db, rt.clock, bar_id, causes[0].staff_cause[: suspension.LONGEST_REASON],
            seconds=suspension.STOP_SECONDS, by="kaunta", fix=causes[0].staff_fix,
            payments=[str(row.id) for row in ended], codes=[row.result_code or row.failure_reason for row in ended],
        )  # fmt: skip
    # The guard has told open pages; where it was removed, this does.
    rt.live.hint(f"switch:{bar_id}", f"bar:{bar_id}")
    log.error("mpesa.suspended", bar_id=str(bar_id), code=causes[0].code)
    return True

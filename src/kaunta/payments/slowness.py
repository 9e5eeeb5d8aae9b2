"""Is M-Pesa slow at a bar right now? Asked before a guest types a number, so that they may choose another way.

What the bar's own newest payments met is the only evidence: no extra call is made to find out.
"""

from uuid import UUID

from kaunta.core.db import Connection
from kaunta.core.runtime import Runtime
from kaunta.daraja.words import ResultClass
from kaunta.payments.meaning import meaning
from kaunta.payments.queries.slowness import LateAttempt, newest_attempts
from kaunta.payments.states import Status

#: How many of a bar's newest payments are looked at, and how far back, in seconds.
NEWEST, LOOK_BACK_SECONDS = 10, 900.0
#: A push whose request nobody answered for so long, in seconds.
UNANSWERED_SECONDS = 20.0
#: So many of them, and at least half, must have met trouble.
TROUBLED = 3


async def mpesa_is_slow(db: Connection, rt: Runtime, bar_id: UUID) -> bool:
    """Whether several of the bar's newest payments got no answer, or "busy" for one."""
    attempts = await newest_attempts(db, bar_id, rt.clock.before(LOOK_BACK_SECONDS), NEWEST)
    troubled = sum(met_trouble(rt, attempt) for attempt in attempts)
    return troubled >= TROUBLED and troubled * 2 >= len(attempts)


def met_trouble(rt: Runtime, attempt: LateAttempt) -> bool:
    match Status(attempt.status):
        case Status.PENDING:
            return rt.clock.elapsed(attempt.push_started_at) > UNANSWERED_SECONDS
        case Status.TIMEOUT:
            return True
        case Status.FAILED | Status.CANCELLED:
            means = meaning(attempt.status, attempt.failure_reason, attempt.result_code, attempt.result_desc)
            return means.klass is ResultClass.MPESA_BUSY
        case Status.SENT | Status.COMPLETED:
            return False

"""What guests were shown: the first time that a payment's page was answered with each of its states, written down.

It is no state of the payment and nobody waits for it. The page is answered first; then a task of its own writes what
gathered, one statement for all, outside of every transaction about money. What cannot be written is let go: the next
answer with that state tries again.
"""

import asyncio
from collections import deque
from datetime import datetime
from uuid import UUID

import structlog

from kaunta.core.db import transaction
from kaunta.core.log import shape
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import showings as queries
from kaunta.payments.queries.showings import Showing

log = structlog.get_logger(__name__)

#: States of payments that a process remembers having written; an older one that is shown again is written to no effect.
MOST_REMEMBERED = 20_000
#: What waits to be written at most, and what one statement writes.
MOST_WAITING, AT_ONCE = 2_000, 200
#: How long the end of a process waits for what is being written. Real seconds.
DRAIN_SECONDS = 5.0


class Showings:
    """One process's word of what it has shown."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        #: In the order in which they came; the values say nothing.
        self.remembered: dict[tuple[UUID, str], None] = {}
        self.waiting: deque[Showing] = deque()
        self.writing: asyncio.Task[None] | None = None

    def note(self, bar_id: UUID, transaction_id: UUID, status: str, at: datetime) -> None:
        """A payment's page was answered with this state. Returns at once and never fails."""
        key = (transaction_id, status)
        if key in self.remembered or len(self.waiting) >= MOST_WAITING:
            return
        self.remembered[key] = None
        if len(self.remembered) > MOST_REMEMBERED:
            del self.remembered[next(iter(self.remembered))]
        self.waiting.append(Showing(bar_id, transaction_id, status, at))
        if self.writing is None or self.writing.done():
            self.writing = asyncio.create_task(self.write())

    async def write(self) -> None:
        """Write what waits until nothing does."""
        while self.waiting:
            batch = [self.waiting.popleft() for _ in range(min(AT_ONCE, len(self.waiting)))]
            try:
                async with self.rt.db.acquire() as db:
                    await queries.insert(db, batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no guest's trouble and no payment's
                log.warning(
                    "showings.not_written", count=len(batch), error=type(error).__name__, exception=shape(error)
                )
                for each in batch:
                    self.remembered.pop((each.transaction_id, each.status), None)

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Let what was noted be written; what takes longer is let go."""
        if self.writing is not None and not self.writing.done():
            _, stuck = await asyncio.wait({self.writing}, timeout=seconds)
            for task in stuck:
                task.cancel()


async def forget_old(rt: Runtime, before: datetime) -> None:
    """A worker's turn: what is older than the books are kept."""
    async with transaction(rt.db) as db:
        await queries.forget(db, before)

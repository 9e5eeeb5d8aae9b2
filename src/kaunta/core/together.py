"""Writing together what arrives together: one commit for many, and each is told only after that commit.

A commit costs nearly the same for one row as for fifty. Nobody waits for a timer: while one batch is on its way to the
disk the next gathers, so that a lone row goes at once and a crowd shares. One row that the database refuses never fails
another: such a batch is written again one by one. What waits is bounded by number; more is refused at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from kaunta.core.db import TRANSIENT_ERRORS, Connection, Pool, within

log = structlog.get_logger(__name__)
T = TypeVar("T")
R = TypeVar("R")

#: Rows a commit carries at most, and rows that may wait for one.
MOST_AT_ONCE = 64
MOST_WAITING = 2_000
#: Batches on their way at one time: while one waits for the disk, the next is sent.
ABREAST = 2
#: A batch that the database has not answered by then has failed, and must not hold up the next one.
PATIENCE_SECONDS = 4.0
#: Whoever has waited so long hears that it took too long, however many batches come before its own. One look at all of
#: them every so often: a timer each would cost as much as their share of the commit.
WAIT_SECONDS, LOOK_SECONDS = 3.75, 0.25

#: Writes items in one transaction and returns a result for each, in their order.
Write = Callable[[Connection, Sequence[T]], Awaitable[Sequence[R]]]


class TooMuchAtOnce(Exception):
    """More waits to be written than may: whoever brings this now must be told so."""


@dataclass(slots=True)
class Waiting:
    """An item and whoever waits for its result."""

    write: Write[Any, Any]
    item: Any
    answer: asyncio.Future[Any]


class Together:
    """One process's gathering of rows to be committed."""

    def __init__(self, db: Pool) -> None:
        self.db = db
        self.waiting: deque[Waiting] = deque()
        #: When each that has not been told began to wait, and where its answer goes; the told are dropped at a look.
        self.untold: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self.look: asyncio.TimerHandle | None = None
        self.turns: set[asyncio.Task[None]] = set()
        #: Turns that will look again at what waits. A task is done a moment after it looked for the last time.
        self.abreast = 0

    async def write(self, write: Write[T, R], item: T) -> R:
        """What `write` returned for `item`, committed.

        Raises `TooMuchAtOnce`, `TimeoutError` after some four seconds, or what the database raised. Whoever stops
        waiting takes its item back where it is not on its way yet; else it may be written all the same.
        """
        if len(self.waiting) >= MOST_WAITING:
            raise TooMuchAtOnce
        loop = asyncio.get_running_loop()
        waiting = Waiting(write, item, loop.create_future())
        self.waiting.append(waiting)
        self.untold.append((loop.time(), waiting.answer))
        if self.look is None:
            self.look = loop.call_later(LOOK_SECONDS, self.tell_the_late, loop)
        if self.abreast < ABREAST:
            self.abreast += 1
            turn = asyncio.create_task(self.turn())
            self.turns.add(turn)
            turn.add_done_callback(self.turns.discard)
        result: R = await waiting.answer
        return result

    def tell_the_late(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell those who have waited too long, and look again while anybody waits."""
        latest = loop.time() - WAIT_SECONDS
        while self.untold and (self.untold[0][1].done() or self.untold[0][0] <= latest):
            _, answer = self.untold.popleft()
            if not answer.done():
                answer.set_exception(TimeoutError())
        self.look = loop.call_later(LOOK_SECONDS, self.tell_the_late, loop) if self.untold else None

    async def turn(self) -> None:
        """Write batch after batch until nothing waits."""
        try:
            while batch := self.next_batch():
                await self.settle(batch)
        finally:
            self.abreast -= 1

    def next_batch(self) -> list[Waiting]:
        """The first that wait, as many as one commit takes, all for the same writing; who left is left out."""
        batch: list[Waiting] = []
        while self.waiting and len(batch) < MOST_AT_ONCE:
            if batch and self.waiting[0].write is not batch[0].write:
                break
            one = self.waiting.popleft()
            if not one.answer.done():
                batch.append(one)
        return batch

    async def settle(self, batch: list[Waiting]) -> None:
        """Write a batch and tell everyone in it what became of its own item."""
        try:
            results = await within(PATIENCE_SECONDS, self.commit(batch))
        except TRANSIENT_ERRORS as error:
            # The fault is not an item's. Whether it is committed nobody knows: each must hear that it may not be.
            fail(batch, error)
        except Exception as error:  # noqa: BLE001 - whatever an item was refused for is for whoever brought it
            if len(batch) == 1:
                fail(batch, error)
                return
            log.warning("together.one_by_one", items=len(batch), error=type(error).__name__)
            for one in batch:
                if not one.answer.done():
                    await self.settle([one])
        except asyncio.CancelledError:
            fail(batch, ConnectionError("this process ends"))
            raise
        else:
            for one, result in zip(batch, results, strict=True):
                if not one.answer.done():
                    one.answer.set_result(result)

    async def commit(self, batch: list[Waiting]) -> Sequence[Any]:
        async with self.db.acquire() as connection:
            return await batch[0].write(connection, [one.item for one in batch])

    async def stop(self) -> None:
        """End. Called after the last request; whoever waits all the same hears that nothing was written."""
        for turn in self.turns:
            turn.cancel()
        await asyncio.gather(*self.turns, return_exceptions=True)
        # Whoever waits for a turn, and those whose batch was being written again one by one.
        for _, answer in self.untold:
            if not answer.done():
                answer.set_exception(ConnectionError("this process ends"))
        self.untold.clear()
        self.waiting.clear()
        if self.look is not None:
            self.look.cancel()
            self.look = None


def fail(batch: list[Waiting], error: Exception) -> None:
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(error)

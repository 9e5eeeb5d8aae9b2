"""What a process has begun and must not leave: pushes on their way to Safaricom, and stored callbacks that wait for
their turn to be understood. A guest who hangs up ends none of it, and a shutdown waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from kaunta.daraja.client import DarajaClient

log = structlog.get_logger(__name__)
T = TypeVar("T")

#: What a shutdown waits for pushes under way: the push's own timeout and the writing of its answer.
DRAIN_SECONDS = 35.0
#: Of 16 connections: however many callbacks wait for one tab, the next must find a connection to be stored by.
UNDERSTOOD_AT_ONCE = 6
#: Stored callbacks that wait here for their turn, each with its body: what comes beyond is left to the worker, who
#: takes up whatever nobody has understood within its lease.
MOST_WAITING = 2_000


@dataclass(slots=True)
class Pushes:
    """The pushes under way in this process."""

    daraja: DarajaClient
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    understanding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UNDERSTOOD_AT_ONCE))
    waiting: int = 0
    most_waiting: int = MOST_WAITING
    #: Whether the last callback was left to the worker; said once.
    crowded: bool = False

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in a task of its own that `drain` waits for."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def begin_understanding(self, work: Callable[[], Awaitable[T]]) -> asyncio.Task[T] | None:
        """The same for a stored callback, when it is its turn; None where too many wait: the worker finds it."""
        if self.waiting >= self.most_waiting:
            if not self.crowded:
                log.warning("callback.left_to_worker", reason="too many wait here")
            self.crowded = True
            return None
        self.crowded = False

        async def in_turn() -> T:
            async with self.understanding:
                return await work()

        self.waiting += 1
        task = self.begin(in_turn())
        task.add_done_callback(self.understood)
        return task

    def understood(self, _task: asyncio.Task[Any]) -> None:
        self.waiting -= 1

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Let pushes under way end: called at shutdown, after the last request was taken."""
        async with asyncio.timeout(seconds):
            while self.tasks:
                await asyncio.wait(self.tasks)

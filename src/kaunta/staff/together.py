"""Many pages that ask the same thing at the same time are answered by one reading.

A hint wakes every open page of a bar at once. Whoever asks joins the next reading to begin, never one under way: that
one may have looked before the change which the page was told of.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Together(Generic[T]):
    """For each key at most one reading under way and one that waits for it to end."""

    def __init__(self) -> None:
        self.now: dict[Hashable, asyncio.Task[T]] = {}
        self.next: dict[Hashable, asyncio.Task[T]] = {}

    async def ask(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """What `read`, begun after this call, returns or raises; the caller may go away, the others still get it."""
        turn = self.next.get(key)
        if turn is None:
            turn = self.next[key] = asyncio.create_task(self.take(key, self.now.get(key), read))
            turn.add_done_callback(seen)
        return await asyncio.shield(turn)

    async def take(self, key: Hashable, before: asyncio.Task[T] | None, read: Callable[[], Awaitable[T]]) -> T:
        if before is not None:
            await asyncio.wait([before])
        # From here on a newcomer may know of a change that this reading does not see.
        turn = self.now[key] = self.next.pop(key)
        try:
            return await read()
        finally:
            if self.now.get(key) is turn:
                del self.now[key]


def seen(turn: "asyncio.Task[T]") -> None:
    """A failure whose askers have all gone away is nobody's news."""
    if not turn.cancelled():
        turn.exception()

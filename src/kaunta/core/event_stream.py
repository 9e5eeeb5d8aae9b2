"""Server-sent events: each says only that something changed, and the page reads the truth again.

Ten thousand pages stay open on one process, and nearly all of the time nothing happens on any of them. A page that is
left alone is one suspended request and a timer: the task that writes to it lives for as long as it writes. A reader
that takes nothing holds up that task and nobody else; what changes meanwhile comes to one line.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kaunta.core.db import TRANSIENT_ERRORS
from kaunta.core.live import Live, Subscription

CHANGED = b"data: changed\n\n"
#: A stream begins by saying when to come back if it breaks; a page that is up to date is told nothing else.
RETRY = b"retry: 2000\n"
STILL_HERE = b": still here\n\n"


class Leaving(asyncio.Event):
    """Set when the process ends: open streams notice at once."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live

    def set(self) -> None:
        super().set()
        self.live.wake_all()


class EventStream(Response):
    """A stream of hints about some topics. `beat` real seconds after the last line a comment keeps proxies from closing
    it. `behind` tells, once the subscription stands, whether the page must look at once; None: it must."""

    media_type = "text/event-stream"

    def __init__(
        self,
        live: Live,
        topics: Iterable[str],
        leaving: asyncio.Event,
        beat: float,
        behind: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self.live = live
        self.topics = frozenset(topics)
        self.leaving = leaving
        self.beat = beat
        self.behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with self.live.subscribe(self.topics) as ear:
            # What changed between the page's reading and this line must not be missed.
            behind, self.behind = self.behind, None
            told = RETRY + (CHANGED if behind is None or await behind() else b"\n")
            # What the question held on to is not kept for an evening.
            behind = None
            await send({"type": "http.response.body", "body": told, "more_body": True})
            writer = Writer(ear, send, self.leaving, self.beat)
            ear.told = writer.begin
            try:
                writer.begin()
                while (await receive())["type"] != "http.disconnect":
                    pass
            finally:
                writer.end()


class Writer:
    """Writes to one page when there is something to write."""

    __slots__ = ("beat", "due", "ear", "leaving", "send", "task", "timer")

    def __init__(self, ear: Subscription, send: Send, leaving: asyncio.Event, beat: float) -> None:
        self.ear, self.send, self.leaving, self.beat = ear, send, leaving, beat
        self.due = False
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Something may have changed. A writer at work sees it before it ends."""
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self.write())

    def beat_now(self) -> None:
        self.due = True
        self.begin()

    async def write(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        try:
            while self.leaving.is_set() or self.ear.event.is_set() or self.due:
                if self.leaving.is_set():
                    # The request ends by this.
                    await self.send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                line = CHANGED if self.ear.event.is_set() else STILL_HERE
                self.ear.event.clear()
                self.due = False
                await self.send({"type": "http.response.body", "body": line, "more_body": True})
        except TRANSIENT_ERRORS:
            # The reader went away in the middle of a line: its request hears of it too.
            return
        finally:
            self.task = None
        self.timer = asyncio.get_running_loop().call_later(self.beat, self.beat_now)

    def end(self) -> None:
        """The page was closed."""
        self.ear.told = None
        if self.timer is not None:
            self.timer.cancel()
        if self.task is not None:
            self.task.cancel()

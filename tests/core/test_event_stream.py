"""Open pages: one that reads nothing harms nobody, what changes meanwhile comes to one line, nothing falls between."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from starlette.types import Message

from kaunta.core.db import Pool
from kaunta.core.event_stream import CHANGED, RETRY, STILL_HERE, EventStream, Leaving
from kaunta.core.live import Live

SOON = 60.0
#: No comment keeps the stream alive while a test looks at it.
NEVER = 3_600.0


@dataclass
class Reader:
    """A page's end of its stream: takes lines while `reading`, and goes away when told to."""

    reading: asyncio.Event = field(default_factory=asyncio.Event)
    away: asyncio.Event = field(default_factory=asyncio.Event)
    lines: list[bytes] = field(default_factory=list)
    ended: bool = False
    #: What the server has begun to send and is not rid of yet.
    stuck: int = 0

    async def send(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            return
        self.stuck += 1
        await self.reading.wait()
        self.stuck -= 1
        self.lines.append(message["body"])
        if not message["more_body"]:
            self.ended = True
            self.away.set()

    async def receive(self) -> Message:
        await self.away.wait()
        return {"type": "http.disconnect"}

    async def has(self, *lines: bytes) -> None:
        """Wait until it has exactly these lines."""
        async with asyncio.timeout(SOON):
            while self.lines != list(lines):
                await asyncio.sleep(0)


Open = Callable[..., tuple[Reader, asyncio.Task[None]]]


@pytest.fixture
def live(db: Pool, database_url: str) -> Live:
    """Hints of one process; nothing is sent anywhere."""
    return Live(db, database_url)


@pytest.fixture
def leaving(live: Live) -> Leaving:
    return Leaving(live)


@pytest.fixture
def opened(live: Live, leaving: Leaving) -> Open:
    """Open a page on the topic `payment:1`."""

    def open_page(
        *, reading: bool = True, beat: float = NEVER, behind: Callable[[], Awaitable[bool]] | None = None
    ) -> tuple[Reader, asyncio.Task[None]]:
        reader = Reader()
        if reading:
            reader.reading.set()
        stream = EventStream(live, ["payment:1"], leaving, beat, behind)
        return reader, asyncio.create_task(stream({"type": "http"}, reader.receive, reader.send))

    return open_page


async def close(*pages: tuple[Reader, asyncio.Task[None]]) -> None:
    for reader, request in pages:
        reader.reading.set()
        reader.away.set()
        async with asyncio.timeout(SOON):
            await request


@pytest.mark.failure(81)
async def test_a_reader_that_takes_nothing_harms_nobody_and_hears_once_of_all_it_missed(
    live: Live, opened: Open
) -> None:
    quick, slow = opened(), opened()
    for reader, _ in (quick, slow):
        await reader.has(RETRY + CHANGED)
    slow[0].reading.clear()
    for number in range(1, 101):
        live.wake("payment:1")
        await quick[0].has(RETRY + CHANGED, *[CHANGED] * number)
    assert slow[0].stuck == 1
    # One for each page at most, however often it was woken.
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
    assert names.count("Writer.write") <= 2
    slow[0].reading.set()
    await slow[0].has(RETRY + CHANGED, CHANGED, CHANGED)
    await close(quick, slow)
    assert not live.ears


async def test_a_page_that_is_up_to_date_is_left_in_peace_and_a_change_while_it_is_asked_is_told(
    live: Live, opened: Open
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def behind() -> bool:
        asked.set()
        await answer.wait()
        return False

    page = opened(behind=behind)
    async with asyncio.timeout(SOON):
        await asked.wait()
    live.wake("payment:1")
    answer.set()
    await page[0].has(RETRY + b"\n", CHANGED)
    await close(page)


@pytest.mark.failure(80)
async def test_a_lost_connection_to_the_database_makes_every_page_read_again(live: Live, opened: Open) -> None:
    pages = [opened() for _ in range(20)]
    for reader, _ in pages:
        await reader.has(RETRY + CHANGED)
    live.wake_all()
    for reader, _ in pages:
        await reader.has(RETRY + CHANGED, CHANGED)
    await close(*pages)


async def test_a_silent_stream_says_that_it_is_there_and_a_hint_beside_it_is_not_lost(live: Live, opened: Open) -> None:
    page = opened(beat=0.001)
    async with asyncio.timeout(SOON):
        while STILL_HERE not in page[0].lines:
            await asyncio.sleep(0)
        live.wake("payment:1")
        while page[0].lines.count(CHANGED) < 1:
            await asyncio.sleep(0)
    await close(page)


async def test_leaving_ends_every_stream_and_a_closed_page_leaves_nothing_behind(
    live: Live, leaving: Leaving, opened: Open
) -> None:
    before = len(asyncio.all_tasks())
    closed, open_still = opened(), opened()
    for reader, _ in (closed, open_still):
        await reader.has(RETRY + CHANGED)
    await close(closed)
    leaving.set()
    async with asyncio.timeout(SOON):
        await open_still[1]
    assert open_still[0].ended
    assert not closed[0].ended
    assert not live.ears
    # A page that is opened while the process leaves is told so at once.
    late = opened()
    async with asyncio.timeout(SOON):
        await late[1]
    assert late[0].ended
    async with asyncio.timeout(SOON):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0)

"""Hints that something changed, from any process to every open page.

A hint says which bar, tab or payment to read again and carries nothing else, so losing one is harmless: pages also
re-read by themselves. Hints leave after the commit, many coalesced into one NOTIFY: inside the money transaction
a NOTIFY costs two thirds of the database's durable rate. Both connections are supervised: the notifying one
belongs to the pool, the listening one is re-opened here, and everybody re-reads after a gap.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import asyncpg
import structlog

from kaunta.core import queries
from kaunta.core.db import TRANSIENT_ERRORS, Pool
from kaunta.core.metrics import LIVE_PAGES

log = structlog.get_logger(__name__)

CHANNEL = "kaunta_live"
#: A hint leaves at once. The next ones wait until this time has passed for each topic that went before, at most for the
#: longest, and travel together: a few an evening are quick, thousands a second cost fifty NOTIFYs.
GATHER_SECONDS, LONGEST_GATHER = 0.001, 0.02
#: PostgreSQL refuses a payload of 8,000 bytes.
LONGEST_PAYLOAD = 7_500
#: Real seconds between two tries to reach the database again.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Subscription:
    """A page's ear: wakes when one of its topics changed."""

    __slots__ = ("event", "told", "topics")

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = frozenset(topics)
        self.event = asyncio.Event()
        #: Called with each hint, by whoever does not wait for the event.
        self.told: Callable[[], None] | None = None

    def wake(self) -> None:
        """Something it listens for changed."""
        self.event.set()
        if self.told is not None:
            self.told()

    async def changed(self) -> None:
        """Wait for the next hint; several that came together count as one."""
        await self.event.wait()
        self.event.clear()


class Live:
    """One process's sending and receiving of hints."""

    def __init__(self, db: Pool, listen_url: str) -> None:
        self.db = db
        self.listen_url = listen_url
        self.waiting: set[str] = set()
        self.something = asyncio.Event()
        self.listening = asyncio.Event()
        self.ears: defaultdict[str, set[Subscription]] = defaultdict(set)
        self.tasks: list[asyncio.Task[None]] = []

    def hint(self, *topics: str) -> None:
        """Say, after a commit, that these topics changed. Never blocks and never fails."""
        self.waiting.update(topics)
        self.something.set()

    @contextlib.contextmanager
    def subscribe(self, topics: Iterable[str]) -> Iterator[Subscription]:
        """Hear of `topics` for the length of the block."""
        ear = Subscription(topics)
        for topic in ear.topics:
            self.ears[topic].add(ear)
        LIVE_PAGES.inc()
        try:
            yield ear
        finally:
            LIVE_PAGES.dec()
            for topic in ear.topics:
                self.ears[topic].discard(ear)
                if not self.ears[topic]:
                    del self.ears[topic]

    async def start(self, *, listen: bool = True) -> None:
        """Begin to send and, where pages are served, to listen."""
        self.tasks.append(asyncio.create_task(self.send(), name="live-send"))
        if listen:
            self.tasks.append(asyncio.create_task(self.keep_listening(), name="live-listen"))

    async def stop(self) -> None:
        """Send what is still waiting, then end."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        with contextlib.suppress(*TRANSIENT_ERRORS):
            await self.flush()

    async def send(self) -> None:
        pause = SHORTEST_PAUSE
        while True:
            await self.something.wait()
            self.something.clear()
            try:
                sent = await self.flush()
                pause = SHORTEST_PAUSE
                await asyncio.sleep(min(GATHER_SECONDS * sent, LONGEST_GATHER))
            except TRANSIENT_ERRORS as error:
                log.warning("live.hint_waits", error=type(error).__name__)
                self.something.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            except Exception as error:  # noqa: BLE001 - a hint may be lost, the sending of hints may not end
                self.waiting.clear()
                log.error("live.hint_lost", error=type(error).__name__)

    async def flush(self) -> int:
        """Send what waits; how many topics."""
        topics, self.waiting = self.waiting, set()
        try:
            for payload in payloads(sorted(topics)):
                await queries.notify(self.db, CHANNEL, payload)  # type: ignore[arg-type]
        except BaseException:
            self.waiting |= topics
            raise
        return len(topics)

    async def keep_listening(self) -> None:
        """Hold a LISTEN connection for ever; after a gap everybody re-reads."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                await self.listen_once()
                pause = SHORTEST_PAUSE
            except Exception as error:  # noqa: BLE001 - a password changed for a minute must not leave pages deaf for ever
                log.warning("live.listen_lost", error=type(error).__name__)
            self.listening.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def listen_once(self) -> None:
        closed = asyncio.Event()
        connection = await asyncpg.connect(
            self.listen_url, timeout=5, server_settings={"application_name": "kaunta listen"}
        )
        try:
            connection.add_termination_listener(lambda _: closed.set())
            await connection.add_listener(CHANNEL, lambda _c, _pid, _channel, payload: self.wake(str(payload)))
            self.listening.set()
            self.wake_all()
            while not closed.is_set():
                # A connection cut without a word looks idle; asking finds out.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), timeout=10)
                    return
                await connection.execute("select 1", timeout=5)
        finally:
            with contextlib.suppress(*TRANSIENT_ERRORS):
                await connection.close(timeout=2)

    def wake(self, payload: str) -> None:
        for topic in payload.split():
            for ear in self.ears.get(topic, ()):
                ear.wake()

    def wake_all(self) -> None:
        for ears in list(self.ears.values()):
            for ear in ears:
                ear.wake()


def payloads(topics: Iterable[str]) -> list[str]:
    """Topics joined into as few payloads as PostgreSQL takes."""
    out: list[str] = []
    for topic in topics:
        if out and len(out[-1]) + len(topic) < LONGEST_PAYLOAD:
            out[-1] += " " + topic
        else:
            out.append(topic)
    return out

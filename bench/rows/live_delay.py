"""From a commit to the byte on an open page: ten thousand payment pages on one process, fifty changes a second."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from statistics import median, quantiles
from uuid import UUID

import asyncpg

from bench.ground import Ground
from bench.processes import Program
from bench.row import LIMIT, OURS, Goal, Measured, Row, Size, Way
from bench.rows.history_page import filled
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime, running
from kaunta.settings import load

CHANGES_A_SECOND = 50
#: Pages that are opened at the same time, and the longest that one may take.
AT_ONCE, PATIENCE = 64, 120.0
CHANNEL = "bench_alone"


@dataclass(slots=True)
class Page(asyncio.Protocol):
    """A phone with an open payment page."""

    payment: UUID
    opened: asyncio.Future[None]
    transport: asyncio.Transport | None = None
    #: When what it waits for was committed; how long its byte took, seconds.
    committed: float | None = None
    delays: list[float] = field(default_factory=list)
    status: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(f"GET /p/{self.payment}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.opened.done():
            self.status = self.status or data[:12]
            # The stream begins by telling the page to look.
            if b"data: changed" in data or b"retry:" in data or self.status != b"HTTP/1.1 200":
                self.opened.set_result(None)
        elif self.committed is not None and b"data: changed" in data:
            self.delays.append(now - self.committed)
            self.committed = None

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionResetError("the page was closed while it was opened"))


async def open_pages(program: Program, payments: list[UUID]) -> list[Page]:
    """All pages, some at a time; every one has heard its stream begin."""
    loop = asyncio.get_running_loop()
    free = asyncio.Semaphore(AT_ONCE)

    async def open_one(payment: UUID) -> Page:
        async with free, asyncio.timeout(PATIENCE):
            page = Page(payment, loop.create_future())
            await loop.create_connection(lambda: page, "127.0.0.1", program.port)
            await page.opened
            if page.status != b"HTTP/1.1 200":
                raise RuntimeError(f"a page was answered {page.status!r}")
            return page

    return list(await asyncio.gather(*(open_one(payment) for payment in payments)))


async def change(rt: Runtime, page: Page) -> None:
    """Something about the page's payment is committed, and told as the application tells it."""
    async with transaction(rt.db) as db:
        await db.execute("update mpesa_transactions set updated_at = now() where id = $1", page.payment)
    page.committed = time.perf_counter()
    rt.live.hint(f"payment:{page.payment}", f"tab:{page.payment}", "bar:bench")


async def evening(rt: Runtime, pages: list[Page], chance: Random, seconds: int) -> list[float]:
    """Changes at random moments, fifty a second on the average; each delay in seconds. None may be lost."""
    chosen = chance.sample(pages, min(len(pages), seconds * CHANGES_A_SECOND))
    for page in chosen:
        page.delays.clear()
    begun = time.perf_counter()
    tasks, at = [], 0.0
    for page in chosen:
        at += chance.expovariate(CHANGES_A_SECOND)
        await asyncio.sleep(max(0.0, begun + at - time.perf_counter()))
        tasks.append(asyncio.create_task(change(rt, page)))
    await asyncio.gather(*tasks)
    async with asyncio.timeout(PATIENCE):
        while not all(page.delays for page in chosen):  # noqa: ASYNC110 - no event a page: they are ten thousand
            await asyncio.sleep(0.01)
    return [page.delays[0] for page in chosen]


async def alone(rt: Runtime, url: str, chance: Random, seconds: int) -> list[float]:
    """PostgreSQL's part: from our NOTIFY to the ear of another connection, at the same rate."""
    delays: list[float] = []
    connection = await asyncpg.connect(url)
    try:
        await connection.add_listener(
            CHANNEL, lambda _c, _pid, _channel, sent: delays.append(time.perf_counter() - float(str(sent)))
        )
        for _ in range(seconds * CHANGES_A_SECOND):
            await rt.db.execute("select pg_notify($1, $2)", CHANNEL, repr(time.perf_counter()))
            await asyncio.sleep(chance.expovariate(CHANGES_A_SECOND))
        async with asyncio.timeout(PATIENCE):
            while len(delays) < seconds * CHANGES_A_SECOND:  # noqa: ASYNC110 - the listener is no coroutine
                await asyncio.sleep(0.01)
    finally:
        await connection.close()
    return delays


def measured(delays: list[float], **more: float) -> Measured:
    """The 99th percentile in milliseconds, with the middle beside it."""
    return Measured(
        quantiles(delays, n=100)[98] * 1_000,
        more={"p50_ms": median(delays) * 1_000, "most_ms": max(delays) * 1_000, **more},
    )


def many_files() -> None:
    """A page is an open file here and there; what is started from now on may have as many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    many_files()
    count, seconds = size.of(10_000, 500), size.of(6, 2)
    url, _ = await filled(ground, max(count, 10))
    chance = Random(1)  # noqa: S311 - for alike rounds, not for secrets
    settings = load(ground.environ(url, 1))
    with ground.kaunta(url, "--no-worker") as program:
        async with running(settings, listen=False) as rt:
            rows = await rt.db.fetch("select id from mpesa_transactions order by id limit $1", count)
            payments = [row["id"] for row in rows]
            # What the first pages load and compile is not a page's memory.
            for page in await open_pages(program, payments[:AT_ONCE]):
                assert page.transport is not None
                page.transport.close()
            await asyncio.sleep(0.5)
            empty = program.memory()
            begun = time.perf_counter()
            pages = await open_pages(program, payments)
            opening = time.perf_counter() - begun
            await asyncio.sleep(0.5)
            kilobytes = (program.memory() - empty) * 1_000 / count

            async def ours() -> Measured:
                before, start = program.cpu(), time.perf_counter()
                delays = await evening(rt, pages, chance, seconds)
                share = (program.cpu() - before) / (time.perf_counter() - start)
                return measured(
                    delays, kb_a_page=kilobytes, memory_mb=program.memory(), pages=count, cpu_share=share,
                    opened_a_second=count / opening,
                )  # fmt: skip

            async def limit() -> Measured:
                return measured(await alone(rt, url, chance, max(1, seconds // 2)))

            try:
                yield {OURS: ours, LIMIT: limit}
            finally:
                for page in pages:
                    if page.transport is not None:
                        page.transport.abort()
    await ground.drop(url)


ROW = Row(
    name="live_delay",
    title="From a commit to the byte on one of 10,000 open pages (99th percentile)",
    unit="ms",
    ready=ready,
    about=(
        "One `kaunta serve` holds a payment page open for each of 10,000 phones; another process commits fifty changes "
        "a second at random moments and hints at them. The client's own time to read its sockets is in the figure. "
        "The limit is PostgreSQL alone: NOTIFY on one connection, heard on another."
    ),
    less=True,
    warm_up=False,
    goals=(
        Goal("99 of 100 bytes are there after", "value", at_most=15.0),
        Goal("an open page takes, kB", "kb_a_page", at_most=32.0),
    ),
)

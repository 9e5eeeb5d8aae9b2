"""Hints: from any process to every open page, soon, and again after every kind of gap."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.db import Pool, open_pool
from kaunta.core.live import CHANNEL, LONGEST_PAYLOAD, Live, payloads
from tests.support.relay import Relay, relay

SOON = 30.0


@pytest_asyncio.fixture
async def wire(database_url: str) -> AsyncIterator[Relay]:
    """A process's wire to the database."""
    async with relay(database_url) as made:
        yield made


@pytest_asyncio.fixture
async def here(db: Pool, database_url: str) -> AsyncIterator[Live]:
    """A process that serves pages."""
    live = Live(db, database_url)
    await live.start()
    await live.listening.wait()
    yield live
    await live.stop()


@pytest_asyncio.fixture
async def there(db: Pool, database_url: str) -> AsyncIterator[Live]:
    """Another process, that only sends."""
    live = Live(db, database_url)
    await live.start(listen=False)
    yield live
    await live.stop()


@pytest_asyncio.fixture
async def heard(database_url: str) -> AsyncIterator[asyncio.Queue[str]]:
    """Every payload that goes over the channel."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(database_url)
    await connection.add_listener(CHANNEL, lambda _c, _pid, _channel, payload: queue.put_nowait(str(payload)))
    yield queue
    await connection.close()


async def test_a_hint_reaches_another_process_within_a_second(here: Live, there: Live) -> None:
    with here.subscribe(["payment:1"]) as page, here.subscribe(["payment:2"]) as other:
        there.hint("payment:1", "tab:1")
        async with asyncio.timeout(SOON):
            await page.changed()
        assert not other.event.is_set()


async def test_a_page_hears_each_of_its_topics_and_its_own_processs_hints(here: Live) -> None:
    with here.subscribe(["payment:1", "tab:1", "bar:1"]) as page:
        for topic in ("payment:1", "tab:1", "bar:1"):
            here.hint(topic)
            async with asyncio.timeout(SOON):
                await page.changed()


async def test_hints_that_come_together_travel_together(there: Live, heard: asyncio.Queue[str]) -> None:
    for number in range(100):
        there.hint(f"payment:{number % 10}", "bar:1")
    async with asyncio.timeout(SOON):
        first = await heard.get()
    assert sorted(first.split()) == sorted([*(f"payment:{number}" for number in range(10)), "bar:1"])
    there.hint("bar:2")
    async with asyncio.timeout(SOON):
        assert await heard.get() == "bar:2"


async def test_more_topics_than_one_payload_holds_all_arrive(there: Live, heard: asyncio.Queue[str]) -> None:
    sent = {f"payment:{number:036}" for number in range(500)}
    there.hint(*sent)
    arrived: set[str] = set()
    async with asyncio.timeout(30):
        while arrived != sent:
            payload = await heard.get()
            assert len(payload) <= LONGEST_PAYLOAD
            arrived |= set(payload.split())


@given(st.lists(st.integers(0, 10**60), max_size=300))
def test_payloads_hold_every_topic_once_and_fit(numbers: list[int]) -> None:
    topics = [f"payment:{number}" for number in numbers]
    made = payloads(topics)
    assert [topic for payload in made for topic in payload.split()] == topics
    assert all(len(payload.encode()) < 8_000 for payload in made)


@pytest.mark.failure(80)
async def test_a_killed_listening_connection_comes_back_and_everybody_reads_again(
    here: Live, there: Live, db: Pool
) -> None:
    with here.subscribe(["payment:1"]) as page, here.subscribe(["tab:9"]) as idle:
        killed = await db.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where application_name = 'kaunta listen' and datname = current_database()"
        )
        assert killed == 1
        async with asyncio.timeout(30):
            await page.changed()
            await idle.changed()
        assert here.listening.is_set()
        there.hint("payment:1")
        async with asyncio.timeout(SOON):
            await page.changed()


@pytest.mark.failure(80)
async def test_a_database_that_is_away_costs_no_hint_and_no_page(wire: Relay) -> None:
    pool = await open_pool(wire.url, size=2)
    live = Live(pool, wire.url)
    await live.start()
    await live.listening.wait()
    with live.subscribe(["payment:1"]) as page:
        wire.cut()
        live.hint("payment:1")
        while live.listening.is_set():
            await asyncio.sleep(0.01)
        await wire.mend()
        async with asyncio.timeout(60):
            await page.changed()
            while live.waiting:
                await asyncio.sleep(0.01)
        await live.listening.wait()
        page.event.clear()
        live.hint("payment:1")
        async with asyncio.timeout(60):
            await page.changed()
    await live.stop()
    pool.terminate()


async def test_hinting_and_stopping_never_raise_while_the_database_is_away(wire: Relay) -> None:
    pool = await open_pool(wire.url, size=2)
    live = Live(pool, wire.url)
    await live.start()
    await live.listening.wait()
    wire.cut()
    for number in range(50):
        live.hint(f"payment:{number}")
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await live.stop()
    pool.terminate()


async def test_what_nobody_foresaw_does_not_end_the_sending(here: Live, there: Live, heard: asyncio.Queue[str]) -> None:
    there.hint("payment:" + "9" * 9_000)
    there.hint("payment:1")
    with here.subscribe(["payment:2"]) as page:
        async with asyncio.timeout(30):
            while not page.event.is_set():
                there.hint("payment:2")
                await asyncio.sleep(0.02)


async def test_the_last_hints_leave_when_a_process_ends(there: Live, heard: asyncio.Queue[str]) -> None:
    there.hint("payment:1")
    await there.stop()
    async with asyncio.timeout(SOON):
        assert await heard.get() == "payment:1"


async def test_a_page_that_closed_is_forgotten(here: Live) -> None:
    with here.subscribe(["payment:1", "tab:1"]):
        assert set(here.ears) == {"payment:1", "tab:1"}
    assert not here.ears


async def test_several_hints_before_a_page_looks_count_as_one(here: Live) -> None:
    with here.subscribe(["payment:1"]) as page:
        here.wake("payment:1 tab:1")
        here.wake("payment:1")
        await page.changed()
        assert not page.event.is_set()

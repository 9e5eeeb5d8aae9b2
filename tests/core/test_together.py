"""What arrives together is committed together, and each hears of its own row only after that commit."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest
import pytest_asyncio

from kaunta.core import together
from kaunta.core.db import Connection, Pool, connect, open_pool
from kaunta.core.together import Together, TooMuchAtOnce
from tests.support.relay import relay

SOON = 60.0
CROWD = 300


@pytest_asyncio.fixture
async def book(db: Pool) -> AsyncIterator[Pool]:
    """A table that takes each number from nought on once."""
    await db.execute("create table book (page serial, number int primary key check (number >= 0))")
    yield db


@pytest_asyncio.fixture
async def gathering(book: Pool) -> AsyncIterator[Together]:
    gathered = Together(book)
    yield gathered
    await gathered.stop()


async def note(db: Connection, numbers: Sequence[int]) -> list[int]:
    """Write numbers down; each one's own double, which is how a test sees whose result it was given."""
    await db.execute("insert into book (number) select unnest($1::int[])", list(numbers))
    return [2 * number for number in numbers]


async def noted(book: Pool) -> list[int]:
    return [row["number"] for row in await book.fetch("select number from book order by page")]


async def commits(book: Pool) -> int:
    found: int = await book.fetchval("select count(distinct xmin::text) from book")
    return found


async def test_a_crowd_shares_commits_and_each_is_given_its_own_result(gathering: Together, book: Pool) -> None:
    results = await asyncio.gather(*(gathering.write(note, number) for number in range(CROWD)))
    assert results == [2 * number for number in range(CROWD)]
    assert sorted(await noted(book)) == list(range(CROWD))
    assert await commits(book) <= CROWD / together.MOST_AT_ONCE + together.ABREAST


async def also(db: Connection, numbers: Sequence[int]) -> list[int]:
    """As `note`; another writing is another batch."""
    return await note(db, numbers)


async def test_who_comes_in_the_moment_in_which_others_end_is_not_left_waiting(gathering: Together, book: Pool) -> None:
    async def one_after_the_other(first: int) -> None:
        await gathering.write(note, first)
        await gathering.write(note, first + 1)

    for number in range(0, 300, 3):
        async with asyncio.timeout(SOON):
            await asyncio.gather(one_after_the_other(number), gathering.write(also, number + 2))
    assert sorted(await noted(book)) == list(range(300))


async def test_a_lone_row_waits_for_nobody(gathering: Together, book: Pool) -> None:
    async with asyncio.timeout(SOON):
        assert await gathering.write(note, 7) == 14
    assert await noted(book) == [7]


@pytest.mark.failure(53)
async def test_each_is_told_only_what_another_connection_can_read(gathering: Together, database_url: str) -> None:
    async with connect(database_url) as elsewhere:
        alone = asyncio.Lock()

        async def write(number: int) -> bool:
            await gathering.write(note, number)
            async with alone:
                found: bool = await elsewhere.fetchval("select exists (select from book where number = $1)", number)
            return found

        assert all(await asyncio.gather(*(write(number) for number in range(CROWD))))


async def test_one_refused_row_fails_nobody_else(gathering: Together, book: Pool) -> None:
    numbers = [*range(20), -1, *range(20, 40)]
    results = await asyncio.gather(*(gathering.write(note, number) for number in numbers), return_exceptions=True)
    assert isinstance(results[20], asyncpg.CheckViolationError)
    assert [result for result in results if not isinstance(result, BaseException)] == [2 * n for n in range(40)]
    assert sorted(await noted(book)) == list(range(40))


async def test_a_row_that_the_driver_cannot_even_send_fails_nobody_else(gathering: Together, book: Pool) -> None:
    numbers = [1, 2**40, 2]
    results = await asyncio.gather(*(gathering.write(note, number) for number in numbers), return_exceptions=True)
    assert [results[0], results[2]] == [2, 4]
    assert isinstance(results[1], asyncpg.DataError)


async def test_whoever_leaves_before_its_turn_leaves_nothing(gathering: Together, book: Pool) -> None:
    async with book.acquire() as other, other.transaction():
        await other.execute("lock table book in access exclusive mode")
        first = []
        # As many as are on their way at once; whoever comes after them still waits here.
        for number in range(together.ABREAST):
            first.append(asyncio.create_task(gathering.write(note, number)))
            await until_locked(book, number + 1)
        leaver, stayer = (asyncio.create_task(gathering.write(note, number)) for number in (100, 101))
        while len(gathering.waiting) < 2:
            await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.wait({leaver})
        assert leaver.cancelled()
    assert await asyncio.gather(*first, stayer) == [0, 2, 202]
    assert sorted(await noted(book)) == [0, 1, 101]


async def until_locked(book: Pool, number: int = 1) -> None:
    """Wait until so many statements wait for the table."""
    sql = "select count(*) from pg_locks where relation = 'book'::regclass and not granted"
    async with asyncio.timeout(SOON):
        while await book.fetchval(sql) < number:
            await asyncio.sleep(0.01)


@pytest.mark.failure(53)
async def test_everyone_in_a_batch_hears_that_the_database_went_away(database_url: str, book: Pool) -> None:
    async with relay(database_url) as wire, book.acquire() as other:
        far = await open_pool(wire.url, size=4)
        gathered = Together(far)
        async with other.transaction():
            await other.execute("lock table book in access exclusive mode")
            tasks = [asyncio.create_task(gathered.write(note, number)) for number in range(30)]
            await until_locked(book)
            wire.cut()
            async with asyncio.timeout(SOON):
                results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, Exception) for result in results)
        await wire.mend()
        async with asyncio.timeout(SOON):
            assert await gathered.write(note, 1_000) == 2_000
        await gathered.stop()
        far.terminate()


async def test_a_batch_that_hangs_is_given_up_and_holds_nobody_up(
    gathering: Together, book: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "PATIENCE_SECONDS", 0.2)
    async with book.acquire() as other, other.transaction():
        await other.execute("lock table book in access exclusive mode")
        results = await asyncio.gather(*(gathering.write(note, number) for number in range(90)), return_exceptions=True)
    assert {type(result) for result in results} == {TimeoutError}
    monkeypatch.setattr(together, "PATIENCE_SECONDS", SOON)
    assert await gathering.write(note, 1_000) == 2_000


async def test_whoever_waits_behind_what_hangs_hears_in_time_that_it_took_too_long(
    gathering: Together, book: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "PATIENCE_SECONDS", 2 * SOON)
    monkeypatch.setattr(together, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(together, "LOOK_SECONDS", 0.05)
    sent = together.ABREAST * together.MOST_AT_ONCE
    async with book.acquire() as other, other.transaction():
        await other.execute("lock table book in access exclusive mode")
        writing = (gathering.write(note, number) for number in range(3 * sent))
        async with asyncio.timeout(SOON):
            results = await asyncio.gather(*writing, return_exceptions=True)
    assert {type(result) for result in results} == {TimeoutError}
    monkeypatch.setattr(together, "WAIT_SECONDS", SOON)
    assert await gathering.write(note, 1_000) == 2_000
    # What was on its way may be written all the same; whoever had not been sent took its row back.
    assert set(await noted(book)) <= {*range(sent), 1_000}
    assert await gathering.write(note, 1_001) == 2_002
    assert gathering.look is not None


async def test_at_the_end_those_hear_too_whose_batch_is_written_again_one_by_one(book: Pool) -> None:
    gathered = Together(book)
    async with book.acquire() as other, other.transaction():
        await other.execute("insert into book (number) values (0)")

        async def refused_together(db: Connection, numbers: Sequence[int]) -> list[int]:
            if len(numbers) > 1:
                raise ValueError("one of them")
            # The same number, not committed yet by another: this waits.
            return await note(db, [0])

        tasks = [asyncio.create_task(gathered.write(refused_together, number)) for number in range(5)]
        sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        async with asyncio.timeout(SOON):
            while not await book.fetchval(sql):
                await asyncio.sleep(0.01)
        await gathered.stop()
        async with asyncio.timeout(SOON / 6):
            results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {ConnectionError}
    assert not gathered.untold
    assert gathered.look is None


async def test_nobody_looks_once_nobody_waits(gathering: Together, book: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "LOOK_SECONDS", 0.01)
    await asyncio.gather(*(gathering.write(note, number) for number in range(CROWD)))
    async with asyncio.timeout(SOON):
        while gathering.look is not None:
            await asyncio.sleep(0.01)
    assert not gathering.untold


async def test_what_may_wait_is_bounded(gathering: Together, book: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MOST_WAITING", 10)
    results = await asyncio.gather(*(gathering.write(note, number) for number in range(50)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, TooMuchAtOnce)]
    assert len(refused) == 40
    assert sorted(await noted(book)) == list(range(10))


async def test_rows_of_two_kinds_do_not_mix(gathering: Together, book: Pool) -> None:
    async def tell(_db: Connection, numbers: Sequence[int]) -> list[str]:
        return [str(number) for number in numbers]

    notes = [gathering.write(note, number) for number in range(10)]
    words = [gathering.write(tell, number) for number in range(10)]
    mixed = await asyncio.gather(*(one for pair in zip(notes, words, strict=True) for one in pair))
    assert mixed == [result for number in range(10) for result in (2 * number, str(number))]


async def test_at_the_end_whoever_still_waits_is_told_that_nothing_was_written(book: Pool) -> None:
    gathered = Together(book)
    async with book.acquire() as other, other.transaction():
        await other.execute("lock table book in access exclusive mode")
        tasks = [asyncio.create_task(gathered.write(note, number)) for number in range(200)]
        await until_locked(book)
        await gathered.stop()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {ConnectionError}

"""The pool: short transactions, no state left behind, row counts looked at."""

import asyncio
from typing import Any

import asyncpg
import pytest

from kaunta.core.db import (
    STATEMENT_TIMEOUT_MS,
    TRANSIENT_ERRORS,
    Pool,
    affected,
    connect,
    one_row,
    open_pool,
    transaction,
)


async def test_a_transaction_is_committed_at_the_end_of_its_block_and_rolled_back_by_an_error(db: Pool) -> None:
    await db.execute("create table beer (name text)")
    async with transaction(db) as connection:
        await connection.execute("insert into beer values ('Tusker')")
    with pytest.raises(RuntimeError, match="no more"):
        async with transaction(db) as connection:
            await connection.execute("insert into beer values ('Pilsner')")
            raise RuntimeError("no more")
    assert await db.fetchval("select string_agg(name, ',') from beer") == "Tusker"


async def test_a_use_case_cut_off_in_the_middle_leaves_nothing_in_its_connection(database_url: str) -> None:
    pool = await open_pool(database_url, size=1)
    await pool.execute("create table beer (name text)")
    inside = asyncio.Event()

    async def half() -> None:
        async with transaction(pool) as connection:
            await connection.execute("insert into beer values ('Tusker')")
            await connection.execute("set local lock_timeout = '7s'")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(half())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with pool.acquire() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("select count(*) from beer") == 0
        assert await connection.fetchval("show lock_timeout") == "0"
    pool.terminate()


async def test_a_connection_has_our_limits_speaks_utc_and_json(db: Pool) -> None:
    assert await db.fetchval("show timezone") == "UTC"
    assert await db.fetchval("select setting::int from pg_settings where name = 'statement_timeout'") == (
        STATEMENT_TIMEOUT_MS
    )
    value: dict[str, Any] = {"a": [1, None, "ä"], "b": {"c": True}}
    assert await db.fetchval("select $1::jsonb", value) == value


async def test_a_killed_connection_costs_at_most_the_one_use_that_finds_out(db: Pool) -> None:
    async with db.acquire() as connection:
        pid = await connection.fetchval("select pg_backend_pid()")
    async with db.acquire() as one, db.acquire() as other:
        killer = other if await one.fetchval("select pg_backend_pid()") == pid else one
        await killer.execute("select pg_terminate_backend($1)", pid)
    failed: list[Exception] = []
    for _ in range(8):
        try:
            assert await db.fetchval("select 1") == 1
        except TRANSIENT_ERRORS as error:
            failed.append(error)
    assert len(failed) <= 1


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.DiskFullError(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.SerializationError(),
        asyncpg.LockNotAvailableError(),
        asyncpg.QueryCanceledError(),
        asyncpg.ReadOnlySQLTransactionError(),
        asyncpg.InterfaceError("connection is closed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_another_try_may_cure_is_known(error: Exception) -> None:
    assert isinstance(error, TRANSIENT_ERRORS)


@pytest.mark.parametrize(
    "kind", [asyncpg.UniqueViolationError, asyncpg.CheckViolationError, asyncpg.UndefinedTableError]
)
def test_what_another_try_cannot_cure_is_not_tried_again(kind: type[Exception]) -> None:
    assert not issubclass(kind, TRANSIENT_ERRORS)


async def test_two_transactions_in_each_others_way_end_in_an_error_and_not_in_a_full_pool(db: Pool) -> None:
    await db.execute("create table tab (id int primary key); insert into tab values (1), (2)")
    both = asyncio.Barrier(2)

    async def cross(first: int, second: int) -> None:
        async with transaction(db) as connection:
            await connection.execute("select from tab where id = $1 for update", first)
            await both.wait()
            await connection.execute("select from tab where id = $1 for update", second)

    ends = await asyncio.gather(cross(1, 2), cross(2, 1), return_exceptions=True)
    broken = [end for end in ends if end is not None]
    assert len(broken) == 1
    assert isinstance(broken[0], TRANSIENT_ERRORS)


@pytest.mark.failure(4)
@pytest.mark.parametrize(("tag", "rows"), [("UPDATE 0", 0), ("UPDATE 1", 1), ("INSERT 0 7", 7), ("DELETE 12", 12)])
def test_a_command_tag_tells_how_many_rows(tag: str, rows: int) -> None:
    assert affected(tag) == rows
    if rows == 1:
        one_row(tag, "switching")
    else:
        with pytest.raises(RuntimeError, match="switching"):
            one_row(tag, "switching")


async def test_a_connection_of_ones_own_is_closed_at_the_end_of_its_block(database_url: str) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        async with connect(database_url, application_name="kaunta probe") as connection:
            assert await connection.fetchval("show application_name") == "kaunta probe"
            raise RuntimeError("stop")
    assert connection.is_closed()

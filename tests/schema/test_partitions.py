"""Months of the inbox, the events and the audit: made ahead, dropped when nobody needs them, nobody waits for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio

from kaunta.core import queries
from kaunta.core.database_roles import Role, as_role
from kaunta.core.db import Connection, Pool, connect
from kaunta.core.runtime import Runtime
from kaunta.payments.under_way import Pushes
from kaunta.worker import Worker

LONG_AGO = datetime(2012, 1, 1, tzinfo=UTC)
PARTITIONED = ("mpesa_callbacks", "payment_events", "audit_events")


@pytest.fixture
def worker(rt: Runtime, pushes: Pushes) -> Worker:
    return Worker(rt, pushes.daraja, name="test:1")


@pytest_asyncio.fixture
async def old_months(db: Pool) -> None:
    """Two months of 2010 in each of the three tables."""
    for table in PARTITIONED:
        for month in ("01", "02"):
            following = f"2010-{int(month) + 1:02}-01"
            await db.execute(
                f"create table {table}_2010_{month} partition of {table}"
                f" for values from ('2010-{month}-01 00:00+00') to ('{following} 00:00+00')"
            )


async def months(db: Pool) -> list[str]:
    """What there is of 2010."""
    rows = await db.fetch("select relname::text as name from pg_class where relname like '%\\_2010\\___' order by 1")
    return [row["name"] for row in rows if not row["name"].endswith("_idx")]


@asynccontextmanager
async def reader_of_everything(db: Pool) -> AsyncIterator[None]:
    """Somebody who reads the whole tables for an hour: a backup."""
    async with db.acquire() as reading, reading.transaction():
        for table in PARTITIONED:
            await reading.fetch(f"select * from {table}")
        yield


async def store_callback(db: Connection | Pool, at: datetime, *, processed: bool) -> None:
    await db.execute(
        """
        insert into mpesa_callbacks (received_at, channel, body_enc, processed_at, verdict, next_attempt_at)
        values ($1, 'stk', '', $2, $3, $1)
        """,
        at, at if processed else None, "orphan" if processed else None,
    )  # fmt: skip


async def next_month(db: Pool) -> str:
    name: str = await db.fetchval("select to_char(now() at time zone 'UTC' + interval '1 month', 'YYYY_MM')")
    return name


async def test_while_somebody_reads_everything_no_month_is_made_and_no_callback_waits(
    rt: Runtime, worker: Worker
) -> None:
    await rt.db.execute(f"drop table mpesa_callbacks_{await next_month(rt.db)}")
    async with reader_of_everything(rt.db):
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with rt.db.acquire() as db:
                await queries.make_partitions(db, 6)
        await worker.keep_up()
        await store_callback(rt.db, rt.clock.now(), processed=False)
        async with rt.db.acquire() as db:
            assert await queries.months_ahead(db) == 5
    await worker.keep_up()
    async with rt.db.acquire() as db:
        assert await queries.months_ahead(db) >= 6


async def test_months_that_nobody_needs_are_dropped_and_what_waits_or_is_on_record_stays(
    rt: Runtime, worker: Worker, old_months: None
) -> None:
    await store_callback(rt.db, datetime(2010, 1, 5, tzinfo=UTC), processed=True)
    await store_callback(rt.db, datetime(2010, 2, 5, tzinfo=UTC), processed=False)
    await rt.db.execute(
        "insert into audit_events (at, actor, action, object_kind, object_id)"
        " values ('2010-01-05', 'x', 'bar.added', 'bar', 'x')"
    )
    await worker.keep_up()
    assert await months(rt.db) == ["audit_events_2010_01", "mpesa_callbacks_2010_02"]
    told = await rt.db.fetch("select object_id from audit_events where action = 'partition.dropped' order by id")
    assert [row["object_id"] for row in told] == [
        "mpesa_callbacks_2010_01", "payment_events_2010_01", "audit_events_2010_02", "payment_events_2010_02",
    ]  # fmt: skip


async def test_a_month_is_not_dropped_behind_a_reader_and_goes_the_next_time(
    rt: Runtime, worker: Worker, old_months: None
) -> None:
    async with reader_of_everything(rt.db):
        await worker.keep_up()
        await store_callback(rt.db, rt.clock.now(), processed=False)
        assert len(await months(rt.db)) == 6
    await worker.keep_up()
    assert await months(rt.db) == []


async def test_nothing_is_dropped_before_its_time_whoever_asks(rt: Runtime, old_months: None) -> None:
    async with rt.db.acquire() as db:
        assert await queries.drop_month(db, datetime(2010, 1, 31, tzinfo=UTC)) is None
        assert await queries.drop_month(db, LONG_AGO) == "audit_events_2010_01"
        asked_for_everything = [await queries.drop_month(db, datetime(2100, 1, 1, tzinfo=UTC)) for _ in range(6)]
    assert asked_for_everything[5] is None
    assert await months(rt.db) == []
    async with rt.db.acquire() as db:
        assert await queries.months_ahead(db) >= 6


async def dated(db: Pool, at: datetime) -> None:
    """A row of each table at a moment, as a host's clock may have said it."""
    await store_callback(db, at, processed=False)
    await db.execute(
        "insert into payment_events (at, bar_id, transaction_id, kind, actor)"
        " values ($1, gen_random_uuid(), gen_random_uuid(), 'learnt', 'x')",
        at,
    )
    await db.execute(
        "insert into audit_events (at, actor, action, object_kind, object_id)"
        " values ($1, 'x', 'bar.added', 'bar', 'x')",
        at,
    )


async def test_a_month_that_is_over_takes_its_rows_and_what_is_too_much_for_an_evening_waits_for_a_quiet_hour(
    rt: Runtime, worker: Worker
) -> None:
    for month in (3, 4):
        await dated(rt.db, datetime(2019, month, 7, tzinfo=UTC))
    await rt.db.execute(
        "insert into mpesa_callbacks (received_at, channel, body_enc, next_attempt_at)"
        " select '2019-04-08 00:00+00', 'stk', '', '2019-04-08' from generate_series(1, 100000)"
    )
    await worker.keep_up()
    made = [row["name"] for row in await rt.db.fetch(
        "select relname::text as name from pg_class where relname ~ '_2019_0[0-9]$' order by 1"
    )]  # fmt: skip
    assert made == [
        "audit_events_2019_03", "audit_events_2019_04", "mpesa_callbacks_2019_03", "payment_events_2019_03",
        "payment_events_2019_04",
    ]  # fmt: skip
    async with rt.db.acquire() as db, db.transaction():
        await db.execute("set local statement_timeout = 0")
        assert await queries.make_partitions(db, 6) == 1
    assert await rt.db.fetchval("select count(*) from mpesa_callbacks_2019_04") == 100_001
    assert await everything(rt.db, "_default") == [[], [], []]


async def test_only_whoever_keeps_the_house_up_makes_months(database_url: str) -> None:
    for role, may in ((Role.WORKER, True), (Role.APP, False), (Role.READER, False)):
        async with connect(as_role(database_url, role)) as db:
            found = await db.fetchval("select has_function_privilege('kaunta_make_partitions(integer)', 'execute')")
            assert found is may


async def everything(db: Pool, suffix: str) -> list[list[str]]:
    return [
        [row["text"] for row in await db.fetch(f"select t::text as text from {table}{suffix} t order by id")]
        for table in PARTITIONED
    ]


async def test_a_month_that_already_has_rows_in_the_table_for_the_rest_is_made_with_them(
    rt: Runtime, worker: Worker
) -> None:
    coming = await next_month(rt.db)
    for table in PARTITIONED:
        await rt.db.execute(f"drop table {table}_{coming}")
    year, month = (int(part) for part in coming.split("_"))
    for day in (1, 15):
        await dated(rt.db, datetime(year, month, day, tzinfo=UTC))
    # Further than months are made ahead: it stays where it is.
    await dated(rt.db, datetime(year + 3, month, 1, tzinfo=UTC))
    before, in_rest = await everything(rt.db, ""), await everything(rt.db, "_default")
    assert [len(rows) for rows in in_rest] == [3, 3, 3]
    async with reader_of_everything(rt.db):
        await worker.keep_up()
        assert await everything(rt.db, "_default") == in_rest
    await worker.keep_up()
    assert await everything(rt.db, "") == before
    assert [len(rows) for rows in await everything(rt.db, f"_{coming}")] == [2, 2, 2]
    assert [len(rows) for rows in await everything(rt.db, "_default")] == [1, 1, 1]
    async with rt.db.acquire() as db:
        assert await queries.months_ahead(db) >= 6
    # Both are guarded as they were.
    for table in PARTITIONED[1:]:
        for where in (table, f"{table}_{coming}", f"{table}_default"):
            for change in ("delete from", "truncate"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await rt.db.execute(f"{change} {where}")
    # ... and the next row without a month of its own finds a place.
    await dated(rt.db, datetime(year + 4, month, 1, tzinfo=UTC))

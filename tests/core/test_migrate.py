"""From an empty database to the present schema, once, by whoever comes first; and a hand-made change is seen."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from kaunta.core import migrate
from tests.plugins.databases import Databases

EMPTY = "template0"


@pytest_asyncio.fixture
async def empty(databases: Databases) -> AsyncIterator[str]:
    """A database with nothing in it."""
    async with databases.fresh(EMPTY) as url:
        yield url


@pytest.mark.failure(94)
async def test_an_empty_database_comes_to_the_head_without_drift(empty: str) -> None:
    before = await migrate.state(empty)
    assert (before.current, before.up_to_date) == (None, False)
    after = await migrate.upgrade(empty)
    assert after.up_to_date
    assert after.current == migrate.head_revision()
    assert not await migrate.drift(empty)


async def test_programs_that_start_together_migrate_once(empty: str) -> None:
    states = await asyncio.gather(*(migrate.upgrade(empty) for _ in range(4)))
    assert all(state.up_to_date for state in states)
    assert not await migrate.drift(empty)


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert (await migrate.upgrade(database_url)).up_to_date
    assert not await migrate.drift(database_url)


async def test_a_migration_that_fails_leaves_an_empty_database_behind(empty: str) -> None:
    connection = await asyncpg.connect(empty)
    await connection.execute("create table tabs (id int)")
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate.upgrade(empty)
    assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 1
    await connection.execute("drop table tabs")
    await connection.close()
    assert (await migrate.upgrade(empty)).up_to_date


@pytest.mark.failure(94)
@pytest.mark.parametrize(
    ("change", "missing", "unexpected"),
    [
        ("alter table bars add column by_hand text", [], ["column bars.by_hand text"]),
        ("alter table bars alter column name drop not null", ["column bars.name text not"], ["column bars.name text"]),
        ("drop trigger mpesa_transactions_guard on mpesa_transactions", ["trigger"], []),
        ("drop index problems_one_open", ["index"], []),
        ("alter type transaction_status add value 'refunded'", ["enum"], ["enum"]),
        ("create or replace function never_again() returns trigger language plpgsql as 'begin return new; end'",
         ["function never_again"], ["function never_again"]),
        ("alter table tab_payments drop constraint tab_payments_transaction_id_fkey", ["constraint"], []),
    ],
    ids=["column", "not null", "trigger", "index", "enum", "function", "constraint"],
)  # fmt: skip
async def test_a_change_by_hand_is_seen(
    database_url: str, change: str, missing: list[str], unexpected: list[str]
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(change)
    await connection.close()
    drift = await migrate.drift(database_url)
    assert drift
    for expected, found in ((missing, drift.missing), (unexpected, drift.unexpected)):
        assert len(found) == len(expected)
        assert all(line.startswith(beginning) for line, beginning in zip(found, expected, strict=True))


async def test_a_url_as_managed_databases_give_it_is_understood(database_url: str) -> None:
    assert (await migrate.state(f"{database_url}?sslmode=prefer")).up_to_date


async def test_partitions_are_made_ahead_and_only_once(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("select kaunta_months_ahead()") == 6
    assert await connection.fetchval("select kaunta_make_partitions(6)") == 0
    assert await connection.fetchval("select kaunta_make_partitions(8)") == 6
    assert await connection.fetchval("select kaunta_months_ahead()") == 8
    await connection.execute("drop table audit_events_" + await connection.fetchval(
        "select to_char(now() at time zone 'UTC' + interval '1 month', 'YYYY_MM')"))  # fmt: skip
    assert await connection.fetchval("select kaunta_months_ahead()") < 8
    await connection.close()

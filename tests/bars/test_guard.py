"""The guard in the database: the flag is what the credentials say, whoever writes and in any order."""

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from kaunta.bars import queries
from kaunta.core.db import Connection, connect
from kaunta.core.live import Live
from kaunta.core.runtime import Runtime
from tests.bars.conftest import OldDatabase
from tests.plugins.databases import Databases
from tests.support.bars import SeededBar
from tests.support.switch import Plot, State, guard
from tests.support.writers import Writer, interleave

#: The least the guard works on: numbers for ids, no environments, nothing that forbids NULL, no foreign key.
LEAST = """
    create table bars (id bigint primary key, mpesa_enabled boolean);
    create table mpesa_credentials (tenant_id bigint, is_active boolean);
    insert into bars values (1, false), (2, null);
"""
SWITCH_ENVIRONMENT = (
    "update bars set mpesa_environment = case mpesa_environment when 'sandbox' then 'production' else 'sandbox' end"
)
TOGGLE = "update mpesa_credentials set is_active = not is_active"
ISOLATIONS = ("read committed", "repeatable read", "serializable")


@pytest_asyncio.fixture
async def foreign(databases: Databases) -> AsyncIterator[Connection]:
    """Two tables of somebody else's, with the guard over them."""
    async with databases.fresh("template0") as url, connect(url) as db:
        await db.execute(LEAST)
        await guard(db, "install")
        yield db


async def flag(db: Connection, bar: int = 1) -> bool | None:
    found: bool | None = await db.fetchval("select mpesa_enabled from bars where id = $1", bar)
    return found


async def test_it_stands_after_our_migrations_goes_and_comes_back(rt: Runtime) -> None:
    async with rt.db.acquire() as db:
        assert await queries.guard_stands(db)
        await guard(db, "remove")
        assert not await queries.guard_stands(db)
        await guard(db, "remove")
        for _ in range(2):
            await guard(db, "install")
            assert await queries.guard_stands(db)


@pytest.mark.parametrize(
    "damage",
    [
        "alter table bars disable trigger kaunta_guard_bars",
        "alter table mpesa_credentials disable trigger kaunta_guard_credentials",
        "alter table mpesa_credentials enable replica trigger kaunta_guard_credentials",
        "drop trigger kaunta_tell_switch on bars",
        "drop trigger kaunta_guard_no_credentials on mpesa_credentials",
    ],
)
async def test_a_guard_with_a_part_missing_or_switched_off_does_not_stand(rt: Runtime, damage: str) -> None:
    async with rt.db.acquire() as db:
        await db.execute(damage)
        assert not await queries.guard_stands(db)


@pytest.mark.req("SYNC-5.4")
@pytest.mark.failure(11)
async def test_a_write_that_contradicts_the_credentials_is_refused_with_a_hint(rt: Runtime, plot: Plot) -> None:
    for statement in (
        "update bars set mpesa_enabled = false",
        "update bars set mpesa_enabled = false, mpesa_environment = 'production'",
        "insert into bars (slug, name, mpesa_enabled) values ('forced', 'Forced', true)",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="follows mpesa_credentials") as refused:
            await rt.db.execute(statement)
        assert "M-Pesa settings" in (refused.value.hint or "")
    assert (await plot.state()).flag is True
    await rt.db.execute("update bars set mpesa_enabled = true, name = name")


@pytest.mark.req("SYNC-1.2", "SYNC-1.3")
@pytest.mark.failure(5)
@pytest.mark.failure(11)
async def test_whatever_is_written_to_the_credentials_the_flag_follows(rt: Runtime, plot: Plot) -> None:
    await plot.plant(State("sandbox", True, {"sandbox": True, "production": False}))
    for statement, expected in (
        ("update mpesa_credentials set is_active = false where environment = 'sandbox'", False),
        ("update mpesa_credentials set is_active = true where environment = 'production'", False),
        ("update bars set mpesa_environment = 'production'", True),
        ("update mpesa_credentials set is_active = not is_active", False),
        ("update mpesa_credentials set tenant_id = $2 where environment = 'production' and tenant_id = $1", True),
    ):
        if "$2" in statement:
            other = await rt.db.fetchval("insert into bars (slug, name) values ('other', 'Other') returning id")
            await rt.db.execute(statement, plot.bar_id, other)
        else:
            await rt.db.execute(statement)
        state = await plot.state()
        assert (state.flag, state.right) == (expected, True), statement


async def test_on_somebody_elses_two_tables_it_derives_refuses_and_takes_null_for_no(foreign: Connection) -> None:
    for statement, expected in (
        ("insert into mpesa_credentials values (1, true)", True),
        ("update mpesa_credentials set is_active = null", False),
        ("update mpesa_credentials set is_active = true", True),
        ("update mpesa_credentials set tenant_id = 2", False),
        ("update mpesa_credentials set tenant_id = 1", True),
        ("delete from mpesa_credentials", False),
        ("insert into mpesa_credentials values (1, true)", True),
        ("truncate mpesa_credentials", False),
        ("insert into mpesa_credentials values (99, true), (null, true)", False),
    ):
        await foreign.execute(statement)
        assert await flag(foreign) is expected, statement
    for statement in ("update bars set mpesa_enabled = true", "update bars set mpesa_enabled = null where id = 1"):
        with pytest.raises(asyncpg.CheckViolationError):
            await foreign.execute(statement)


async def test_a_new_bar_that_says_nothing_of_its_flag_gets_the_right_one(foreign: Connection) -> None:
    await foreign.execute("insert into mpesa_credentials values (7, true); insert into bars (id) values (7), (8)")
    assert (await flag(foreign, 7), await flag(foreign, 8)) == (True, False)


@pytest.mark.req("SYNC-5.4")
async def test_two_rows_without_an_environment_are_left_alone(foreign: Connection) -> None:
    await foreign.execute("insert into mpesa_credentials values (1, true)")
    await foreign.execute("insert into mpesa_credentials values (1, false)")
    assert await flag(foreign) is True
    await foreign.execute("update bars set mpesa_enabled = false where id = 1")
    assert await flag(foreign) is False


async def test_it_is_taken_away_from_somebody_elses_tables_without_a_trace(foreign: Connection) -> None:
    await guard(foreign, "remove")
    assert await foreign.fetchval("select count(*) from pg_trigger") == 0
    assert await foreign.fetchval("select count(*) from pg_proc where proname like 'kaunta%'") == 0
    await foreign.execute("update bars set mpesa_enabled = true")


@pytest.mark.failure(5)
async def test_it_stands_over_the_old_products_tables(old: OldDatabase) -> None:
    bar = await old.add(True, ("sandbox", True), ("production", False))
    await guard(old.db, "install")
    assert await queries.guard_stands(old.db)
    await old.somebody.execute("update bars set mpesa_environment = 'production'")
    assert await old.flag(bar) is False
    await old.somebody.execute("update mpesa_credentials set is_active = true where environment = 'production'")
    assert await old.flag(bar) is True
    with pytest.raises(asyncpg.CheckViolationError):
        await old.somebody.execute("update bars set mpesa_enabled = false")


@pytest.mark.failure(11)
async def test_somebody_who_may_not_see_the_credentials_cannot_write_past_them(foreign: Connection) -> None:
    """Row-level security hides rows from who writes, never from the guard."""
    await foreign.execute(
        """
        insert into mpesa_credentials values (1, true);
        alter table mpesa_credentials enable row level security;
        create role guard_test_staff;
        grant select, update on bars to guard_test_staff;
        grant select, insert on mpesa_credentials to guard_test_staff;
        """
    )
    try:
        await foreign.execute("set role guard_test_staff")
        assert await foreign.fetchval("select count(*) from mpesa_credentials") == 0
        with pytest.raises(asyncpg.CheckViolationError):
            await foreign.execute("update bars set mpesa_enabled = false where id = 1")
        await foreign.execute("create temp table mpesa_credentials (tenant_id bigint, is_active boolean)")
        with pytest.raises(asyncpg.CheckViolationError):
            await foreign.execute("update bars set mpesa_enabled = false where id = 1")
        await foreign.execute("set search_path = ''")
        with pytest.raises(asyncpg.CheckViolationError):
            await foreign.execute("update public.bars set mpesa_enabled = false where id = 1")
    finally:
        await foreign.execute(
            "reset role; reset search_path; drop owned by guard_test_staff; drop role guard_test_staff"
        )
    assert await flag(foreign) is True


@pytest.mark.req("SYNC-P9", "SYNC-5.4")
@pytest.mark.failure(11)
@pytest.mark.parametrize("isolation", ISOLATIONS)
async def test_an_environment_switch_beside_an_activation_never_drifts(
    database_url: str, plot: Plot, isolation: str
) -> None:
    """The pair that drifted when the triggers looked before they locked; 100 orders an isolation level."""
    chance = random.Random(isolation)
    async with connect(database_url) as one, connect(database_url) as two:
        for _ in range(100):
            flags = {"sandbox": chance.random() < 0.5, "production": chance.random() < 0.5}
            await plot.plant(
                State("sandbox", flags["sandbox"], {"sandbox": flags["sandbox"], "production": flags["production"]})
            )
            writers = [
                Writer(one, ["select count(*) from mpesa_credentials", SWITCH_ENVIRONMENT, "select 1"]),
                Writer(
                    two,
                    [
                        "select count(*) from bars",
                        f"{TOGGLE} where environment = '{chance.choice(list(flags))}'",
                        "select 1",
                    ],
                ),
            ]
            order = [0] * 3 + [1] * 3
            chance.shuffle(order)
            await interleave(writers, order, isolation)
            after = await plot.state()
            assert after.right, (isolation, flags, order, after)


@pytest.mark.req("SYNC-3.2")
@pytest.mark.failure(80)
@pytest.mark.parametrize(
    "statement",
    [
        "update mpesa_credentials set is_active = false",
        "update mpesa_credentials set till_number = '5550001'",
        "update bars set mpesa_suspended_reason = 'x'",
        "update bars set payment_cash_enabled = false",
        "update bars set mpesa_environment = 'production'",
    ],
)
async def test_plain_sql_reaches_an_open_listener(
    rt: Runtime, database_url: str, bar: SeededBar, statement: str
) -> None:
    live = Live(rt.db, database_url)
    await live.start()
    try:
        await live.listening.wait()
        with live.subscribe([f"switch:{bar.id}"]) as ear:
            await rt.db.execute(statement)
            async with asyncio.timeout(30):
                await ear.changed()
    finally:
        await live.stop()

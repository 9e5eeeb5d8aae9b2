"""The moment of the move, its neighbours, and the way back."""

import asyncio
from dataclasses import replace
from secrets import token_hex

import asyncpg
import pytest

from kaunta.adopt import apply
from kaunta.adopt import switch as switching
from kaunta.adopt.connection import opened
from kaunta.adopt.decisions import Decisions
from kaunta.adopt.steps_queries import NEXT
from kaunta.core import migrate
from kaunta.core.db import Connection, connect
from kaunta.credentials.legacy import LegacyKeys
from tests.adopt.conftest import ANSWERS, GENERATIONS, Mover
from tests.adopt.fingerprint import fingerprint
from tests.adopt.old_rows import CREATE_ROLE, build
from tests.adopt.old_schema import ROLES
from tests.plugins.databases import Databases

OLD = ("public", "auth")


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_undone_it_is_what_it_was_to_the_last_byte_and_right(
    old_url: str, database_url: str, mover: Mover
) -> None:
    before = await fingerprint(old_url, *OLD)
    assert await fingerprint(database_url, *OLD) != before
    assert await mover.undo(database_url) == {}
    assert await fingerprint(database_url, *OLD) == before


async def test_a_move_that_was_only_begun_is_undone_too(old_url: str, mover: Mover) -> None:
    before = await fingerprint(old_url, *OLD)
    async with opened(old_url) as db:
        await apply.begin(mover.of(db, old_url), Decisions.parse(ANSWERS), resume=False)
    await migrate.upgrade_in(old_url, NEXT)
    await mover.undo(old_url)
    assert await fingerprint(old_url, *OLD) == before


async def test_the_old_tables_stand_in_legacy_as_they_were(old_url: str, database_url: str) -> None:
    before = [line.replace(" public.", " ") for line in await fingerprint(old_url, "public") if line.startswith("rows")]
    there = await fingerprint(database_url, "legacy")
    after = [line.replace(" legacy.", " ") for line in there if line.startswith("rows")]
    assert after == before


async def test_a_reader_never_fails_and_the_move_waits_for_it(old_url: str, mover: Mover) -> None:
    mover.told.clear()
    async with connect(old_url) as reader:
        reading = reader.transaction()
        await reading.start()
        seen = await reader.fetchval("select count(*) from bars")
        moving = asyncio.create_task(mover.move(old_url))
        async with asyncio.timeout(120):
            while "switching" not in mover.told:
                await asyncio.sleep(0.05)
        # The reader holds a table that the move wants, and goes on to others that it wants as well.
        for table in ("tabs", "tab_payments", "mpesa_credentials", "products"):
            await reader.fetchval(f"select count(*) from {table}")
        assert await reader.fetchval("select count(*) from bars") == seen
        assert not moving.done()
        await reading.commit()
    await moving


async def test_whoever_wrote_meanwhile_is_found_out_and_read_on_resuming(old_url: str, mover: Mover) -> None:
    async with opened(old_url) as db:
        move = mover.of(db, old_url)
        plan = await apply.begin(move, Decisions.parse(ANSWERS), resume=False)
        await migrate.upgrade_in(old_url, NEXT)
        await move.pen.keys.load()
        await apply.write(move, plan)
        async with connect(old_url) as late:
            tab = await late.fetchval("select id from tabs where status = 'open' limit 1")
            await late.execute(
                "insert into tab_payments (tab_id, amount, method, status) values ($1, 77, 'cash', 'success')", tab
            )
        with pytest.raises(switching.SomebodyWrote):
            await switching.switch(db, plan.shape, move.pen.clock)
    await mover.move(old_url, answers=(), resume=True)
    async with connect(old_url) as db:
        assert await db.fetchval("select count(*) from tab_payments where amount = 77 and tab_id = $1", tab) == 1


async def test_two_do_not_move_at_once(old_url: str, mover: Mover) -> None:
    async with opened(old_url) as db, opened(old_url) as other:
        move = mover.of(db, old_url)
        plan = await apply.begin(move, Decisions.parse(ANSWERS), resume=False)
        await migrate.upgrade_in(old_url, NEXT)
        async with apply.held(move):
            second = mover.of(other, old_url)
            await second.pen.keys.load()
            with pytest.raises(apply.SomebodyElseMoves):
                await apply.write(second, plan)


async def test_after_new_money_there_is_no_way_back(moved: Connection, database_url: str, mover: Mover) -> None:
    await moved.execute(
        """
        insert into tab_payments (id, bar_id, tab_id, kind, method, amount, recorded_by, created_at)
        select gen_random_uuid(), bar_id, id, 'payment', 'cash', 10, 'test', now() from tabs limit 1
        """
    )
    with pytest.raises(switching.NewMoney):
        await mover.undo(database_url)
    assert await moved.fetchval("select to_regclass('public.payment_events') is not null")


async def test_what_somebody_put_among_kauntas_tables_is_not_dropped(
    moved: Connection,
    database_url: str,
    mover: Mover,
) -> None:
    await moved.execute("create table notes_of_mine (note text)")
    with pytest.raises(switching.Strangers, match="notes_of_mine"):
        await mover.undo(database_url)


async def test_old_clients_see_through_their_policies_and_nothing_of_kauntas(moved: Connection) -> None:
    await moved.execute("update bars set active = active")
    await moved.execute("set role anon")
    assert await moved.fetchval("select count(*) from legacy.bars") == 10
    assert await moved.fetchval("select count(*) from legacy.tabs") == 0
    for table in ("public.bars", "public.staff_accounts", "public.tab_payments", "legacy_now.tabs"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await moved.fetchval(f"select count(*) from {table}")
    await moved.execute("reset role")
    await moved.execute("create table public.made_later (id int)")
    assert not await moved.fetchval("select has_table_privilege('anon', 'public.made_later', 'select')")


@pytest.mark.failure(11)
async def test_an_old_staff_app_cannot_make_flag_and_credentials_disagree(moved: Connection) -> None:
    bar = await moved.fetchval("select id from bars where mpesa_enabled limit 1")
    await moved.execute("set role service_role")
    with pytest.raises(asyncpg.CheckViolationError):
        await moved.execute("update bars set mpesa_enabled = false where id = $1", bar)
    await moved.execute("update mpesa_credentials set is_active = false, updated_at = now() where tenant_id = $1", bar)
    assert await moved.fetchval("select mpesa_enabled from bars where id = $1", bar) is False
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await moved.fetchval("select passkey_enc from mpesa_credentials limit 1")
    await moved.execute("reset role")


async def test_the_old_books_are_closed_to_writers(moved: Connection) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError, match="old books"):
        await moved.execute("update legacy.mpesa_credentials set is_active = true")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await moved.execute("delete from legacy.tab_payments")


async def test_old_reports_find_todays_rows_under_the_old_names(moved: Connection) -> None:
    differ = await moved.fetchval(
        """
        select count(*) from legacy_now.tab_balances v join kaunta_adoption.balances b using (tab_id)
        where v.balance <> b.after
        """
    )
    assert differ == 0
    assert await moved.fetchval("select count(*) from legacy_now.tab_payments where reference = 'WRITE_OFF'") > 0
    for view in ("bars", "tabs", "tab_orders", "mpesa_transactions"):
        assert await moved.fetchval(f"select count(*) from legacy_now.{view}") > 0


async def test_whoever_owns_the_tables_needs_no_more_rights_than_that(databases: Databases, mover: Mover) -> None:
    """Supabase's `postgres` is no superuser either."""
    name = f"owner_{token_hex(6)}"
    await databases.execute(f"create role {name} login createrole password 'owns-it'")
    try:
        await databases.execute(f"grant set on parameter session_replication_role to {name}")
        for role in ROLES:
            await databases.execute(CREATE_ROLE.format(role=role))
            await databases.execute(f"grant {role} to {name}")
        await databases.execute(f"create database {name} owner {name}")
        url = f"postgresql://{name}:owns-it@{databases.url_of(name).rpartition('@')[2]}"
        await build(url, 2, 2, 20)
        before = await fingerprint(url, *OLD)
        await mover.move(url)
        assert not await migrate.drift(url)
        await mover.undo(url)
        assert await fingerprint(url, *OLD) == before
    finally:
        await databases.execute(f"drop database if exists {name} with (force)")
        await databases.execute(f"revoke set on parameter session_replication_role from {name}")
        await databases.execute(f"drop role {name}")


async def test_without_the_keys_it_began_with_a_move_does_not_go_on(old_url: str, mover: Mover) -> None:
    async with opened(old_url) as db:
        move = mover.of(db, old_url)
        await apply.begin(move, Decisions.parse(ANSWERS), resume=False)
        without = replace(move, legacy_keys=LegacyKeys())
        with pytest.raises(apply.OtherKeys):
            await apply.begin(without, Decisions.parse([]), resume=True)

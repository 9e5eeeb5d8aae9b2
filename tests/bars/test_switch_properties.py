"""The switch from any state, beside anybody: flag and authority are one."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from kaunta.bars.mpesa_switch import (
    NoCredentials,
    reconcile_switches,
    repair_inconsistency,
    sync_mpesa_status,
    validate_sync,
)
from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.values import Environment
from kaunta.core.db import TRANSIENT_ERRORS, Connection, connect, transaction
from kaunta.core.errors import KauntaError
from tests.support.switch import ENVIRONMENTS, Plot, State, environments, states
from tests.support.writers import Writer, interleave


async def switch(plot: Plot, active: bool, environment: Environment) -> Any:
    async with transaction(plot.rt.db) as db:
        return await sync_mpesa_status(db, plot.rt.clock, plot.bar_id, active, environment=environment, by="owner")


async def switched(plot: Plot, before: State, active: bool, environment: Environment) -> None:
    """Switch from a planted state; what was done is what was meant, what was said, and nothing else."""
    await plot.plant(before)
    if active and environment not in before.rows:
        with pytest.raises(NoCredentials):
            await switch(plot, active, environment)
        assert await plot.state() == before
        return
    result = await switch(plot, active, environment)
    after = await plot.state()
    assert (after.environment, after.flag, after.rightful) == (environment, active, active)
    meant = {environment} if environment in before.rows else set(before.rows)
    assert after.rows == {name: active if name in meant else value for name, value in before.rows.items()}
    assert (result.success, result.credentials_updated, result.bar_status_updated) == (True, bool(meant), True)


@pytest.mark.req("SYNC-P1", "SYNC-1.1", "SYNC-1.2", "SYNC-1.3", "SYNC-1.4")
@pytest.mark.failure(3)
@pytest.mark.failure(4)
@pytest.mark.failure(5)
@given(before=states(), active=st.booleans(), environment=environments)
async def test_from_any_state_both_say_what_was_wished(
    plot: Plot, before: State, active: bool, environment: Environment
) -> None:
    await switched(plot, before, active, environment)


@pytest.mark.req("SYNC-P1", "SYNC-1.1", "SYNC-1.2", "SYNC-1.3")
@given(before=states(nulls=True), active=st.booleans(), environment=environments)
async def test_without_the_guard_it_is_the_same(
    unguarded: Plot, before: State, active: bool, environment: Environment
) -> None:
    await switched(unguarded, before, active, environment)


@pytest.mark.req("SYNC-P9", "SYNC-5.4")
@pytest.mark.failure(5)
@given(before=states(nulls=True), by_worker=st.booleans())
async def test_an_inconsistency_is_found_and_repaired_after_the_credentials(
    unguarded: Plot, before: State, by_worker: bool
) -> None:
    rt, bar_id = unguarded.rt, unguarded.bar_id
    await unguarded.plant(before)
    async with rt.db.acquire() as db:
        found = await validate_sync(db, bar_id)
    assert (found.consistent, found.credentials_active) == (before.right, before.rightful)
    if by_worker:
        assert await reconcile_switches(rt) == (not before.right)
    else:
        async with transaction(rt.db) as db:
            repaired = await repair_inconsistency(db, rt.clock, bar_id, by="worker")
        assert (repaired.repaired, repaired.before, repaired.after) == (
            not before.right, before.flag, before.rightful,
        )  # fmt: skip
    after = await unguarded.state()
    assert after == State(before.environment, before.rightful, before.rows)
    assert await reconcile_switches(rt) == 0


#: What somebody may write, with a password of the database's and no thought of the other table.
STATEMENTS = st.one_of(
    st.builds("update bars set mpesa_enabled = {}".format, st.booleans()),
    st.builds("update bars set mpesa_environment = '{}'".format, environments),
    st.builds("update bars set mpesa_environment = '{}', mpesa_enabled = {}".format, environments, st.booleans()),
    st.builds("update mpesa_credentials set is_active = {}".format, st.booleans()),
    st.builds(
        "update mpesa_credentials set is_active = {} where environment = '{}'".format, st.booleans(), environments
    ),
    st.builds("delete from mpesa_credentials where environment = '{}'".format, environments),
    st.builds(
        "insert into mpesa_credentials (tenant_id, environment, business_shortcode, consumer_key_enc,"
        " consumer_secret_enc, passkey_enc, is_active) select id, '{}', '174379', '', '', '', {} from bars".format,
        environments, st.booleans(),
    ),
    st.just("select count(*) from bars, mpesa_credentials"),
)  # fmt: skip


@pytest.mark.req("SYNC-P1", "SYNC-P9", "SYNC-5.4")
@pytest.mark.failure(11)
@given(
    before=states(consistent=True),
    programs=st.tuples(*[st.lists(STATEMENTS, min_size=1, max_size=3)] * 2),
    order=st.lists(st.integers(0, 1), max_size=6),
    isolation=st.sampled_from(["read committed", "repeatable read", "serializable"]),
)
async def test_after_any_history_of_plain_sql_in_two_connections_the_flag_is_its_authority(
    plot: Plot, two: tuple[Connection, Connection], before: State, programs: Any, order: list[int], isolation: str
) -> None:
    await plot.plant(before)
    writers = [Writer(db, list(statements)) for db, statements in zip(two, programs, strict=True)]
    await interleave(writers, order, isolation)
    after = await plot.state()
    assert after.right, (programs, after, [writer.refused for writer in writers])


@pytest_asyncio.fixture
async def two(plot: Plot, database_url: str) -> AsyncIterator[tuple[Connection, Connection]]:
    """Two people at the database itself. Versions let go of their credentials, so that rows can be deleted."""
    await plot.rt.db.execute(
        "alter table mpesa_credential_versions drop constraint mpesa_credential_versions_credential_id_fkey"
    )
    async with connect(database_url) as one, connect(database_url) as other:
        yield one, other


@pytest.mark.req("SYNC-P1", "SYNC-1.4")
@pytest.mark.failure(11)
@given(
    before=states(consistent=True),
    wishes=st.lists(st.tuples(st.booleans(), environments), min_size=1, max_size=3),
    statements=st.lists(STATEMENTS, min_size=1, max_size=3),
)
async def test_the_sync_manager_beside_plain_sql_ends_with_both_the_same(
    plot: Plot,
    two: tuple[Connection, Connection],
    before: State,
    wishes: list[tuple[bool, Environment]],
    statements: list[str],
) -> None:
    await plot.plant(before)
    somebody = Writer(two[0], list(statements))
    await somebody.begin("read committed")
    for active, environment in wishes:
        await somebody.step()
        ours = two[1].transaction()
        await ours.start()
        await two[1].execute("set local deadlock_timeout = '10ms'; set local lock_timeout = '20ms'")
        try:
            await sync_mpesa_status(two[1], plot.rt.clock, plot.bar_id, active, environment=environment, by="owner")
            await ours.commit()
        except (KauntaError, RuntimeError, *TRANSIENT_ERRORS, asyncpg.CheckViolationError):
            await ours.rollback()
    await somebody.end()
    assert (await plot.state()).right


@pytest.mark.req("SYNC-P5", "SYNC-3.1", "SYNC-3.3", "SYNC-3.4", "PAY-P17")
@pytest.mark.failure(1)
@pytest.mark.failure(14)
@given(before=states(nulls=True), suspended=st.booleans())
async def test_guests_see_mpesa_exactly_when_the_flag_and_usable_credentials_say_so(
    unguarded: Plot, before: State, suspended: bool
) -> None:
    await unguarded.plant(before)
    if suspended:
        await unguarded.rt.db.execute("update bars set mpesa_suspended_reason = 'x'")
    async with unguarded.rt.db.acquire() as db:
        methods = await payment_methods(db, unguarded.rt, unguarded.bar_id)
    assert methods is not None
    assert methods.environment == before.environment
    usable = before.rows.get(before.environment) is True
    assert methods.mpesa is (before.flag is True and usable and not suspended)
    assert (methods.mpesa_reason is None) is methods.mpesa


def test_there_are_two_environments() -> None:
    assert ENVIRONMENTS == ("sandbox", "production")

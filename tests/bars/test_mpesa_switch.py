"""The switch: credentials and the bar's flag say the same, or nothing happened."""

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaunta.bars import queries
from kaunta.bars.mpesa_switch import NoCredentials, SyncResult, sync_mpesa_status
from kaunta.bars.values import Environment
from kaunta.core.db import transaction
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.credentials.store import NewCredential, store
from tests.support.bars import SeededBar

Switch = Callable[..., Awaitable[SyncResult]]


@pytest.fixture
def switch(rt: Runtime, bar: SeededBar) -> Switch:
    """`await switch(True)`: the bar's M-Pesa on, in a transaction of its own."""

    async def turn(active: bool, environment: Environment = "sandbox", bar_id: UUID = bar.id) -> SyncResult:
        async with transaction(rt.db) as db:
            return await sync_mpesa_status(db, rt.clock, bar_id, active, environment=environment, by="owner")

    return turn


@pytest.fixture
def flags(rt: Runtime, bar: SeededBar) -> Callable[[], Awaitable[tuple[bool, bool]]]:
    """What is committed: the credentials' flag and the bar's."""

    async def read() -> tuple[bool, bool]:
        row = await rt.db.fetchrow(
            "select c.is_active, b.mpesa_enabled from bars b join mpesa_credentials c on c.tenant_id = b.id"
            " and c.environment = b.mpesa_environment where b.id = $1",
            bar.id,
        )
        assert row is not None
        return row["is_active"], row["mpesa_enabled"]

    return read


@pytest.mark.failure(2)
@pytest.mark.failure(3)
async def test_off_and_on_write_both_and_say_what_was_written(
    switch: Switch, flags: Callable[[], Awaitable[tuple[bool, bool]]]
) -> None:
    assert await switch(False) == SyncResult(success=True, credentials_updated=True, bar_status_updated=True)
    assert await flags() == (False, False)
    assert await switch(True) == SyncResult(success=True, credentials_updated=True, bar_status_updated=True)
    assert await flags() == (True, True)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(wishes=st.lists(st.booleans(), max_size=4))
async def test_after_any_turns_the_two_flags_are_the_last_wish(
    switch: Switch, flags: Callable[[], Awaitable[tuple[bool, bool]]], wishes: list[bool]
) -> None:
    for wish in [*wishes, True]:
        await switch(wish)
        assert await flags() == (wish, wish)


@pytest.mark.failure(2)
async def test_a_failure_after_the_first_write_undoes_it(
    rt: Runtime, bar: SeededBar, flags: Callable[[], Awaitable[tuple[bool, bool]]]
) -> None:
    await rt.db.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;"
        "create trigger refuse before update of mpesa_enabled on bars for each row execute function refuse()"
    )
    with pytest.raises(Exception, match="no"):
        async with transaction(rt.db) as db:
            await sync_mpesa_status(db, rt.clock, bar.id, False, environment="sandbox", by="owner")
    assert await flags() == (True, True)


@pytest.mark.failure(4)
async def test_an_update_that_touches_no_row_is_no_success(
    rt: Runtime, bar: SeededBar, flags: Callable[[], Awaitable[tuple[bool, bool]]]
) -> None:
    await rt.db.execute(
        "create function swallow() returns trigger language plpgsql as $$ begin return null; end $$;"
        "create trigger swallow before update of mpesa_enabled on bars for each row execute function swallow()"
    )
    with pytest.raises(RuntimeError, match="exactly one row"):
        async with transaction(rt.db) as db:
            await sync_mpesa_status(db, rt.clock, bar.id, False, environment="sandbox", by="owner")
    assert await flags() == (True, True)


async def test_a_bar_that_is_not_there_is_an_error(switch: Switch) -> None:
    with pytest.raises(NotFound):
        await switch(True, bar_id=uuid4())


@pytest.mark.req("PAY-8.4", "PAY-P17")
async def test_without_credentials_for_the_environment_on_is_refused_and_off_works(
    rt: Runtime, bar: SeededBar, switch: Switch
) -> None:
    with pytest.raises(NoCredentials):
        await switch(True, "production")
    row = await rt.db.fetchrow("select mpesa_environment, mpesa_enabled from bars where id = $1", bar.id)
    assert row is not None
    assert tuple(row) == ("sandbox", True)
    result = await switch(False, "production")
    assert (result.credentials_updated, result.bar_status_updated) == (True, True)
    row = await rt.db.fetchrow(
        "select c.is_active, b.mpesa_enabled from bars b join mpesa_credentials c on c.tenant_id = b.id"
        " where b.id = $1",
        bar.id,
    )
    assert row is not None
    assert tuple(row) == (False, False)


@pytest.mark.failure(5)
@pytest.mark.failure(6)
async def test_of_two_environments_only_the_one_meant_is_switched_and_no_secret_is_needed(
    rt: Runtime, bar: SeededBar, switch: Switch
) -> None:
    async with transaction(rt.db) as db:
        new = NewCredential("production", "600000", None, Secret("key-p"), Secret("secret-p"), Secret("passkey-p"))
        await store(db, rt, bar.id, new, by="owner")
    await switch(False, "production")
    async with rt.db.acquire() as db:
        rows = {row["environment"]: row["is_active"] for row in await queries.credential_rows(db, bar.id)}
    assert rows == {"production": False, "sandbox": True}


async def test_every_turn_is_on_the_record(rt: Runtime, bar: SeededBar, switch: Switch) -> None:
    await switch(False)
    rows = await rt.db.fetch(
        "select actor, action from audit_events where bar_id = $1 order by id desc limit 1", bar.id
    )
    assert [tuple(row) for row in rows] == [("owner", "mpesa.off")]

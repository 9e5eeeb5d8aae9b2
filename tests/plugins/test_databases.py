"""The tests' own footing: clones are migrated and separate, and nothing reaches beyond this machine."""

import socket

import pytest

from kaunta.core import migrate
from kaunta.core.db import Pool, connect
from tests.plugins.databases import Databases
from tests.plugins.loopback import LeftTheMachine


async def test_a_clone_is_migrated_and_as_the_program_expects(database_url: str) -> None:
    assert (await migrate.state(database_url)).up_to_date
    assert not await migrate.drift(database_url)


async def test_two_clones_share_nothing(db: Pool, databases: Databases) -> None:
    await db.execute("create table only_here (id int)")
    async with databases.fresh() as other, connect(other) as connection:
        assert await connection.fetchval("select to_regclass('only_here')") is None


async def test_an_empty_database_has_no_table(databases: Databases) -> None:
    async with databases.fresh("template0") as url, connect(url) as connection:
        assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.com"])
def test_another_machine_is_out_of_reach(host: str) -> None:
    with pytest.raises(LeftTheMachine):
        socket.create_connection((host, 443), timeout=0.01)

"""`kaunta sync guard` as an operator calls it, on our database and on somebody else's."""

import pytest

from kaunta.cli.output import Exit
from kaunta.core.db import connect
from tests.cli.conftest import Kaunta
from tests.plugins.databases import Databases

TWO_TABLES = """
    create table bars (id bigint primary key, mpesa_enabled boolean);
    create table mpesa_credentials (tenant_id bigint, is_active boolean)
"""


@pytest.mark.parametrize("template", ["kaunta_template", "template0"], ids=["ours", "theirs"])
async def test_it_is_installed_looked_at_and_taken_away(databases: Databases, kaunta: Kaunta, template: str) -> None:
    async with databases.fresh(template) as url:
        if template == "template0":
            async with connect(url) as db:
                await db.execute(TWO_TABLES)

        async def guard(*words: str) -> tuple[int, bool]:
            said = await kaunta("sync", "guard", *words, "--json", KAUNTA_DATABASE_URL=url)
            return said.code, said.json["data"]["installed"]

        there = (Exit.OK, True)
        assert await guard("remove") == (Exit.OK, False)
        assert await guard("install", "--dry-run") == (Exit.OK, False)
        assert await guard("status") == (Exit.FOUND_PROBLEMS, False)
        assert await guard("install") == there
        assert await guard("status") == there
        assert await guard("remove", "--dry-run") == there
        assert await guard("remove") == (Exit.OK, False)


async def test_a_database_without_the_two_tables_is_a_matter_of_configuration(
    databases: Databases, kaunta: Kaunta
) -> None:
    async with databases.fresh("template0") as url:
        said = await kaunta("sync", "guard", "install", KAUNTA_DATABASE_URL=url)
        assert said.code == Exit.CONFIGURATION


@pytest.mark.failure(11)
async def test_what_was_wrong_before_stays_wrong_and_is_said(databases: Databases, kaunta: Kaunta) -> None:
    async with databases.fresh("template0") as url:
        async with connect(url) as db:
            await db.execute(TWO_TABLES)
            await db.execute("insert into bars values (1, true), (2, false), (3, true)")
            await db.execute("insert into mpesa_credentials values (2, true), (3, true)")
        for words in (["--dry-run"], []):
            said = await kaunta("sync", "guard", "install", *words, "--json", KAUNTA_DATABASE_URL=url)
            assert (said.code, said.json["data"]["installed"]) == (Exit.FOUND_PROBLEMS, words == [])
            assert "2 of 3 bars differ" in said.json["warnings"][0]
        assert (await kaunta("sync", "repair", "--allow-disable", KAUNTA_DATABASE_URL=url)).code == Exit.OK
        assert (await kaunta("sync", "guard", "install", KAUNTA_DATABASE_URL=url)).code == Exit.OK

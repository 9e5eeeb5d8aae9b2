"""`kaunta db …` and `kaunta invariants`: is the schema right, is what must be true true."""

import pytest

from kaunta.core.db import connect
from kaunta.core.runtime import Runtime
from kaunta.payments.queries.invariants import INVARIANTS
from tests.cli.conftest import Kaunta
from tests.plugins.databases import Databases
from tests.support.bars import SeededBar


async def test_a_migrated_database_is_in_order(installed: Kaunta) -> None:
    status = await installed("db", "status", "--json")
    assert (status.code, status.data["up_to_date"]) == (0, True)
    assert (await installed("db", "check", "--json")).data == {"missing": [], "unexpected": []}
    upgrade = await installed("db", "upgrade", "--json")
    assert (upgrade.code, upgrade.data["changed"]) == (0, False)


async def test_an_empty_database_is_migrated_once_and_not_by_a_dry_run(installed: Kaunta, databases: Databases) -> None:
    async with databases.fresh("template0") as url:
        for arguments in (("db", "status"), ("db", "upgrade", "--dry-run"), ("db", "check"), ("db", "status")):
            said = await installed(*arguments, "--json", KAUNTA_DATABASE_URL=url)
            assert (said.code, said.object["ok"]) == (3, False), arguments
        async with connect(url) as db:
            assert await db.fetchval("select to_regclass('mpesa_transactions')") is None
        said = await installed("db", "upgrade", "--json", KAUNTA_DATABASE_URL=url)
        assert (said.code, said.data["before"], said.data["changed"]) == (0, None, True)
        assert (await installed("db", "check", KAUNTA_DATABASE_URL=url)).code == 0


async def test_a_schema_changed_by_hand_is_named(installed: Kaunta, rt: Runtime) -> None:
    await rt.db.execute("alter table bars add column by_hand text")
    said = await installed("db", "check", "--json")
    assert said.code == 3
    assert said.data == {"missing": [], "unexpected": ["column bars.by_hand text"]}
    assert "unexpected  column bars.by_hand text" in (await installed("db", "check")).out


async def test_a_command_on_a_database_that_was_not_migrated_says_so(installed: Kaunta, databases: Databases) -> None:
    async with databases.fresh("template0") as url:
        for arguments in (("invariants",), ("bar", "list"), ("payment", "list", "--bar", "any")):
            said = await installed(*arguments, "--json", KAUNTA_DATABASE_URL=url)
            assert (said.code, said.object["errors"]) == (
                6,
                ["The database has not been migrated. Run `kaunta db upgrade`."],
            ), arguments


@pytest.mark.parametrize(
    "arguments",
    [("db", "status"), ("db", "upgrade"), ("invariants",), ("bar", "list"), ("payment", "list", "--bar", "any")],
)
async def test_a_database_out_of_reach_and_a_wrong_password_are_told_apart(
    installed: Kaunta, arguments: tuple[str, ...], databases: Databases, database_url: str
) -> None:
    said = await installed(
        *arguments, "--json", KAUNTA_DATABASE_URL="postgresql://someone:hidden-word@127.0.0.1:1/none"
    )
    assert said.code == 8
    assert "cannot be reached" in said.object["errors"][0]
    wrong = database_url.partition("@")[2]
    refused = await installed(*arguments, "--json", KAUNTA_DATABASE_URL=f"postgresql://postgres:hidden-word@{wrong}")
    assert refused.code == 6
    absent = await installed(*arguments, "--json", KAUNTA_DATABASE_URL=databases.url_of("nowhere"))
    assert absent.code == 6
    for answer in (said, refused, absent):
        assert "hidden-word" not in answer.out + answer.err


async def test_every_invariant_is_looked_at_and_holds(installed: Kaunta, bar: SeededBar) -> None:
    said = await installed("invariants", "--json")
    assert said.code == 0
    assert {finding["name"] for finding in said.data} == INVARIANTS.keys()
    assert all(finding["ok"] and finding["sentence"] for finding in said.data)


async def test_a_broken_invariant_is_named_and_ends_with_three(installed: Kaunta, bar: SeededBar, rt: Runtime) -> None:
    # A tab that is closed with its bill unpaid.
    async with rt.db.acquire() as db, db.transaction():
        await db.execute("set local session_replication_role = replica")
        await db.execute("update tabs set status = 'closed', closed_at = now() where id = $1", bar.tab.id)
    said = await installed("invariants", "--json")
    assert said.code == 3
    assert [finding["name"] for finding in said.data if not finding["ok"]] == ["closed_tabs_owe_nothing"]
    assert "BROKEN  closed_tabs_owe_nothing" in (await installed("invariants")).out

"""`kaunta db adopt` as an operator calls it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kaunta.cli.output import Exit
from kaunta.core.db import connect
from tests.adopt.conftest import GENERATIONS, ONE_AND_ALL
from tests.adopt.fingerprint import fingerprint
from tests.adopt.old_rows import PHONES
from tests.adopt.old_secrets import KMS_KEY
from tests.cli.conftest import Kaunta
from tests.docs.test_how_to import follow
from tests.plugins.databases import Databases


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_a_dry_run_tells_everything_and_writes_nothing(
    old_url: str, kaunta: Kaunta, decided: list[str], generation: int, tmp_path: Path
) -> None:
    before = await fingerprint(old_url, "public", "auth")
    report = tmp_path / "differences.ndjson"
    said = await kaunta(
        "db", "adopt", "--dry-run", "--json", "--report", str(report), *decided, KAUNTA_DATABASE_URL=old_url
    )
    assert said.code == Exit.FOUND_PROBLEMS
    data = said.json["data"]
    assert data["generation"] == generation
    rows = {each["table"]: each["rows"] for each in data["tables"]}
    assert (rows["bars"], rows["tabs"], rows["audit_logs"]) == (10, 200, 10)
    assert data["made"]["tabs"] == 200
    assert float(data["owed_before"]) + sum(float(each["effect"]) for each in data["differences"]) == data["owed_after"]
    assert [each["undecided"] for each in data["questions"]] == [0] * len(data["questions"])
    assert len(report.read_text().splitlines()) == sum(each["cases"] for each in data["differences"])
    assert await fingerprint(old_url, "public", "auth") == before
    for secret in (KMS_KEY, "OldconsumerKey", *PHONES):
        assert secret not in said.out + said.err + report.read_text()


async def test_nothing_is_moved_before_everything_is_decided(old_url: str, kaunta: Kaunta) -> None:
    before = await fingerprint(old_url, "public", "auth")
    tried = await kaunta("db", "adopt", "--dry-run", KAUNTA_DATABASE_URL=old_url)
    assert tried.code == Exit.REFUSED
    assert "--decide closed-unpaid=overdue: the tab is open again" in tried.out
    said = await kaunta("db", "adopt", "--apply", KAUNTA_DATABASE_URL=old_url)
    assert said.code == Exit.REFUSED
    for topic in ("cents", "environment", "credentials", "placeholders", "receipts", "closed-unpaid"):
        assert f"--decide {topic}=" in said.err
    assert await fingerprint(old_url, "public", "auth") == before


async def test_what_was_not_begun_is_neither_resumed_nor_undone(old_url: str, kaunta: Kaunta) -> None:
    for words in (["--apply", "--resume"], ["--undo"], ["--undo", "--dry-run"]):
        assert (await kaunta("db", "adopt", *words, KAUNTA_DATABASE_URL=old_url)).code == Exit.REFUSED


async def test_a_moved_database_is_moved_no_more_and_the_way_back_says_what_it_loses(
    database_url: str, kaunta: Kaunta, decided: list[str]
) -> None:
    async def says(*words: str) -> int:
        return (await kaunta("db", "adopt", *words, KAUNTA_DATABASE_URL=database_url)).code

    assert await says("--apply", *decided) == Exit.REFUSED
    assert await says("--apply", "--resume") == Exit.REFUSED
    assert await says("--dry-run") == Exit.REFUSED
    async with connect(database_url) as db:
        await db.execute("insert into bars (slug, name) values ('new-bar', 'New bar')")
    tried = await kaunta("db", "adopt", "--undo", "--dry-run", "--json", KAUNTA_DATABASE_URL=database_url)
    assert tried.json["data"] == {"lost": {"bars": 1}, "dry_run": True}
    assert await says("--undo") == Exit.OK
    async with connect(database_url) as db:
        assert await db.fetchval("select count(*) from bars") == 10


async def test_a_schema_of_somebody_elses_is_not_built_upon(old_url: str, kaunta: Kaunta, decided: list[str]) -> None:
    async with connect(old_url) as db:
        await db.execute("create schema legacy")
    said = await kaunta("db", "adopt", "--apply", *decided, KAUNTA_DATABASE_URL=old_url)
    assert said.code == Exit.REFUSED
    assert "a schema legacy already" in said.err


@pytest.mark.parametrize(
    "words",
    [["--apply", "--dry-run"], [], ["--undo", "--apply"], ["--dry-run", "--resume"], ["--dry-run", "--decide", "x=y"]],
)
async def test_a_call_that_says_two_things_or_none_is_refused(kaunta: Kaunta, old_url: str, words: list[str]) -> None:
    assert (await kaunta("db", "adopt", *words, KAUNTA_DATABASE_URL=old_url)).code == Exit.USAGE


async def test_another_database_is_not_touched(databases: Databases, kaunta: Kaunta) -> None:
    async with databases.fresh("template0") as url:
        said = await kaunta("db", "adopt", "--dry-run", KAUNTA_DATABASE_URL=url)
        assert said.code == Exit.CONFIGURATION
        assert "schema public has no bars" in said.err
    async with databases.fresh() as url:
        said = await kaunta("db", "adopt", "--apply", KAUNTA_DATABASE_URL=url)
        assert said.code == Exit.REFUSED


async def test_a_login_that_owns_nothing_may_not_move(
    databases: Databases, old_templates: Callable[[int], str], old_url: str, kaunta: Kaunta
) -> None:
    async with connect(old_url) as db:
        role = f"stranger_{old_url.rpartition('_')[2]}"
        await db.execute(f"create role {role} login password 'stranger'")
        await db.execute(f"grant select on all tables in schema public to {role}")
        try:
            theirs = f"postgresql://{role}:stranger@{old_url.rpartition('@')[2]}"
            said = await kaunta("db", "adopt", "--dry-run", KAUNTA_DATABASE_URL=theirs)
            assert said.code == Exit.CONFIGURATION
            assert "belong to another login" in said.err
        finally:
            await db.execute(f"drop owned by {role}")
            await db.execute(f"drop role {role}")


async def test_without_the_old_key_the_credentials_are_a_question(old_url: str, kaunta: Kaunta) -> None:
    said = await kaunta("db", "adopt", "--dry-run", "--json", KAUNTA_DATABASE_URL=old_url, MPESA_KMS_KEY=None)
    (question,) = [each for each in said.json["data"]["questions"] if each["topic"] == "credentials"]
    assert question["undecided"] == question["bars"] == 9
    causes = {each["cause"] for each in said.json["data"]["unreadable"]}
    assert "legacy_key_missing" in causes


@pytest.mark.parametrize("generation", ONE_AND_ALL)
async def test_the_page_on_moving_in_does_what_it_says(
    old_url: str, kaunta: Kaunta, generation: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await fingerprint(old_url, "public", "auth")
    await follow(kaunta, "move-in.md", tmp_path, monkeypatch, KAUNTA_DATABASE_URL=old_url)
    assert await fingerprint(old_url, "public", "auth") == before

"""`kaunta init`, `user`, `bar`, `keys`, `codes`: from nothing to somebody who can sign in."""

from pathlib import Path
from typing import Any

import pytest

from kaunta.access.passwords import HASHER
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Keyring
from kaunta.daraja.results import ROWS
from tests.cli.conftest import Kaunta
from tests.plugins.databases import Databases
from tests.support.bars import PASSWORD, SeededBar

TYPED = PASSWORD + "\n"


async def test_an_installation_is_made_from_an_empty_database(
    installed: Kaunta, databases: Databases, tmp_path: Path
) -> None:
    written = tmp_path / "settings.env"
    async with databases.fresh("template0") as url:
        words = ("init", "--bar", "Kwa Otieno", "--owner", "otieno", "--tables", "2", "--env-file", str(written))
        nothing: dict[str, Any] = {"KAUNTA_DATABASE_URL": url, "KAUNTA_KEYS": None, "KAUNTA_MODE": None}
        development = ("--mode", "development", "--json")
        dry = await installed(*words, *development, "--dry-run", typed=TYPED, **nothing)
        assert (dry.code, dry.data["dry_run"], dry.data["tables"]) == (0, True, [])
        assert not written.exists()
        assert (await installed("db", "status", KAUNTA_DATABASE_URL=url)).code == 3

        said = await installed(*words, *development, typed=TYPED, **nothing)
        assert said.code == 0
        assert len(said.data["tables"]) == 2
        assert written.stat().st_mode & 0o077 == 0
        lines = dict(line.split("=", 1) for line in written.read_text(encoding="utf-8").splitlines())
        assert lines["KAUNTA_DATABASE_URL"] == url
        Keyring.parse(lines["KAUNTA_KEYS"])
        assert lines["KAUNTA_KEYS"].partition(":")[2] not in said.out + said.err
        (bar,) = (await installed("bar", "list", "--json", **lines)).data
        assert (bar["slug"], bar["name"]) == ("kwa-otieno", "Kwa Otieno")

        # Its keyring may be what opens stored credentials: it is never written over.
        again = await installed(*words, *development, typed=TYPED, **nothing)
        assert again.code == 9
        assert written.read_text(encoding="utf-8").count("\n") == len(lines)


async def test_an_installation_that_lacks_something_says_which_flag(installed: Kaunta, tmp_path: Path) -> None:
    words = ("init", "--env-file", str(tmp_path / "x.env"))
    for more, flag in (((), "--bar"), (("--bar", "B"), "--owner"), (("--bar", "B", "--owner", "o"), "password")):
        said = await installed(*words, *more, "--json")
        assert said.code == 2
        assert flag in said.object["errors"][0]
    # In production the guests' address must be https.
    said = await installed(*words, "--bar", "B", "--owner", "o", "--mode", "production", "--json", typed=TYPED)
    assert said.code == 6
    assert any("https" in line for line in said.object["errors"])
    assert not (tmp_path / "x.env").exists()


async def test_people_are_added_with_a_role_at_a_bar(installed: Kaunta, bar: SeededBar, rt: Runtime) -> None:
    words = ("user", "add", "wanjiku", "--name", "Wanjiku", "--bar", bar.slug, "--role", "manager")
    dry = await installed(*words, "--dry-run", "--json", typed=TYPED)
    assert (dry.code, dry.data["dry_run"]) == (0, True)
    look = """
        select a.password_hash, m.role::text as role from staff_accounts a
        join bar_members m on m.account_id = a.id where username = $1
    """
    assert await rt.db.fetchrow(look, "wanjiku") is None
    assert (await installed(*words, "--json", typed=TYPED)).code == 0
    row = await rt.db.fetchrow(look, "wanjiku")
    assert row is not None
    assert row["role"] == "manager"
    assert HASHER.verify(row["password_hash"], PASSWORD)
    twice = await installed(*words, "--json", typed=TYPED)
    assert (twice.code, len(twice.object["errors"])) == (9, 1)


@pytest.mark.parametrize(
    ("words", "typed", "code"),
    [
        (("--bar", "nowhere"), TYPED, 5),
        (("--bar", "{bar}", "--role", "king"), TYPED, 2),
        ((), TYPED, 2),
        (("--bar", "{bar}"), "", 2),
        (("--bar", "{bar}"), "short\n", 2),
    ],
)
async def test_people_who_cannot_be_added_are_not(
    installed: Kaunta, bar: SeededBar, rt: Runtime, words: tuple[str, ...], typed: str, code: int
) -> None:
    filled = [word.replace("{bar}", bar.slug) for word in words]
    said = await installed("user", "add", "someone", *filled, "--json", typed=typed)
    assert said.code == code, said
    assert said.object["errors"]
    assert await rt.db.fetchval("select count(*) from staff_accounts where username = 'someone'") == 0


async def test_a_bar_is_added_with_cards_for_its_tables(installed: Kaunta, bar: SeededBar, rt: Runtime) -> None:
    words = ("bar", "add", "Kwa Otieno", "--tables", "2")
    dry = await installed(*words, "--dry-run", "--json")
    assert dry.data["tables"] == []
    assert await rt.db.fetchval("select count(*) from bars") == 1
    said = await installed(*words, "--json")
    assert (said.code, said.data["slug"], len(said.data["tables"])) == (0, "kwa-otieno", 2)
    assert all("/b/kwa-otieno/t/" in card for card in said.data["tables"])
    assert not await rt.db.fetchval("select mpesa_enabled from bars where slug = 'kwa-otieno'")
    listed = await installed("bar", "list")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["kwa-otieno", bar.slug]
    twice = await installed(*words, "--json")
    assert (twice.code, len(twice.object["errors"])) == (9, 1)


async def test_a_keyring_entry_is_new_each_time_and_opens_what_it_sealed(installed: Kaunta) -> None:
    first, second = [(await installed("keys", "generate", "--json")).data["entry"] for _ in range(2)]
    assert first != second
    Keyring.parse(first)
    plain = (await installed("keys", "generate", "--name", "k2")).out.strip()
    assert plain.startswith("k2:")
    said = await installed("keys", "generate", "--name", "no spaces", "--json")
    assert (said.code, len(said.object["errors"])) == (2, 1)


async def test_codes_are_explained_in_both_languages_without_a_database(installed: Kaunta) -> None:
    nothing: dict[str, Any] = {"KAUNTA_DATABASE_URL": None, "KAUNTA_KEYS": None, "KAUNTA_MODE": None}
    english = (await installed("codes", "explain", "1037", "--json", **nothing)).data
    assert (english["class"], english["money_may_have_moved"]) == ("NO_ANSWER", True)
    swahili = (await installed("codes", "explain", "1037", "--lang", "sw", "--json", **nothing)).data
    assert swahili["guest"] != english["guest"]
    unknown = await installed("codes", "explain", "7777", "--json", **nothing)
    assert (unknown.code, unknown.data["class"]) == (3, "UNKNOWN")
    assert len((await installed("codes", "list", "--json", **nothing)).data) == len(ROWS)

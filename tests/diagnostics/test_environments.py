"""`kaunta env`: every variable, the file to fill in, and two hosts side by side by fingerprints alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kaunta.access.api_keys import Scope, add_api_key
from kaunta.core.db import transaction
from kaunta.core.entropy import Entropy
from kaunta.core.vault import generate_entry
from kaunta.diagnostics.environment import given_by
from kaunta.settings import Settings, variable
from tests.cli.conftest import Kaunta
from tests.docs.pages import ROOT
from tests.support.door import Served

SECRET = "a-word-nobody-says"
BASE = {
    "KAUNTA_MODE": "production",
    "KAUNTA_DATABASE_URL": f"postgresql://kaunta:{SECRET}@db/kaunta",
    "KAUNTA_PUBLIC_URL": "https://pay.example.co.ke",
    "KAUNTA_DATABASE_POOL": "16",
}
Write = Callable[..., str]


@pytest.fixture
def keys() -> tuple[str, str]:
    """Two keyrings of one key each, under the same name."""
    return generate_entry(Entropy(), "k1"), generate_entry(Entropy(), "k1")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("a.env", NAME=value)`: an environment file; its path."""

    def file(name: str, **variables: str) -> str:
        path = tmp_path / name
        path.write_text("# made by a test\n" + "".join(f'export {n}="{v}"\n' for n, v in variables.items()))
        return str(path)

    return file


@pytest.mark.req("FIX-2.5")
async def test_every_variable_is_listed_and_what_is_wrong_ends_with_three(
    kaunta: Kaunta, keys: tuple[str, str]
) -> None:
    good = BASE | {"KAUNTA_KEYS": keys[0]}
    said = await kaunta("env", "list", "--json", **good)
    assert said.code == 0
    assert {one["name"] for one in said.data} == {variable(name) for name in Settings.model_fields}
    told = {one["name"]: one for one in said.data}
    assert told["KAUNTA_KEYS"]["secret"]
    assert told["KAUNTA_KEYS"]["shape"] == f"set, {len(keys[0])} characters: letters, digits, signs"
    assert len(told["KAUNTA_DATABASE_URL"]["fingerprint"]) == 12
    assert told["KAUNTA_SEAL_KEY"]["shape"] == "not set"
    wrong = await kaunta("env", "list", **(good | {"KAUNTA_DATABASE_POOL": SECRET, "KAUNTA_MODE": ""}))
    assert wrong.code == 3
    assert "KAUNTA_DATABASE_POOL" in wrong.out
    for each in (said, wrong):
        assert SECRET not in each.out + each.err
        assert keys[0][3:9] not in each.out


async def test_the_template_is_the_example_file(kaunta: Kaunta) -> None:
    said = await kaunta("env", "template")
    assert (said.code, said.out.rstrip()) == (0, (ROOT / ".env.example").read_text(encoding="utf-8").rstrip())


@pytest.mark.req("FIX-1.3", "FIX-2.4", "FIX-8.5")
async def test_two_hosts_of_one_installation_have_the_same_but_what_may_differ(
    kaunta: Kaunta, keys: tuple[str, str], write: Write
) -> None:
    a = write("a.env", **BASE, KAUNTA_KEYS=keys[0])
    b = write("b.env", **(BASE | {"KAUNTA_DATABASE_POOL": "32"}), KAUNTA_KEYS=keys[0], KAUNTA_LOG_FORMAT="json")
    said = await kaunta("env", "compare", a, b, "--json")
    assert (said.code, said.data["same_key"]) == (0, True)
    assert {one["variable"] for one in said.data["differences"] if one["expected"]} == {
        "KAUNTA_DATABASE_POOL", "KAUNTA_LOG_FORMAT",
    }  # fmt: skip
    assert set(said.data["same"]) == {"KAUNTA_MODE", "KAUNTA_DATABASE_URL", "KAUNTA_PUBLIC_URL"}


@pytest.mark.req("FIX-1.3", "FIX-2.4", "FIX-3.2", "FIX-P2")
async def test_another_key_under_the_same_name_is_the_difference(
    kaunta: Kaunta, keys: tuple[str, str], write: Write
) -> None:
    a, b = write("a.env", **BASE, KAUNTA_KEYS=keys[0]), write("b.env", **BASE, KAUNTA_KEYS=keys[1])
    said = await kaunta("env", "compare", a, b, "--json")
    assert (said.code, said.data["same_key"]) == (3, False)
    assert {one["variable"] for one in said.data["differences"]} == {"KAUNTA_KEYS"}
    assert "another key under that name" in said.data["differences"][0]["what"]
    other_name = write("c.env", **BASE, KAUNTA_KEYS=keys[0].replace("k1:", "k2:"))
    renamed = await kaunta("env", "compare", a, other_name)
    assert renamed.code == 3
    assert "the same key is k1 at" in renamed.out
    other_value = write("d.env", **(BASE | {"KAUNTA_DATABASE_URL": "postgresql://else/where"}), KAUNTA_KEYS=keys[0])
    differs = await kaunta("env", "compare", a, other_value, "--json")
    assert differs.code == 3
    assert [one["variable"] for one in differs.data["differences"]] == ["KAUNTA_DATABASE_URL"]
    for each in (said, renamed, differs):
        assert SECRET not in each.out
        assert all(key[3 + at : 9 + at] not in each.out for key in keys for at in range(0, 36, 6))


@pytest.mark.req("FIX-8.3", "FIX-8.5")
async def test_between_environments_values_differ_and_what_is_set_does_not(
    kaunta: Kaunta, keys: tuple[str, str], write: Write
) -> None:
    here = {"KAUNTA_MODE": "development", "KAUNTA_DATABASE_URL": "postgresql://kaunta@127.0.0.1/kaunta"}
    a = write("a.env", **BASE, KAUNTA_KEYS=keys[0], KAUNTA_MAX_AMOUNT="1000")
    b = write("b.env", **here, KAUNTA_KEYS=keys[1])
    said = await kaunta("env", "compare", a, b, "--json")
    assert said.code == 3
    unexpected = [one for one in said.data["differences"] if not one["expected"]]
    assert [one["variable"] for one in unexpected] == ["KAUNTA_MAX_AMOUNT"]
    assert all(one["why"] for one in said.data["differences"] if one["expected"])
    real = write("c.env", **here, KAUNTA_KEYS=keys[0], KAUNTA_MAX_AMOUNT="1000")
    leaked = await kaunta("env", "compare", a, real, "--json")
    assert leaked.code == 3
    assert "opens where one develops" in leaked.data["differences"][0]["what"]


@pytest.mark.req("FIX-2.4", "FIX-8.5")
async def test_a_live_host_is_compared_by_what_it_tells_an_administrators_key(
    kaunta: Kaunta, application: Served, settings: Settings, write: Write, tmp_path: Path
) -> None:
    rt = application.rt
    key_file = tmp_path / "key"

    async def live(scopes: list[Scope], **other: str) -> dict[str, object]:
        async with transaction(rt.db) as db:
            key_file.write_text(await add_api_key(db, rt, "a host", None, scopes, by="test"))
        assert settings.keys is not None
        same = {"KAUNTA_MODE": "development", "KAUNTA_KEYS": settings.keys.get_secret_value()} | other
        said = await kaunta(
            "env", "compare", write("a.env", **same), application.url, "--json", "--token-file", str(key_file)
        )
        assert settings.keys.get_secret_value()[8:20] not in said.out + said.err
        return {"code": said.code, "data": said.json["data"]}

    found = await live(["diagnostics"], KAUNTA_QUERIES_PER_MINUTE="1000.0")
    data = found["data"]
    assert isinstance(data, dict)
    assert data["same_key"]
    assert {"KAUNTA_MODE", "KAUNTA_QUERIES_PER_MINUTE"} == set(data["same"])
    assert "KAUNTA_DATABASE_URL" in {one["variable"] for one in data["differences"]}
    other = await live(["diagnostics"], KAUNTA_KEYS=generate_entry(Entropy(), "test"))
    assert isinstance(other["data"], dict)
    assert not other["data"]["same_key"]
    assert "KAUNTA_MODE" in other["data"]["not_comparable"]
    assert (await live(["payments:read"]))["code"] == 6
    for wrong, code in (("http://10.0.0.1", 2), ("http://127.0.0.1:1", 8), (str(tmp_path / "nothing"), 5)):
        said = await kaunta("env", "compare", ".", wrong, "--json", "--token-file", str(key_file))
        assert said.code == code, wrong
    assert (await kaunta("env", "compare", ".", application.url, "--json")).code == 2


async def test_an_api_key_for_comparing_is_shown_once_and_taken_back(
    kaunta: Kaunta, application: Served, settings: Settings, tmp_path: Path
) -> None:
    here = given_by(settings)
    made = await kaunta("env", "add-key", "the other host", "--json", **here)
    key_file = tmp_path / "key"
    key_file.write_text(made.data["key"])
    words = ("env", "compare", ".", application.url, "--token-file", str(key_file), "--json")
    same = await kaunta(*words, **here)
    assert (same.code, same.data["same_key"], same.data["differences"]) == (0, True, [])
    assert "KAUNTA_DATABASE_URL" in same.data["same"]
    assert (await kaunta("env", "revoke-key", "the other host", **here)).code == 0
    assert (await kaunta(*words, **here)).code == 6
    assert (await kaunta("env", "revoke-key", "the other host", **here)).code == 5

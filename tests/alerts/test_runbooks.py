"""Each kind of problem has its page, and each command of the pages is run, on an installation with a bar and keys."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from kaunta.alerts.runbooks import FOLDER, kinds, runbook
from kaunta.core import migrate
from kaunta.core.db import connect
from kaunta.core.embedded_postgres import EmbeddedPostgres
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from kaunta.settings import Settings
from kaunta.staff.words import PROBLEMS
from tests.alerts.kinds import every_kind
from tests.cli.conftest import Kaunta
from tests.crash.forks import environment
from tests.docs.pages import ROOT
from tests.plugins.databases import FOLDER_PREFIX, place
from tests.support.bars import SeededBar

MAINTENANCE = ROOT / "docs/runbooks"
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SAYS = re.compile(r"kaunta (?P<words>.*?)\s*(# exit (?P<codes>[0-9, or]+))?")
#: What every command that only looks may end with: all is well, or something was found.
LOOKED = {0, 3}


def commands(page: Path) -> list[tuple[tuple[str, ...], set[int]]]:
    """What a page has its reader run, and how it may end."""
    found = []
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines() if not language else ():
            said = SAYS.fullmatch(line.strip())
            assert said is not None, (page.name, line)
            codes = {int(code) for code in re.findall(r"[0-9]+", said["codes"] or "")}
            found.append((tuple(said["words"].split()), codes or LOOKED))
    return found


@pytest.mark.req("FIX-6.4", "FIX-6.5")
def test_every_kind_has_a_runbook_and_every_runbook_a_kind() -> None:
    assert set(kinds()) == every_kind()


@pytest.mark.parametrize("kind", kinds())
def test_a_runbook_says_what_it_means_what_to_do_and_when_it_is_over(kind: str) -> None:
    page = runbook(kind)
    assert page is not None
    assert re.findall(r"^## (.+)$", page.body, re.MULTILINE) == ["Now", "It is over when"]
    meaning, _, rest = page.body.partition("## Now")
    assert len(meaning.split()) >= 8
    assert "\n1. " in rest
    assert commands(FOLDER / f"{kind}.md")
    # The counter and the mail say the same words.
    assert PROBLEMS.get(kind, page.title) == page.title


@pytest.fixture(scope="session")
def keyring_entry() -> str:
    """The pages' first key is called k1."""
    return generate_entry(Entropy(), "k1")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server that a worker would run on: it keeps what it commits, and is nobody's throw-away. One migrated database
    in it is the template of the tests'."""
    folder = place() / f"{FOLDER_PREFIX}{secrets.token_hex(6)}"
    postgres = EmbeddedPostgres(folder, settings={"cluster_name": "runbooks", "max_connections": "60"})
    postgres.start()
    try:
        asyncio.run(make_template(postgres))
        yield postgres
    finally:
        postgres.discard()


async def make_template(postgres: EmbeddedPostgres) -> None:
    async with connect(postgres.url()) as db:
        await db.execute("create database migrated")
    await migrate.upgrade(postgres.url("migrated"))


@pytest_asyncio.fixture
async def database_url(server: EmbeddedPostgres) -> str:
    name = f"kaunta_{secrets.token_hex(4)}"
    async with connect(server.url()) as db:
        await db.execute(f"create database {name} template migrated strategy file_copy")
    return server.url(name)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a place for backups, and seals."""
    return Settings.model_validate(
        {name: getattr(settings, name) for name in settings.model_fields_set}
        | {
            "recovery_key": generate_entry(Entropy(), "r1"),
            "backup_folder": str(tmp_path / "backups"),
            "seal_key": generate_entry(Entropy(), "s1"),
            "seal_folder": str(tmp_path / "seals"),
        }
    )


@pytest.fixture
def installed(rt: Runtime, bar: SeededBar, settings: Settings) -> Kaunta:
    assert bar.slug == "mama-njeris-bar"
    return Kaunta(environment(settings))


@pytest.mark.req("FIX-6.5", "FIX-3.1", "FIX-5.1")
async def test_every_command_of_the_runbooks_and_of_the_page_on_alerts_is_run(
    installed: Kaunta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (await installed("backup", "create")).code == 0
    pages = [*(FOLDER / f"{kind}.md" for kind in kinds()), ROOT / "docs/how-to/alerts.md"]
    wanted = {words: codes for page in pages for words, codes in commands(page)}
    assert len(wanted) >= 20
    for words, codes in sorted(wanted.items()):
        said = await installed(*words)
        assert said.code in codes, (words, said.code, said.out[-2000:], said.err[-2000:])


@pytest.mark.req("FIX-6.5", "FIX-5.3", "FIX-7.4")
@pytest.mark.parametrize("page", sorted(path.stem for path in MAINTENANCE.glob("*.md") if path.stem != "README"))
async def test_maintenance_is_done_as_its_page_says(
    installed: Kaunta, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if page == "restore-drill":
        assert (await installed("backup", "create")).code == 0
    told = dict(installed.environment)
    for words, codes in commands(MAINTENANCE / f"{page}.md"):
        said = await Kaunta(told)(*words)
        assert said.code in codes, (words, said.code, said.out[-2000:], said.err[-2000:])
        if words[:2] == ("keys", "generate"):
            told["KAUNTA_KEYS"] = f"{said.out.strip()},{told['KAUNTA_KEYS']}"

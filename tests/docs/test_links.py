"""Every link in the Markdown files leads somewhere, and every command they name exists."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from kaunta.cli.main import app
from tests.tracked_files import ROOT, tree

PAGES = [path for path in tree() if path.suffix == ".md"]
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|`)kaunta ((?:[a-z][a-z0-9]*(?:-[a-z0-9]+)* ?)+)", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its code."""
    return CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))


def links(page: Path) -> Iterator[str]:
    yield from (target for target in LINK.findall(prose(page)) if not re.match(r"[a-z]+:", target))


def anchors(page: Path) -> set[str]:
    """The names that headings go by in an address."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    dead = []
    for link in links(page):
        name, _, anchor = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_pages_are_found_and_have_links() -> None:
    assert {"README.md", "CONTRIBUTING.md"} <= {str(page.relative_to(ROOT)) for page in PAGES}
    assert sum(len(list(links(page))) for page in PAGES) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_a_page_names_exists(page: Path) -> None:
    """`kaunta bar add` in code or a block is a command of this version, as far as its words are commands."""
    text = page.read_text(encoding="utf-8")
    code = "\n".join(FENCE.findall(text) + CODE.findall(text))
    unknown = {f"kaunta {words}" for words in COMMAND.findall(code) if not is_command(words.split())}
    assert unknown == set()


def is_command(words: list[str]) -> bool:
    command = get_command(app)
    for word in words:
        found = getattr(command, "commands", {}).get(word)
        if found is None:
            # What follows a command is its arguments; a group needs one of its own.
            return not hasattr(command, "commands")
        command = found
    return True


def test_help_is_there_for_the_whole_tree() -> None:
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0

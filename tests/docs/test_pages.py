"""The generated pages say what the program does, and the table of the HTTP interface names every door."""

import re
from pathlib import Path

import pytest

from kaunta.diagnostics.variables import template
from kaunta.settings import Mode, Settings, load, variable
from tests.docs.pages import PAGES, ROOT
from tests.doors import doors
from tests.support.door import Served

HTTP_API = ROOT / "docs/reference/http-api.md"
#: Files for pages and the schema: no doors.
NO_DOOR = ("/static", "/openapi.json")


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (ROOT / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), f"{name} is stale: run `python -m tests.docs.pages`"


def test_the_example_environment_is_one_that_loads_once_it_is_filled_in() -> None:
    lines = [line.removeprefix("#") for line in template().splitlines() if re.match(r"#?[A-Z0-9_]+=", line)]
    environ = dict(line.split("=", 1) for line in lines)
    assert set(environ) == {variable(name) for name in Settings.model_fields}
    filled = environ | {
        "KAUNTA_DATABASE_URL": "postgresql://kaunta@localhost/kaunta",
        "KAUNTA_KEYS": "k1:key",
        "KAUNTA_PUBLIC_URL": "https://pay.example.co.ke",
    }
    assert load(filled, needs=("mode", "database_url", "keys")).mode is Mode.PRODUCTION


def named_doors(page: Path) -> set[str]:
    """Method and path of each row that begins like `| `GET /healthz` |`; one row may name several."""
    rows = [line.split("|")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {door for row in rows for door in re.findall(r"`([A-Z]+ /\S*)`", row)}


async def test_every_door_is_in_the_table_and_every_row_is_a_door(application: Served) -> None:
    assert named_doors(HTTP_API) == {door for door in doors(application.app) if not door.split()[1].startswith(NO_DOOR)}

"""The generated pages say what the program does, and the table of the HTTP interface names every door."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Route

from kaunta.api import bars, callback, health, payments
from kaunta.customer.routes import router as customer
from kaunta.settings import Mode, Settings, load
from kaunta.staff.routes import router as staff
from tests.docs.pages import PAGES, ROOT
from tests.docs.settings_page import env_example

HTTP_API = ROOT / "docs/reference/http-api.md"
#: Files for pages and the schema: no doors.
NO_DOOR = ("/static", "/openapi.json")


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (ROOT / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), f"{name} is stale: run `python -m tests.docs.pages`"


def test_the_example_environment_is_one_that_loads_once_it_is_filled_in() -> None:
    lines = [line.removeprefix("#") for line in env_example().splitlines() if re.match(r"#?KAUNTA_", line)]
    environ = dict(line.split("=", 1) for line in lines)
    assert set(environ) == {f"KAUNTA_{name.upper()}" for name in Settings.model_fields}
    filled = environ | {
        "KAUNTA_DATABASE_URL": "postgresql://kaunta@localhost/kaunta",
        "KAUNTA_KEYS": "k1:key",
        "KAUNTA_PUBLIC_URL": "https://pay.example.co.ke",
    }
    assert load(filled, needs=("mode", "database_url", "keys")).mode is Mode.PRODUCTION


def routes_of(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    """Every route, those of included routers too."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif included := getattr(route, "original_router", None):
            yield from routes_of(included.routes)


def doors() -> set[tuple[str, str]]:
    """Method and path of everything that answers."""
    routers = (health.router, payments.router, bars.router, customer, staff)
    routes = [*(route for router in routers for route in routes_of(router.routes)), *callback.routes]
    return {
        (method, route.path)
        for route in routes
        if not route.path.startswith(NO_DOOR)
        for method in (route.methods or set()) - {"HEAD"}
    }


def named_doors(page: Path) -> set[tuple[str, str]]:
    """Method and path of each row that begins like `| `GET /healthz` |`; one row may name several."""
    rows = [line.split("|")[1] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {(method, path) for row in rows for method, path in re.findall(r"`([A-Z]+) (/\S*)`", row)}


def test_every_door_is_in_the_table_and_every_row_is_a_door() -> None:
    assert named_doors(HTTP_API) == doors()

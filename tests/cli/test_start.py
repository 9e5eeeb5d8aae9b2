"""What a start does without: it stays as light as it was made (issue: start and weight). No clock is read here."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.script import ScriptDirectory

from kaunta.api import bars, diagnostics, health, mpesa_direct, mpesa_settings, payments, webhooks
from kaunta.cli import collecting
from kaunta.core import migrate
from kaunta.core.routes import LateRoute
from kaunta.core.schema_upgrade import alembic_config
from kaunta.customer.routes import router as guests
from kaunta.staff.routes import router as counter

#: What only some commands need, and what they are needed for.
NEVER_AT_START = {
    "alembic": "db upgrade",
    "sqlalchemy": "db upgrade",
    "mako": "db upgrade",
    "boto3": "backups in a bucket",
    "botocore": "backups in a bucket",
    "openpyxl": "the simulator's statements",
    "phonenumbers": "nothing that runs",
    "cryptography.x509": "Safaricom's certificate, at the first refund",
    "opentelemetry.sdk": "traces, where they are switched on",
    "kaunta.adopt": "db adopt",
    "kaunta.demo": "demo",
    "kaunta.simulator": "demo, simulator",
}
#: What `--help` needs none of.
NEVER_FOR_HELP = {
    "asyncio",
    "asyncpg",
    "aiohttp",
    "fastapi",
    "jinja2",
    "pydantic",
    "rich",
    "structlog",
    "kaunta.settings",
}


def loaded_by(module: str) -> set[str]:
    """The modules that a fresh Python has loaded once it has imported this one."""
    script = f"import sys, {module}; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def test_serving_imports_nothing_that_only_some_commands_need() -> None:
    loaded = loaded_by("kaunta.app, kaunta.server, kaunta.worker")
    assert "kaunta.staff.routes" in loaded
    assert not loaded & NEVER_AT_START.keys()


def test_the_tree_of_commands_imports_nothing_that_they_need() -> None:
    loaded = loaded_by("kaunta.cli.main")
    assert "kaunta.cli.serve" in loaded
    assert not loaded & (NEVER_AT_START.keys() | NEVER_FOR_HELP)


def test_the_revisions_known_by_their_files_are_alembics() -> None:
    walked = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]
    assert list(migrate.revisions()) == walked[::-1]


def test_every_route_can_be_made_when_it_is_asked_for() -> None:
    doors = (bars, diagnostics, health, mpesa_direct, mpesa_settings, payments, webhooks)
    routes = [route for door in doors for route in door.router.routes] + [*guests.routes, *counter.routes]
    late = [route for route in routes if isinstance(route, LateRoute)]
    assert len(late) > 150
    for route in late:
        assert route.dependant.call is route.endpoint
        assert route.path == route.path_format or ":" in route.path
    assert len({(route.path, method) for route in late for method in route.methods or ()}) == len(late)


def test_a_late_route_lacks_what_no_route_has() -> None:
    route = LateRoute("/here", test_a_late_route_lacks_what_no_route_has, methods=["post"], include_in_schema=False)
    assert (route.methods, route.include_in_schema) == ({"POST"}, False)
    assert not hasattr(route, "nothing_of_the_kind")
    assert route.unique_id.endswith("_post")


@pytest.fixture
def collector() -> Iterator[None]:
    """Python's collector, put back as it was."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collector")
def test_the_collector_waits_for_the_start_and_passes_over_it_afterwards() -> None:
    collecting.start()
    assert gc.get_threshold()[0] == collecting.WHILE_STARTING
    collecting.serve()
    assert gc.get_threshold() == collecting.WHILE_SERVING
    assert gc.get_freeze_count() > 10_000

"""What every test can ask for. Each part says for itself what it gives."""

import logging
from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = [
    "tests.plugins.loopback",
    "tests.plugins.databases",
    "tests.plugins.prove",
    "tests.support.runtime",
    "tests.support.safaricom",
    "tests.support.bars",
    "tests.support.door",
]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command sends the process's logs to its own stderr, which a later test would find closed."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)

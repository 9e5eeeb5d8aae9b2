"""The machine's world for a test: one loop for all its examples, one cluster, a seed that can be given."""

import asyncio
from collections.abc import Iterator
from random import SystemRandom

import pytest
import uvloop

from tests.plugins.databases import Databases

from .house import World


@pytest.fixture
def world(databases: Databases, keyring_entry: str, password_hash: str) -> Iterator[World]:
    """One loop for all examples of a run."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield World(runner, databases, keyring_entry, password_hash)


@pytest.fixture
def number(request: pytest.FixtureRequest) -> int:
    """The run's seed: another each time, unless `--hypothesis-seed` says which."""
    said = request.config.getoption("--hypothesis-seed")
    return SystemRandom().randrange(10**9) if said in (None, "random") else int(str(said))

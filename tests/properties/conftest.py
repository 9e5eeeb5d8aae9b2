"""The machine's world for a test: one loop for all its examples, one cluster, a seed that can be given."""

import asyncio
from collections.abc import Iterator
from random import SystemRandom

import pytest
import uvloop

from tests.plugins.databases import Databases

from .house import World

#: The tests' seed.
THE_SAME_EVENINGS = 1


@pytest.fixture
def world(databases: Databases, keyring_entry: str, password_hash: str) -> Iterator[World]:
    """One loop for all examples of a run."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield World(runner, databases, keyring_entry, password_hash)


@pytest.fixture
def number(request: pytest.FixtureRequest) -> int:
    """The run's seed, as `--hypothesis-seed` says. Else the proofs look for something new each time, and the tests live
    through the same evenings."""
    said = request.config.getoption("--hypothesis-seed")
    if said not in (None, "random"):
        return int(str(said))
    fresh = said == "random" or request.node.get_closest_marker("prove") is not None
    return SystemRandom().randrange(10**9) if fresh else THE_SAME_EVENINGS

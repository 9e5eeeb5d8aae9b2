"""No shilling lost: evenings of everything that can go wrong, in any order, over the real database.

The machine's rules are in guests.py, letters.py, counter.py and trouble.py; what must hold after each step in books.py,
and in the end in reconciliation.py.
"""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.plugins.databases import Databases
from tests.plugins.prove import Proof

from .house import World
from .soak import live_through


@pytest.fixture
def world(databases: Databases, keyring_entry: str, password_hash: str) -> Iterator[World]:
    """One loop for all examples of a run."""
    with asyncio.Runner() as runner:
        yield World(runner, databases, keyring_entry, password_hash)


def test_no_shilling_is_lost(world: World) -> None:
    live_through(world, examples=25, steps=20)


@pytest.mark.prove
def test_no_shilling_is_lost_in_two_hundred_evenings(world: World, proof: Proof) -> None:
    started = time.monotonic()
    live_through(world, examples=200, steps=50)
    for what, count in world.figures.items():
        proof(f"money machine: {what}", f"{count:,}")
    proof("money machine: seconds", round(time.monotonic() - started))

"""Settings, a clock that moves when told to, and a runtime on the test's own database.

A test marked `clock_factor(60)` gets the wall's clock instead, that many times faster: for what must really run by
itself, like the worker.
"""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from kaunta.core.clock import Clock, ManualClock
from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime, running
from kaunta.core.vault import generate_entry
from kaunta.settings import Settings, load
from kaunta.simulator.testing import FRIDAY_EVENING, RunningSimulator


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "clock_factor(factor): the wall's clock, this many times faster")


@pytest.fixture(scope="session")
def keyring_entry() -> str:
    """One key for a whole run, as KAUNTA_KEYS says it."""
    return generate_entry(Entropy(), "test")


@pytest.fixture
def public_socket() -> Iterator[socket.socket]:
    """The address the application will have: taken, and refusing connections until the application listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> Clock:
    """A Friday evening that stands still; with the marker `clock_factor`, the present in a hurry."""
    marker = request.node.get_closest_marker("clock_factor")
    return ManualClock(FRIDAY_EVENING) if marker is None else Clock(float(marker.args[0]))


@pytest.fixture
def settings(
    database_url: str,
    keyring_entry: str,
    public_socket: socket.socket,
    simulator: RunningSimulator,
    clock: Clock,
    tmp_path: Path,
) -> Settings:
    """Development, with both of Daraja's hosts at the simulator."""
    return load(
        {
            "KAUNTA_MODE": "development",
            "KAUNTA_DATABASE_URL": database_url,
            "KAUNTA_KEYS": keyring_entry,
            "KAUNTA_PUBLIC_URL": f"http://127.0.0.1:{public_socket.getsockname()[1]}",
            "KAUNTA_DARAJA_SANDBOX_URL": simulator.url,
            "KAUNTA_DARAJA_PRODUCTION_URL": simulator.url,
            "KAUNTA_CALLBACK_SOURCES": "off",
            "KAUNTA_QUERIES_PER_MINUTE": "1000",
            "KAUNTA_CLOCK_FACTOR": str(clock.factor),
            "KAUNTA_DATA_FOLDER": str(tmp_path / "data"),
            "KAUNTA_SPOOL_FOLDER": str(tmp_path / "spool"),
            "KAUNTA_SANDBOX_CERTIFICATE": str(tmp_path / "safaricom.pem"),
        },
        needs=("mode", "database_url", "keys"),
    )


@pytest_asyncio.fixture
async def rt(settings: Settings, clock: Clock) -> AsyncIterator[Runtime]:
    """A runtime that sends hints and does not listen: a second process beside the served one."""
    async with running(settings, listen=False, clock=clock) as runtime:
        yield runtime

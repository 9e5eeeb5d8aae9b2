"""The fixture `stage`, and the public address that a process, its successor and its successor's successor share."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from kaunta.core.clock import ManualClock
from kaunta.core.runtime import Runtime
from kaunta.payments.under_way import Pushes
from kaunta.settings import Settings
from tests.crash.forks import Forks
from tests.crash.stage import Stage
from tests.plugins.prove import Proof
from tests.support.bars import SeededBar
from tests.support.door import Served, served
from tests.support.safaricom import Safaricom


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """One process that forks, for all crash tests of a run."""
    started = Forks.start(tmp_path_factory.mktemp("crash") / "errors")
    yield started
    started.stop()


@pytest.fixture
def public_socket() -> Iterator[socket.socket]:
    """Holds the address without listening, so that whoever listens next may bind it too."""
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture
def kind_of_stage() -> type[Stage]:
    """What the scenes are played on."""
    return Stage


@pytest.fixture(params=["share", pytest.param("full", marks=pytest.mark.prove)])
def stage(
    settings: Settings,
    clock: ManualClock,
    rt: Runtime,
    pushes: Pushes,
    simulator: Safaricom,
    bar: SeededBar,
    forks: Forks,
    kind_of_stage: type[Stage],
    proof: Proof,
    request: pytest.FixtureRequest,
) -> Stage:
    """A bar whose program dies and is started again."""

    @asynccontextmanager
    async def restarted() -> AsyncIterator[Served]:
        with socket.socket() as at:
            at.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            at.bind(("127.0.0.1", int(settings.public_url.rpartition(":")[2])))
            async with served(settings, clock, at, worker=False) as running:
                yield running

    name = request.node.originalname.removeprefix("test_").replace("_", " ")

    def tell(died: int, steps: int) -> None:
        proof(f"crash: {name}", f"{died} deaths over {steps} I/O steps, nothing lost")

    return kind_of_stage(
        settings, clock, rt, pushes, simulator, bar, forks, restarted, full=request.param == "full", tell=tell
    )

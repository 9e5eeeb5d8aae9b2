import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.testing import RunningSimulator, running_simulator

from .merchant import Merchant, Till
from .staging import Stage

SAMPLES = Path(__file__).parent.parent / "daraja" / "samples"


@pytest.fixture
def sample() -> Callable[[str], Any]:
    """A published payload by its file name."""
    return lambda name: json.loads((SAMPLES / f"{name}.json").read_text())["payload"]


@pytest.fixture
def options(request: pytest.FixtureRequest) -> SimulatorOptions:
    """The options of the simulator; a test names others by indirect parametrization."""
    chosen: SimulatorOptions = getattr(request, "param", SimulatorOptions(seed=7))
    return chosen


@pytest.fixture
async def safaricom(options: SimulatorOptions) -> AsyncIterator[RunningSimulator]:
    """A simulator whose time stands still."""
    async with running_simulator(options, manual=True) as running:
        yield running


@pytest.fixture
def simulator(safaricom: RunningSimulator) -> Simulator:
    return safaricom.simulator


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    merchant = Merchant()
    app = web.Application(client_max_size=10_000_000)
    app.router.add_post("/{path:.*}", merchant.take)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    merchant.url = f"http://127.0.0.1:{runner.addresses[0][1]}/cb/5f3a"
    yield merchant
    await runner.cleanup()


@pytest.fixture
async def till(safaricom: RunningSimulator, merchant: Merchant) -> AsyncIterator[Till]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        till = Till(session, safaricom.url, merchant.url)
        await till.sign_in()
        yield till


@pytest.fixture
def stage(till: Till, merchant: Merchant, simulator: Simulator) -> Stage:
    """A till and its merchant, ready for anything that Safaricom does."""
    return Stage(till, merchant, simulator)

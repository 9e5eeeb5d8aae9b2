"""The pytest plugin: the fixture `daraja_simulator`, and the marker `daraja` for how it is set up.

    @pytest.mark.daraja(auto="person", strict=True)
    def test_a_guest_pays(daraja_simulator):
        my_shop(base_url=daraja_simulator.url).ask_for(100)
        daraja_simulator.settle()

It is loaded wherever Kaunta is installed, so it imports nothing of the simulator until a test wants one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kaunta.simulator.options import SimulatorOptions
    from kaunta.simulator.testing import DarajaSimulator


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "daraja(running=False, **options): how daraja_simulator is set up, with fields of SimulatorOptions; "
        "running=True lets time pass by itself",
    )


@pytest.fixture
def daraja_options() -> "SimulatorOptions | None":
    """How `daraja_simulator` is set up where no marker says so; override it for a whole module or suite."""
    return None


@pytest.fixture
def daraja_simulator(
    request: pytest.FixtureRequest, daraja_options: "SimulatorOptions | None"
) -> "Iterator[DarajaSimulator]":
    """A Safaricom of this test's own, on a free loopback port (`.url`), whose time stands still.

    `settle()` or `advance(seconds)`, in an asynchronous test `await settled()`, lets customers act and callbacks go.
    """
    from dataclasses import replace

    from kaunta.simulator.options import SimulatorOptions
    from kaunta.simulator.testing import DarajaSimulator

    marker = request.node.get_closest_marker("daraja")
    asked = dict(marker.kwargs) if marker else {}
    running = bool(asked.pop("running", False))
    try:
        options = replace(daraja_options or SimulatorOptions(), **asked)
        simulator = DarajaSimulator(options, running=running)
    except (TypeError, ValueError) as wrong:
        raise pytest.UsageError(f"@pytest.mark.daraja: {wrong}") from None
    with simulator:
        yield simulator

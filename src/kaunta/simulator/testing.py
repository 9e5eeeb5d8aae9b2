"""The simulator inside a test: on a free loopback port, in the test's own loop, with its insides at hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from kaunta.simulator.app import create_simulator
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.courier import Courier
from kaunta.simulator.host import Host
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.simulator import Simulator

#: Where a manual clock starts unless told otherwise: a Friday evening in Nairobi.
FRIDAY_EVENING = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A simulator that listens. `simulator` is the thing itself, `url` the base URL of its APIs."""

    host: Host

    @property
    def url(self) -> str:
        return self.host.url

    @property
    def simulator(self) -> Simulator:
        return self.host.simulator

    async def stop_listening(self) -> None:
        """New connections are refused from now; nothing is forgotten."""
        await self.host.refuse()

    async def listen_again(self) -> None:
        await self.host.accept()


@asynccontextmanager
async def running_simulator(
    options: SimulatorOptions | None = None,
    *,
    manual: bool = False,
    clock: SimulatedTime | None = None,
    courier: Courier | None = None,
    port: int = 0,
) -> AsyncIterator[RunningSimulator]:
    """A simulator on a loopback port while the block runs.

    With `manual`, its time stands still: nothing happens until `simulator.settle()` or `simulator.advance(seconds)`.
    """
    if clock is None and manual:
        clock = SimulatedTime(options.clock_factor if options else 1.0, start=FRIDAY_EVENING)
    host = Host(create_simulator(options, clock=clock, courier=courier), port=port)
    await host.open()
    try:
        yield RunningSimulator(host)
    finally:
        await host.close()

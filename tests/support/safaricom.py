"""A stand-in for Safaricom on a loopback port, living on the test's clock.

`simulator.advance(seconds)` lets everybody's time pass; `simulator.simulator.settle()` lets whatever is due happen.
A queued scenario decides the next push's fate; without one the guest pays after four seconds.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import pytest_asyncio

from kaunta.app import daraja_client
from kaunta.core.clock import Clock, ManualClock
from kaunta.core.outbound import Outbound
from kaunta.core.runtime import Runtime
from kaunta.payments.under_way import Pushes
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.testing import RunningSimulator, running_simulator


class SharedTime(SimulatedTime):
    """The simulator's time where ours is a manual clock: one moment for both, moved by either."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        super().__init__(clock.factor, start=clock.now())

    def now(self) -> datetime:
        return self.clock.now()

    def move_to(self, moment: datetime) -> None:
        ahead = (moment - self.clock.now()).total_seconds() * self.factor
        if ahead > 0:
            self.clock.advance(ahead)


@dataclass(frozen=True, slots=True)
class Safaricom(RunningSimulator):
    """The running simulator, with the two moves of time at hand."""

    async def advance(self, seconds: float) -> None:
        """Let `seconds` of policy pass for everybody; what falls due on the phones happens, in order."""
        await self.simulator.advance(seconds)

    async def settle(self) -> None:
        """Let everything that is still to happen on the phones happen, moving time along."""
        await self.simulator.settle()


@pytest_asyncio.fixture
async def simulator(clock: Clock) -> AsyncIterator[Safaricom]:
    """Safaricom, listening; any shortcode and credentials are good ones."""
    time = SharedTime(clock) if isinstance(clock, ManualClock) else SimulatedTime(clock.factor)
    async with running_simulator(SimulatorOptions(clock_factor=clock.factor), clock=time) as running:
        yield Safaricom(running.host)


@pytest_asyncio.fixture
async def pushes(rt: Runtime) -> AsyncIterator[Pushes]:
    """The pushes of a process of its own, speaking to the simulator."""
    async with Outbound() as outbound:
        daraja = daraja_client(rt.settings, outbound, rt.clock)
        under_way = Pushes(daraja)
        yield under_way
        await under_way.drain()
        await daraja.close()

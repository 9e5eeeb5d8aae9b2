"""The house the machine lives in: one installation of Kaunta over its own database, a Safaricom beside it, one time.

A crash ends everything the process had in hand (pushes under way, callbacks half understood, open transactions) and
begins a new process on the same database and the same disk.
"""

import asyncio
import socket
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import structlog
from structlog.testing import capture_logs

from kaunta.app import build, daraja_client
from kaunta.core.clock import ManualClock
from kaunta.core.db import connect
from kaunta.core.entropy import Entropy
from kaunta.core.outbound import Outbound
from kaunta.core.runtime import Runtime, running
from kaunta.payments.under_way import Pushes
from kaunta.settings import Settings, load
from kaunta.simulator.app import create_simulator
from kaunta.simulator.host import Host
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.testing import FRIDAY_EVENING
from tests.plugins.databases import Databases
from tests.support.bars import OpenTab, SeededBar, open_tab, seed_bar
from tests.support.door import listening
from tests.support.relay import Relay
from tests.support.safaricom import SharedTime

from .safaricom import Asked, Door, Post

#: Real seconds after which whatever should go on by itself is stuck.
STUCK_SECONDS = 60.0
#: Half milliseconds that a callback may take to be understood before time goes on without it.
LOOKS = 40
TABS = (700, 3_500)


@dataclass(frozen=True, slots=True)
class World:
    """What all examples share: the loop, the cluster, and the figures that they add up to."""

    runner: asyncio.Runner
    databases: Databases
    keyring_entry: str
    password_hash: str
    #: Safaricom's certificate, made once: nobody opens what is sealed with it.
    certificates: list[bytes] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, by: int = 1) -> None:
        self.figures[what] = self.figures.get(what, 0) + by


@dataclass(slots=True)
class House:
    """`at_hand` is what belongs to the process and dies with it; the rest outlives a crash."""

    world: World
    clock: ManualClock
    post: Post
    heard: list[Asked]
    swallows: Counter[str]
    host: Host
    relay: Relay
    database_url: str
    socket: socket.socket
    settings: Settings
    entropy: Entropy
    eyes: "asyncpg.Connection[asyncpg.Record]"
    outside: AsyncExitStack
    logs: list[Any]
    #: Answers that Safaricom holds for processes that have died.
    ghosts: set[int] = field(default_factory=set)
    at_hand: AsyncExitStack = field(default_factory=AsyncExitStack)
    rt: Runtime = field(init=False)
    pushes: Pushes = field(init=False)
    bars: list[SeededBar] = field(default_factory=list)
    tabs: list[OpenTab] = field(default_factory=list)

    @property
    def simulator(self) -> Simulator:
        return self.host.simulator

    async def start(self) -> None:
        """A process begins."""
        self.at_hand = AsyncExitStack()
        enter = self.at_hand.enter_async_context
        self.rt = await enter(running(self.settings, listen=False, clock=self.clock, entropy=self.entropy))
        self.pushes = Pushes(daraja_client(self.settings, await enter(Outbound()), self.clock))
        await enter(listening(build(self.rt, self.pushes), self.socket))

    async def crash(self) -> None:
        """The process dies where it stands, and another begins."""
        self.rt.db.terminate()
        await self.end_tasks()
        self.ghosts.update(self.pauses())
        await self.at_hand.aclose()
        self.world.count("crashes")
        await self.start()

    async def end_tasks(self) -> None:
        """Nobody waits for anything any more. The lost connection may swallow a task's first cancellation."""
        while tasks := list(self.pushes.tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=0.02)
        await self.pushes.daraja.close()

    async def close(self) -> None:
        await self.end_tasks()
        await self.at_hand.aclose()
        await self.outside.aclose()

    @property
    def held(self) -> int:
        """Pushes that Safaricom has and does not answer before its time moves on."""
        return len(self.pauses() - self.ghosts)

    def pauses(self) -> set[int]:
        waiting = self.simulator.agenda.errands
        return {each.number for each in waiting if each.lane.startswith("pause") and not each.dropped}

    async def quiet(self) -> None:
        """Everything that can go on by itself has: what is left waits for Safaricom's time."""
        await self.until(lambda: len(self.pushes.tasks) <= self.held)

    async def understood(self) -> None:
        """The callbacks that were answered are dealt with, or wait for a tab that somebody holds."""
        for _ in range(LOOKS):
            if not any(understands(task) for task in self.pushes.tasks):
                return
            await asyncio.sleep(0.0005)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(STUCK_SECONDS):
            while not holds():
                # A task that ends wakes us; what else may change (Safaricom holds an answer) is looked at again soon.
                if self.pushes.tasks:
                    await asyncio.wait(self.pushes.tasks, timeout=0.003, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(0.0005)

    async def passes(self, seconds: float) -> None:
        """Time passes for everybody."""
        await self.simulator.advance(seconds)
        await self.quiet()


def understands(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "").startswith(Pushes.begin_understanding.__qualname__)


async def open_house(world: World) -> House:
    """A new database, a new Safaricom, two bars and four tabs that are owed for, on a Friday evening."""
    outside = AsyncExitStack()
    folder = Path(outside.enter_context(tempfile.TemporaryDirectory(prefix="kaunta-machine-")))
    logs = outside.enter_context(capture_logs())
    structlog.contextvars.clear_contextvars()
    database_url = await outside.enter_async_context(world.databases.fresh())
    eyes = await outside.enter_async_context(connect(database_url))
    relay = Relay(database_url)
    await relay.mend()
    outside.push_async_callback(relay.end)
    clock, post, heard, swallows = ManualClock(FRIDAY_EVENING), Post(), list[Asked](), Counter[str]()
    simulator = create_simulator(SimulatorOptions(seed=1), clock=SharedTime(clock), courier=post)
    simulator.add_middleware(Door, heard=heard, swallows=swallows, clock=clock)
    host = Host(simulator)
    await host.open()
    outside.push_async_callback(host.close)
    if not world.certificates:
        world.certificates.append(host.simulator.initiators.certificate(clock.now()))
    certificate = folder / "safaricom.pem"
    certificate.write_bytes(world.certificates[0])
    bound = outside.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    settings = load(
        {
            "KAUNTA_MODE": "development",
            "KAUNTA_DATABASE_URL": relay.url,
            "KAUNTA_KEYS": world.keyring_entry,
            "KAUNTA_PUBLIC_URL": f"http://127.0.0.1:{bound.getsockname()[1]}",
            "KAUNTA_DARAJA_SANDBOX_URL": host.url,
            "KAUNTA_DARAJA_PRODUCTION_URL": host.url,
            "KAUNTA_SANDBOX_CERTIFICATE": str(certificate),
            "KAUNTA_CALLBACK_SOURCES": "off",
            "KAUNTA_QUERIES_PER_MINUTE": "1000",
            "KAUNTA_DATA_FOLDER": str(folder / "data"),
            "KAUNTA_SPOOL_FOLDER": str(folder / "spool"),
        },
        needs=("mode", "database_url", "keys"),
    )
    entropy = Entropy.seeded(1)
    house = House(
        world, clock, post, heard, swallows, host, relay, database_url, bound, settings, entropy, eyes, outside, logs
    )  # fmt: skip
    post.understood = house.understood
    await house.start()
    house.bars = [await seed_bar(house.rt, name, world.password_hash) for name in ("Mama Njeri's Bar", "Kwa Otieno")]
    house.tabs = [bar.tab for bar in house.bars]
    house.tabs += [await open_tab(house.rt, house.bars[0].id, owed, house.bars[0].waiter.account_id) for owed in TABS]
    return house

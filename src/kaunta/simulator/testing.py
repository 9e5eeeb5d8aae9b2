"""The simulator inside a test, on a free loopback port, in either of two ways.

`running_simulator` runs it in the test's own loop, with its insides at hand. `DarajaSimulator` runs it in a thread of
its own, for tests in any style and any language's client: `with DarajaSimulator() as daraja: …`, and the same with
`async with`. The pytest fixture `daraja_simulator` (plugin.py) is the latter.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self, TypeVar

from kaunta.simulator.app import create_simulator
from kaunta.simulator.catalogue import scenario_named
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.courier import Courier
from kaunta.simulator.faults import Fault
from kaunta.simulator.host import Host
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.pushes import Message, Payment, Push
from kaunta.simulator.scenarios import Scenario, altered
from kaunta.simulator.scripts_playing import Script, Scripts
from kaunta.simulator.simulator import Simulator

T = TypeVar("T")

#: Where a manual clock starts unless told otherwise: a Friday evening in Nairobi.
FRIDAY_EVENING = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
#: Real seconds that anything a test asks of the simulator's thread may take.
PATIENCE = 60.0


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

    @property
    def scripts(self) -> Scripts:
        return self.host.scripts

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


class DarajaSimulator:
    """A simulator that serves from a thread of its own while the `with` (or `async with`) block runs.

    Its time stands still at the moment it starts, so a test never sleeps: what the customers do and what is called back
    happens in `settle()` or `advance(seconds)`, in exact order. With `running=True` time passes instead, as many times
    faster as `options.clock_factor` says.

    A test whose own event loop serves the callbacks awaits `settled()` and `advanced(seconds)`; the blocking two would
    wait for a merchant who waits for them.
    """

    def __init__(self, options: SimulatorOptions | None = None, *, running: bool = False, port: int = 0) -> None:
        self.options = options or SimulatorOptions()
        self.time_passes = running
        self.port = port
        self.running: RunningSimulator | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.over: asyncio.Event | None = None
        self.thread: Thread | None = None

    # Beginning and end

    def start(self) -> Self:
        """Serves, as soon as this returns. Raises OSError if the port is taken, `RefusedInProduction` in production."""
        listening: Future[None] = Future()
        self.thread = Thread(target=self.live, args=(listening,), name="daraja-simulator", daemon=True)
        self.thread.start()
        listening.result(PATIENCE)
        return self

    def stop(self) -> None:
        """Listens no more; what was to come is forgotten."""
        if self.loop is not None and self.over is not None and self.thread is not None:
            self.loop.call_soon_threadsafe(self.over.set)
            self.thread.join(PATIENCE)
        self.thread = self.loop = self.over = self.running = None

    def live(self, listening: "Future[None]") -> None:
        asyncio.run(self.serve(listening))

    async def serve(self, listening: "Future[None]") -> None:
        clock = None if self.time_passes else SimulatedTime(self.options.clock_factor, start=SimulatedTime().now())
        over = asyncio.Event()
        try:
            async with running_simulator(self.options, clock=clock, port=self.port) as running:
                self.running, self.loop, self.over = running, asyncio.get_running_loop(), over
                listening.set_result(None)
                await over.wait()
        except (OSError, ValueError, RuntimeError) as problem:
            # Whoever started it is told; an error after that is this thread's own.
            if listening.done():
                raise
            listening.set_exception(problem)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    # What happens next

    @property
    def url(self) -> str:
        """The base URL of every API: put it where a client has https://sandbox.safaricom.co.ke."""
        return self.inside.url

    def queue(
        self, scenario: str | Scenario, *, phone: str | None = None, times: int = 1, **changes: object
    ) -> Scenario:
        """The next `times` pushes (to `phone`) go this way; `changes` are fields of the scenario (delay=90, …)."""
        chosen = altered(scenario_named(scenario) if isinstance(scenario, str) else scenario, changes)
        return self.call(lambda simulator: simulator.queue_scenario(chosen, phone=phone, times=times))

    def fault(self, reply: str | None = None, *, api: str = "any", times: int | None = 1, latency: float = 0.0) -> None:
        """The next `times` requests to `api` meet this reply, or answer late."""
        self.call(lambda simulator: simulator.faults.add(Fault(api, reply, times, latency)))

    def expire_tokens(self) -> None:
        """Every access token given so far is worth nothing from now."""
        self.call(lambda simulator: simulator.tokens.expire())

    def play(self, script: str | Path | Script) -> None:
        """Begins a script (a YAML file's path, or one already read); its steps happen as time passes."""
        from kaunta.simulator.scripts import read_script

        read = script if isinstance(script, Script) else read_script(Path(script))
        self.call(lambda simulator: self.inside.scripts.play(read))

    # What customers do

    def answer(self, checkout_id: str, result: int | str = 0) -> None:
        """The customer answers the prompt: 0 pays, 1032 cancels, any other code is its failure."""
        self.call(lambda simulator: simulator.answer(checkout_id, result))

    def pay_till(self, till: str, phone: str, amount: int, reference: str = "") -> Payment:
        """A customer pays the till or paybill from the phone's own menu."""
        return self.wait(lambda simulator: simulator.pay_till(till, phone, amount, reference))

    # Time

    def settle(self) -> None:
        """Everything that is still to happen happens now, in order."""
        self.wait(lambda simulator: simulator.settle())

    def advance(self, seconds: float) -> None:
        """`seconds` pass at once."""
        self.wait(lambda simulator: simulator.advance(seconds))

    async def settled(self) -> None:
        await asyncio.wrap_future(self.post(lambda simulator: simulator.settle()))

    async def advanced(self, seconds: float) -> None:
        await asyncio.wrap_future(self.post(lambda simulator: simulator.advance(seconds)))

    # What happened

    @property
    def pushes(self) -> list[Push]:
        """The pushes that were taken on, oldest first."""
        return self.call(lambda simulator: list(simulator.pushes.values()))

    @property
    def payments(self) -> list[Payment]:
        """What was really paid, oldest first: the truth to compare one's own books with."""
        return self.call(lambda simulator: list(simulator.ledger))

    @property
    def callbacks(self) -> list[Message]:
        """The messages that were sent to the merchant, oldest first, each with its attempts."""
        return self.call(lambda simulator: list(simulator.outbox.messages.values()))

    # Across the threads

    @property
    def inside(self) -> RunningSimulator:
        if self.running is None:
            raise RuntimeError("the simulator is not running; use it inside `with DarajaSimulator() as daraja:`")
        return self.running

    def call(self, ask: Callable[[Simulator], T]) -> T:
        """What `ask` returns, asked in the simulator's thread."""

        async def asked(simulator: Simulator) -> T:
            return ask(simulator)

        return self.wait(asked)

    def wait(self, work: Callable[[Simulator], Awaitable[T]]) -> T:
        return self.post(work).result(PATIENCE)

    def post(self, work: Callable[[Simulator], Awaitable[T]]) -> "Future[T]":
        inside = self.inside
        assert self.loop is not None

        async def done() -> T:
            return await work(inside.simulator)

        return asyncio.run_coroutine_threadsafe(done(), self.loop)

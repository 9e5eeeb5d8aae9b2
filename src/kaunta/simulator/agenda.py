"""What is still to happen, in exact order: a prompt is answered, a callback goes out, a held answer is released.

Errands of one lane (one push) never overlap and never overtake each other; different lanes run side by side. Live,
errands run when the clock says so; `settle()` runs whatever is left at once, in order, so that a test never sleeps.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import count

from kaunta.simulator.clock import SimulatedTime

log = logging.getLogger(__name__)


@dataclass(order=True, slots=True)
class Errand:
    """One thing to do at a moment. `dropped` ones are never done."""

    due: datetime
    number: int
    lane: str = field(compare=False)
    run: Callable[[], Awaitable[None]] = field(compare=False)
    dropped: bool = field(default=False, compare=False)


class Agenda:
    """The simulator's future."""

    def __init__(self, clock: SimulatedTime) -> None:
        self.clock = clock
        self.errands: list[Errand] = []
        self.lanes: dict[str, asyncio.Task[None]] = {}
        self.numbers = count(1)
        self.changed = asyncio.Event()

    def add(self, seconds: float, lane: str, run: Callable[[], Awaitable[None]]) -> Errand:
        """`run` will be awaited `seconds` of policy from now, after everything due earlier in its lane."""
        errand = Errand(self.clock.later(seconds), next(self.numbers), lane, run)
        heappush(self.errands, errand)
        if self.errands[0] is errand:
            self.changed.set()
        return errand

    def speed(self, factor: float) -> None:
        """Changes how fast time passes; what is already due at some moment moves nearer or further."""
        now, before = self.clock.now(), self.clock.factor
        self.clock.speed(factor)
        for errand in self.errands:
            errand.due = now + (errand.due - now) * (before / factor)
        heapify(self.errands)
        self.changed.set()

    async def pause(self, seconds: float) -> None:
        """Returns after `seconds` of policy, or when somebody settles the agenda."""
        over = asyncio.get_running_loop().create_future()

        async def end() -> None:
            if not over.done():
                over.set_result(None)

        errand = self.add(seconds, f"pause {next(self.numbers)}", end)
        try:
            await over
        finally:
            errand.dropped = True

    async def keep(self) -> None:
        """Runs errands as they fall due, until cancelled."""
        while True:
            self.changed.clear()
            now = self.clock.now()
            while self.errands and self.errands[0].due <= now:
                errand = heappop(self.errands)
                if not errand.dropped:
                    self.launch(errand)
            wait = (self.errands[0].due - now).total_seconds() if self.errands else None
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.changed.wait()

    async def settle(self, lane: str | None = None) -> None:
        """Runs everything that is to happen (in `lane`, or anywhere), and what follows from it, without waiting."""
        await self.run_until(None, lane)

    async def advance(self, seconds: float) -> None:
        """Lets `seconds` of policy pass at once: what falls due in them happens, in order."""
        until = self.clock.later(seconds)
        await self.run_until(until, None)
        self.clock.move_to(until)

    async def run_until(self, until: datetime | None, lane: str | None) -> None:
        while True:
            errand = self.take(until, lane)
            if errand is not None:
                self.clock.move_to(errand.due)
                await self.launch(errand)
                continue
            running = [task for name, task in self.lanes.items() if lane in (None, name)]
            if not running:
                return
            await asyncio.wait(running)

    def take(self, until: datetime | None, lane: str | None) -> Errand | None:
        """The next errand, taken off the agenda."""
        while self.errands and self.errands[0].dropped:
            heappop(self.errands)
        fitting = [e for e in self.errands if e.lane == lane and not e.dropped] if lane else self.errands[:1]
        errand = min(fitting, default=None)
        if errand is None or (until is not None and errand.due > until):
            return None
        if errand is self.errands[0]:
            return heappop(self.errands)
        self.errands.remove(errand)
        heapify(self.errands)
        return errand

    def launch(self, errand: Errand) -> "asyncio.Task[None]":
        task = asyncio.create_task(self.follow(self.lanes.get(errand.lane), errand))
        self.lanes[errand.lane] = task

        def over(done: "asyncio.Task[None]") -> None:
            if self.lanes.get(errand.lane) is done:
                del self.lanes[errand.lane]
            if not done.cancelled() and (fault := done.exception()) is not None:
                log.error("an errand of the simulator failed", exc_info=fault)

        task.add_done_callback(over)
        return task

    async def follow(self, before: "asyncio.Task[None] | None", errand: Errand) -> None:
        if before is not None:
            await asyncio.wait([before])
        await errand.run()

    async def close(self) -> None:
        """Ends what is running; what was to come is forgotten."""
        running = list(self.lanes.values())
        self.errands.clear()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

"""A watch of the test's own application, which says what it has seen so far."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kaunta.core.outbound import Outbound
from kaunta.core.runtime import Runtime
from kaunta.deploy.rollback import Notebook
from kaunta.deploy.sampling import Counters, Sampler
from kaunta.deploy.verdict import Count, Measure
from kaunta.deploy.watch import Plan, Watched, watch


@dataclass(slots=True)
class Told(Sampler):
    """A sampler that adds up what it has seen. `looked`: set after each look."""

    seen: Counter[tuple[Measure, str]] = field(default_factory=Counter)
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, now: datetime) -> dict[Measure, Count]:
        counts = await super(Told, self).take(now)
        for measure, count in counts.items():
            self.seen[measure, "bad"] += count.bad
            self.seen[measure, "all"] += count.total
        self.looked.set()
        return counts

    async def has_seen(self, *wanted: tuple[Measure, str, int]) -> None:
        """Wait until so many were seen."""
        async with asyncio.timeout(120):
            while any(self.seen[measure, which] < number for measure, which, number in wanted):
                self.looked.clear()
                await self.looked.wait()


@dataclass
class Watching:
    """A watch of the test's own application. `runs`: the file that the rollback's command adds a line to."""

    rt: Runtime
    outbound: Outbound
    runs: Path
    notebook: Notebook
    told: asyncio.Event = field(default_factory=asyncio.Event)
    said: list[str] = field(default_factory=list)

    @property
    def command(self) -> str:
        return f"echo rolled back >> '{self.runs}'"

    @property
    def times(self) -> int:
        """How often the rollback was run."""
        return len(self.runs.read_text().splitlines()) if self.runs.exists() else 0

    def sampler(self) -> Told:
        assert self.rt.settings.database_url is not None
        url = self.rt.settings.database_url.get_secret_value()
        now = self.rt.clock.now()
        return Told(self.outbound, self.rt.clock, (self.rt.settings.public_url,), url, now, now, Counters(now))

    async def __call__(self, sampler: Sampler | None = None, **changes: Any) -> Watched:
        plan = Plan(length=86_400, interval=10, settle=0, baseline=3_600, rollback=self.command)
        async with asyncio.timeout(180):
            return await watch(
                replace(plan, **changes), sampler or self.sampler(), self.notebook, self.rt.clock, self.told,
                self.said.append,
            )  # fmt: skip

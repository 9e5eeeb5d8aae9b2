"""What a `kaunta serve` that nobody asks anything weighs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.bar import bars
from bench.ground import Ground
from bench.processes import Program
from bench.row import OURS, PEER, Goal, Measured, Row, Size, Way
from bench.serving_peers import django, sqlalchemy

#: Seconds in which a fresh process comes to rest, and then is watched.
REST, WATCHED = 2, 1


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    async with bars(ground, 500) as filled:
        rest = size.of(REST, 1)

        async def weigh(program: Program) -> Measured:
            await asyncio.sleep(rest)
            before = program.cpu()
            await asyncio.sleep(WATCHED)
            return Measured(program.memory(), more={"idle_cpu_percent": 100 * (program.cpu() - before) / WATCHED})

        async def ours() -> Measured:
            with ground.kaunta(filled.url) as program:
                return await weigh(program)

        async def peer() -> Measured:
            with django(ground, filled.url) as program:
                return await weigh(program)

        async def other() -> Measured:
            with sqlalchemy(ground, filled.url) as program:
                return await weigh(program)

        yield {OURS: ours, PEER: peer, "FastAPI + SQLAlchemy ORM": other}


ROW = Row(
    name="idle_memory",
    title="Memory of an idle process",
    unit="MB",
    ready=ready,
    about="""Pages of the process and its children, each counted once (Pss). Ours is one `kaunta serve` that also does
    the worker's part: queries, alerts, seals, invariants; the peers only answer. PostgreSQL has no part in it.""",
    less=True,
    warm_up=False,
    goals=(Goal("an idle `serve`, MB", "value", at_most=90),),
)

"""How long `kaunta --help` and `kaunta serve` take until they are there."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.ground import Ground
from bench.row import OURS, Goal, Measured, Row, Size, Way


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    url = await ground.create()
    environ = ground.environ(url, 1)

    async def serve() -> Measured:
        with ground.kaunta(url) as running:
            return Measured(running.ready_seconds)

    async def command(*arguments: str) -> Measured:
        begun = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await process.wait()
        return Measured(time.perf_counter() - begun)

    try:
        yield {
            OURS: serve,
            "kaunta --help": lambda: command("-m", "kaunta", "--help"),
            "an empty Python": lambda: command("-c", "pass"),
        }
    finally:
        await ground.drop(url)


ROW = Row(
    name="start_time",
    title="From the start of `kaunta serve` to its first answer",
    unit="s",
    ready=ready,
    about="""One process with its worker, over a migrated database; beside it `kaunta --help`, and what an empty
    Python takes.""",
    less=True,
    most_rounds=3,
    goals=(
        Goal("`kaunta serve` is ready", "value", at_most=1.0),
        Goal("`kaunta --help` has answered", "value", at_most=0.25, way="kaunta --help"),
    ),
)

"""A thousand guests whose pushes Safaricom has not answered yet, in one process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count

from bench.bar import Bars, bars
from bench.ground import Ground
from bench.load import fire
from bench.processes import Program
from bench.row import OURS, Goal, Measured, Row, Size, Way
from bench.rows.initiate_overhead import pushes, safaricom

CROWD = 1_000
#: Seconds that the stand-in thinks: until all are under way.
LONG_DELAY = 10.0


@asynccontextmanager
async def ready(ground: Ground, _size: Size) -> AsyncIterator[Mapping[str, Way]]:
    guests = count(1)
    async with bars(ground, 2_000) as filled:
        refs = await filled.refs()
        with safaricom(ground, LONG_DELAY) as far:
            yield {OURS: lambda: crowd(ground, filled, far, pushes(refs, guests, CROWD))}


async def crowd(ground: Ground, filled: Bars, far: Program, requests: Sequence[bytes]) -> Measured:
    """A process of its own with a thousand guests whose pushes are all under way; its memory then."""
    with ground.kaunta(filled.url, "--no-worker", KAUNTA_DARAJA_PRODUCTION_URL=far.url) as kaunta:
        load = asyncio.create_task(fire(kaunta.port, requests, connections=CROWD, seconds=LONG_DELAY + 5, again=True))
        under_way = most = 0
        while under_way < len(requests) and not load.done():
            sql = "select count(*) from mpesa_transactions where status = 'pending'"
            under_way = await filled.rt.db.fetchval(sql)
            most = max(most, under_way)
            await asyncio.sleep(0.1)
        memory = kaunta.memory()
        # Nobody waits for the thousand answers any more.
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        os.kill(kaunta.pid, signal.SIGKILL)
        await filled.rt.db.execute(GIVEN_UP)
    return Measured(memory, more={"under_way": most})


GIVEN_UP = """
update mpesa_transactions set status = 'failed', failure_reason = 'not_sent', settled_at = now()
where status = 'pending'
"""

ROW = Row(
    name="pushes_under_way",
    title="Memory of a process with 1,000 pushes under way",
    unit="MB",
    ready=ready,
    about="""A thousand connections start a payment each, against a stand-in that thinks for 10 s; weighed (Pss)
    when all are under way, `under_way` says how many that were.""",
    less=True,
    most_rounds=3,
    warm_up=False,
    goals=(
        Goal("memory with 1,000 pushes under way, MB", "value", at_most=150),
        # On a machine that is busy with other things the crowd does not come together, and weighs little.
        Goal("pushes that were under way at the same time", "under_way", at_least=950),
    ),
)

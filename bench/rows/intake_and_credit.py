"""Callbacks that are stored, answered and credited to their tabs, one process, 64 connections."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.bar import bars, callbacks
from bench.ground import Ground
from bench.load import fire, warm_up
from bench.row import LIMIT, OURS, PEER, Goal, Measured, Row, Size, Way
from bench.serving_peers import django
from bench.taking import CONNECTIONS, TABS, Taking, measured


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    async with bars(ground, size.of(TABS, 1_000)) as filled:
        taking = Taking(ground, filled, seconds=size.of(2, 1))
        yield {
            OURS: lambda: ours(taking),
            PEER: lambda: taking.peer(django),
            LIMIT: taking.limit,
        }


async def ours(taking: Taking) -> Measured:
    """A second of load, and then until the last callback is credited: all of that time counts."""
    number = taking.enough("ours", 1)
    first = await taking.payments(number)
    await taking.leave_nothing_waiting()
    with taking.ground.kaunta(taking.bars.url) as program:
        await warm_up(program.port, callbacks(first, 100))
        await credited(taking)
        cpu, postgres = program.cpu(), taking.ground.postgres_cpu()
        begun = time.perf_counter()
        fired = await fire(program.port, callbacks(first + 100, number - 100), connections=CONNECTIONS, seconds=1)
        await credited(taking)
        seconds = time.perf_counter() - begun
        cpu, postgres = program.cpu() - cpu, taking.ground.postgres_cpu() - postgres
    if await taking.bars.booked(first, number) < fired.answered:
        raise RuntimeError("a callback is understood and not credited")
    taking.reached("ours", fired.per_second)
    return measured(fired, fired.answered / seconds, cpu, postgres)


async def credited(taking: Taking) -> None:
    """Wait until no callback waits."""
    waiting = "select exists (select from mpesa_callbacks where processed_at is null)"
    while await taking.bars.rt.db.fetchval(waiting):  # noqa: ASYNC110 - another process does it
        await asyncio.sleep(0.05)


ROW = Row(
    name="intake_and_credit",
    title="Callbacks stored, answered and credited to their tabs",
    unit="callbacks/s",
    ready=ready,
    # Each way starts its program anew and warms it up in each round.
    warm_up=False,
    about="""As `callback_intake`, but nobody holds anything, and the clock runs until the last callback's money is on
    its tab. Ours credits each in a transaction of its own, with the receipt's proof, its sighting, the event and the
    check whether the tab is settled, some fifteen statements; the peers write four rows.""",
    goals=(
        Goal("intake and credit against pgbench's five statements", "ratio_to_limit", at_least=0.5),
        Goal("intake and credit against Django", "ratio_to_peer", at_least=5),
    ),
)

"""Callbacks that are stored and answered, one process, 64 connections."""

import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg

from bench.bar import bars, callbacks
from bench.ground import Ground
from bench.load import fire, warm_up
from bench.row import BARE, LIMIT, OURS, PEER, Goal, Measured, Row, Size, Way
from bench.serving_peers import bare, django, sqlalchemy
from bench.taking import CONNECTIONS, TABS, Taking, measured


@asynccontextmanager
async def ready(ground: Ground, size: Size) -> AsyncIterator[Mapping[str, Way]]:
    async with bars(ground, size.of(TABS, 1_000)) as filled:
        taking = Taking(ground, filled, seconds=size.of(2, 1))
        yield {
            OURS: lambda: ours(taking),
            PEER: lambda: taking.peer(django),
            "FastAPI + SQLAlchemy ORM": lambda: taking.peer(sqlalchemy),
            BARE: lambda: taking.least(bare),
            LIMIT: taking.limit,
        }


async def ours(taking: Taking) -> Measured:
    """While somebody holds the tabs, so that what is stored is not understood yet: the other row counts that."""
    number = taking.enough("ours", taking.seconds)
    first = await taking.payments(number)
    holder: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(taking.bars.url)
    try:
        with taking.ground.kaunta(taking.bars.url) as program:
            async with holder.transaction():
                await holder.execute("lock table tabs in exclusive mode")
                await warm_up(program.port, callbacks(first, 200))
                kept = await holder.fetchval("select count(*) from mpesa_callbacks")
                cpu, postgres = program.cpu(), taking.ground.postgres_cpu()
                fired = await fire(
                    program.port,
                    callbacks(first + 200, number - 200),
                    connections=CONNECTIONS,
                    seconds=taking.seconds,
                )
                cpu, postgres = program.cpu() - cpu, taking.ground.postgres_cpu() - postgres
                if await holder.fetchval("select count(*) from mpesa_callbacks") - kept < fired.answered:
                    raise RuntimeError("answered what is not stored")
            # It would now credit them all; that is not this row's matter.
            os.kill(program.pid, signal.SIGKILL)
    finally:
        await holder.close()
    await taking.leave_nothing_waiting()
    taking.reached("ours", fired.per_second)
    return measured(fired, fired.per_second, cpu, postgres)


ROW = Row(
    name="callback_intake",
    title="Callbacks stored durably and answered 200",
    unit="requests/s",
    ready=ready,
    about="""Real successes for waiting payments over kept connections. Ours: one `kaunta serve` with its worker, 64
    connections; while it is measured somebody else holds the tabs, so that what is stored waits to be understood,
    as in a crowd; what the crediting costs is counted by `intake_and_credit`. Peer: Django 5.2 with its ORM and
    django-daraja's parsing under granian, which stores and credits in one transaction and then answers; it seals
    nothing. The bare one stores each body by a statement of its own, and that is all. Limit: pgbench with that
    transaction's five statements, prepared, from 16 connections.""",
    # Each way starts its program anew and warms it up in each round.
    warm_up=False,
    goals=(
        Goal("intake against pgbench's five statements", "ratio_to_limit", at_least=1.0),
        Goal("intake against Django", "ratio_to_peer", at_least=10),
        Goal("server CPU an intake, µs", "cpu_us", at_most=200),
        Goal("the same as it was wanted where the bare one took 200 µs", "cpu_to_bare", at_most=1.0),
        Goal("the answer's 99th percentile at 64 connections, ms", "p99_ms", at_most=30),
    ),
)

"""The state of the house for Prometheus, read from the database at each scrape.

Queues are rows, so their depth and age are the same whichever process is asked. No label holds a bar, a person or an
id: what is wrong where is on the staff pages.
"""

import asyncpg
from prometheus_client import CollectorRegistry, Gauge

from kaunta.core import queries as core_queries
from kaunta.core.db import TRANSIENT_ERRORS
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import gauges as queries

#: The database is away, or not (yet) ours.
BLIND = (
    *TRANSIENT_ERRORS, asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError,
)  # fmt: skip
#: A scrape waits this long for a connection: figures must not be what a full pool is waiting for.
PATIENCE_SECONDS = 2.0


class Figures:
    """A scrape's own gauges."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.database = Gauge("kaunta_database_up", "Whether the database answered: 1 or 0", registry=own)
        self.waiting = Gauge("kaunta_queue_waiting", "Rows that are due and not dealt with", ["queue"], registry=own)
        self.oldest = Gauge(
            "kaunta_queue_oldest_seconds", "For how long the first row of a queue has been due", ["queue"], registry=own
        )
        self.open = Gauge("kaunta_payments_open", "Payments whose prompt is out", registry=own)
        self.problems = Gauge(
            "kaunta_problems_open", "Open problems by kind; `invariant` is a broken one", ["kind", "severity"],
            registry=own,
        )  # fmt: skip
        self.budget = Gauge(
            "kaunta_questions_left_ratio", "Left of a minute's questions to Daraja, of the scarcest credential",
            registry=own,
        )  # fmt: skip
        self.silent = Gauge("kaunta_worker_silent_seconds", "Since a worker last said that it lives", registry=own)
        self.months = Gauge("kaunta_partition_months_ahead", "Months that partitions are ready for", registry=own)


async def figures(rt: Runtime) -> CollectorRegistry:
    """Everything, in one connection; where the database is away, only that it is."""
    found = Figures()
    now = rt.clock.now()
    try:
        async with rt.db.acquire(timeout=PATIENCE_SECONDS) as db, db.transaction(readonly=True):
            for queue in await queries.queues(db, now):
                found.waiting.labels(queue.name).set(queue.waiting)
                age = max(0.0, (now - queue.oldest).total_seconds()) if queue.oldest else 0.0
                found.oldest.labels(queue.name).set(age)
            found.open.set(await queries.open_payments(db))
            for kind in await queries.problems(db):
                found.problems.labels(kind.kind, kind.severity).set(kind.count)
            share = await queries.scarcest_budget(db)
            found.budget.set(1.0 if share is None else share)
            beat = await core_queries.newest_heartbeat(db)
            found.silent.set((now - beat).total_seconds() if beat else float("inf"))
            found.months.set(await core_queries.months_ahead(db))
        found.database.set(1)
    except BLIND:
        # Nothing else is said: what was not read would be a false zero.
        blind = CollectorRegistry()
        Gauge("kaunta_database_up", "Whether the database answered: 1 or 0", registry=blind).set(0)
        return blind
    return found.registry

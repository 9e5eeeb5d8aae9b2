"""The loops that need nobody's request: the inbox, silent payments, seals, partitions, invariants.

Each loop takes its work by claiming rows, so any number of workers on any number of hosts may run; one that dies
leaves its rows to the others. A loop that fails says so and goes on.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
import structlog

from kaunta.access import blocks
from kaunta.access import queries as access_queries
from kaunta.alerts import access_watch, delivering, house, payment_watch, planning
from kaunta.alerts.database_away import DatabaseWatch
from kaunta.api import callback
from kaunta.audit.sealing import seal
from kaunta.audit.watching import DAYS_A_YEAR, forget_old_lines, watch
from kaunta.backups.schedule import keep_backups
from kaunta.bars.credentials_in_use import check_credentials_in_use
from kaunta.bars.mpesa_switch import reconcile_switches
from kaunta.core import queries
from kaunta.core.audit import audit
from kaunta.core.db import transaction
from kaunta.core.metrics import TURNS
from kaunta.core.runtime import Runtime
from kaunta.daraja.client import DarajaClient
from kaunta.deploy.certificate_watch import watch_certificate
from kaunta.diagnostics import scheduled
from kaunta.diagnostics.diagnosis import answered_by
from kaunta.keys import holders
from kaunta.payments import (
    approval,
    faults,
    inbox_work,
    initiators,
    invariants,
    pull,
    reversals,
    showings,
    silence,
    trial,
)
from kaunta.payments.day_totals import keep_days
from kaunta.payments.initiate import KEY_SECONDS
from kaunta.payments.looking_again import look_again, note_nobodys
from kaunta.payments.queries import limits
from kaunta.privacy.erasing import erase_again
from kaunta.statements.importing import forget_old
from kaunta.statements.placing import place_due
from kaunta.webhooks import delivering as webhooks
from kaunta.webhooks.telling import tell

log = structlog.get_logger(__name__)

MONTHS_AHEAD = 6
#: Attempts to sign in count for a quarter of an hour and are kept for a look back of a month.
SIGN_INS_KEPT_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Loop:
    """One kind of work, how long to rest (seconds of policy) when there was none."""

    name: str
    work: Callable[[], Awaitable[int]]
    rest: float
    #: Seconds of policy before the first turn.
    delay: float = 0


@dataclass(slots=True)
class Worker:
    """One process's loops."""

    rt: Runtime
    daraja: DarajaClient
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    database: DatabaseWatch = field(init=False)
    couriers: webhooks.Couriers = field(init=False)

    def __post_init__(self) -> None:
        self.database = DatabaseWatch(self.rt)
        self.couriers = webhooks.Couriers(self.rt)

    def spool_loop(self) -> Loop:
        """The spool is on one host's disk: whoever takes callbacks there brings it in."""
        return Loop("spool", lambda: inbox_work.import_spool(self.rt), rest=5)

    def watch_loops(self, delay: float = 0) -> list[Loop]:
        """What must also be seen, and told, where the workers are elsewhere: they may be dead."""
        rt = self.rt
        return [
            Loop("house", lambda: house.check_house(rt), rest=60, delay=delay),
            Loop("alerts", lambda: planning.plan(rt), rest=5, delay=delay),
            Loop("messages", lambda: delivering.deliver(rt), rest=2, delay=delay),
        ]

    def keys_loop(self) -> Loop:
        """Every process says which keys it holds: nothing is sealed anew with one that it lacks."""
        return Loop("keys", lambda: holders.tell(self.rt, self.name), rest=holders.TELL_SECONDS)

    def loops(self) -> list[Loop]:
        rt = self.rt
        return [
            self.spool_loop(),
            Loop("inbox", lambda: inbox_work.work_off(rt), rest=2),
            Loop("queries", lambda: silence.ask_about_due(rt, self.daraja), rest=1),
            Loop("silence", lambda: silence.time_out_silent(rt), rest=5),
            Loop("switches", lambda: reconcile_switches(rt), rest=60),
            Loop("faults", lambda: faults.stop_where_we_fail(rt), rest=2),
            Loop("credentials", lambda: check_credentials_in_use(rt), rest=300),
            Loop("trials", lambda: trial.tidy_trials(rt), rest=10),
            Loop("receipts", lambda: look_again(rt), rest=15),
            Loop("nobodys", lambda: note_nobodys(rt), rest=30),
            Loop("refunds", lambda: reversals.work(rt, self.daraja), rest=2),
            Loop("pulls", lambda: pull.work(rt, self.daraja), rest=30),
            Loop("watch", lambda: initiators.watch(rt), rest=3_600),
            Loop("statements", lambda: place_due(rt), rest=5),
            Loop("webhooks", lambda: tell(rt), rest=2),
            Loop("couriers", self.couriers.turn, rest=2),
            Loop("seals", lambda: seal(rt), rest=5),
            Loop("chain", lambda: watch(rt), rest=60),
            Loop("heartbeat", self.beat, rest=20),
            self.keys_loop(),
            Loop("backups", lambda: keep_backups(rt, self.name), rest=300),
            Loop("upkeep", self.keep_up, rest=3_600),
            Loop("days", lambda: keep_days(rt), rest=60),
            Loop("invariants", self.check_invariants, rest=300),
            Loop("database", self.database.look, rest=15),
            Loop("suspicion", lambda: blocks.judge(rt), rest=60),
            Loop("troubles", lambda: payment_watch.watch_payments(rt), rest=60),
            Loop("access", lambda: access_watch.watch_access(rt), rest=300),
            Loop("certificate", lambda: watch_certificate(rt), rest=21_600, delay=600),
            Loop("diagnosis", self.look_around, rest=3_600, delay=300),
            *self.watch_loops(),
        ]

    async def start(self) -> None:
        """Say that we live, then begin."""
        await self.beat()
        self.begin(self.loops())

    def start_spool_only(self) -> None:
        """For a process that answers requests while the workers are elsewhere."""
        # Workers that are started beside it have time to say that they live.
        self.begin([self.spool_loop(), self.keys_loop(), *self.watch_loops(delay=house.SILENT_SECONDS)])

    def begin(self, loops: list[Loop]) -> None:
        self.tasks = [asyncio.create_task(self.run(loop), name=f"worker {loop.name}") for loop in loops]

    async def stop(self) -> None:
        """End between two pieces of work or in the middle: the rows are claimed, not taken away."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.couriers.stop()
        if self.tasks:
            await holders.leave(self.rt, self.name)

    async def run(self, loop: Loop) -> None:
        failures = 0
        await asyncio.sleep(self.rt.clock.wait(loop.delay))
        while True:
            worked = 0
            try:
                worked = await loop.work()
                TURNS.labels(loop.name, "worked" if worked else "nothing to do").inc()
                failures = 0
            except Exception as error:  # noqa: BLE001 - a loop must outlive whatever one turn met
                failures += 1
                TURNS.labels(loop.name, "failed").inc()
                log.error("worker.failed", name=loop.name, error=type(error).__name__, count=failures)
                await asyncio.sleep(min(0.1 * 2 ** min(failures, 9), 30))
            if not worked:
                await asyncio.sleep(self.rt.clock.wait(loop.rest))

    async def once(self) -> None:
        """Every loop's work, until none is left: for tests and for `--one-shot`. What is to begin later is left out."""
        for loop in self.loops():
            while not loop.delay and await loop.work():
                pass

    async def look_around(self) -> int:
        """The diagnosis of this process's environment; named by its host, for each has its own."""
        host = self.name.partition(":")[0]
        return await scheduled.look_around(self.rt, host, answered_by(callback.routes))

    async def beat(self) -> int:
        async with self.rt.db.acquire() as db:
            await queries.beat(db, self.name, self.rt.clock.now(), {})
        return 0

    async def keep_up(self) -> int:
        """What is kept no longer, and months ahead."""
        clock = self.rt.clock
        async with transaction(self.rt.db) as db:
            await limits.forget_keys(db, clock.before(KEY_SECONDS))
            await access_queries.forget_sessions(db, clock.now())
            await access_queries.forget_sign_ins(db, clock.before(SIGN_INS_KEPT_SECONDS))
        await blocks.forget_old(self.rt)
        await forget_old(self.rt)
        await planning.forget_old(self.rt)
        await approval.expire(self.rt)
        await forget_old_lines(self.rt)
        await erase_again(self.rt)
        await webhooks.forget_old(self.rt)
        kept = timedelta(days=self.rt.settings.audit_record_years * DAYS_A_YEAR)
        await showings.forget_old(self.rt, clock.now() - kept)
        await self.keep_partitions(kept)
        return 0

    async def keep_partitions(self, kept: timedelta) -> None:
        """Months ahead are made, and those whose lines have all been kept long enough are dropped."""
        try:
            made = MONTHS_AHEAD
            while made:
                async with transaction(self.rt.db) as db:
                    made = await queries.make_partitions(db, MONTHS_AHEAD)
            dropped: str | None = ""
            while dropped is not None:
                async with transaction(self.rt.db) as db:
                    dropped = await queries.drop_month(db, self.rt.clock.now() - kept)
                    if dropped is not None:
                        await audit(db, self.rt.clock, "kaunta", "partition.dropped", "partition", dropped)
        except asyncpg.InsufficientPrivilegeError:
            # A login by least privilege may not; `readyz` turns red two months before it matters.
            log.warning("worker.no_right_to_partitions", name="upkeep")
        except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
            # Somebody reads the whole table, a backup for one. Nobody waits behind us for that; the next hour will do.
            log.info("worker.partitions_wait", name="upkeep")

    async def check_invariants(self) -> int:
        await invariants.look_at_each(self.rt)
        return 0

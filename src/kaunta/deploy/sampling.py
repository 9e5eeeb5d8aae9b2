"""Taking samples: what the running processes answer, and what they left in the database.

Nobody is charged and no phone rings for a sample: it reads, it asks `/readyz` and `/metrics`, and it asks for a few
bars what a guest there may pay with, for which the process must open their credentials.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client.parser import text_string_to_metric_families

from kaunta.core.clock import Clock
from kaunta.core.db import TRANSIENT_ERRORS, Connection, connect
from kaunta.core.outbound import Answer, Outbound, Outcome, Timeouts
from kaunta.daraja.words import ResultClass
from kaunta.deploy import queries
from kaunta.deploy.queries import Counted
from kaunta.deploy.verdict import NONE, Count, Measure
from kaunta.payments.meaning import meaning

log = structlog.get_logger(__name__)

#: At which age a row is judged, seconds: an opening is on record at once, a callback is understood within a second and
#: by the worker within a minute, a push is answered within half a minute, and who is to call back does so by two.
OPENED_AGE, UNDERSTOOD_AGE, OURS_AGE, CALLED_BACK_AGE = 5.0, 60.0, 60.0, 150.0
#: Of how many bars a sample asks what is offered there.
BARS_ASKED = 5
#: Real seconds after which a database that hangs is taken for away.
HANGS_SECONDS = 20.0
PATIENCE = Timeouts(connect=3, total=8)


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters of one process, since it was started. `key` tells it from others; `started` as a Unix time."""

    key: tuple[str, float, float]
    started: float
    answers: Count
    stored: Count


@dataclass(slots=True)
class Counters:
    """What the processes counted since the look before. `since`: of a process begun later, everything is new."""

    since: datetime
    known: dict[tuple[str, float, float], Reading] = field(default_factory=dict)

    def step(self, reading: Reading) -> dict[Measure, Count]:
        """What a process counted since it was last seen; nothing for one that is seen first and was there before."""
        before = self.known.get(reading.key)
        self.known[reading.key] = reading
        if before is None and reading.started <= self.since.timestamp():
            return {}
        return {
            Measure.ANSWERS: difference(reading.answers, before.answers if before else NONE),
            Measure.STORED: difference(reading.stored, before.stored if before else NONE),
        }


def difference(now: Count, before: Count) -> Count:
    """Counters only grow; where they do not, they are another's."""
    bad, good = now.bad - before.bad, (now.total - now.bad) - (before.total - before.bad)
    return Count(bad, bad + good) if bad >= 0 and good >= 0 else NONE


def read_metrics(url: str, text: str) -> Reading:
    """A process's counters from its `/metrics`. Raises ValueError where the text is none of Prometheus'."""
    sums: Counter[tuple[str, bool]] = Counter()
    process = started = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            match sample.name:
                case "kaunta_process_id":
                    process = sample.value
                case "process_start_time_seconds":
                    started = sample.value
                case "kaunta_answers_total":
                    # 503 is what /readyz says, and a bar without M-Pesa: said on purpose, and looked at elsewhere.
                    status = sample.labels["status"]
                    sums["answers", not status.endswith("xx") and status != "503"] += int(sample.value)
                case "kaunta_callbacks_total":
                    sums["stored", sample.labels["verdict"] == "not_stored"] += int(sample.value)
    counts = {name: Count(sums[name, True], sums[name, True] + sums[name, False]) for name in ("answers", "stored")}
    return Reading((url, process, started), started, counts["answers"], counts["stored"])


@dataclass(slots=True)
class Sampler:
    """Takes samples of the processes at `urls` and of the database. `deployed_at`: what is older is not their doing;
    `until`: where the sample before ended."""

    outbound: Outbound
    clock: Clock
    urls: tuple[str, ...]
    database_url: str
    deployed_at: datetime
    until: datetime
    counters: Counters

    async def baseline(self, seconds: float) -> dict[Measure, Count]:
        """The stretch of so many seconds that ended with the deployment; empty where the database is away."""
        try:
            async with asyncio.timeout(6 * HANGS_SECONDS), connect(self.database_url) as db:
                began = self.deployed_at - timedelta(seconds=self.clock.wait(seconds))
                return await lately(db, self.clock, began, self.deployed_at)
        except TRANSIENT_ERRORS as error:
            log.warning("deploy.no_baseline", error=type(error).__name__)
            return {}

    async def take(self, now: datetime) -> dict[Measure, Count]:
        """What was seen since the sample before."""
        counts: dict[Measure, Count] = {}
        bars: list[UUID] = []
        try:
            async with asyncio.timeout(HANGS_SECONDS), connect(self.database_url) as db:
                counts |= await lately(db, self.clock, self.until, now)
                counts |= await standing(db, self.deployed_at)
                bars = await queries.bars_to_look_at(db, self.deployed_at, BARS_ASKED)
            self.until = now
        except TRANSIENT_ERRORS as error:
            # The running processes cannot reach it either, and say so themselves; the next sample covers this one.
            log.warning("deploy.database_away", error=type(error).__name__)
        for url in self.urls:
            counts = added(counts, await self.ask(url, bars))
        return counts

    async def ask(self, url: str, bars: list[UUID]) -> dict[Measure, Count]:
        """What one address says of itself."""
        answer = await self.get(f"{url}/readyz")
        if not isinstance(answer, Answer):
            return {Measure.READY: Count(1, 1)}
        counts = {Measure.READY: Count(int(answer.status != 200), 1)}
        if bars:
            refused = [not offers_mpesa(await self.get(f"{url}/api/bars/{bar}/payment-methods")) for bar in bars]
            counts[Measure.OFFERED] = Count(sum(refused), len(refused))
        metrics = await self.get(f"{url}/metrics")
        if isinstance(metrics, Answer) and metrics.status == 200:
            try:
                counts |= self.counters.step(read_metrics(url, metrics.body.decode()))
            except ValueError as error:
                log.warning("deploy.metrics_unreadable", error=type(error).__name__)
        return counts

    async def get(self, url: str) -> Outcome:
        return await self.outbound.request("GET", url, timeout=PATIENCE)


def offers_mpesa(outcome: Outcome) -> bool:
    """Whether a bar's payment methods, as answered, hold M-Pesa."""
    if not isinstance(outcome, Answer) or outcome.status != 200:
        return False
    try:
        return json.loads(outcome.body)["mpesa"] is True
    except (ValueError, TypeError, KeyError):
        return False


async def lately(db: Connection, clock: Clock, since: datetime, until: datetime) -> dict[Measure, Count]:
    """What became due to be judged between two moments."""

    def stretch(age: float) -> tuple[datetime, datetime]:
        earlier = timedelta(seconds=clock.wait(age))
        return since - earlier, until - earlier

    return {
        Measure.OPENED: counted(await queries.openings(db, *stretch(OPENED_AGE))),
        Measure.UNDERSTOOD: counted(await queries.callbacks_of_ours(db, *stretch(UNDERSTOOD_AGE))),
        Measure.CALLED_BACK: counted(await queries.called_back(db, *stretch(CALLED_BACK_AGE))),
        Measure.OURS: our_faults(await queries.ends(db, *stretch(OURS_AGE))),
    }


async def standing(db: Connection, deployed_at: datetime) -> dict[Measure, Count]:
    """How the bars that take M-Pesa stand now, as far as it began after the deployment."""
    now = await queries.bars_now(db, deployed_at)
    return {
        Measure.UNREADABLE: Count(now.unreadable, now.taking),
        Measure.STOPPED: Count(now.stopped, now.taking),
    }


def our_faults(rows: Iterable[queries.EndRow]) -> Count:
    """Payments that failed for a reason of ours; a guest who cancels or mistypes the PIN is none."""
    bad = total = 0
    for row in rows:
        cause = meaning(row.status, row.failure_reason, row.result_code, row.result_desc)
        total += row.count
        bad += row.count if cause.klass is ResultClass.OUR_FAULT else 0
    return Count(bad, total)


def counted(row: Counted) -> Count:
    return Count(row.bad, row.total)


def added(one: Mapping[Measure, Count], other: Mapping[Measure, Count]) -> dict[Measure, Count]:
    return {measure: one.get(measure, NONE) + other.get(measure, NONE) for measure in {*one, *other}}

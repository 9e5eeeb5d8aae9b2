"""The watch over a deployment: samples, a verdict after each, and at a breach the rollback, once.

It ends in one of few ways, and a program that calls it can tell them apart (`End`). Until the rollback is claimed a
signal ends it at once; after that nothing does before the command has ended.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, assert_never

import asyncpg

from kaunta.core.audit import audit
from kaunta.core.clock import Clock
from kaunta.core.db import TRANSIENT_ERRORS, connect
from kaunta.core.errors import Conflict
from kaunta.core.problems import Severity, open_problem
from kaunta.deploy.rollback import Claimed, Notebook, run_command
from kaunta.deploy.sampling import HANGS_SECONDS, Sampler
from kaunta.deploy.verdict import NONE, Breach, Count, Measure, Sample, breaches

T = TypeVar("T")

#: The problem of a deployment that was, or should have been, rolled back.
PROBLEM = "deployment_failed"
#: What only payments show; where none came, nothing was seen.
BY_PAYMENTS = (Measure.OPENED, Measure.UNDERSTOOD, Measure.CALLED_BACK, Measure.OURS)


class AlreadyRolledBack(Conflict):
    """This release was rolled back already."""

    code = "rolled_back"


class End(StrEnum):
    """How a watch ended."""

    WELL = "well"
    BREACH = "breach"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    ROLLBACK_UNKNOWN = "rollback_unknown"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to watch for. Seconds of policy, but `rollback_seconds`, which are real: how long the command may take.

    `settle`: so long a process that is just starting is not blamed for not being ready. `rollback`: None only tells.
    """

    length: float
    interval: float
    settle: float
    baseline: float
    rollback: str | None
    rollback_seconds: float = 600.0


@dataclass(slots=True)
class Watched:
    """What a watch saw and came to."""

    end: End
    before: dict[Measure, Count] = field(default_factory=dict)
    seen: dict[Measure, Count] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)
    samples: int = 0
    rollback_code: int | None = None

    @property
    def unseen(self) -> list[Measure]:
        """Measures that nothing was seen of."""
        return [measure for measure in Measure if not self.seen.get(measure, NONE).total]


Tell = Callable[[str], None]


async def watch(
    plan: Plan, sampler: Sampler, notebook: Notebook, clock: Clock, told: asyncio.Event, tell: Tell
) -> Watched:
    """Watch until the time is over, something breaks, or `told`. Raises `WatchRuns`, `AlreadyRolledBack`."""
    with notebook.alone():
        if (claimed := notebook.claimed()) is not None:
            return begun_before(claimed, tell)
        began = clock.now()
        watched = Watched(End.WELL, before=await sampler.baseline(plan.baseline))
        history: list[Sample] = []
        up = False
        while clock.elapsed(began) < plan.length:
            counts = await unless_told(told, sampler.take(clock.now()))
            if counts is None:
                watched.end = End.INTERRUPTED
                return watched
            sample = Sample(clock.elapsed(began), counts)
            ready = sample.of(Measure.READY)
            up = up or (ready.total > 0 and not ready.bad)
            if not up and sample.at < plan.settle:
                sample = Sample(sample.at)
            history = [*history, sample][-1_000:]
            note(watched, sample, tell)
            watched.breaches = breaches(history, watched.before)
            if watched.breaches:
                return await broken(plan, sampler, notebook, clock, watched, tell)
            await unless_told(told, asyncio.sleep(clock.wait(plan.interval)))
        return watched


async def unless_told(told: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work comes to, or None where somebody wants us to end first."""
    working, ending = asyncio.ensure_future(work), asyncio.ensure_future(told.wait())
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        return None if told.is_set() else working.result()
    finally:
        for task in (working, ending):
            task.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)


def note(watched: Watched, sample: Sample, tell: Tell) -> None:
    """Add a sample up, and say what was bad in it."""
    watched.samples += 1
    for measure, count in sample.counts.items():
        watched.seen[measure] = watched.seen.get(measure, NONE) + count
        if count.bad:
            tell(f"{sample.at:6.0f} s  {Breach(measure, count, 0.0).sentence}")


def begun_before(claimed: Claimed, tell: Tell) -> Watched:
    """A watch before this one began a rollback of this release: it is not done again. Raises `AlreadyRolledBack`."""
    if claimed.code == 0:
        raise AlreadyRolledBack(
            f"{claimed.release} was rolled back at {claimed.at}. Give what you deployed since another --release."
        )
    ended = "nobody wrote down how it ended" if claimed.code is None else f"its command ended with {claimed.code}"
    tell(f"A rollback of {claimed.release} was begun at {claimed.at}, and {ended}. It is not run again: look yourself.")
    end = End.ROLLBACK_UNKNOWN if claimed.code is None else End.ROLLBACK_FAILED
    return Watched(end, rollback_code=claimed.code)


async def broken(
    plan: Plan, sampler: Sampler, notebook: Notebook, clock: Clock, watched: Watched, tell: Tell
) -> Watched:
    """At a breach: the rollback, by who claims it first; then it is written where people look."""
    reasons = [breach.sentence for breach in watched.breaches]
    for reason in reasons:
        tell(f"BREACH  {reason}")
    watched.end = End.BREACH
    if plan.rollback is not None:
        claimed = notebook.claim(clock.now(), reasons)
        if claimed is None:
            watched.end = End.ROLLBACK_UNKNOWN
            return watched
        tell("rolling back")
        code = await run_command(plan.rollback, plan.rollback_seconds)
        watched.rollback_code = code
        if code is not None:
            notebook.ended(claimed, code)
        watched.end = end_of(code)
        tell(said_of(watched.end, code))
    await put_before_people(sampler.database_url, clock, notebook.release, watched, reasons, tell)
    return watched


def end_of(code: int | None) -> End:
    if code is None:
        return End.ROLLBACK_UNKNOWN
    return End.ROLLBACK_FAILED if code else End.ROLLED_BACK


def said_of(end: End, code: int | None) -> str:
    match end:
        case End.ROLLED_BACK:
            return "rolled back"
        case End.ROLLBACK_FAILED:
            return f"the rollback's command ended with {code}: look yourself"
        case End.ROLLBACK_UNKNOWN:
            return "the rollback's command still runs, and is left running: look yourself"
        case End.WELL | End.BREACH | End.INTERRUPTED:
            return end
        case _:
            assert_never(end)


async def put_before_people(
    url: str, clock: Clock, release: str, watched: Watched, reasons: list[str], tell: Tell
) -> None:
    """A problem and a line of the audit, where the database can be reached and takes them."""
    try:
        async with asyncio.timeout(HANGS_SECONDS), connect(url) as db, db.transaction():
            end = watched.end
            await open_problem(
                db, clock, PROBLEM, release, bar_id=None, severity=Severity.CRITICAL, end=end, reasons=reasons
            )
            await audit(
                db, clock, "operator", "deploy.breach", "release", release, outcome=end, reasons=reasons,
                code=watched.rollback_code,
            )  # fmt: skip
    except (*TRANSIENT_ERRORS, asyncpg.PostgresError) as error:
        # The rollback has taken place all the same, and a broken database may be the very reason for it.
        tell(f"The database did not take a note of it ({type(error).__name__}).")

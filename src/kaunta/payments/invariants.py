"""What must always be true, as queries. Tests, `kaunta invariants` and the worker run the same ones.

Each query returns the rows that break the sentence above it; an empty answer is health. The worker asks each by itself,
in as much time as everything needs, and one that is not answered is put before a person as a broken one is.
"""

from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from kaunta.core.db import Connection, connect, transaction
from kaunta.core.errors import ConfigurationError
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import invariants as queries

log = structlog.get_logger(__name__)

#: What one sentence may take where nobody waits for it; among 300,000 payments the longest takes three.
SECONDS = 600.0
#: The client gives up after the server, which says why.
SLACK_SECONDS = 30.0
#: No answer came, and another try or another day may bring one: too slow, a lock, no memory or disk left for it.
UNANSWERED = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,
    TimeoutError,
)
BROKEN, UNCHECKED = "invariant", "invariant_unchecked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant's state: `rows` are offenders, at most 20, without personal data."""

    name: str
    sentence: str
    rows: list[dict[str, Any]]

    @property
    def ok(self) -> bool:
        return not self.rows


def sentence_of(query: queries.Invariant) -> str:
    return (query.__doc__ or "").strip()


async def check_all(db: Connection) -> list[Finding]:
    """Every invariant, in one snapshot where the caller's transaction gives one."""
    return [Finding(name, sentence_of(query), await query(db)) for name, query in queries.INVARIANTS.items()]


async def look_at_each(rt: Runtime, seconds: float = SECONDS) -> None:
    """Look at every invariant and open or close its problems. `seconds`: for each of them.

    A connection of its own: none of the pool, nor of a pooler's, is taken from payments for minutes.
    """
    if rt.settings.direct_url is None:
        raise ConfigurationError("KAUNTA_DATABASE_URL is needed.")
    url = rt.settings.direct_url.get_secret_value()
    async with rt.db.acquire() as db:
        told = await queries.told_of(db, [BROKEN, UNCHECKED])
    async with connect(url, command_timeout=seconds + SLACK_SECONDS, application_name="kaunta-invariants") as reading:
        for name, query in queries.INVARIANTS.items():
            try:
                async with reading.transaction(isolation="repeatable_read", readonly=True):
                    await queries.take_time(reading, seconds)
                    finding = Finding(name, sentence_of(query), await query(reading))
            except UNANSWERED as error:
                await tell_unchecked(rt, name, sentence_of(query), error)
            else:
                if not finding.ok or name in told:
                    await tell(rt, finding)


async def tell(rt: Runtime, finding: Finding) -> None:
    """There is an answer: a broken sentence is put before a person at once."""
    async with transaction(rt.db) as db:
        await close_problem(db, rt.clock, UNCHECKED, finding.name, by="kaunta", reason="answered again")
        if finding.ok:
            await close_problem(db, rt.clock, BROKEN, finding.name, by="kaunta", reason="true again")
        else:
            log.critical("invariant.broken", name=finding.name, count=len(finding.rows))
            await open_problem(
                db, rt.clock, BROKEN, finding.name, bar_id=None, severity=Severity.CRITICAL,
                sentence=finding.sentence, count=len(finding.rows),
            )  # fmt: skip


async def tell_unchecked(rt: Runtime, name: str, sentence: str, error: Exception) -> None:
    """There is none: what was known of it before stands."""
    log.error("invariant.unchecked", name=name, error=type(error).__name__)
    async with transaction(rt.db) as db:
        await open_problem(
            db, rt.clock, UNCHECKED, name, bar_id=None, severity=Severity.ERROR,
            sentence=sentence, failure=type(error).__name__,
        )  # fmt: skip

"""The one problem that cannot be a row: the database itself is away.

Each worker asks it for a sign of life on a connection as any use case would. When it has had none for a minute, it
tells people straight over their channels, once; when the database is back it says so, and writes down what happened.
What is told here does not outlive the process: then `readyz`, and whoever watches it, remains.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import structlog

from kaunta.alerts import channels, words
from kaunta.alerts.planning import ways
from kaunta.alerts.queries.delivery import Told
from kaunta.core import queries as core_queries
from kaunta.core.db import TRANSIENT_ERRORS, transaction
from kaunta.core.errors import ConfigurationError
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime

log = structlog.get_logger(__name__)

KIND, SUBJECT = "database_unreachable", "database"
#: Real seconds without a sign of life before people are told, and how long one is waited for.
PATIENCE_SECONDS, SIGN_SECONDS = 60.0, 5.0
#: Messages of several workers about one outage carry one id, as far as they began in the same minutes.
IDS, SAME_OUTAGE_SECONDS = UUID("6f8a1e52-51c5-4d6a-9d0e-0d4a3f4bb6c1"), 600.0


@dataclass(slots=True)
class DatabaseWatch:
    """What one worker knows of the database's absence."""

    rt: Runtime
    since: datetime | None = None
    reason: str = ""
    told: bool = False

    async def look(self) -> int:
        """A worker's turn. Always 0."""
        try:
            async with self.rt.db.acquire(timeout=SIGN_SECONDS) as db:
                await core_queries.newest_heartbeat(db)
        except (*TRANSIENT_ERRORS, asyncpg.PostgresError) as error:
            # Also a login that is not accepted any more, or a right that was taken away.
            await self.away(type(error).__name__)
        else:
            if self.since is not None:
                await self.back(self.since)
        return 0

    async def away(self, reason: str) -> None:
        now = self.rt.clock.now()
        self.since, self.reason = self.since or now, reason
        if not self.told and (now - self.since).total_seconds() >= PATIENCE_SECONDS:
            log.critical("database.away", reason=reason)
            self.told = await self.tell("opened", self.since, None)

    async def back(self, since: datetime) -> None:
        rt, now = self.rt, self.rt.clock.now()
        if (now - since).total_seconds() >= PATIENCE_SECONDS:
            async with transaction(rt.db) as db:
                detail: dict[str, Any] = {"reason": self.reason, "since": since.isoformat()}
                if await open_problem(db, rt.clock, KIND, SUBJECT, bar_id=None, severity=Severity.CRITICAL, **detail):
                    minutes = (now - since).total_seconds() / 60
                    await close_problem(
                        db, rt.clock, KIND, SUBJECT, by="kaunta", reason=f"it was away for {minutes:.0f} min"
                    )
        if self.told:
            await self.tell("cleared", since, now)
        self.since, self.told = None, False

    async def tell(self, event: str, since: datetime, until: datetime | None) -> bool:
        """Over every channel of the first level; whether one took it, or there is none."""
        rt = self.rt
        name = f"{event} {int(since.timestamp() // SAME_OUTAGE_SECONDS)}"
        one = Told(uuid5(IDS, "outage"), KIND, Severity.CRITICAL, None, {"reason": self.reason}, since, until, 1)
        message = words.compose(uuid5(IDS, name), event, 1, [one], 1, rt.settings.public_url)
        taken, tried = 0, ways(rt.settings, 1) or [*rt.settings.alert_channels]
        for channel in tried:
            try:
                failure = await channels.send(channel, message, rt.settings, rt.clock)
            except ConfigurationError:
                continue
            taken += failure is None
            if failure is not None:
                log.error("alert.not_taken", kind=channel, reason=failure.reason)
        return taken > 0 or not tried

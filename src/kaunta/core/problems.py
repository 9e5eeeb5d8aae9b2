"""Problems: what a person should look at. Anyone may open one; `alerts` delivers them.

A problem is a row, opened in the transaction of what it tells, so that it exists exactly when its cause does. One
is open at most once a kind and subject; it closes when its cause is gone or a person says so.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

from kaunta.core import queries
from kaunta.core.clock import Clock
from kaunta.core.db import Connection
from kaunta.core.redaction import typed, without_secrets


class Severity(StrEnum):
    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


async def open_problem(
    db: Connection,
    clock: Clock,
    kind: str,
    subject: UUID | str,
    *,
    bar_id: UUID | None,
    severity: Severity = Severity.WARNING,
    **detail: Any,
) -> bool:
    """Open a problem unless it is open already; True where it is new. `detail` holds no secret and no phone."""
    return await queries.open_problem(db, bar_id, kind, str(subject), severity, typed(detail), clock.now())


async def close_problem(db: Connection, clock: Clock, kind: str, subject: UUID | str, *, by: str, reason: str) -> bool:
    """Close a problem; True where one was open."""
    return await queries.close_problems(db, [kind], str(subject), by, without_secrets(reason), clock.now())


async def close_problems(
    db: Connection, clock: Clock, kinds: list[str], subject: UUID | str, *, by: str, reason: str
) -> None:
    """Close whatever of these kinds is open about a subject."""
    await queries.close_problems(db, kinds, str(subject), by, without_secrets(reason), clock.now())

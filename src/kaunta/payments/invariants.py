"""What must always be true, as queries. Tests, `kaunta invariants` and the worker run the same ones.

Each query returns the rows that break the sentence above it; an empty answer is health.
"""

from dataclasses import dataclass
from typing import Any

from kaunta.core.db import Connection
from kaunta.payments.queries import invariants as queries


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant's state: `rows` are offenders, at most 20, without personal data."""

    name: str
    sentence: str
    rows: list[dict[str, Any]]

    @property
    def ok(self) -> bool:
        return not self.rows


async def check_all(db: Connection) -> list[Finding]:
    """Every invariant, in one snapshot where the caller's transaction gives one."""
    return [Finding(name, (query.__doc__ or "").strip(), await query(db)) for name, query in queries.INVARIANTS.items()]

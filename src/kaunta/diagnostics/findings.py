"""What a diagnosis is made of: findings, each with the step that mends it, sorted so that the first is the cause."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Category(StrEnum):
    """What kind of thing is wrong."""

    ENV = "env"
    KEY = "key"
    DATABASE = "database"
    FORMAT = "format"
    ALGORITHM = "algorithm"
    CREDENTIALS = "credentials"
    NETWORK = "network"
    CLOCK = "clock"
    OPERATION = "operation"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def stops(self) -> bool:
        """Whether something does not work: a warning only may not, one day."""
        return self in (Severity.ERROR, Severity.CRITICAL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was seen.

    `remedy`: the command or step that mends it, empty where nothing is to be mended. `subject`: which variable, table,
    bar or host. `bar_id`: whose it is, where it is one bar's. `cause`: the check that must be green first, where this
    one was not looked at.
    """

    check: str
    category: Category
    severity: Severity
    detail: str
    remedy: str = ""
    subject: str | None = None
    bar_id: UUID | None = None
    cause: str | None = None

    @property
    def is_problem(self) -> bool:
        return self.severity is not Severity.INFO

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "category": self.category.value,
            "severity": self.severity.value,
            "detail": self.detail,
            "remedy": self.remedy,
            "subject": self.subject,
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What stops comes first, in the order of the checks, so that a cause precedes what follows from it; then what
    may stop one day; then what is well."""
    found = list(findings)
    stopping = [one for one in found if one.severity.stops]
    warning = [one for one in found if one.severity is Severity.WARNING]
    well = [one for one in found if not one.is_problem]
    return (*stopping, *warning, *well)


@dataclass(frozen=True, slots=True)
class Report:
    """One diagnosis. `audited`: whether it is on the record, which a database that is away cannot take."""

    at: datetime
    topics: tuple[str, ...]
    findings: tuple[Finding, ...]
    audited: bool = False

    @property
    def problems(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.is_problem)

    @property
    def not_looked_at(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.cause is not None)

    @property
    def ok(self) -> bool:
        """Nothing stops. Warnings are told and do not count."""
        return not any(one.severity.stops for one in self.findings)

    def of_bar(self, bar_id: UUID) -> "Report":
        """What may be shown to somebody of one bar: nothing of another's."""
        seen = tuple(one for one in self.findings if one.bar_id in (None, bar_id))
        return Report(self.at, self.topics, seen, self.audited)

    def as_json(self) -> dict[str, Any]:
        first = next(iter(self.problems), None)
        return {
            "at": self.at.isoformat(),
            "topics": list(self.topics),
            "ok": self.ok,
            "first": first.as_json() if first else None,
            "findings": [one.as_json() for one in self.findings],
            "not_looked_at": [{"check": one.check, "cause": one.cause} for one in self.not_looked_at],
            "audited": self.audited,
        }

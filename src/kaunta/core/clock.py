"""Time, as an argument.

Every use case is given a `Clock`; nothing else in Kaunta reads the time. One factor scales every interval of
policy (the five minutes to `timeout`, the query schedule, cool-downs), so that the demo can live a whole evening
in a minute without skipping a step.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

#: Kenya keeps UTC+3 all year and has since 1960; a fixed offset needs no time-zone database on the host.
EAT = timezone(timedelta(hours=3), "EAT")


@dataclass(frozen=True, slots=True)
class Clock:
    """The wall clock. `factor` 60 makes a policy minute pass in a real second."""

    factor: float = 1.0

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)

    def after(self, seconds: float) -> datetime:
        """The moment `seconds` of policy from now."""
        return self.now() + timedelta(seconds=self.wait(seconds))

    def before(self, seconds: float) -> datetime:
        """The moment `seconds` of policy ago."""
        return self.now() - timedelta(seconds=self.wait(seconds))

    def wait(self, seconds: float) -> float:
        """How many real seconds `seconds` of policy last."""
        return seconds / self.factor

    def elapsed(self, since: datetime) -> float:
        """Seconds of policy since `since`."""
        return (self.now() - since).total_seconds() * self.factor


class ManualClock(Clock):
    """A clock that moves only when told to: for tests and replays."""

    __slots__ = ("moment",)

    def __init__(self, start: datetime, factor: float = 1.0) -> None:
        object.__setattr__(self, "factor", factor)
        object.__setattr__(self, "moment", start)

    def now(self) -> datetime:
        return self.moment  # type: ignore[attr-defined,no-any-return]

    def advance(self, seconds: float) -> None:
        """Let `seconds` of policy pass."""
        object.__setattr__(self, "moment", self.now() + timedelta(seconds=self.wait(seconds)))

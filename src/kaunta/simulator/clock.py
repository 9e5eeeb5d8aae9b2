"""Time, as the simulator sees it: the wall's, or a moment that only a test moves.

All delays (the customer's hesitation, the prompt's life, a late callback) are seconds of policy; the factor says how
many of them pass in a real second.
"""

from datetime import UTC, datetime, timedelta, timezone
from time import time

#: Daraja writes every time in East Africa Time, which has had no summer time since 1960.
EAT = timezone(timedelta(hours=3), "EAT")


class SimulatedTime:
    """The wall clock; or, with `start`, a clock that stands still until it is moved."""

    def __init__(self, factor: float = 1.0, *, start: datetime | None = None) -> None:
        self.speed(factor)
        self.moment = start

    def speed(self, factor: float) -> None:
        """Raises ValueError for a factor that is not above 0."""
        if factor <= 0:
            raise ValueError("the clock factor must be above 0")
        self.factor = factor

    @property
    def manual(self) -> bool:
        return self.moment is not None

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return self.moment or datetime.fromtimestamp(time(), UTC)

    def later(self, seconds: float) -> datetime:
        """The moment `seconds` of policy from now."""
        return self.now() + timedelta(seconds=seconds / self.factor)

    def move_to(self, moment: datetime) -> None:
        """Moves a manual clock forward; the wall moves by itself, and neither moves back."""
        if self.moment is not None and moment > self.moment:
            self.moment = moment

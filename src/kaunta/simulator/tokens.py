"""Access tokens: a fresh one for every call, the older ones good for the rest of their hour."""

from collections import OrderedDict
from datetime import datetime

from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.identifiers import Identifiers


class Tokens:
    """The tokens given out; at most `keep` are remembered."""

    def __init__(self, clock: SimulatedTime, identifiers: Identifiers, life: float, keep: int) -> None:
        self.clock = clock
        self.identifiers = identifiers
        self.life = life
        self.keep = keep
        self.until: OrderedDict[str, datetime] = OrderedDict()

    def give(self) -> str:
        token = self.identifiers.token()
        self.until[token] = self.clock.later(self.life)
        if len(self.until) > self.keep:
            self.until.popitem(last=False)
        return token

    def good(self, token: str) -> bool:
        until = self.until.get(token)
        return until is not None and self.clock.now() < until

    def expire(self) -> None:
        """Every token given so far is worth nothing from now."""
        self.until.clear()

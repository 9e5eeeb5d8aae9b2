"""Scripts under way: their steps are errands of the agenda, beside whatever else is going on."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count

from kaunta.simulator.simulator import Simulator

log = logging.getLogger(__name__)

#: What a step does when its moment has come.
Deed = Callable[[Simulator], Awaitable[None]]
#: How many scripts are remembered.
KEPT = 20


class Impossible(Exception):
    """The step cannot be done now: nobody's phone rings, the payment is declined."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, `at` seconds from the beginning. `says` is the step in words."""

    at: float
    line: int
    verb: str
    says: str
    do: Deed


@dataclass(frozen=True, slots=True)
class Script:
    """A script that has been read: its steps in the order of their moments."""

    name: str
    says: str
    steps: tuple[Step, ...]


@dataclass(slots=True)
class Playing:
    """A script that was begun. `problems` are steps that could not be done, as `line 7: …`."""

    number: int
    script: Script
    began_at: datetime
    done: int = 0
    stopped: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.stopped or self.done == len(self.script.steps)


class Scripts:
    """The scripts of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.played: list[Playing] = []
        self.numbers = count(1)

    def play(self, script: Script) -> Playing:
        """Begins the script, beside whatever else is going on."""
        playing = Playing(next(self.numbers), script, self.simulator.clock.now())
        self.played = [*self.played, playing][-KEPT:]
        for step in script.steps:
            self.simulator.agenda.add(step.at, f"script {playing.number}", partial(self.take, playing, step))
        self.simulator.news.tell()
        return playing

    def stop(self, number: int) -> Playing:
        """What is left of it does not happen; raises KeyError."""
        playing = next((each for each in self.played if each.number == number), None)
        if playing is None:
            raise KeyError(f"script {number}")
        playing.stopped = True
        self.simulator.news.tell()
        return playing

    async def take(self, playing: Playing, step: Step) -> None:
        if playing.stopped:
            return
        try:
            await step.do(self.simulator)
        except Impossible as problem:
            playing.problems.append(f"line {step.line}: {problem}")
            log.warning("script %s, line %d: %s", playing.script.name, step.line, problem)
        playing.done += 1
        self.simulator.news.tell()

"""Which scenario a push gets: a hook's, else one queued for it, else its phone number's, else one by the rates, else
the automatic one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from kaunta.simulator import checks
from kaunta.simulator.catalogue import TEST_PHONES, scenario_named
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.pushes import Wanted
from kaunta.simulator.scenarios import Callback, Scenario


@dataclass(slots=True)
class Queued:
    """A scenario waiting for its pushes; `phone` None fits any."""

    scenario: Scenario
    phone: str | None
    times: int


class Choice:
    """The queue, and what applies when it has nothing."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.queue: list[Queued] = []
        #: Asked in order before anything else; None: no opinion.
        self.hooks: list[Callable[[Wanted], Scenario | None]] = []
        #: Shares of pushes by scenario, together at most 1; the rest goes the automatic way.
        self.rates: dict[str, float] = {}
        self.random = Random(options.seed)  # noqa: S311 - a die for invented payments
        automatic = scenario_named(options.auto)
        self.automatic = automatic if options.delay is None else replace(automatic, delay=options.delay)

    def add(self, scenario: Scenario, phone: str | None, times: int) -> None:
        self.queue.append(Queued(scenario, phone, times))

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Raises `UnknownScenario`, and ValueError for shares of more than everything."""
        if sum(rates.values()) > 1 or any(share < 0 for share in rates.values()):
            raise ValueError("rates are shares from 0 to 1, together at most 1")
        for name in rates:
            scenario_named(name)
        self.rates = dict(rates)

    def scenario_for(self, wanted: Wanted) -> Scenario:
        """The push's scenario. What cannot be paid at all fails, whatever was chosen."""
        chosen = self.hooked(wanted) or self.queued_for(wanted.phone) or self.usual_for(wanted.phone)
        code = checks.verdict(wanted, self.options)
        if code is None or not chosen.accepts:
            return chosen
        return replace(chosen, result=code, delay=2.0, rings=False, callbacks=(Callback(),))

    def queued_for(self, phone: str) -> Scenario | None:
        for queued in self.queue:
            if queued.phone in (None, phone):
                queued.times -= 1
                if queued.times <= 0:
                    self.queue.remove(queued)
                return queued.scenario
        return None

    def hooked(self, wanted: Wanted) -> Scenario | None:
        for hook in self.hooks:
            scenario = hook(wanted)
            if scenario is not None:
                return scenario
        return None

    def usual_for(self, phone: str) -> Scenario:
        name = TEST_PHONES.get(phone) or self.drawn()
        return self.automatic if name is None else scenario_named(name)

    def drawn(self) -> str | None:
        """A scenario by the rates."""
        if not self.rates:
            return None
        die = self.random.random()
        for name, share in self.rates.items():
            die -= share
            if die < 0:
                return name
        return None

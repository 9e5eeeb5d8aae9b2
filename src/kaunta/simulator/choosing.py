"""Which scenario a push gets: one queued for it, else its phone number's, else the automatic one."""

from dataclasses import dataclass, replace

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
        automatic = scenario_named(options.auto)
        self.automatic = automatic if options.delay is None else replace(automatic, delay=options.delay)

    def add(self, scenario: Scenario, phone: str | None, times: int) -> None:
        self.queue.append(Queued(scenario, phone, times))

    def scenario_for(self, wanted: Wanted) -> Scenario:
        """The push's scenario. What cannot be paid at all fails, whatever was chosen."""
        chosen = self.queued_for(wanted.phone) or self.usual_for(wanted.phone)
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

    def usual_for(self, phone: str) -> Scenario:
        name = TEST_PHONES.get(phone)
        return self.automatic if name is None else scenario_named(name)

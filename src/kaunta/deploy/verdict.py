"""Does a deployment do worse than what was there before? A pure decision over samples, so that it can be tried without
deploying anything.

A sample is what was seen since the sample before it: of each measure, how many went wrong of how many. A measure is
broken when, over its window, enough was seen, enough of it was bad, more than the time before explains, in several
samples, and in the newest that saw anything. One failed payment, one slow answer, one burst while a database restarts:
none of these is a reason to roll back; the same thing again and again is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import sqrt


class Measure(StrEnum):
    """What a watch looks at."""

    READY = "ready"
    ANSWERS = "answers"
    STORED = "stored"
    OFFERED = "offered"
    UNREADABLE = "unreadable"
    OPENED = "opened"
    UNDERSTOOD = "understood"
    CALLED_BACK = "called_back"
    OURS = "ours"
    STOPPED = "stopped"


#: What each measure's bad ones are, for people.
BAD = {
    Measure.READY: "looks at /readyz found Kaunta not ready",
    Measure.ANSWERS: "answers were errors of ours (HTTP 500 and its kin)",
    Measure.STORED: "callbacks could not be stored",
    Measure.OFFERED: "looks at a bar that takes M-Pesa found it not offered",
    Measure.UNREADABLE: "looks at a bar's credentials found them newly unreadable",
    Measure.OPENED: "openings of credentials failed",
    Measure.UNDERSTOOD: "callbacks of our payments were not understood",
    Measure.CALLED_BACK: "payments that Safaricom took were not called back",
    Measure.OURS: "payments failed by our fault",
    Measure.STOPPED: "looks at a bar found M-Pesa newly stopped by failures of ours",
}


@dataclass(frozen=True, slots=True)
class Count:
    """How many of how many were bad."""

    bad: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.total:
            raise ValueError("of so many, so many were bad")

    def __add__(self, other: "Count") -> "Count":
        return Count(self.bad + other.bad, self.total + other.total)

    @property
    def share(self) -> float:
        return self.bad / self.total if self.total else 0.0


NONE = Count(0, 0)
#: Where everything hangs, looks are far apart: so many newest ones are within every window.
NEWEST = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen since the sample before. `at`: seconds since the watch began."""

    at: float
    counts: Mapping[Measure, Count] = field(default_factory=dict)

    def of(self, measure: Measure) -> Count:
        return self.counts.get(measure, NONE)


@dataclass(frozen=True, slots=True)
class Rule:
    """When a measure is broken. `window`: seconds that are looked back; `least_total`, `least_bad`: fewer say nothing;
    `margin`: so much more than the share of the time before is borne; `spread`: bad ones in so many samples."""

    window: float
    least_total: int
    least_bad: int
    margin: float
    spread: int


#: A quiet bar has a payment every few minutes, so what only payments show is looked at for longer.
RULES: Mapping[Measure, Rule] = {
    Measure.READY: Rule(60, 3, 3, 0.6, 3),
    Measure.ANSWERS: Rule(300, 20, 10, 0.1, 3),
    Measure.STORED: Rule(300, 3, 3, 0.2, 2),
    Measure.OFFERED: Rule(60, 3, 3, 0.2, 3),
    Measure.UNREADABLE: Rule(60, 3, 3, 0.2, 3),
    Measure.OPENED: Rule(300, 3, 3, 0.2, 2),
    Measure.UNDERSTOOD: Rule(600, 5, 4, 0.3, 2),
    Measure.CALLED_BACK: Rule(600, 8, 6, 0.4, 3),
    Measure.OURS: Rule(600, 5, 4, 0.3, 3),
    Measure.STOPPED: Rule(60, 3, 3, 0.3, 3),
}


@dataclass(frozen=True, slots=True)
class Breach:
    """A measure that is broken: what was seen over its window, and the share of the time before."""

    measure: Measure
    seen: Count
    before: float

    @property
    def sentence(self) -> str:
        was = f"; before it were {self.before:.0%}" if self.before else ""
        return f"{self.seen.bad:,} of {self.seen.total:,} {BAD[self.measure]}{was}"


def breaches(
    samples: Sequence[Sample],
    baseline: Mapping[Measure, Count],
    rules: Mapping[Measure, Rule] = RULES,
) -> list[Breach]:
    """The measures that are broken at the newest of the samples, which are in the order of their time."""
    found = (broken(measure, rule, samples, baseline.get(measure, NONE)) for measure, rule in rules.items())
    return [breach for breach in found if breach is not None]


def broken(measure: Measure, rule: Rule, samples: Sequence[Sample], before: Count) -> Breach | None:
    if not samples:
        return None
    since = samples[-1].at - rule.window
    oldest = min(next(i for i, sample in enumerate(samples) if sample.at > since), max(len(samples) - NEWEST, 0))
    counts = [count for sample in samples[oldest:] if (count := sample.of(measure)).total]
    seen = sum(counts, NONE)
    # Of too few nothing can be said, before the deployment as little as after it.
    usual = before.share if before.total >= rule.least_total else 0.0
    enough = seen.total >= rule.least_total and seen.bad >= rule.least_bad
    spread = sum(count.bad > 0 for count in counts) >= rule.spread
    # What is bad now and then comes in clusters: three deviations above what is usual are still usual.
    by_chance = seen.total * usual + 3 * sqrt(seen.total * usual * (1 - usual))
    worse = seen.share > usual + rule.margin and seen.bad > by_chance
    if enough and spread and worse and counts[-1].bad:
        return Breach(measure, seen, usual)
    return None

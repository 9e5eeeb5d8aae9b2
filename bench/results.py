"""From rounds to figures: medians, ratios, what was reached of what was wanted, and the JSON that is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.row import BARE, LIMIT, OURS, PEER, Goal, Measured, Row


@dataclass(frozen=True, slots=True)
class Figures:
    """A way's medians over its rounds. `spread` is (largest − smallest) / median of its values."""

    value: float
    spread: float
    cpu_us: float | None
    postgres_us: float | None
    more: Mapping[str, float]


def middle(values: Sequence[float | None]) -> float | None:
    """The median of what is there; None where nothing is."""
    there = [value for value in values if value is not None]
    return median(there) if there else None


def figures(rounds: Sequence[Measured]) -> Figures:
    """Each figure's own median: the rounds are alike but for noise."""
    values = [measured.value for measured in rounds]
    value = median(values)
    names = list(dict.fromkeys(name for measured in rounds for name in measured.more))
    return Figures(
        value=value,
        spread=(max(values) - min(values)) / value if value else 0.0,
        cpu_us=middle([measured.cpu_us for measured in rounds]),
        postgres_us=middle([measured.postgres_us for measured in rounds]),
        more={name: median(m.more[name] for m in rounds if name in m.more) for name in names},
    )


def ratio(mine: float | None, theirs: float | None) -> float | None:
    """How many times the other's value ours is."""
    return mine / theirs if mine is not None and theirs else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a goal came to; `reached` is None where nothing was measured that could tell."""

    goal: Goal
    figure: float | None

    @property
    def reached(self) -> bool | None:
        if self.figure is None:
            return None
        enough = self.goal.at_least is None or self.figure >= self.goal.at_least
        little = self.goal.at_most is None or self.figure <= self.goal.at_most
        return enough and little


@dataclass(frozen=True, slots=True)
class Result:
    """A row's figures by way."""

    row: Row
    ways: Mapping[str, Figures]
    rounds: int

    def value(self, way: str) -> float | None:
        return self.ways[way].value if way in self.ways else None

    @property
    def ratio_to_peer(self) -> float | None:
        return ratio(self.value(OURS), self.value(PEER))

    @property
    def ratio_to_limit(self) -> float | None:
        return ratio(self.value(OURS), self.value(LIMIT))

    def outcomes(self) -> list[Outcome]:
        return [Outcome(goal, self.figure(goal)) for goal in self.row.goals]

    def figure(self, goal: Goal) -> float | None:
        """The figure a goal names, of its way; ratios are those of that way to the peer's and the limit's value, and to
        the bare way's CPU."""
        found = self.ways.get(goal.way)
        if found is None:
            return None
        named = {
            "value": found.value,
            "cpu_us": found.cpu_us,
            "postgres_us": found.postgres_us,
            "ratio_to_peer": ratio(found.value, self.value(PEER)),
            "ratio_to_limit": ratio(found.value, self.value(LIMIT)),
            "cpu_to_bare": ratio(found.cpu_us, self.ways[BARE].cpu_us if BARE in self.ways else None),
        }
        return named[goal.figure] if goal.figure in named else found.more.get(goal.figure)


def summary(row: Row, rounds: Mapping[str, Sequence[Measured]]) -> Result:
    """A row's result from its rounds."""
    return Result(
        row, {name: figures(measured) for name, measured in rounds.items()}, max(len(each) for each in rounds.values())
    )


def row_as_json(result: Result, *, when: str, load_before: float | None, quick: bool) -> dict[str, Any]:
    """A row in bench/results.json: the contract's keys, and beside them all that the page shows.

    `ours`, `peer` and `limit` are medians in `unit`; the ratios are ours to theirs, whichever of both is better.
    `load_before` is the machine's load average when the row began; `quick` says that it was only tried.
    """
    return {
        "name": result.row.name,
        "ours": rounded(result.value(OURS)),
        "peer": rounded(result.value(PEER)),
        "limit": rounded(result.value(LIMIT)),
        "ratio_to_peer": rounded(result.ratio_to_peer),
        "ratio_to_limit": rounded(result.ratio_to_limit),
        "unit": result.row.unit,
        "title": result.row.title,
        "about": " ".join(result.row.about.split()),
        "better": "less" if result.row.less else "more",
        "rounds": result.rounds,
        "when": when,
        "load_before": rounded(load_before),
        "quick": quick,
        "ways": {
            name: {
                "value": rounded(found.value),
                "spread": rounded(found.spread),
                "cpu_us": rounded(found.cpu_us),
                "postgres_us": rounded(found.postgres_us),
                **{key: rounded(figure) for key, figure in found.more.items()},
            }
            for name, found in result.ways.items()
        },
        "goals": [
            {
                "says": outcome.goal.says,
                "figure": rounded(outcome.figure),
                "at_least": outcome.goal.at_least,
                "at_most": outcome.goal.at_most,
                "reached": outcome.reached,
            }
            for outcome in result.outcomes()
        ],
    }


def rounded(figure: float | None) -> float | None:
    """Four digits that mean something."""
    return None if figure is None else float(f"{figure:.4g}")

"""Rounds: in each, every way of a row has its turn, in a new order, so that what the machine does meets all alike."""

import sys
from collections import defaultdict
from random import Random

from bench.ground import Ground
from bench.row import Measured, Row, Size

Rounds = dict[str, list[Measured]]


async def measure(row: Row, ground: Ground, size: Size, rounds: int) -> Rounds:
    """`rounds` rounds of a row, after one that only warms up; what each way measured, in order."""
    results: defaultdict[str, list[Measured]] = defaultdict(list)
    rounds = min(rounds, row.most_rounds)
    order = Random(row.name)  # noqa: S311 - an order, not a secret
    async with row.ready(ground, size) as ways:
        for turn in range(rounds + 1 if row.warm_up else rounds):
            for name in order.sample(sorted(ways), len(ways)):
                measured = await ways[name]()
                say(f"  {row.name} round {turn}: {name} {measured.value:,.2f} {row.unit}")
                if turn or not row.warm_up:
                    results[name].append(measured)
    return dict(results)


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

"""Evenings without end: `python -m tests.properties.soak --seed 7 --minutes 30` (or `make soak`).

Each round has its own seed, printed before it begins; what fails is replayed by `--seed` with `--rounds 1`.
"""

import argparse
import asyncio
import logging
import sys
import time
import warnings
from random import SystemRandom
from typing import cast

import uvloop
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from kaunta.access.passwords import HASHER
from kaunta.core.entropy import Entropy
from kaunta.core.vault import generate_entry
from tests.plugins.databases import Cluster

from .house import World
from .whole import MACHINES

EXAMPLES, STEPS = 25, 60


def live_through(
    world: World, *, examples: int, steps: int, number: int | None = None, shortest: bool = True,
    machine: str = "whole",
) -> None:  # fmt: skip
    """So many evenings of so many steps; a failure says its seed and, if `shortest`, is made short."""
    number = SystemRandom().randrange(10**9) if number is None else number
    factory = seed(number)(lambda: MACHINES[machine](world))
    try:
        run_state_machine_as_test(
            cast(type[RuleBasedStateMachine], factory),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
                phases=[phase for phase in Phase if shortest or phase is not Phase.shrink],
            ),
        )
    except BaseException as failure:
        failure.add_note(
            f"again: python -m tests.properties.soak --machine {machine} --seed {number} --examples {examples} "
            f"--steps {steps}"
        )
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of the first round; the next has the next")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin rounds for this long; default: one round")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="evenings a round")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps an evening")
    parser.add_argument("--long", action="store_true", help="show the first failure as it came, not the shortest")
    parser.add_argument("--machine", choices=MACHINES, default="whole", help="which rules; default: all")
    said = parser.parse_args()
    warnings.simplefilter("error")
    for noisy in ("asyncio", "asyncpg", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    number = SystemRandom().randrange(10**9) if said.seed is None else said.seed
    started, cluster = time.monotonic(), Cluster()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            keyring = generate_entry(Entropy(), "soak")
            world = World(runner, cluster.need(), keyring, HASHER.hash("soak"))
            while True:
                tell(f"seed {number}")
                live_through(
                    world, examples=said.examples, steps=said.steps, number=number, shortest=not said.long,
                    machine=said.machine,
                )  # fmt: skip
                passed = time.monotonic() - started
                tell(f"{passed:6.0f} s  " + ", ".join(f"{what} {count:,}" for what, count in world.figures.items()))
                if passed >= said.minutes * 60:
                    return 0
                number += 1
    finally:
        cluster.end()


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""Under load everything is killed, again and again; afterwards every shilling is where it belongs.

What is promised: a callback answered 200 is in the inbox; what was paid and told is booked exactly once; what nobody
could tell is found by asking or shown to a person; no telephone rings twice for one payment.
"""

import asyncio
from pathlib import Path

import pytest

from kaunta.core.runtime import Runtime
from tests.chaos.evening import Evening
from tests.plugins.prove import Proof

#: One of each, then the web once more: what an ordinary run has the time for.
SHORT = ("web", "postgres", "worker", "network", "web")
KILLS, SECONDS = 24, 180.0


async def spools(folder: Path) -> int:
    return len(list(folder.glob("spool*/*.callback")))


@pytest.mark.failure(46, 54, 62)
async def test_an_evening_in_which_everything_is_killed_once(chaos: Evening, rt: Runtime, tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as evening:
        evening.create_task(chaos.load(lambda: len(chaos.struck) == len(SHORT)))
        for number, what in enumerate(SHORT, start=1):
            # Trouble comes after so many guests were served, whatever the machine's speed.
            await served(chaos, 7 * number, 15)
            await chaos.strike(what)
    await chaos.accounted(rt)
    assert not await spools(tmp_path)
    assert chaos.went_home == 0


@pytest.mark.prove
async def test_three_minutes_of_kills(chaos: Evening, rt: Runtime, tmp_path: Path, proof: Proof) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + SECONDS

    def over() -> bool:
        return loop.time() > until and kills(chaos) >= KILLS

    async with asyncio.TaskGroup() as evening:
        evening.create_task(chaos.load(over))
        while not over():
            await served(chaos, len(chaos.started) + chaos.chance.randint(3, 20), 10)
            await chaos.strike(chaos.chance.choice(("web", "web", "worker", "postgres", "network")))
    await chaos.accounted(rt)
    assert not await spools(tmp_path)
    simulator = chaos.simulator.simulator
    answers = [a.status for p in simulator.pushes.values() for m in p.messages for a in m.attempts]
    proof("chaos: processes killed under load", kills(chaos))
    proof("chaos: network cuts", chaos.struck.count("network"))
    proof("chaos: payments started", len(chaos.started))
    proof("chaos: callbacks answered 200, all in the inbox", answers.count(200))
    proof("chaos: callbacks answered 503, all imported from the spool", answers.count(503))
    proof("chaos: callbacks that found nobody, found out by asking", sum(status is None for status in answers))
    proof("chaos: shillings taken, each booked once or before a person", sum(p.amount for p in simulator.ledger))


def kills(chaos: Evening) -> int:
    return sum(what != "network" for what in chaos.struck)


async def served(chaos: Evening, guests: int, seconds: float) -> None:
    """Wait until so many payments are under way; no longer than `seconds`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while len(chaos.started) < guests and loop.time() < until:
        await asyncio.sleep(0.05)

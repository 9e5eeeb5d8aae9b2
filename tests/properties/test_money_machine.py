"""No shilling lost: evenings of everything that can go wrong, in any order, over the real database.

The machine's rules are in guests.py, letters.py, counter.py and trouble.py, those of direct money in till.py, desk.py,
returns.py and whole.py; what must hold after each step is in books.py and direct_books.py, and in the end in
reconciliation.py and settling.py. A failure is shown as it came, with the command that finds its shortest form.
"""

import time

import pytest

from tests.plugins.prove import Proof

from .house import World
from .soak import live_through


@pytest.mark.req("PAY-P5", "PAY-P6", "PAY-P7")
@pytest.mark.failure(48, 51, 52, 57, 63, 67)
def test_no_shilling_is_lost(world: World, number: int) -> None:
    live_through(world, examples=25, steps=20, number=number, shortest=False, machine="pushes")


@pytest.mark.req("PAY-2.4", "PAY-P7")
def test_no_shilling_is_lost_of_direct_money(world: World, number: int) -> None:
    live_through(world, examples=6, steps=20, number=number, shortest=False, machine="direct")


@pytest.mark.prove
@pytest.mark.parametrize("quarter", range(1, 5))
def test_no_shilling_is_lost_in_two_hundred_evenings(world: World, number: int, proof: Proof, quarter: int) -> None:
    """In quarters of fifty, so that they are lived through side by side."""
    started = time.monotonic()
    live_through(world, examples=50, steps=50, number=number + quarter, shortest=False)
    for what, count in sorted(world.figures.items()):
        proof(f"money machine, quarter {quarter}: {what}", f"{count:,}")
    proof(f"money machine, quarter {quarter}: seconds", round(time.monotonic() - started))
    proof(f"money machine, quarter {quarter}: seed", number + quarter)

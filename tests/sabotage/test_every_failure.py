"""Rulings 35, by the numbers: each invariant, and each failure of money's groups, has a bug that turns its test red."""

import re

from kaunta.payments.queries.invariants import INVARIANTS
from tests.sabotage.bugs import all_bugs
from tests.traceability import proofs

#: Groups D, E and F of the old failures: initiation, callbacks, states.
MONEY = range(32, 69)
ABOUT = re.compile(r"failures? (\d+(?:, \d+)*)")


def test_every_invariant_has_a_bug_that_it_sees() -> None:
    named = {word for bug in all_bugs() for word in re.findall(r"invariant (\w+)", bug.about)}
    assert INVARIANTS.keys() - named == set()


def test_every_failure_of_money_has_a_bug_that_turns_a_test_of_its_number_red() -> None:
    turned_red: dict[int, set[str]] = {number: set() for number in MONEY}
    for bug in all_bugs():
        for numbers in ABOUT.findall(bug.about):
            for number in map(int, numbers.split(", ")):
                turned_red.setdefault(number, set()).update(bug.red)
    found = proofs().failures
    assert [number for number in MONEY if not turned_red[number] & set(found.get(number, ()))] == []

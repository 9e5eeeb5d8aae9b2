"""Ten thousand damaged inputs with every run, more in the proofs: Hypothesis picks where to begin and what is good, and
finds the smallest batch that breaks a reader."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.mutations import MUTATIONS, mutated
from tests.fuzz.targets import TARGETS, Broken, Target, attempt, callbacks, run

BATCH = 34


@pytest.mark.req("PAY-P5", "PAY-P9", "PAY-P11", "PAY-P13", "PAY-5.2", "PAY-5.3")
@pytest.mark.failure(50)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@given(seed=st.integers(0, 2**64), count=st.just(BATCH))
@example(seed=0, count=BATCH)
def test_no_damaged_input_crashes_hangs_or_is_believed(target: Target, seed: int, count: int) -> None:
    run(target, seed, count)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@given(data=st.binary(max_size=400))
def test_neither_does_whatever_bytes_come(target: Target, data: bytes) -> None:
    attempt(target, data)


def test_a_reader_that_breaks_is_found_with_its_input() -> None:
    def naive(data: bytes) -> None:
        data.decode("ascii")

    with pytest.raises(Broken, match="UnicodeDecodeError"):
        run(Target("naive", TARGETS[0].good, naive), 1, 1_000)


def test_every_mutation_changes_something_and_follows_from_its_seed() -> None:
    good = TARGETS[0].good[0]
    for mutate in MUTATIONS:
        assert any(mutate(random.Random(seed), good) != good for seed in range(5)), mutate.__name__
    assert mutated(random.Random(3), good) == mutated(random.Random(3), good)


def test_the_deepest_nesting_is_malformed_and_no_crash() -> None:
    for depth in (1_000, 100_000):
        callbacks(b"[" * depth)
        callbacks(b'{"Body":' * depth)

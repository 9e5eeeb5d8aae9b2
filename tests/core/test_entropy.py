"""Randomness: unguessable by default, repeatable where a test asks for it, unbiased always."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.entropy import SPEAKABLE, Entropy


def test_tokens_and_references_have_their_forms_and_do_not_repeat() -> None:
    entropy = Entropy()
    tokens = {entropy.token() for _ in range(1_000)}
    refs = {entropy.ref() for _ in range(1_000)}
    assert len(tokens) == len(refs) == 1_000
    assert all(len(token) == 64 and set(token) <= set("0123456789abcdef") for token in tokens)
    assert all(len(ref) == 22 and ref.replace("-", "a").replace("_", "a").isalnum() for ref in refs)


def test_ids_are_random_uuids() -> None:
    made = [Entropy().uuid() for _ in range(100)]
    assert len(set(made)) == 100
    assert all(uuid.version == 4 for uuid in made)


@given(st.integers())
def test_a_seed_replays_everything(seed: int) -> None:
    one, again = Entropy.seeded(seed), Entropy.seeded(seed)
    assert [one.token(), one.ref(), one.uuid(), one.speakable(9), one.digits(4)] == [
        again.token(), again.ref(), again.uuid(), again.speakable(9), again.digits(4),
    ]  # fmt: skip


@given(seed=st.integers(), length=st.integers(0, 40))
def test_spoken_codes_have_no_characters_that_are_mistaken_for_each_other(seed: int, length: int) -> None:
    code = Entropy.seeded(seed).speakable(length)
    assert len(code) == length
    assert not set(code) & set("01OILUV") - set("V")
    assert set(code) <= set(SPEAKABLE)


@given(seed=st.integers(), bound=st.integers(1, 256))
def test_a_drawn_number_is_below_its_bound(seed: int, bound: int) -> None:
    assert 0 <= Entropy.seeded(seed).below(bound) < bound


@pytest.mark.parametrize("bound", [0, -1, 257, 100_000])
def test_a_bound_that_one_byte_cannot_serve_is_refused_and_does_not_hang(bound: int) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        Entropy().below(bound)


def test_digits_are_evenly_spread() -> None:
    drawn = Counter(Entropy.seeded(3).digits(50_000))
    assert set(drawn) == set("0123456789")
    assert all(abs(count - 5_000) < 350 for count in drawn.values())

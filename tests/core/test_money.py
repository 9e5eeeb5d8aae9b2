"""Whole shillings, as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.money import kes


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "KES 0"), (1, "KES 1"), (999, "KES 999"), (1450, "KES 1,450"), (250_000, "KES 250,000"), (-50, "−KES 50")],
)
def test_an_amount_is_shown_as_people_write_it(amount: int, shown: str) -> None:
    assert kes(amount) == shown


@given(st.integers(-(10**12), 10**12))
def test_no_shilling_is_lost_on_the_way_to_the_page(amount: int) -> None:
    digits = "".join(character for character in kes(amount) if character.isdigit())
    assert int(digits) == abs(amount)
    assert kes(amount).startswith("−") == (amount < 0)
    assert "." not in kes(amount)

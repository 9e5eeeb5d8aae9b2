"""Points: what is bad adds up, whoever pays is no suspect, and an address that guests pay from is never blocked."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.access.suspicion import (
    BLOCKED,
    FIRST_SECONDS,
    LONGEST_SECONDS,
    AddressSigns,
    PhoneSigns,
    Signs,
    block_seconds,
    suspicion,
)

few = st.integers(0, 60)
phones = st.builds(PhoneSigns, few, few, few, few, few, few)
addresses = st.builds(AddressSigns, few, few, few, few, few)
signs = st.one_of(phones, addresses)


@pytest.mark.req("PAY-5.4", "PAY-P12")
@given(signs=signs, which=st.integers(0, 5), more=st.integers(1, 40))
def test_more_of_anything_bad_never_lowers_the_points_and_a_payment_never_raises_them(
    signs: Signs, which: int, more: int
) -> None:
    names = [field.name for field in fields(signs)]
    name = names[which % len(names)]
    after = suspicion(replace(signs, **{name: getattr(signs, name) + more})).points
    before = suspicion(signs).points
    assert after <= before if name == "paid" else after >= before


@pytest.mark.req("PAY-5.4")
@given(signs=addresses, paid=st.integers(1, 60))
def test_an_address_that_guests_pay_from_is_never_blocked(signs: AddressSigns, paid: int) -> None:
    assert not suspicion(replace(signs, paid=paid)).blocks


@pytest.mark.req("PAY-5.4")
@given(prompts=st.integers(0, 50), addresses=st.integers(0, 2))
def test_a_phone_that_pays_every_prompt_is_not_remarkable(prompts: int, addresses: int) -> None:
    assert not suspicion(PhoneSigns(prompts=prompts, addresses=min(addresses, prompts), paid=prompts)).remarkable


@given(signs=signs)
def test_whoever_has_points_can_be_told_why(signs: Signs) -> None:
    found = suspicion(signs)
    assert found.points >= 0
    assert found.why or not found.points
    assert len(found.reason) <= 300


@pytest.mark.parametrize(
    ("signs", "remarkable", "blocks"),
    [
        (PhoneSigns(), False, False),
        (PhoneSigns(prompts=3, declined=3), False, False),
        (PhoneSigns(prompts=4, declined=4), True, False),
        (PhoneSigns(prompts=7, declined=7, addresses=1), True, True),
        (PhoneSigns(prompts=7, declined=6, addresses=1, paid=1), True, False),
        (PhoneSigns(prompts=4, unanswered=4, refused=8), True, False),
        (AddressSigns(numbers=20), False, False),
        (AddressSigns(numbers=40), True, True),
        (AddressSigns(numbers=60, fruitless=60, paid=1), True, False),
        (AddressSigns(forged=2), True, False),
        (AddressSigns(forged=4), True, True),
    ],
)
def test_what_it_takes(signs: Signs, remarkable: bool, blocks: bool) -> None:
    found = suspicion(signs)
    assert (found.remarkable, found.blocks) == (remarkable, blocks)


def test_a_block_lasts_longer_each_time_and_never_more_than_a_day() -> None:
    lengths = [block_seconds(earlier) for earlier in range(40)]
    assert lengths[:3] == [FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS]
    assert lengths == sorted(lengths)
    assert lengths[-1] == LONGEST_SECONDS
    assert BLOCKED == 100

"""Time as an argument: policy seconds, real seconds, and the one factor between them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.clock import EAT, Clock, ManualClock

EVENING = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)


def test_the_wall_clock_is_aware_and_in_utc() -> None:
    now = Clock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs((datetime.now(UTC) - now).total_seconds()) < 5


@given(factor=st.floats(1, 1_000), seconds=st.floats(0, 100_000))
def test_after_before_and_elapsed_agree_whatever_the_factor(factor: float, seconds: float) -> None:
    clock = ManualClock(EVENING, factor)
    assert clock.elapsed(clock.before(seconds)) == pytest.approx(seconds, abs=factor * 2e-6)
    assert clock.elapsed(clock.after(seconds)) == pytest.approx(-seconds, abs=factor * 2e-6)
    assert clock.wait(seconds) == pytest.approx(seconds / factor)


def test_a_factor_makes_policy_minutes_pass_in_real_seconds() -> None:
    clock = Clock(60)
    assert clock.wait(300) == 5
    assert clock.after(60) - clock.now() <= timedelta(seconds=1)


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(EVENING)
    assert clock.now() == clock.now() == EVENING
    clock.advance(90)
    assert clock.now() == EVENING + timedelta(seconds=90)
    assert clock.elapsed(EVENING) == 90


def test_a_manual_clock_with_a_factor_advances_by_policy_seconds() -> None:
    clock = ManualClock(EVENING, 60)
    clock.advance(60)
    assert clock.now() == EVENING + timedelta(seconds=1)
    assert clock.elapsed(EVENING) == 60


@pytest.mark.failure(47)
def test_nairobi_is_three_hours_ahead_whatever_the_host_believes() -> None:
    assert EVENING.astimezone(EAT).isoformat() == "2026-11-20T23:30:00+03:00"
    assert EAT.tzname(None) == "EAT"

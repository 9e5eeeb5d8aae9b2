"""What a watch decides by: again and again is a reason to roll back, now and then is none."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.deploy.verdict import NEWEST, NONE, RULES, Count, Measure, Rule, Sample, breaches

INTERVAL = 10.0
measures = st.sampled_from(list(Measure))


@st.composite
def counts(draw: st.DrawFn, most: int = 40) -> Count:
    total = draw(st.integers(0, most))
    return Count(draw(st.integers(0, total)), total)


histories = st.lists(counts(), max_size=40)


def samples(measure: Measure, seen: Sequence[Count]) -> list[Sample]:
    """A measure seen every ten seconds; a moment that saw nothing of it has no count."""
    return [
        Sample((number + 1) * INTERVAL, {measure: count} if count.total else {}) for number, count in enumerate(seen)
    ]


def decided(measure: Measure, seen: Sequence[Count], before: Count = NONE) -> bool:
    return [breach.measure for breach in breaches(samples(measure, seen), {measure: before})] == [measure]


def in_window(rule: Rule, seen: Sequence[Count]) -> list[Count]:
    return list(seen)[-int(rule.window // INTERVAL) :]


@pytest.mark.req("FIX-5.5")
@given(measures, st.lists(st.integers(0, 500), max_size=60), counts())
def test_where_nothing_is_bad_nothing_is_rolled_back(measure: Measure, totals: list[int], before: Count) -> None:
    assert not decided(measure, [Count(0, total) for total in totals], before)


@pytest.mark.req("FIX-5.5")
@given(measures, histories, st.integers(0, 39), st.integers(1, 10_000))
def test_one_burst_however_large_is_noise(measure: Measure, around: list[Count], at: int, burst: int) -> None:
    """A database that restarts, a Wi-Fi that drops: everything in one sample fails and nothing before or after it."""
    seen = [Count(0, count.total) for count in around]
    seen.insert(min(at, len(seen)), Count(burst, burst))
    assert not any(decided(measure, seen[: end + 1]) for end in range(len(seen)))


@pytest.mark.req("FIX-5.5")
@given(measures, histories, st.data())
def test_fewer_bad_ones_than_the_rule_names_are_noise(measure: Measure, seen: list[Count], data: st.DataObject) -> None:
    left, few = RULES[measure].least_bad - 1, []
    for count in seen:
        bad = data.draw(st.integers(0, min(left, count.total)))
        left -= bad
        few.append(Count(bad, count.total))
    assert not decided(measure, few)


@pytest.mark.req("FIX-5.5")
@given(measures, st.integers(1, 30))
def test_what_fails_all_the_time_is_rolled_back_within_the_window(measure: Measure, each: int) -> None:
    rule = RULES[measure]
    seen = [Count(each, each)] * int(rule.window // INTERVAL)
    assert decided(measure, seen)
    first = next(end for end in range(1, len(seen) + 1) if decided(measure, seen[:end]))
    assert first == max(rule.spread, -(-rule.least_bad // each), -(-rule.least_total // each))


@pytest.mark.req("FIX-5.5")
@given(measures, counts(200), st.integers(1, 60))
def test_what_was_as_bad_before_is_not_the_deployments_fault(measure: Measure, before: Count, times: int) -> None:
    if before.total >= RULES[measure].least_total:
        assert not decided(measure, [before] * times, before)


@pytest.mark.req("FIX-5.5")
@given(measures, histories, counts(100))
def test_what_recovers_is_left_alone(measure: Measure, seen: list[Count], before: Count) -> None:
    """The newest sample that saw anything was all good: whatever it was is over."""
    assert not decided(measure, [*seen, Count(0, 3)], before)
    assert not decided(measure, [*seen, Count(0, 3), NONE, NONE], before)


@given(measures, histories, counts(100), st.data())
def test_worse_never_looks_better(measure: Measure, seen: list[Count], before: Count, data: st.DataObject) -> None:
    """Making any good one bad never takes a decision back."""
    worse = [Count(data.draw(st.integers(count.bad, count.total)), count.total) for count in seen]
    if decided(measure, seen, before):
        assert decided(measure, worse, before)


@given(measures, histories, histories, counts(100))
def test_what_is_older_than_the_window_counts_for_nothing(
    measure: Measure, old: list[Count], seen: list[Count], before: Count
) -> None:
    window = int(RULES[measure].window // INTERVAL)
    recent = [*seen, *[NONE] * window][:window]
    assert decided(measure, [*old, *recent], before) == decided(measure, recent, before)


@given(measures, measures, histories, histories)
def test_each_measure_is_decided_by_itself(
    one: Measure, other: Measure, seen: list[Count], beside: list[Count]
) -> None:
    if one == other:
        return
    length = max(len(seen), len(beside))
    padded = [*seen, *[NONE] * (length - len(seen))]
    together = [
        Sample(sample.at, {**sample.counts, **more.counts})
        for sample, more in zip(
            samples(one, padded), samples(other, [*beside, *[NONE] * (length - len(beside))]), strict=True
        )
    ]
    alone = {breach.measure for breach in breaches(samples(one, padded), {})}
    assert {breach.measure for breach in breaches(together, {})} - {other} == alone


@given(measures, histories)
def test_a_breach_is_told_by_what_was_seen(measure: Measure, seen: list[Count]) -> None:
    for breach in breaches(samples(measure, seen), {}):
        window = in_window(RULES[measure], seen)
        assert breach.seen == sum(window, NONE)
        assert f"{breach.seen.bad:,} of {breach.seen.total:,}" in breach.sentence


@pytest.mark.req("FIX-5.5")
@given(measures, st.floats(10, 3_600), st.integers(3, 12))
def test_looks_that_hang_are_far_apart_and_count_all_the_same(measure: Measure, apart: float, each: int) -> None:
    history = [Sample((number + 1) * apart, {measure: Count(each, each)}) for number in range(NEWEST)]
    if NEWEST * each >= max(RULES[measure].least_total, RULES[measure].least_bad):
        assert [breach.measure for breach in breaches(history, {})] == [measure]


def test_every_measure_has_a_rule_that_one_bad_thing_cannot_meet() -> None:
    assert RULES.keys() == set(Measure)
    for rule in RULES.values():
        assert rule.least_bad >= 3
        assert rule.spread >= 2
        assert 0 < rule.margin < 1
        assert rule.window >= rule.spread * INTERVAL


@pytest.mark.parametrize("wrong", [(1, 0), (-1, 3), (4, 3)])
def test_a_count_that_cannot_be_is_refused(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="so many"):
        Count(*wrong)

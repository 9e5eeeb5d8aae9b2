"""The history finds exactly what is asked for, page by page, and its totals are a sum by hand."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from kaunta.core.clock import EAT
from kaunta.core.errors import BadRequest
from kaunta.core.runtime import Runtime
from kaunta.daraja.words import ResultClass
from kaunta.payments.history import Filter, business_day, history, stream
from kaunta.payments.states import Status
from kaunta.payments.views import NEWEST, PaymentView, payments_of_tab
from tests.payments.conftest import FRIENDS, Evening
from tests.support.bars import SeededBar

SCENARIOS = ("paid", "cancelled", "no_funds", "wrong_pin", "paid", "amount_differs", "paid", "callback_lost")


@dataclass(frozen=True, slots=True)
class Past:
    """What happened over two days, oldest first, and where."""

    rt: Runtime
    bar_id: UUID
    payments: list[PaymentView]


@pytest_asyncio.fixture
async def past(evening: Evening) -> Past:
    for number, scenario in enumerate(SCENARIOS):
        await evening.pay(20 + 10 * number, phone=FRIENDS[number], scenario=scenario)
        await evening.settle()
        await evening.wait(6 * 3600 if number % 3 == 2 else 20)
    payments = await payments_of_tab(evening.rt, evening.bar.tab.id)
    return Past(evening.rt, evening.bar.id, sorted(payments, key=lambda p: (p.created_at, p.id)))


def fits(p: PaymentView, wish: Filter) -> bool:
    """The filter by hand."""
    amount = p.amount if p.received is None else p.received
    day = business_day(p.created_at)
    return (
        (not wish.statuses or p.status in wish.statuses)
        and (wish.klass is None or (p.result_code is not None and p.meaning.klass is wish.klass))
        and (wish.first_day is None or day >= wish.first_day)
        and (wish.last_day is None or day <= wish.last_day)
        and (wish.least is None or amount >= wish.least)
        and (wish.most is None or amount <= wish.most)
        and (wish.environment is None or p.environment == wish.environment)
        and (not wish.irregular or bool(p.irregularities))
    )


async def test_any_filter_finds_what_a_look_by_hand_finds_in_pages_and_as_a_stream(past: Past) -> None:
    days = sorted({business_day(p.created_at) for p in past.payments})
    assert len(days) > 1

    async def check(wish: Filter, limit: int) -> None:
        by_hand = [p.id for p in reversed(past.payments) if fits(p, wish)]
        seen: list[UUID] = []
        before = NEWEST
        while True:
            page = await history(past.rt, past.bar_id, wish, before, limit)
            seen += [p.id for p in page.payments]
            if page.after is None:
                break
            before = page.after
        assert seen == by_hand
        assert [p.id async for some in stream(past.rt, past.bar_id, wish) for p in some] == by_hand
        chosen = [p for p in past.payments if fits(p, wish)]
        assert (page.totals.payments, page.totals.paid) == (
            len(chosen),
            sum(p.status is Status.COMPLETED for p in chosen),
        )
        assert page.totals.received == sum(p.received or 0 for p in chosen)

    wishes = st.builds(
        Filter,
        statuses=st.sampled_from([(), *((one,) for one in Status)]),
        klass=st.sampled_from([None, *ResultClass]),
        first_day=st.sampled_from([None, days[0]]),
        last_day=st.sampled_from([None, days[-1]]) | st.sampled_from(days),
        least=st.sampled_from([None, 30, 50]),
        most=st.sampled_from([None, 50, 80]),
        environment=st.sampled_from([None, "sandbox", "production"]),
        irregular=st.booleans(),
    )
    drawn: list[tuple[Filter, int]] = []

    @settings(max_examples=60)
    @given(wishes, st.integers(1, 4))
    def draw(wish: Filter, limit: int) -> None:
        drawn.append((wish, limit))

    draw()
    for wish, limit in drawn:
        await check(wish, limit)


async def test_a_word_finds_reference_code_number_tab_and_table_and_nothing_of_another_bar(
    past: Past, evening: Evening, other_bar: SeededBar
) -> None:
    paid = next(p for p in past.payments if p.receipt)

    async def found(bar_id: UUID, text: str) -> list[UUID]:
        return [p.id for p in (await history(past.rt, bar_id, Filter(text=text))).payments]

    everything = [p.id for p in reversed(past.payments)]
    index = next(n for n, p in enumerate(past.payments) if p.id == paid.id)
    words = (paid.reference, paid.reference.lower(), str(paid.receipt), f"+{FRIENDS[index]}", f"0{FRIENDS[index][3:]}")
    for text in words:
        assert await found(past.bar_id, text) == [paid.id], text
        assert await found(other_bar.id, text) == [], text
    assert await found(past.bar_id, str(paid.tab_number)) == everything
    for text in ("%", "_", "' or true --", "TB-", paid.reference[:-1], "x" * 100, "\u202e", "=1+1"):
        assert await found(past.bar_id, text) == [], text


def test_a_business_day_ends_at_six_in_the_morning() -> None:
    last = datetime(2026, 11, 21, 5, 59, 59, tzinfo=EAT)
    assert business_day(last) == date(2026, 11, 20)
    assert business_day(last + timedelta(seconds=1)) == date(2026, 11, 21)


def test_a_filter_that_nothing_can_fit_is_told() -> None:
    with pytest.raises(BadRequest):
        Filter(first_day=date(2026, 11, 21), last_day=date(2026, 11, 20))
    with pytest.raises(BadRequest):
        Filter(least=100, most=99)

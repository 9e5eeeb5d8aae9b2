"""The history finds exactly what is asked for, page by page, and its totals are a sum by hand."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
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
from kaunta.payments.resolve import Resolution, resolve
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


async def test_a_phones_last_four_digits_find_its_payments_of_the_wished_days(past: Past, other_bar: SeededBar) -> None:
    async def found(text: str, **more: Any) -> list[UUID]:
        return [p.id for p in (await history(past.rt, past.bar_id, Filter(text=text, **more))).payments]

    for number, p in enumerate(past.payments):
        assert await found(FRIENDS[number][-4:]) == [p.id]
        day = business_day(p.created_at)
        assert await found(FRIENDS[number][-4:], first_day=day, last_day=day) == [p.id]
        assert await found(FRIENDS[number][-4:], last_day=day - timedelta(days=1)) == []
    # Three or five digits are none, and neither are those of another script or at the number's beginning.
    for text in (FRIENDS[0][-3:], FRIENDS[0][-5:], FRIENDS[0][:4], "٠٤٠١", "0x1F", "-123"):
        assert await found(text) == [], text
    theirs = Filter(text=FRIENDS[0][-4:])
    assert (await history(past.rt, other_bar.id, theirs)).payments == []


async def test_tries_are_found_that_were_not_the_only_one_and_each_payment_once(evening: Evening) -> None:
    async def found(tries: str) -> list[UUID]:
        return [p.id for p in (await history(evening.rt, evening.bar.id, Filter(tries=tries))).payments]

    alone = await evening.pay(20, phone=FRIENDS[0], scenario="cancelled")
    await evening.settle()
    first = await evening.pay(30, phone=FRIENDS[1], scenario="cancelled")
    await evening.settle()
    assert await found("several") == []
    await evening.wait(5)
    again = await evening.pay(30, phone=FRIENDS[1], scenario="paid", retry_of=first)
    await evening.settle()
    assert await found("several") == [again, first]
    assert set(await found("last")) == {again, alone}
    # Money is never left out, whatever was tried after it.
    later = await evening.pay(30, phone=FRIENDS[1], scenario="cancelled", retry_of=again)
    await evening.settle()
    assert set(await found("last")) == {later, again, alone}


async def test_who_started_or_decided_a_payment_and_what_made_it_paid(evening: Evening) -> None:
    async def found(wish: Filter) -> list[UUID]:
        return [p.id for p in (await history(evening.rt, evening.bar.id, wish)).payments]

    waiter, cashier = evening.bar.waiter.account_id, evening.bar.owner.account_id
    called_back = await evening.pay(20, phone=FRIENDS[0], started_by=f"staff:{waiter}")
    asked = await evening.pay(30, phone=FRIENDS[1], scenario="callback_lost")
    await evening.settle()
    await evening.live_on(150)
    silent = await evening.pay(40, phone=FRIENDS[2], scenario="ack_and_callback_lost")
    await evening.settle()
    await evening.live_on(720, step=60)
    decided = Resolution(True, "seen on the till", "the till's SMS", f"staff:{cashier}", "SKK0000001")
    await resolve(evening.rt, silent, decided)
    assert await found(Filter(confirmed_by="callback")) == [called_back]
    assert await found(Filter(confirmed_by="query")) == [asked]
    assert await found(Filter(confirmed_by="staff")) == [silent]
    assert await found(Filter(confirmed_by="match")) == []
    assert await found(Filter(staff=waiter)) == [called_back]
    assert await found(Filter(staff=cashier)) == [silent]
    assert await found(Filter(staff=UUID(int=1))) == []
    # What Safaricom tells of on another way than the callback proves the word.
    evening.tampered = True
    await evening.rt.db.execute(
        "insert into mpesa_receipts (id, bar_id, environment, business_shortcode, receipt, amount, transaction_id,"
        " first_channel, created_at) values ($1, $2, 'sandbox', '174379', 'SKK0000001', 40, $3, 'statement', now())",
        UUID(int=2), evening.bar.id, silent,
    )  # fmt: skip
    assert await found(Filter(confirmed_by="match")) == [silent]
    assert await found(Filter(confirmed_by="staff")) == []


async def test_success_is_told_of_what_has_ended(past: Past) -> None:
    totals = (await history(past.rt, past.bar_id, Filter())).totals
    ended = [p for p in past.payments if p.final]
    paid = [p for p in ended if p.status is Status.COMPLETED]
    assert (totals.ended, totals.success) == (len(ended), len(paid) / len(ended))
    assert (await history(past.rt, past.bar_id, Filter(text="nobody"))).totals.success is None

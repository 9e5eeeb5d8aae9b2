"""Trying again: a new attempt beside the old one, and never while the old one may still ring."""

from dataclasses import replace
from uuid import uuid4

import pytest

from kaunta.daraja.results import ROWS, ResultKind
from kaunta.payments.errors import AttemptOpen, PaymentNotFound, RetryRefused, UnknownUnacknowledged
from kaunta.payments.initiate import Initiated
from kaunta.payments.retry import Again, retry
from kaunta.payments.states import Status
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.scenarios import Callback
from kaunta.tabs.errors import AmountRefused

from .conftest import FRIENDS, Evening


@pytest.mark.req("PAY-3.7", "PAY-7.3")
@pytest.mark.failure(63)
async def test_a_retry_is_a_new_payment_that_names_the_old_one(evening: Evening) -> None:
    first = await evening.pay(400, scenario="wrong_pin")
    await evening.settle()
    again = await retry(evening.rt, evening.pushes, first, Again())
    await again.answered()
    old, new = await evening.view(first), await evening.view(again.transaction_id)
    assert (old.status, old.result_class) == (Status.FAILED, "WRONG_PIN")
    assert (new.status, new.retry_of, new.amount, new.phone_masked) == (Status.SENT, first, 400, old.phone_masked)
    assert new.tried == 2
    assert evening.token(0) != evening.token(1)


@pytest.mark.failure(63)
async def test_a_late_success_of_the_first_attempt_is_booked_beside_the_seconds(evening: Evening) -> None:
    told_twice = (Callback(result="1032"), Callback(after=60))
    first = await evening.pay(300, scenario=replace(CATALOGUE["paid"], callbacks=told_twice))
    await evening.wait(5)
    assert (await evening.view(first)).status is Status.CANCELLED
    again = await retry(evening.rt, evening.pushes, first, Again())
    await evening.settle()
    assert (await evening.view(first)).irregularities == ("contradicted", "late")
    assert (await evening.view(again.transaction_id)).irregularities == ()
    assert (await evening.tab()).paid == 600


@pytest.mark.req("PAY-7.4")
@pytest.mark.failure(45, 63)
@pytest.mark.parametrize("scenario", ["person", "ack_and_callback_lost"])
async def test_while_an_attempt_is_open_nothing_is_tried_again(evening: Evening, scenario: str) -> None:
    payment = await evening.pay(scenario=scenario)
    with pytest.raises(AttemptOpen) as refusal:
        await retry(evening.rt, evening.pushes, payment, Again())
    assert refusal.value.fields["transactionId"] == str(payment)
    with pytest.raises(AttemptOpen):
        await retry(evening.rt, evening.pushes, payment, Again(amount=100, acknowledge_unknown=True))


async def test_what_is_paid_is_not_paid_again(evening: Evening) -> None:
    payment = await evening.pay()
    await evening.settle()
    with pytest.raises(RetryRefused):
        await retry(evening.rt, evening.pushes, payment, Again())


async def test_nothing_is_tried_again_that_never_was(evening: Evening) -> None:
    with pytest.raises(PaymentNotFound):
        await retry(evening.rt, evening.pushes, uuid4(), Again())


@pytest.mark.req("PAY-7.3", "PAY-6.4")
@pytest.mark.failure(67)
async def test_after_silence_another_prompt_needs_two_minutes_and_the_payers_word(evening: Evening) -> None:
    payment = await evening.pay(scenario="stuck")
    await evening.live_on(305, step=61)
    view = await evening.view(payment)
    assert (view.status, view.retryable, view.retry_after) == (Status.TIMEOUT, True, 115)

    async def again(**acknowledged: bool) -> Initiated:
        return await retry(evening.rt, evening.pushes, payment, Again(**acknowledged))  # type: ignore[arg-type]

    for acknowledged in (False, True):
        with pytest.raises(UnknownUnacknowledged) as refusal:
            await again(acknowledge_unknown=acknowledged)
        assert refusal.value.fields == {"transactionId": str(payment), "retryAfter": 115}
    await evening.wait(116)
    with pytest.raises(UnknownUnacknowledged):
        await again()
    second = await again(acknowledge_unknown=True)
    await second.answered()
    assert (await evening.view(second.transaction_id)).status is Status.SENT


async def test_silence_binds_its_own_payer_only_and_reserves_nothing(evening: Evening) -> None:
    await evening.pay(1_000, scenario="stuck")
    await evening.live_on(305, step=61)
    friend = await evening.pay(1_000, phone=FRIENDS[1])
    await evening.settle()
    assert (await evening.view(friend)).status is Status.COMPLETED


@pytest.mark.failure(63, 67)
async def test_money_that_comes_after_a_second_prompt_was_paid_is_booked_and_flagged(evening: Evening) -> None:
    first = await evening.pay(1_000, scenario="late_success")
    await evening.live_on(305, step=61)
    assert (await evening.view(first)).status is Status.TIMEOUT
    await evening.pay(1_000, phone=FRIENDS[1])
    await evening.settle()
    assert (await evening.view(first)).irregularities == ("late",)
    assert (await evening.tab()).balance == -1_000
    assert "late" in await evening.problems(first)


COOL_DOWNS = {
    row.code: row.retry_after
    for row in ROWS
    if row.kind in (ResultKind.FINAL, ResultKind.CANCEL) and row.retry_after is not None
}


@pytest.mark.req("PAY-3.7")
@pytest.mark.parametrize("code", COOL_DOWNS)
async def test_each_code_has_its_rest_before_the_next_prompt(evening: Evening, code: str) -> None:
    payment = await evening.pay(100, scenario="person")
    evening.simulator.simulator.answer(evening.push().checkout_id, code)
    await evening.settle()
    rest = COOL_DOWNS[code]
    assert rest is not None
    view = await evening.view(payment)
    assert (view.retryable, view.retry_after) == (True, rest)
    if rest:
        await evening.wait(rest - 1)
        with pytest.raises(RetryRefused) as refusal:
            await retry(evening.rt, evening.pushes, payment, Again())
        assert refusal.value.fields["retryAfter"] == 1
        await evening.wait(1)
    await (await retry(evening.rt, evening.pushes, payment, Again())).answered()


async def test_a_code_that_would_be_refused_again_offers_no_retry_but_another_amount_goes(evening: Evening) -> None:
    payment = await evening.pay(1_000, scenario="amount_too_large")
    await evening.settle()
    assert not (await evening.view(payment)).retryable
    smaller = await evening.pay(100)
    assert (await evening.view(smaller)).status is Status.SENT


async def test_a_retry_of_nothing_is_not_a_retry_of_the_old_amount(evening: Evening) -> None:
    payment = await evening.pay(100, scenario="cancelled")
    await evening.settle()
    with pytest.raises(AmountRefused):
        await retry(evening.rt, evening.pushes, payment, Again(amount=0))

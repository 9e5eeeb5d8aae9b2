"""What becomes of a payment, scenario by scenario, through the real application and a stand-in for Safaricom."""

from dataclasses import dataclass

import pytest

from kaunta.daraja.results import ROWS, ResultKind, explain
from kaunta.payments.states import Status

from .conftest import Evening

S = Status


@dataclass(frozen=True)
class End:
    """How a payment of 500 shillings ends: status, what is unusual, what the tab was credited, open problems."""

    status: Status
    flags: tuple[str, ...] = ()
    paid: int = 0
    problems: frozenset[str] = frozenset()


def completed(*flags: str, paid: int = 500) -> End:
    return End(S.COMPLETED, flags, paid, frozenset(flags))


ENDS = {
    "paid": completed(),
    "cancelled": End(S.CANCELLED),
    "cancelled_1031": End(S.CANCELLED),
    "wrong_pin": End(S.FAILED),
    "no_funds": End(S.FAILED),
    "unreachable": End(S.FAILED),
    "ignored": End(S.FAILED),
    "expired": End(S.FAILED),
    "till_mismatch": End(S.FAILED),
    "callback_lost": completed("no_receipt"),
    "callback_twice": completed(),
    "parallel_duplicates": completed(),
    "callback_first": completed(),
    "callback_slow": completed(),
    "late_success": completed("late"),
    "ack_lost": completed(),
    "ack_html": completed(),
    "ack_and_callback_lost": End(S.TIMEOUT, problems=frozenset({"unknown_payment"})),
    "success_without_receipt": completed("no_receipt"),
    "success_without_metadata": completed("no_receipt"),
    "success_empty_items": completed("no_receipt"),
    "amount_differs": completed("underpaid", paid=490),
    "failure_after_success": completed("contradicted"),
    "success_after_failure": completed(),
    "second_receipt": completed("duplicate", paid=1_000),
    "query_only": completed("no_receipt"),
    "query_too_early": completed(),
    "stuck": End(S.TIMEOUT, problems=frozenset({"unknown_payment"})),
    "garbage": End(S.COMPLETED, ("no_receipt",), 500, frozenset({"no_receipt", "callback_malformed"})),
    "empty_callback": End(S.COMPLETED, ("no_receipt",), 500, frozenset({"no_receipt", "callback_malformed"})),
    "big_body": completed("no_receipt"),
    "masked_phone": completed(),
    "unknown_code": End(S.TIMEOUT, problems=frozenset({"unknown_payment", "unknown_result"})),
}


@pytest.mark.req("PAY-2.4", "PAY-2.5", "PAY-6.3", "PAY-6.4", "PAY-6.6", "PAY-7.3")
@pytest.mark.failure(48, 51, 52, 57, 65, 67)
@pytest.mark.parametrize("scenario", ENDS)
async def test_each_scenario_ends_as_it_should(evening: Evening, scenario: str) -> None:
    expected = ENDS[scenario]
    payment = await evening.pay(scenario=scenario)
    # Small steps first: messages a few seconds apart must not overtake each other here; elsewhere they may.
    await evening.live_on(40, step=4)
    for _ in range(15):
        await evening.wait(25)
        await evening.work()
    view, tab = await evening.view(payment), await evening.tab()
    assert (view.status, view.irregularities) == (expected.status, expected.flags)
    assert (tab.paid, tab.balance) == (expected.paid, 1_000 - expected.paid)
    assert await evening.problems(payment) == expected.problems
    assert (view.received, view.stage) == {
        S.COMPLETED: (min(expected.paid, 500), "paid"),
        S.TIMEOUT: (None, "unknown"),
    }.get(view.status, (None, "not_paid"))


FAILING = [row for row in ROWS if row.kind in (ResultKind.FINAL, ResultKind.CANCEL)]


@pytest.mark.req("PAY-2.2", "PAY-2.5", "PAY-6.6", "PAY-P5")
@pytest.mark.failure(65)
async def test_every_final_code_ends_the_payment_with_its_reason(evening: Evening) -> None:
    for row in FAILING:
        payment = await evening.pay(100, scenario="person", phone=f"2547001{len(row.code):02d}{FAILING.index(row):03d}")
        evening.simulator.simulator.answer(evening.push().checkout_id, row.code)
        await evening.settle()
        view = await evening.view(payment)
        assert view.status is (Status.CANCELLED if row.kind is ResultKind.CANCEL else Status.FAILED)
        assert (view.result_code, view.result_class) == (row.code, row.klass)
        assert view.result_desc
        assert view.meaning == explain(row.code)
    assert (await evening.tab()).paid == 0


@pytest.mark.failure(65)
@pytest.mark.parametrize("code", [row.code for row in ROWS if row.kind is ResultKind.UNPROVEN])
async def test_an_unproven_code_is_asked_about_and_believed_only_when_the_query_agrees(
    evening: Evening, code: str
) -> None:
    payment = await evening.pay(scenario="person")
    evening.simulator.simulator.answer(evening.push().checkout_id, code)
    await evening.settle()
    assert (await evening.view(payment)).status is Status.SENT
    assert (await evening.row(payment))["next_check_at"] == evening.clock.now()
    await evening.work()
    view = await evening.view(payment)
    assert (view.status, view.result_code) == (Status.FAILED, code)
    assert not view.meaning.promises_no_money_left


async def test_what_is_paid_in_parts_adds_up(evening: Evening) -> None:
    for amount in (100, 250, 650):
        await evening.pay(amount)
        await evening.settle()
    tab = await evening.tab()
    assert (tab.paid, tab.balance) == (1_000, 0)
    assert [order.payment_state for order in tab.orders] == ["paid"]


@pytest.mark.req("PAY-2.1", "PAY-P5", "PAY-3.6")
async def test_a_success_tells_receipt_amount_and_time(evening: Evening) -> None:
    payment = await evening.pay()
    await evening.settle()
    view, truth = await evening.view(payment), evening.push().payments[0]
    assert (view.receipt, view.received) == (truth.receipt, truth.amount)
    assert view.transaction_date == truth.at.replace(microsecond=0)
    receipt = await evening.rt.db.fetchrow("select * from mpesa_receipts")
    assert receipt is not None
    assert (receipt["receipt"], receipt["amount"], receipt["transaction_id"]) == (truth.receipt, 500, payment)
    async with evening.rt.db.acquire() as db:
        assert await evening.rt.keys.open(db, "phone", receipt["phone_enc"]) == truth.phone.encode()


@pytest.mark.failure(65, 67)
async def test_queries_that_stumble_five_times_are_asked_again(evening: Evening) -> None:
    payment = await evening.pay(scenario="query_flaky")
    await evening.live_on(700, step=25)
    assert (await evening.view(payment)).irregularities == ("late", "no_receipt")

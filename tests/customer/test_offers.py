"""Which ways a payment's page offers next, for every code there is."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from kaunta.bars.values import PaymentMethods
from kaunta.customer.status_offers import CHANGE, CHANGE_ANYTHING, offers
from kaunta.daraja.results import ROWS, ResultCode, explain
from kaunta.daraja.words import ResultClass
from kaunta.payments.states import Status
from kaunta.payments.views import PaymentView
from kaunta.simulator.testing import FRIDAY_EVENING

ENDS = [row for row in ROWS if row.kind in ("final", "cancel", "unproven")]
METHODS = PaymentMethods(
    mpesa=True, mpesa_reason=None, cash=True, card=False, environment="sandbox", till_number="123456", most=1_000
)


@pytest.fixture
def payment() -> PaymentView:
    """A first attempt at KES 400 of a tab of 1,000 that M-Pesa cancelled."""
    nobody = UUID(int=1)
    return PaymentView(
        id=nobody,
        bar_id=nobody,
        bar_name="Mama Njeri's Bar",
        bar_slug="mama-njeris",
        business_name="MAMA NJERI BAR",
        tab_id=nobody,
        tab_ref="tab",
        tab_number=1,
        tab_status="open",
        table_label=None,
        table_code=None,
        tab_balance=1_000,
        reference="TB-7F3K9",
        receipt_ref="receipt",
        status=Status.CANCELLED,
        stage="not_paid",
        irregularities=(),
        amount=400,
        received=None,
        phone_masked="0708 ••• 149",
        other_operator=None,
        receipt=None,
        transaction_date=None,
        result_code="1032",
        result_desc=None,
        failure_reason="result",
        meaning=explain("1032"),
        retryable=True,
        retry_after=0,
        created_at=FRIDAY_EVENING,
        sent_at=FRIDAY_EVENING,
        updated_at=FRIDAY_EVENING + timedelta(seconds=6),
        environment="sandbox",
        retry_of=None,
        tried=1,
        alike=1,
    )


@pytest.mark.parametrize("row", ENDS, ids=lambda row: row.code)
def test_every_end_has_a_first_way_and_never_one_that_would_be_refused(payment: PaymentView, row: ResultCode) -> None:
    found = offers(replace(payment, meaning=row, retryable=row.retry_after is not None), METHODS)
    assert ("again" in found) == (row.retry_after is not None)
    assert ("change" in found) == (row.klass is not ResultClass.OUR_FAULT)
    assert "till" in found
    assert found.ways[-1] == "counter"
    if row.klass is ResultClass.OUR_FAULT:
        assert found.ways[0] == "till"
    elif row.retry_after is not None:
        assert found.ways[0] == "again"
    else:
        assert found.ways[0] == "change"


@pytest.mark.parametrize("klass", list(CHANGE))
def test_where_the_same_again_would_fail_the_other_way_says_which(payment: PaymentView, klass: ResultClass) -> None:
    row = next(row for row in ROWS if row.klass is klass)
    assert offers(replace(payment, meaning=row), METHODS).change == CHANGE[klass]
    assert offers(payment, METHODS).change == CHANGE_ANYTHING


def test_after_the_second_silence_the_till_comes_first(payment: PaymentView) -> None:
    silent = replace(payment, meaning=explain("1037"))
    assert offers(silent, METHODS).ways[0] == "again"
    assert offers(replace(silent, tried=2, alike=2), METHODS).ways[0] == "till"


def test_after_two_wrong_pins_the_lock_is_explained(payment: PaymentView) -> None:
    wrong = replace(payment, meaning=explain("2001"))
    assert not offers(wrong, METHODS).lock
    assert offers(replace(wrong, tried=2, alike=2), METHODS).lock
    assert not offers(replace(wrong, tried=2, alike=1), METHODS).lock


def test_after_three_tries_or_a_refusal_the_till_comes_first(payment: PaymentView) -> None:
    assert offers(replace(payment, tried=3), METHODS).ways[0] == "till"
    refused = offers(payment, METHODS, refused=True)
    assert refused.ways[0] == "till"
    assert "again" not in refused


def test_mpesa_off_leaves_the_till_and_the_counter(payment: PaymentView) -> None:
    assert offers(payment, replace(METHODS, mpesa=False)).ways == ("till", "counter")
    assert offers(payment, replace(METHODS, mpesa=False, till_number=None)).ways == ("counter",)
    assert offers(payment, None).ways == ("counter",)


def test_a_paybill_stands_in_for_a_till(payment: PaymentView) -> None:
    found = offers(payment, replace(METHODS, till_number=None, paybill="174379"))
    assert (found.number, found.paybill) == ("174379", True)


def test_a_tab_that_is_paid_or_closed_asks_for_nothing(payment: PaymentView) -> None:
    assert offers(replace(payment, tab_balance=0), METHODS).ways == ()
    assert offers(replace(payment, tab_status="closed"), METHODS).ways == ()

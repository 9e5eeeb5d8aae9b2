"""The decision's finer print: amounts, missing receipts, codes that prove nothing, and how long silence is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kaunta.payments.states import (
    OPEN,
    Anomaly,
    Change,
    Credit,
    Declined,
    Irregularity,
    Nothing,
    Paid,
    Payment,
    Resolved,
    SaidPaid,
    Silence,
    Source,
    Status,
    Unproven,
    decide,
)

from .test_states import LATER, PAYMENTS, STARTED, I, S


def told_paid(payment: Payment, by: Source) -> Payment:
    """`payment` after somebody said 0 without a receipt."""
    if by is Source.CALLBACK:
        return replace(payment, callback_success_at=LATER)
    return replace(payment, query_success_at=LATER)


@pytest.mark.parametrize("status", [status for status in Status if status is not S.COMPLETED])
def test_every_irregularity_of_money_is_put_before_a_person(status: Status) -> None:
    payment = replace(PAYMENTS[status], tab_closed=True)
    decision = decide(payment, Paid("NEWRECEIPT", 700))
    assert isinstance(decision, Change)
    assert {I.OVERPAID, I.CLOSED_TAB} <= decision.irregularities == set(decision.problems)


@pytest.mark.failure(37)
@pytest.mark.parametrize(("received", "flag"), [(490, {I.UNDERPAID}), (500, set()), (510, {I.OVERPAID})])
def test_the_amount_that_came_is_the_amount_that_is_booked(received: int, flag: set[Irregularity]) -> None:
    decision = decide(PAYMENTS[S.SENT], Paid("NEWRECEIPT", received))
    assert isinstance(decision, Change)
    assert decision.credit == Credit(received, "NEWRECEIPT")
    assert decision.irregularities == flag


@pytest.mark.failure(57)
def test_a_success_without_an_amount_is_booked_as_asked_and_flagged() -> None:
    decision = decide(PAYMENTS[S.SENT], Paid("NEWRECEIPT", None))
    assert isinstance(decision, Change)
    assert decision.credit == Credit(500, "NEWRECEIPT")
    assert decision.irregularities == {I.NO_AMOUNT}


@pytest.mark.failure(57)
def test_a_receipt_that_is_booked_changes_nothing() -> None:
    assert isinstance(decide(PAYMENTS[S.COMPLETED], Paid("OLDRECEIPT", 500)), Nothing)


def test_a_second_receipt_is_known_from_then_on() -> None:
    twice = replace(PAYMENTS[S.COMPLETED], receipts=frozenset({"OLDRECEIPT", "NEWRECEIPT"}))
    assert isinstance(decide(twice, Paid("NEWRECEIPT", 500)), Nothing)


# Success without a receipt (rulings 5, 6)


@pytest.mark.parametrize("first", [Source.CALLBACK, Source.QUERY])
def test_a_callback_and_a_query_that_both_say_paid_are_believed(first: Source) -> None:
    second = Source.QUERY if first is Source.CALLBACK else Source.CALLBACK
    decision = decide(told_paid(PAYMENTS[S.SENT], first), SaidPaid(second, LATER))
    assert isinstance(decision, Change)
    assert decision.status is S.COMPLETED
    assert decision.credit == Credit(500, None)
    assert decision.irregularities == {I.NO_RECEIPT}


@pytest.mark.parametrize(("seconds", "believed"), [(0, False), (19.9, False), (20, True), (3_600, True)])
def test_a_lone_query_is_believed_when_another_agrees_twenty_seconds_later(seconds: float, believed: bool) -> None:
    once = replace(PAYMENTS[S.SENT], query_success_at=LATER)
    decision = decide(once, SaidPaid(Source.QUERY, LATER + timedelta(seconds=seconds)))
    assert isinstance(decision, Change)
    assert (decision.status is S.COMPLETED) is believed
    # The first word's time stays the base, or two quick queries could put the agreement off for ever.
    assert believed or decision.query_success_at == LATER


def test_two_callbacks_without_a_receipt_are_one_word() -> None:
    once = replace(PAYMENTS[S.SENT], callback_success_at=LATER)
    decision = decide(once, SaidPaid(Source.CALLBACK, LATER + timedelta(hours=1)))
    assert isinstance(decision, Change)
    assert decision.status is S.SENT
    assert decision.credit is None


@pytest.mark.parametrize("status", [*sorted(OPEN), S.TIMEOUT])
@pytest.mark.parametrize("said", Source)
@pytest.mark.parametrize("source", Source)
def test_no_failure_is_believed_against_a_word_of_paid(status: Status, said: Source, source: Source) -> None:
    payment = replace(told_paid(PAYMENTS[status], said), unproven_code="1037")
    declined = decide(payment, Declined("1", source))
    assert isinstance(declined, Anomaly)
    assert declined.irregularities == {I.CONTRADICTED}
    unproven = decide(payment, Unproven("1037", source))
    assert not isinstance(unproven, Change) or unproven.status in (S.SENT, S.TIMEOUT)


RECEIPTLESS = replace(
    PAYMENTS[S.COMPLETED], receipt=None, receipts=frozenset(), irregularities=frozenset({I.NO_RECEIPT})
)


@pytest.mark.parametrize(
    ("received", "correction", "flags"),
    [(500, 0, set()), (None, 0, set()), (480, -20, {I.UNDERPAID}), (530, 30, {I.OVERPAID})],
)
def test_the_receipt_that_comes_after_is_filled_in_and_its_amount_corrected(
    received: int | None, correction: int, flags: set[Irregularity]
) -> None:
    decision = decide(RECEIPTLESS, Paid("NEWRECEIPT", received))
    assert isinstance(decision, Change)
    assert (decision.fill_receipt, decision.correction) == ("NEWRECEIPT", correction)
    assert decision.credit is None
    assert decision.irregularities == flags


# Codes that prove nothing (rulings 4)


@pytest.mark.failure(65)
@pytest.mark.parametrize("status", [S.SENT, S.TIMEOUT])
def test_an_unproven_failure_is_believed_when_the_query_says_the_same(status: Status) -> None:
    decision = decide(replace(PAYMENTS[status], unproven_code="1037"), Unproven("1037", Source.QUERY))
    assert isinstance(decision, Change)
    assert decision.status is S.FAILED


@pytest.mark.parametrize(
    ("known", "event"),
    [
        ("1019", Unproven("1037", Source.QUERY)),
        ("1037", Unproven("1037", Source.CALLBACK)),
        (None, Unproven("1037", Source.QUERY)),
    ],
)
def test_an_unproven_failure_alone_ends_nothing(known: str | None, event: Unproven) -> None:
    decision = decide(replace(PAYMENTS[S.SENT], unproven_code=known), event)
    assert isinstance(decision, Change)
    assert decision.status is S.SENT
    assert decision.unproven_code == "1037"


# Silence


@pytest.mark.req("PAY-6.4")
@pytest.mark.failure(62)
@pytest.mark.parametrize("status", sorted(OPEN))
@pytest.mark.parametrize(("seconds", "silent"), [(299, False), (300, True), (9_999, True)])
def test_silence_counts_from_the_moment_it_was_sent(status: Status, seconds: float, silent: bool) -> None:
    payment = PAYMENTS[status]
    decision = decide(payment, Silence(payment.waiting_since + timedelta(seconds=seconds)))
    assert isinstance(decision, Change) is silent
    if isinstance(decision, Change):
        assert decision.status is S.TIMEOUT


@pytest.mark.failure(62)
def test_what_was_sent_late_is_waited_for_from_then() -> None:
    sent = replace(PAYMENTS[S.SENT], sent_at=STARTED + timedelta(seconds=200))
    assert isinstance(decide(sent, Silence(STARTED + timedelta(seconds=450))), Nothing)
    assert isinstance(decide(sent, Silence(STARTED + timedelta(seconds=500))), Change)


# A person's word


@pytest.mark.parametrize("status", [*sorted(OPEN), S.TIMEOUT])
@pytest.mark.parametrize(("seconds", "believed"), [(0, False), (599, False), (600, True)])
def test_nobody_may_say_not_paid_before_ten_minutes(status: Status, seconds: float, believed: bool) -> None:
    payment = PAYMENTS[status]
    decision = decide(payment, Resolved(False, payment.waiting_since + timedelta(seconds=seconds)))
    assert isinstance(decision, Change) is believed


@pytest.mark.parametrize("said", Source)
def test_nobody_may_say_not_paid_against_safaricoms_word(said: Source) -> None:
    decision = decide(told_paid(PAYMENTS[S.TIMEOUT], said), Resolved(False, STARTED + timedelta(days=1)))
    assert isinstance(decision, Nothing)

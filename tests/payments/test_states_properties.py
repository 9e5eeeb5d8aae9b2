"""PAY-P6 on the pure decision: whatever comes, in whatever order, however often."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.daraja.results import ROWS, ResultKind
from kaunta.payments.states import (
    WAYS,
    Accepted,
    Anomaly,
    Change,
    Decision,
    Declined,
    Event,
    Irregularity,
    Nothing,
    Paid,
    Payment,
    Refused,
    Resolved,
    SaidPaid,
    Silence,
    Source,
    Status,
    Undecided,
    Unproven,
    decide,
)

from .test_states import STARTED

CODES = {kind: [row.code for row in ROWS if row.kind is kind] for kind in ResultKind}
AMOUNT = 500

moments = st.integers(0, 90_000).map(lambda seconds: STARTED + timedelta(seconds=seconds))
sources = st.sampled_from(Source)
receipts = st.sampled_from(["RECEIPT1", "RECEIPT2", "RECEIPT3"])

# Any text may come as a code; only the closed list ends a payment.
unknown_codes = st.text("0123456789.", min_size=1, max_size=6).filter(
    lambda code: code not in {row.code for row in ROWS if row.kind is not ResultKind.UNKNOWN}
)

events: st.SearchStrategy[Event] = st.one_of(
    st.just(Accepted()),
    st.just(Refused("rejected")),
    st.builds(Paid, receipts, st.one_of(st.none(), st.integers(1, 1_000))),
    st.builds(SaidPaid, sources, moments),
    st.builds(Declined, st.sampled_from(CODES[ResultKind.FINAL]), sources),
    st.builds(Declined, st.sampled_from(CODES[ResultKind.CANCEL]), sources, st.just(True)),
    st.builds(Unproven, st.sampled_from(CODES[ResultKind.UNPROVEN]), sources),
    st.builds(Undecided, unknown_codes | st.sampled_from(CODES[ResultKind.PENDING]), sources),
    st.builds(Silence, moments),
    st.builds(Resolved, st.booleans(), moments),
)


def after(payment: Payment, decision: Decision, at: datetime) -> Payment:
    """The payment once the decision is written, as `apply` writes it."""
    match decision:
        case Nothing():
            return payment
        case Anomaly():
            return replace(payment, irregularities=payment.irregularities | decision.irregularities)
        case Change():
            pass
    first = decision.credit if payment.status is not Status.COMPLETED else None
    added = {decision.fill_receipt, decision.credit.receipt if decision.credit else None} - {None}
    return replace(
        payment,
        status=decision.status,
        irregularities=payment.irregularities | decision.irregularities,
        sent_at=payment.sent_at or (at if decision.status is Status.SENT else None),
        received=first.amount if first else payment.received,
        receipt=payment.receipt or decision.fill_receipt or (first.receipt if first else None),
        receipts=payment.receipts | frozenset(str(receipt) for receipt in added),
        callback_success_at=payment.callback_success_at or decision.callback_success_at,
        query_success_at=payment.query_success_at or decision.query_success_at,
        unproven_code=decision.unproven_code or payment.unproven_code,
    )


@pytest.mark.req("PAY-P6", "PAY-6.1", "PAY-6.3", "PAY-6.4", "PAY-6.6", "PAY-2.4", "PAY-2.5")
@pytest.mark.failure(52, 57, 64, 65, 67)
@given(st.lists(events, max_size=14))
def test_a_payment_only_goes_legal_ways_and_every_receipt_is_credited_once(history: list[Event]) -> None:
    payment = Payment(Status.PENDING, AMOUNT, STARTED)
    credited: list[str | None] = []
    for event in history:
        decision = decide(payment, event)
        now = after(payment, decision, STARTED)
        assert now.status is payment.status or now.status in WAYS[payment.status]
        assert now.irregularities >= payment.irregularities
        if isinstance(decision, Change) and decision.credit is not None:
            credited.append(decision.credit.receipt)
        if isinstance(decision, Change) and decision.fill_receipt is not None:
            credited[credited.index(None)] = decision.fill_receipt
        match event:
            case Paid():
                assert now.status is Status.COMPLETED
                assert credited.count(event.receipt) == 1
            case Silence():
                assert now.status in (payment.status, Status.TIMEOUT)
            case Undecided():
                assert now.status in (payment.status, Status.SENT)
            case Unproven(source=Source.CALLBACK):
                assert now.status in (payment.status, Status.SENT)
            case _:
                pass
        payment = now
    assert (payment.status is Status.COMPLETED) == bool(credited)
    assert credited.count(None) <= 1
    assert len(set(credited)) == len(credited)
    assert (Irregularity.NO_RECEIPT in payment.irregularities) >= (None in credited)
    assert (len(credited) > 1) <= (Irregularity.DUPLICATE in payment.irregularities)


@pytest.mark.req("PAY-P6")
@given(st.lists(events, max_size=8), receipts, st.lists(events, max_size=8))
def test_a_success_is_final_whatever_came_before_and_comes_after(
    before: list[Event], receipt: str, then: list[Event]
) -> None:
    payment = Payment(Status.PENDING, AMOUNT, STARTED)
    for event in [*before, Paid(receipt, AMOUNT), *then]:
        payment = after(payment, decide(payment, event), STARTED)
    assert payment.status is Status.COMPLETED
    assert receipt in payment.receipts


@pytest.mark.req("PAY-P6")
@given(st.lists(events, max_size=10))
def test_hearing_everything_twice_credits_nothing_twice(history: list[Event]) -> None:
    payment = Payment(Status.PENDING, AMOUNT, STARTED)
    paid = [event for event in history if isinstance(event, Paid)]
    for event in history:
        payment = after(payment, decide(payment, event), STARTED)
    for event in paid:
        decision = decide(payment, event)
        assert isinstance(decision, Nothing)

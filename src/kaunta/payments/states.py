"""What an event means for a payment: the risky decision, pure.

`decide(payment, event)` looks at nothing but its arguments. It answers with a `Change` (write this), an `Anomaly`
(the state stays, a person must know) or `Nothing` (we knew). `apply.py` writes what it says.

Two axes: the status, whose ways are few, and the set of irregularities, which only grows. Every success ends in
`completed` exactly once, whatever the order, number or lateness of messages; a timer never means failed; a code
outside the closed list of final ones means *unknown* (rulings 1-9, daraja.md §3).
"""

from typing import assert_never

from kaunta.payments.vocabulary import (
    AGREEMENT_SECONDS,
    OPEN,
    RESOLVE_SECONDS,
    SILENCE_SECONDS,
    UNPAID,
    Accepted,
    Anomaly,
    Change,
    Check,
    Credit,
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
)

__all__ = [
    "AGREEMENT_SECONDS",
    "OPEN",
    "RESOLVE_SECONDS",
    "SILENCE_SECONDS",
    "UNPAID",
    "WAYS",
    "Accepted",
    "Anomaly",
    "Change",
    "Check",
    "Credit",
    "Decision",
    "Declined",
    "Event",
    "Irregularity",
    "Nothing",
    "Paid",
    "Payment",
    "Refused",
    "Resolved",
    "SaidPaid",
    "Silence",
    "Source",
    "Status",
    "Undecided",
    "Unproven",
    "decide",
]

#: The legal ways; the database's trigger holds the same table.
WAYS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset(Status) - {Status.PENDING},
    Status.SENT: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.TIMEOUT}),
    Status.TIMEOUT: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    Status.FAILED: frozenset({Status.COMPLETED}),
    Status.CANCELLED: frozenset({Status.COMPLETED}),
    Status.COMPLETED: frozenset(),
}


def decide(payment: Payment, event: Event) -> Decision:
    """What `event` means for `payment`."""
    match event:
        case Accepted():
            return on_accepted(payment)
        case Refused():
            return on_refused(payment, event)
        case Paid():
            return on_paid(payment, event)
        case SaidPaid():
            return on_said_paid(payment, event)
        case Declined():
            return on_declined(payment, event)
        case Unproven():
            return on_unproven(payment, event)
        case Undecided():
            return on_undecided(payment, event)
        case Silence():
            return on_silence(payment, event)
        case Resolved():
            return on_resolved(payment, event)
        case _:
            assert_never(event)


def on_accepted(payment: Payment) -> Decision:
    match payment.status:
        case Status.PENDING:
            return Change(Status.SENT, "accepted", check=Check.FIRST)
        case Status.TIMEOUT:
            # Ids at last: ask at once, but the silence stays on record.
            return Change(Status.TIMEOUT, "accepted late", check=Check.NOW)
        case Status.SENT | Status.COMPLETED | Status.FAILED | Status.CANCELLED:
            return Nothing("the result came before the acknowledgement")


def on_refused(payment: Payment, event: Refused) -> Decision:
    match payment.status:
        case Status.TIMEOUT if payment.said_paid:
            return contradiction("one says paid, another refused")
        case Status.PENDING | Status.TIMEOUT:
            return Change(Status.FAILED, event.reason, check=Check.STOP)
        case Status.FAILED | Status.CANCELLED:
            return Nothing("not paid already")
        case Status.SENT:
            return Anomaly("refused after it was sent", check=Check.NOW, problems=("contradicted",))
        case Status.COMPLETED:
            return contradiction("refused after it was paid")


def on_paid(payment: Payment, event: Paid) -> Decision:
    if payment.status is Status.COMPLETED:
        return on_paid_again(payment, event)
    amount = payment.amount if event.amount is None else event.amount
    return completed(payment, Credit(amount, event.receipt), "paid", amount_unknown=event.amount is None)


def on_paid_again(payment: Payment, event: Paid) -> Decision:
    if event.receipt in payment.receipts:
        return Nothing("booked already")
    booked = payment.amount if payment.received is None else payment.received
    if payment.receipt is None:
        correction = 0 if event.amount is None else event.amount - booked
        flags = difference(payment.amount, booked + correction)
        return Change(
            Status.COMPLETED,
            "receipt filled in",
            irregularities=flags,
            fill_receipt=event.receipt,
            correction=correction,
            check=Check.STOP,
            problems=tuple(flags),
        )
    # Safaricom took money twice for one push: both are booked, and somebody must give one back.
    amount = payment.amount if event.amount is None else event.amount
    return Change(
        Status.COMPLETED,
        "paid twice",
        irregularities=frozenset({Irregularity.DUPLICATE}),
        credit=Credit(amount, event.receipt),
        problems=(Irregularity.DUPLICATE,),
    )


def on_said_paid(payment: Payment, event: SaidPaid) -> Decision:
    if payment.status is Status.COMPLETED:
        return Nothing("booked already")
    by_callback = event.source is Source.CALLBACK
    agreed = (
        payment.query_success_at is not None
        if by_callback
        else payment.callback_success_at is not None
        or (payment.query_success_at is not None and event.at - payment.query_success_at >= event.agreement)
    )
    if agreed:
        return completed(payment, Credit(payment.amount, None), "two words agree, the receipt is missing")
    # A push that has a result was sent, whether its acknowledgement ever arrived or not.
    status = Status.SENT if payment.status is Status.PENDING else payment.status
    if by_callback:
        return Change(
            status,
            "success without a receipt",
            callback_success_at=event.at,
            check=Check.NOW,
            problems=("success_without_receipt",),
        )
    return Change(
        status,
        "the query says paid",
        query_success_at=payment.query_success_at or event.at,
        check=Check.AGREE,
    )


def on_declined(payment: Payment, event: Declined) -> Decision:
    match payment.status:
        case Status.COMPLETED:
            return contradiction("declined after it was paid")
        case Status.FAILED | Status.CANCELLED:
            return Nothing("not paid already")
        case Status.PENDING | Status.SENT | Status.TIMEOUT:
            if payment.said_paid:
                return Anomaly(
                    "one says paid, another declined",
                    irregularities=frozenset({Irregularity.CONTRADICTED}),
                    problems=("contradicted",),
                )
            return Change(Status.CANCELLED if event.cancelled else Status.FAILED, "declined", check=Check.STOP)


def on_unproven(payment: Payment, event: Unproven) -> Decision:
    match payment.status:
        case Status.COMPLETED:
            return contradiction("an unproven failure after it was paid")
        case Status.FAILED | Status.CANCELLED:
            return Nothing("not paid already")
        case Status.PENDING | Status.SENT | Status.TIMEOUT:
            if event.source is Source.QUERY and payment.unproven_code == event.code and not payment.said_paid:
                return Change(Status.FAILED, "the same code twice", check=Check.STOP)
            status = Status.SENT if payment.status is Status.PENDING else payment.status
            check = Check.NOW if event.source is Source.CALLBACK else Check.KEEP
            return Change(status, "an unproven failure", unproven_code=event.code, check=check)


def on_undecided(payment: Payment, event: Undecided) -> Decision:
    if payment.status in UNPAID or payment.status is Status.COMPLETED:
        return Nothing("decided already")
    if event.source is Source.QUERY:
        return Nothing("still undecided")
    status = Status.SENT if payment.status is Status.PENDING else payment.status
    return Change(status, "an unknown result", check=Check.NOW, problems=("unknown_result",))


def on_silence(payment: Payment, event: Silence) -> Decision:
    if payment.status not in OPEN:
        return Nothing("not waiting")
    if event.at < payment.waiting_since + event.patience:
        return Nothing("not yet")
    return Change(Status.TIMEOUT, "no answer", problems=("unknown_payment",))


def on_resolved(payment: Payment, event: Resolved) -> Decision:
    if payment.status is Status.COMPLETED:
        return Nothing("paid already")
    if event.paid:
        amount = payment.amount if event.amount is None else event.amount
        return completed(payment, Credit(amount, None), "resolved as paid", by_hand=True)
    if payment.status in UNPAID:
        return Nothing("not paid already")
    if event.at < payment.waiting_since + event.patience:
        return Nothing("too early to say that it was not paid")
    if payment.said_paid:
        return Nothing("M-Pesa has said that it was paid")
    return Change(Status.FAILED, "resolved as not paid", check=Check.STOP)


def completed(
    payment: Payment, credit: Credit, reason: str, *, amount_unknown: bool = False, by_hand: bool = False
) -> Change:
    """Booked: the one way into `completed`, with everything that is unusual about it."""
    flags = set(difference(payment.amount, credit.amount))
    if by_hand:
        flags.add(Irregularity.BY_HAND)
    if payment.status is Status.TIMEOUT:
        flags.add(Irregularity.LATE)
    if payment.status in UNPAID:
        flags |= {Irregularity.LATE, Irregularity.CONTRADICTED}
    if payment.tab_closed:
        flags.add(Irregularity.CLOSED_TAB)
    if credit.receipt is None:
        flags.add(Irregularity.NO_RECEIPT)
    if amount_unknown:
        flags.add(Irregularity.NO_AMOUNT)
    return Change(
        Status.COMPLETED,
        reason,
        irregularities=frozenset(flags),
        credit=credit,
        check=Check.STOP,
        problems=tuple(sorted(flags)),
    )


def contradiction(reason: str) -> Anomaly:
    """Safaricom said paid and now says otherwise: the money stays booked, a person looks."""
    return Anomaly(reason, irregularities=frozenset({Irregularity.CONTRADICTED}), problems=(Irregularity.CONTRADICTED,))


def difference(asked: int, received: int) -> frozenset[Irregularity]:
    if received < asked:
        return frozenset({Irregularity.UNDERPAID})
    if received > asked:
        return frozenset({Irregularity.OVERPAID})
    return frozenset()

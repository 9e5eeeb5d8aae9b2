"""The decision, cell by cell: design.md §3 and rulings 1 to 9."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from kaunta.payments.states import (
    WAYS,
    Accepted,
    Anomaly,
    Change,
    Check,
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

STARTED = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
LATER = STARTED + timedelta(seconds=400)
MUCH_LATER = STARTED + timedelta(seconds=700)
S = Status
I = Irregularity  # noqa: E741 - a table reads better with short heads

PAYMENTS = {
    S.PENDING: Payment(S.PENDING, 500, STARTED),
    S.SENT: Payment(S.SENT, 500, STARTED, sent_at=STARTED + timedelta(seconds=2)),
    S.TIMEOUT: Payment(S.TIMEOUT, 500, STARTED, sent_at=STARTED + timedelta(seconds=2)),
    S.FAILED: Payment(S.FAILED, 500, STARTED, sent_at=STARTED + timedelta(seconds=2)),
    S.CANCELLED: Payment(S.CANCELLED, 500, STARTED, sent_at=STARTED + timedelta(seconds=2)),
    S.COMPLETED: Payment(
        S.COMPLETED,
        500,
        STARTED,
        sent_at=STARTED,
        received=500,
        receipt="OLDRECEIPT",
        receipts=frozenset({"OLDRECEIPT"}),
    ),
}

EVENTS: dict[str, Event] = {
    "accepted": Accepted(),
    "refused": Refused("rejected"),
    "paid": Paid("NEWRECEIPT", 500),
    "callback said paid": SaidPaid(Source.CALLBACK, LATER),
    "query said paid": SaidPaid(Source.QUERY, LATER),
    "declined": Declined("1", Source.CALLBACK),
    "declined by query": Declined("1", Source.QUERY),
    "cancelled": Declined("1032", Source.CALLBACK, cancelled=True),
    "cancelled by query": Declined("1032", Source.QUERY, cancelled=True),
    "unproven": Unproven("1037", Source.CALLBACK),
    "unproven by query": Unproven("1037", Source.QUERY),
    "undecided": Undecided("7777", Source.CALLBACK),
    "undecided by query": Undecided("4999", Source.QUERY),
    "silence": Silence(LATER),
    "resolved as paid": Resolved(True, LATER),
    "resolved as not paid": Resolved(False, MUCH_LATER),
}


@dataclass(frozen=True)
class Cell:
    """What a cell of the table says: the kind of decision and, for a change, its status and what comes with it."""

    kind: type[Change | Anomaly | Nothing]
    status: Status | None = None
    flags: frozenset[Irregularity] = frozenset()
    check: Check = Check.KEEP
    credited: bool = False


def to(status: Status, *flags: Irregularity, check: Check = Check.STOP, credited: bool = False) -> Cell:
    return Cell(Change, status, frozenset(flags), check, credited)


NOTHING = Cell(Nothing)
CONTRADICTED = Cell(Anomaly, flags=frozenset({I.CONTRADICTED}))

TABLE: dict[tuple[Status, str], Cell] = {
    (S.PENDING, "accepted"): to(S.SENT, check=Check.FIRST),
    (S.PENDING, "refused"): to(S.FAILED),
    (S.PENDING, "paid"): to(S.COMPLETED, credited=True),
    (S.PENDING, "callback said paid"): to(S.SENT, check=Check.NOW),
    (S.PENDING, "query said paid"): to(S.SENT, check=Check.AGREE),
    (S.PENDING, "declined"): to(S.FAILED),
    (S.PENDING, "declined by query"): to(S.FAILED),
    (S.PENDING, "cancelled"): to(S.CANCELLED),
    (S.PENDING, "cancelled by query"): to(S.CANCELLED),
    (S.PENDING, "unproven"): to(S.SENT, check=Check.NOW),
    (S.PENDING, "unproven by query"): to(S.SENT, check=Check.KEEP),
    (S.PENDING, "undecided"): to(S.SENT, check=Check.NOW),
    (S.PENDING, "undecided by query"): NOTHING,
    (S.PENDING, "silence"): to(S.TIMEOUT, check=Check.KEEP),
    (S.PENDING, "resolved as paid"): to(S.COMPLETED, I.BY_HAND, I.NO_RECEIPT, credited=True),
    (S.PENDING, "resolved as not paid"): to(S.FAILED),
    (S.SENT, "accepted"): NOTHING,
    (S.SENT, "refused"): Cell(Anomaly, check=Check.NOW),
    (S.SENT, "paid"): to(S.COMPLETED, credited=True),
    (S.SENT, "callback said paid"): to(S.SENT, check=Check.NOW),
    (S.SENT, "query said paid"): to(S.SENT, check=Check.AGREE),
    (S.SENT, "declined"): to(S.FAILED),
    (S.SENT, "declined by query"): to(S.FAILED),
    (S.SENT, "cancelled"): to(S.CANCELLED),
    (S.SENT, "cancelled by query"): to(S.CANCELLED),
    (S.SENT, "unproven"): to(S.SENT, check=Check.NOW),
    (S.SENT, "unproven by query"): to(S.SENT, check=Check.KEEP),
    (S.SENT, "undecided"): to(S.SENT, check=Check.NOW),
    (S.SENT, "undecided by query"): NOTHING,
    (S.SENT, "silence"): to(S.TIMEOUT, check=Check.KEEP),
    (S.SENT, "resolved as paid"): to(S.COMPLETED, I.BY_HAND, I.NO_RECEIPT, credited=True),
    (S.SENT, "resolved as not paid"): to(S.FAILED),
    (S.TIMEOUT, "accepted"): to(S.TIMEOUT, check=Check.NOW),
    (S.TIMEOUT, "refused"): to(S.FAILED),
    (S.TIMEOUT, "paid"): to(S.COMPLETED, I.LATE, credited=True),
    (S.TIMEOUT, "callback said paid"): to(S.TIMEOUT, check=Check.NOW),
    (S.TIMEOUT, "query said paid"): to(S.TIMEOUT, check=Check.AGREE),
    (S.TIMEOUT, "declined"): to(S.FAILED),
    (S.TIMEOUT, "declined by query"): to(S.FAILED),
    (S.TIMEOUT, "cancelled"): to(S.CANCELLED),
    (S.TIMEOUT, "cancelled by query"): to(S.CANCELLED),
    (S.TIMEOUT, "unproven"): to(S.TIMEOUT, check=Check.NOW),
    (S.TIMEOUT, "unproven by query"): to(S.TIMEOUT, check=Check.KEEP),
    (S.TIMEOUT, "undecided"): to(S.TIMEOUT, check=Check.NOW),
    (S.TIMEOUT, "undecided by query"): NOTHING,
    (S.TIMEOUT, "silence"): NOTHING,
    (S.TIMEOUT, "resolved as paid"): to(S.COMPLETED, I.BY_HAND, I.NO_RECEIPT, I.LATE, credited=True),
    (S.TIMEOUT, "resolved as not paid"): to(S.FAILED),
    (S.COMPLETED, "accepted"): NOTHING,
    (S.COMPLETED, "refused"): CONTRADICTED,
    (S.COMPLETED, "paid"): to(S.COMPLETED, I.DUPLICATE, check=Check.KEEP, credited=True),
    (S.COMPLETED, "callback said paid"): NOTHING,
    (S.COMPLETED, "query said paid"): NOTHING,
    (S.COMPLETED, "declined"): CONTRADICTED,
    (S.COMPLETED, "declined by query"): CONTRADICTED,
    (S.COMPLETED, "cancelled"): CONTRADICTED,
    (S.COMPLETED, "cancelled by query"): CONTRADICTED,
    (S.COMPLETED, "unproven"): CONTRADICTED,
    (S.COMPLETED, "unproven by query"): CONTRADICTED,
    (S.COMPLETED, "undecided"): NOTHING,
    (S.COMPLETED, "undecided by query"): NOTHING,
    (S.COMPLETED, "silence"): NOTHING,
    (S.COMPLETED, "resolved as paid"): NOTHING,
    (S.COMPLETED, "resolved as not paid"): NOTHING,
}
# A payment that failed and one that was cancelled hear the same: only a success still counts.
for unpaid in (S.FAILED, S.CANCELLED):
    TABLE |= {(unpaid, event): NOTHING for event in EVENTS}
    TABLE[unpaid, "paid"] = to(S.COMPLETED, I.LATE, I.CONTRADICTED, credited=True)
    TABLE[unpaid, "callback said paid"] = to(unpaid, check=Check.NOW)
    TABLE[unpaid, "query said paid"] = to(unpaid, check=Check.AGREE)
    TABLE[unpaid, "resolved as paid"] = to(S.COMPLETED, I.BY_HAND, I.NO_RECEIPT, I.LATE, I.CONTRADICTED, credited=True)


def test_the_table_has_every_cell() -> None:
    assert set(TABLE) == {(status, event) for status in Status for event in EVENTS}


@pytest.mark.req("PAY-6.1", "PAY-6.2", "PAY-6.3", "PAY-6.4", "PAY-6.6")
@pytest.mark.failure(52, 64, 65)
@pytest.mark.parametrize(("status", "event"), TABLE, ids=lambda part: str(part))
def test_each_cell_decides_as_the_design_says(status: Status, event: str) -> None:
    expected = TABLE[status, event]
    decision = decide(PAYMENTS[status], EVENTS[event])
    assert type(decision) is expected.kind
    if isinstance(decision, Nothing):
        return
    assert decision.irregularities == expected.flags
    assert decision.check is expected.check
    if isinstance(decision, Change):
        assert decision.status is expected.status
        assert (decision.credit is not None) == expected.credited
        assert decision.status is status or decision.status in WAYS[status]


def test_nothing_leads_out_of_completed_and_every_way_leads_on() -> None:
    assert WAYS[S.COMPLETED] == frozenset()
    assert all(S.COMPLETED in WAYS[status] for status in Status if status is not S.COMPLETED)

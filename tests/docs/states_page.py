"""docs/reference/states.md: the diagram from the legal ways, the table by asking `decide` every question."""

from datetime import UTC, datetime, timedelta

from kaunta.payments.states import (
    WAYS,
    Accepted,
    Anomaly,
    Change,
    Check,
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
from tests.docs.codes_page import table

STATUS = {
    Status.PENDING: "The intent is committed; Safaricom has not answered yet, or its answer was lost.",
    Status.SENT: "Safaricom took the push on and named it. The phone rings.",
    Status.COMPLETED: "Paid: the tab is credited.",
    Status.FAILED: "Not paid: refused, never sent, or a code that says so for certain.",
    Status.CANCELLED: "Not paid: the guest said no.",
    Status.TIMEOUT: "Nobody has answered for five minutes. **We do not know**; it may still become paid.",
}

IRREGULARITY = {
    Irregularity.LATE: "The success came after `timeout`, or after we had called the payment not paid.",
    Irregularity.UNDERPAID: "Safaricom took less than was asked. What it took is booked.",
    Irregularity.OVERPAID: "Safaricom took more than was asked. What it took is booked.",
    Irregularity.DUPLICATE: "One push, two receipts: both are booked, and one must be given back.",
    Irregularity.CONTRADICTED: "One message says paid and another says not. The money stays booked.",
    Irregularity.CLOSED_TAB: "The money came when the tab was closed already.",
    Irregularity.NO_RECEIPT: "Booked on two agreeing messages or a person's word; no receipt has come yet.",
    Irregularity.NO_AMOUNT: "The success did not say how much; the amount asked is booked.",
    Irregularity.BY_HAND: "A person said so, with a reason and evidence, because Safaricom would not say.",
}

UNSEEN = """\
What the table cannot show: `completed` without a receipt takes the first receipt that comes and fills it in, with a
correction where the amount differs; the query's "paid" is believed when a second one, 20 s later, says so too; an
unproven failure becomes `failed` when the query repeats it; no failure is believed once somebody has said "paid".
"""

#: A Friday evening; `decide` looks at no other clock.
EVENING = datetime(2026, 1, 2, 18, 0, tzinfo=UTC)
AMOUNT = 100

EVENTS: dict[str, Event] = {
    "push accepted": Accepted(),
    "push refused or not sent": Refused("refused"),
    "success with receipt": Paid("FIRST", AMOUNT),
    "success with another receipt": Paid("SECOND", AMOUNT),
    "final failure": Declined("2001", Source.CALLBACK),
    "cancelled by the guest": Declined("1032", Source.CALLBACK, cancelled=True),
    "unproven failure": Unproven("1037", Source.CALLBACK),
    "success without receipt": SaidPaid(Source.CALLBACK, EVENING + timedelta(minutes=1)),
    "the query says paid": SaidPaid(Source.QUERY, EVENING + timedelta(minutes=1)),
    "unknown code": Undecided("7777", Source.CALLBACK),
    "five minutes of silence": Silence(EVENING + timedelta(minutes=5)),
    "a person: it was paid": Resolved(True, EVENING + timedelta(minutes=10)),
    "a person: it was not": Resolved(False, EVENING + timedelta(minutes=10)),
}

INTRODUCTION = """\
# States of a payment

A payment has one of six states, and a set of irregularities that only grows. The rules are pure code,
[`states.py`](../../src/kaunta/payments/states.py); the diagram and the table below are made by asking it. The database
holds the same ways and refuses every other one
([`06_guards.sql`](../../src/kaunta/migrations/sql/0001/06_guards.sql)). What it all means, in words:
[payment states explained](../explanation/payment-states.md).
"""

READING = """\
## What each message does

A row is what arrives, a column where the payment stands. **Bold** is the state afterwards, *italics* an irregularity.
"known" changes nothing; "noted" keeps what was said and changes nothing else; "told" leaves the state as it is and puts
a problem before a person; "ask" means that Daraja is asked, at once or again soon. Every success ends in `completed`,
from wherever it comes.
"""


def payment_in(status: Status) -> Payment:
    """An ordinary payment that stands at `status`; a completed one was paid with the receipt FIRST."""
    paid = status is Status.COMPLETED
    return Payment(
        status=status,
        amount=AMOUNT,
        push_started_at=EVENING,
        sent_at=None if status is Status.PENDING else EVENING,
        received=AMOUNT if paid else None,
        receipt="FIRST" if paid else None,
        receipts=frozenset({"FIRST"}) if paid else frozenset(),
    )


def outcome(status: Status, decision: Decision) -> str:
    if isinstance(decision, Nothing):
        return "known"
    flags = [f"*{flag}*" for flag in sorted(decision.irregularities)]
    asks = ["ask"] if decision.check in (Check.NOW, Check.AGREE) else []
    if isinstance(decision, Anomaly):
        return ", ".join(["told", *flags, *asks])
    assert isinstance(decision, Change)
    moved = [f"**{decision.status}**"] if decision.status is not status else []
    again = ["second credit"] if decision.credit and not moved else []
    return ", ".join([*moved, *again, *flags, *asks]) or "noted"


def diagram() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> pending"]
    for start, ends in WAYS.items():
        lines += [f"    {start} --> {end}" for end in Status if end in ends]
    return [*lines, "```", ""]


def states_page() -> str:
    lines = [INTRODUCTION, *diagram()]
    lines += table(["State", "Meaning"], [[f"`{status}`", STATUS[status]] for status in Status])
    lines += [READING]
    lines += table(
        ["Arrives", *(f"at `{status}`" for status in Status)],
        [[name, *(outcome(s, decide(payment_in(s), event)) for s in Status)] for name, event in EVENTS.items()],
    )
    lines += [
        "## Irregularities",
        "",
        "Each is also an open problem for the counter until a person has dealt with it.",
        "",
    ]
    lines += table(["Irregularity", "Meaning"], [[f"`{flag}`", IRREGULARITY[flag]] for flag in Irregularity])
    return "\n".join(lines)

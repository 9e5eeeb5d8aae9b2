"""The organisation's statement, as the portals export it, from the books.

Two layouts: `org`, the organisation portal's Utility Account with its preamble, newest first, what is withdrawn
negative; `portal`, the newer one without a preamble, with the payer inside Details. In both a charge is a row of its
own with the payment's receipt, and failed rows are listed too (daraja.md, from merchants' exports).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from kaunta.simulator.clock import EAT
from kaunta.simulator.ledger import Failed
from kaunta.simulator.pushes import BUY_GOODS, Kind, Payment
from kaunta.simulator.results import reason_type

if TYPE_CHECKING:
    from kaunta.simulator.simulator import Simulator

ORG_HEADER = (
    "Receipt No.", "Completion Time", "Initiation Time", "Details", "Transaction Status", "Paid In", "Withdrawn",
    "Balance", "Balance Confirmed", "Reason Type", "Other Party Info", "Linked Transaction ID", "A/C No.", "Currency",
)  # fmt: skip
PORTAL_HEADER = (
    "Receipt No", "Completion Time", "Details", "Transaction Status", "Paid In (KSHs)", "Withdrawn (KSHs)",
    "Balance (KSHs)",
)  # fmt: skip
CHARGES = {BUY_GOODS: "Pay merchant Charge"}
PAYBILL_CHARGE = "Pay Bill Charge"


class Layout(StrEnum):
    """Which portal exported it."""

    ORG = "org"
    PORTAL = "portal"


@dataclass(frozen=True, slots=True)
class Row:
    """One row, in cents; `balance` after it. `linked`: the receipt it undoes."""

    receipt: str
    at: datetime
    details: str
    completed: bool
    paid_in: int
    withdrawn: int
    balance: int
    reason: str
    party: str
    linked: str
    account: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A sheet: the lines as texts, in order, preamble and totals included."""

    title: str
    lines: tuple[tuple[str, ...], ...]


def statement(
    simulator: "Simulator", shortcode: str, layout: Layout, start: datetime | None, end: datetime | None
) -> Statement:
    """The statement of a business; without `start` and `end` all there is."""
    rows = [
        row
        for row in reversed(list(rows_of(simulator, shortcode)))
        if (start is None or row.at >= start) and (end is None or row.at <= end)
    ]
    match layout:
        case Layout.ORG:
            body = [*preamble(simulator, shortcode, rows), ORG_HEADER, *map(org_line, rows), org_totals(rows)]
        case Layout.PORTAL:
            body = [PORTAL_HEADER, *map(portal_line, rows)]
    return Statement(f"ORG_{shortcode}", tuple(body))


def rows_of(simulator: "Simulator", shortcode: str) -> Iterator[Row]:
    """Every row of a business, oldest first."""
    ledger = simulator.ledger
    moved = [payment for payment in ledger if payment.shortcode == shortcode]
    balance = ledger.account(shortcode).utility - sum(effect(payment) - payment.fee_cents for payment in moved)
    failed = [each for each in ledger.failed if each.shortcode == shortcode]
    entries: list[Payment | Failed] = [*moved, *failed]
    for entry in sorted(entries, key=lambda entry: entry.at):
        party = f"{masked(entry.phone)} - {simulator.subscribers.of(entry.phone).name}" if entry.phone else ""
        if isinstance(entry, Failed):
            words = details(entry.transaction_type, Kind.STK, party, entry.reference)
            yield Row(entry.receipt, entry.at, words, False, entry.amount * 100, 0, balance, "", party, "", "")
            continue
        change = effect(entry)
        balance += change
        words = details(entry.transaction_type, entry.kind, party, entry.reverses or entry.reference)
        yield Row(
            entry.receipt, entry.at, words, True, max(change, 0), min(change, 0), balance, reason_type(entry), party,
            entry.reverses or "", entry.reference,
        )  # fmt: skip
        if entry.fee_cents:
            balance -= entry.fee_cents
            charge = CHARGES.get(entry.transaction_type, PAYBILL_CHARGE)
            yield Row(entry.receipt, entry.at, charge, True, 0, -entry.fee_cents, balance, charge, party, "", "")


def effect(payment: Payment) -> int:
    """What a movement does to the business's account, its charge aside; cents."""
    return payment.amount * (100 if payment.kind in (Kind.STK, Kind.TILL) else -100)


def details(transaction_type: str, kind: Kind, party: str, reference: str) -> str:
    """The words of the Details column."""
    match kind:
        case Kind.STK | Kind.TILL if transaction_type == BUY_GOODS:
            return f"Merchant Payment{' Online' if kind is Kind.STK else ''} from {party}"
        case Kind.STK | Kind.TILL:
            return f"Pay Bill{' Online' if kind is Kind.STK else ''} from {party} Acc. {reference}"
        case Kind.REVERSAL | Kind.CUSTOMER_REVERSAL:
            return f"Reversal of {reference} to {party}"
        case Kind.WITHDRAWAL:
            return "Organization Settlement to bank"


def masked(phone: str) -> str:
    return f"{phone[:5]}****{phone[-3:]}"


def money(cents: int) -> str:
    """2,000.00; nothing for nothing."""
    return f"{cents / 100:,.2f}" if cents else ""


def org_time(moment: datetime) -> str:
    return f"{moment.astimezone(EAT):%d-%m-%Y %H:%M:%S}"


def org_line(row: Row) -> tuple[str, ...]:
    return (
        row.receipt, org_time(row.at), org_time(row.at), row.details, "Completed" if row.completed else "Failed",
        money(row.paid_in), money(row.withdrawn), f"{row.balance / 100:,.2f}", "true", row.reason, row.party,
        row.linked, row.account, "KES",
    )  # fmt: skip


def portal_line(row: Row) -> tuple[str, ...]:
    return (
        row.receipt, f"{row.at.astimezone(EAT):%d/%m/%Y %H:%M:%S}", row.details,
        "Completed" if row.completed else "Failed", money(row.paid_in), money(row.withdrawn),
        f"{row.balance / 100:,.2f}",
    )  # fmt: skip


def preamble(simulator: "Simulator", shortcode: str, rows: list[Row]) -> list[tuple[str, ...]]:
    now = org_time(simulator.clock.now())
    first, last = (org_time(rows[-1].at), org_time(rows[0].at)) if rows else (now, now)
    closing = rows[0].balance if rows else simulator.ledger.account(shortcode).utility
    opening = (
        rows[-1].balance - rows[-1].withdrawn - (rows[-1].paid_in if rows[-1].completed else 0) if rows else closing
    )
    name = simulator.options.name_of(shortcode)
    paid_in, withdrawn = totals(rows)
    return [
        ("Account Holder:", name, "Short Code:", shortcode),
        ("Account: Utility Account",),
        (f"Time Period: From {first} To {last}",),
        ("Operator:", "SIMULATOR", "Organization:", name, "Date of Report:", now),
        ("Opening Balance:", f"{opening / 100:,.2f}", "Closing Balance:", f"{closing / 100:,.2f}",
         "Available Balance:", f"{closing / 100:,.2f}"),
        ("Total Paid In:", f"{paid_in / 100:,.2f}", "Total Withdrawn:", f"{withdrawn / 100:,.2f}"),
    ]  # fmt: skip


def org_totals(rows: list[Row]) -> tuple[str, ...]:
    paid_in, withdrawn = totals(rows)
    return ("Total:", "", "", "", "", f"{paid_in / 100:,.2f}", f"{withdrawn / 100:,.2f}", *[""] * 7)


def totals(rows: list[Row]) -> tuple[int, int]:
    """What came in and what went out (negative), completed rows only; cents."""
    done = [row for row in rows if row.completed]
    return sum(row.paid_in for row in done), sum(row.withdrawn for row in done)

"""One look at everything: payments with their evidence, the ledger, receipts, refunds, open problems, as rows."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from .evidence import Evidence, Payment, Told, gather, inbox, payments
from .house import House


@dataclass(frozen=True, slots=True)
class Entry:
    """A ledger row."""

    id: UUID
    tab_id: UUID
    kind: str
    method: str | None
    amount: int
    transaction_id: UUID | None
    receipt: str | None
    corrects: UUID | None


@dataclass(frozen=True, slots=True)
class Received:
    """A proven receipt. `ledger_id`: the row it is credited by."""

    id: UUID
    bar_id: UUID
    receipt: str
    amount: int
    ledger_id: UUID | None
    transaction_id: UUID | None
    set_aside: bool


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund of a receipt, or of a credit that has none."""

    id: UUID
    receipt: str | None
    amount: int
    method: str
    state: str
    needs_approval: bool
    asked: bool


@dataclass(slots=True)
class Expected:
    """What the machine did itself and may therefore expect: shillings by tab, and people's words by payment."""

    ordered: Counter[UUID] = field(default_factory=Counter)
    cash: Counter[UUID] = field(default_factory=Counter)
    said_paid: set[UUID] = field(default_factory=set)
    said_unpaid: set[UUID] = field(default_factory=set)
    #: Payments that a use case answered for with their id.
    started: set[UUID] = field(default_factory=set)


@dataclass(slots=True)
class Books:
    """One look at everything."""

    payments: dict[UUID, Payment]
    evidence: dict[UUID, Evidence]
    told: list[Told]
    ledger: list[Entry]
    #: (subject, kind) of every open problem.
    problems: set[tuple[str, str]]
    receipts: dict[str, Received]
    refunds: list[GivenBack]
    #: Ledger rows by the payment they belong to; None: cash, and receipts that a tab was credited with.
    credits: dict[UUID | None, list[Entry]] = field(default_factory=lambda: defaultdict(list))

    def credited(self, payment: UUID, receipt: str | None = None) -> int:
        """Shillings booked for a payment (for one receipt of it), with whatever corrects or takes them back."""
        first = [row for row in self.credits[payment] if row.corrects is None and receipt in (None, row.receipt)]
        return sum(map(self.net, first))

    def net(self, row: Entry) -> int:
        """What a row comes to with all that follows from it."""
        return row.amount + sum(self.net(each) for each in self.credits[row.transaction_id] if each.corrects == row.id)

    def taken(self, row: Entry) -> int:
        """What a row comes to, were nothing given back."""
        later = [each for each in self.credits[row.transaction_id] if each.corrects == row.id and each.kind != "refund"]
        return row.amount + sum(map(self.taken, later))

    def row_of(self, receipt: str) -> Entry | None:
        """Where a proven receipt is credited."""
        found = self.receipts.get(receipt)
        return next((row for row in self.ledger if found and row.id == found.ledger_id), None)

    def receipt_of(self, row: Entry) -> Received | None:
        """The proven receipt that a credit rests on."""
        return next((each for each in self.receipts.values() if each.ledger_id == row.id), None)

    def named(self, *subjects: UUID | None) -> set[str]:
        """The kinds of the open problems about any of these."""
        wanted = {str(each) for each in subjects if each is not None}
        return {kind for subject, kind in self.problems if subject in wanted}


async def look(house: House) -> Books:
    """Read everything there is, in the order that makes later rows explain earlier ones."""
    known, told = await payments(house), await inbox(house)
    ledger = [
        Entry(**row)
        for row in await house.eyes.fetch(
            "select id, tab_id, kind, method, amount, transaction_id, receipt, corrects from tab_payments "
            "order by created_at, id"
        )
    ]
    rows = await house.eyes.fetch("select subject, kind from problems where closed_at is null")
    open_problems = {(row["subject"], row["kind"]) for row in rows}
    evidence = gather(house, known, told)
    books = Books(known, evidence, told, ledger, open_problems, await received(house), await given_back(house))
    for row in ledger:
        books.credits[row.transaction_id].append(row)
    return books


async def received(house: House) -> dict[str, Received]:
    rows = await house.eyes.fetch(
        "select id, bar_id, receipt, amount, ledger_id, transaction_id, set_aside_at is not null as set_aside "
        "from mpesa_receipts r order by created_at, id"
    )
    return {row["receipt"]: Received(**row) for row in rows}


async def given_back(house: House) -> list[GivenBack]:
    rows = await house.eyes.fetch(
        "select f.id, r.receipt, f.amount, f.method, f.state::text as state, "
        "f.needs_approval and f.approved_by is null as needs_approval, f.asked_at is not null as asked "
        "from mpesa_refunds f left join mpesa_receipts r on r.id = f.receipt_id order by f.created_at, f.id"
    )
    return [GivenBack(**row) for row in rows]

"""What a move will do, before it does anything: table by table, question by question, difference by difference.

It goes through every bar as the move itself will and throws the result away, so what it says is what will be.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from kaunta.adopt import old_queries
from kaunta.adopt.amounts import ZERO, Difference, Why
from kaunta.adopt.bar import AdoptedBar, adopted, read, read_money, winners_of
from kaunta.adopt.decisions import OPTIONS, Asked, Decisions, NotDecided
from kaunta.adopt.old import OldBar
from kaunta.adopt.people import NewMember, NewPerson, adopted_people
from kaunta.adopt.shape import Shape
from kaunta.core.db import Connection
from kaunta.credentials.legacy import LegacyKeys

#: What becomes of a table of the old product's; any other stays as it is, in `legacy`, and is read by nobody here.
BECOMES = {
    "bars": "bars, and credentials where they stood here",
    "mpesa_credentials": "mpesa_credentials, sealed anew",
    "user_bars": "staff_accounts and bar_members",
    "bar_products": "menu_items",
    "products": "names of menu_items",
    "custom_products": "names of menu_items",
    "tabs": "tabs, and tables' cards from their notes",
    "tab_orders": "tab_orders",
    "tab_payments": "tab_payments, mpesa_receipts",
    "mpesa_transactions": "mpesa_transactions, payment_events",
}
NOWHERE = "stays as it is"


@dataclass(slots=True)
class Sum:
    """Differences of one kind: how many, what they do to balances, and the first few."""

    cases: int = 0
    effect: Decimal = ZERO
    examples: list[Difference] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """A move, counted. `rows`: of the old tables; `made`: of Kaunta's. `every` difference with its bar; `beside`: those
    that are about the old books themselves and not about what becomes of a bar."""

    shape: Shape
    bars: list[OldBar]
    winners: Mapping[str, UUID]
    asked: Asked
    rows: dict[str, int]
    made: Counter[str] = field(default_factory=Counter)
    sums: dict[Why, Sum] = field(default_factory=dict)
    people: list[NewPerson] = field(default_factory=list)
    members: list[NewMember] = field(default_factory=list)
    every: list[tuple[UUID | None, Difference]] = field(default_factory=list)
    beside: list[tuple[UUID | None, Difference]] = field(default_factory=list)
    turned_off: list[UUID] = field(default_factory=list)
    turned_on: list[UUID] = field(default_factory=list)
    without_secrets: list[tuple[UUID, str]] = field(default_factory=list)
    dishes_left: int = 0
    owed_before: Decimal = ZERO
    owed_after: int = 0

    def note(self, bar_id: UUID | None, difference: Difference) -> None:
        self.every.append((bar_id, difference))
        found = self.sums.setdefault(difference.why, Sum())
        found.cases += 1
        found.effect += difference.effect
        if len(found.examples) < 5:
            found.examples.append(difference)

    def take_in(self, bar: AdoptedBar) -> None:
        """Count a bar."""
        self.made.update(
            bars=1,
            mpesa_credentials=len(bar.till.credentials),
            menu_items=len(bar.dishes),
            table_codes=len({tab.table.casefold() for tab in bar.tabs if tab.table}),
            tabs=len(bar.tabs),
            tab_orders=len(bar.orders),
            mpesa_transactions=len(bar.money.payments),
            tab_payments=len(bar.money.entries),
            mpesa_receipts=sum(entry.receipt is not None for entry in bar.money.entries),
        )
        self.dishes_left += bar.dishes_left
        self.owed_before += sum(bar.before.values(), ZERO)
        self.owed_after += sum(bar.after.values())
        for difference in bar.differences:
            self.note(bar.bar.id, difference)
        if bar.till.was_on and not bar.till.is_on:
            self.turned_off.append(bar.bar.id)
        if bar.till.is_on and not bar.till.was_on:
            self.turned_on.append(bar.bar.id)
        self.without_secrets += [(bar.bar.id, each.cause) for each in bar.till.credentials if each.cause]

    def require_decisions(self) -> None:
        """Raises `NotDecided`, which names every question and its ways out."""
        if self.asked.undecided:
            lines = [
                f"--decide {question.topic}={'|'.join(OPTIONS[question.topic])}: {question.cases} cases "
                f"at {len(question.undecided)} bars"
                for question in self.asked.undecided
            ]
            raise NotDecided("\n".join(["Somebody must decide first; `--dry-run` tells more.", *lines]))


async def survey(db: Connection, shape: Shape, decisions: Decisions, keys: LegacyKeys, now: datetime) -> Plan:
    """The plan for a database, in the caller's snapshot; nothing is written."""
    bars = await old_queries.bars(db, shape)
    credits = []
    for bar in bars:
        credits += list((await read_money(db, shape, bar.id, now)).credits())
    plan = Plan(shape, bars, winners_of(credits), Asked(decisions), await old_queries.row_counts(db, shape))
    views = await old_queries.view_balances(db, shape)
    for bar in bars:
        books = await read(db, shape, bar, now)
        done = adopted(books, plan.winners, keys, plan.asked, now)
        plan.take_in(done)
        for tab_id, balance in done.before.items():
            said = views.get(tab_id, balance)
            if said is not None and said.is_finite() and said != balance:
                view = Difference(Why.OLD_VIEW, tab_id, tab_id, ZERO, f"the view says {said}, owed is {balance}")
                plan.beside.append((bar.id, view))
    for id_, amount, status in await old_queries.transactions_without_tab(db, shape):
        plan.beside.append((None, Difference(Why.NO_TAB, id_, None, ZERO, f"{status}, {amount}")))
    for bar_id, difference in plan.beside:
        plan.note(bar_id, difference)
    plan.people, plan.members = adopted_people(await old_queries.members(db, shape), plan.asked)
    plan.made.update(staff_accounts=len(plan.people), bar_members=len(plan.members))
    return plan

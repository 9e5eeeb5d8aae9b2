"""A bar's day in figures that agree: each with the one beside it, or by differences that have names.

Money that M-Pesa took on the day (receipts, by their own time) against what tabs were credited with (the ledger, by
its time), and against what the imported statements show. A day lasts from six in the morning to six, Nairobi.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from kaunta.bars.queries import bar_by_id
from kaunta.closing import queries
from kaunta.closing.queries import Booked, Channel, Day, Difference, Given, Stated, TabDay
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime
from kaunta.payments.history import begins

#: What lies between two figures, in a person's words.
REASONS = {
    "unmatched": "paid, and on no tab yet",
    "aside": "set aside: nobody's bill here",
    "given_back": "on no tab, and given back",
    "booked_another_day": "paid on this day, on a tab on another",
    "paid_another_day": "on a tab on this day, paid on another",
    "another_amount": "on the tab with another amount",
    "no_code": "on the tab, without an M-Pesa code yet",
    "correction": "corrected",
    "reversal": "taken back from a tab",
    "not_on_statement": "here, and not on a statement",
    "statement_another_day": "the statement has it on another day",
    "received_another_day": "on the statement, here on another day",
    "another_amount_there": "the statement has another amount",
    "waiting": "on the statement, being looked at",
    "before": "on the statement, from before the first tab here",
    "elsewhere": "another bar's, of the same shortcode",
    "not_whole": "on the statement, with cents",
}
#: Those that a person should still do something about; the rest is explained.
OPEN = frozenset(
    {"unmatched", "another_amount", "no_code", "not_on_statement", "another_amount_there", "waiting", "not_whole"}
)


@dataclass(frozen=True, slots=True)
class Close:
    """A day's close. Shillings, but for what statements say: cents."""

    day: Day
    date: date
    booked: list[Booked]
    received: list[Channel]
    to_tabs: list[Difference]
    to_statement: list[Difference]
    stated: dict[str, Stated]
    #: Up to when the imported statements cover the day without a gap; None: not from its beginning.
    covered_until: datetime | None
    refunds: list[Given]
    tabs: list[TabDay]

    def of(self, method: str | None, *kinds: str) -> int:
        """What the ledger has of a method and of these kinds (none: any); M-Pesa in the day's environment only."""
        return sum(
            each.amount
            for each in self.booked
            if each.method == method
            and (not kinds or each.kind in kinds)
            and each.environment in (None, self.day.environment)
        )

    @property
    def took(self) -> int:
        """What M-Pesa took for the bar."""
        return sum(each.amount for each in self.received)

    @property
    def credited(self) -> int:
        """What tabs were credited with for M-Pesa money: payments, corrections, what was taken back."""
        return self.of("mpesa", "payment", "correction", "reversal")

    @property
    def tests(self) -> int:
        """Credits of the other environment: no money, but on tabs."""
        return sum(each.amount for each in self.booked if each.environment not in (None, self.day.environment))

    @property
    def on_tabs(self) -> int:
        """Everything tabs were credited with."""
        return sum(each.amount for each in self.booked)

    @property
    def ordered(self) -> int:
        return sum(tab.ordered for tab in self.tabs)

    @property
    def opening(self) -> int:
        return sum(tab.opening for tab in self.tabs)

    @property
    def closing(self) -> int:
        return sum(tab.closing for tab in self.tabs)

    @property
    def given_back(self) -> int:
        return sum(each.amount for each in self.refunds if each.state == "refunded")

    @property
    def refunds_open(self) -> list[Given]:
        return [each for each in self.refunds if each.state != "refunded"]

    @property
    def whole(self) -> bool:
        """Whether imported statements cover all of the day."""
        return self.covered_until is not None and self.covered_until >= self.day.until

    def cents(self, kind: str) -> int:
        """What the statements show of a kind; out is below zero."""
        found = self.stated.get(kind)
        return found.cents if found else 0

    @property
    def open(self) -> list[Difference]:
        """The differences that somebody should still look at. That a receipt is on no statement counts once all of
        its day is covered."""
        missing = [each for each in self.to_statement if each.reason in OPEN]
        if self.covered_until is None:
            missing = []
        else:
            until = self.covered_until
            missing = [each for each in missing if each.reason != "not_on_statement" or each.at <= until]
        return [each for each in self.to_tabs if each.reason in OPEN] + missing

    @property
    def clean(self) -> bool:
        return not self.open and not self.refunds_open

    def adds_up(self) -> bool:
        """Whether every figure is the one beside it and the named differences between them."""
        money = self.took * 100 + sum(each.cents for each in self.to_tabs) == self.credited * 100
        shown = self.took * 100 + sum(each.cents for each in self.to_statement) == self.cents("payment")
        owed = self.opening + self.ordered - self.on_tabs == self.closing
        return money and shown and owed


def day_of(bar_id: UUID, environment: str, date: date) -> Day:
    """The moments between which a business day lies."""
    return Day(bar_id, environment, begins(date), begins(date + timedelta(days=1)))


async def close(rt: Runtime, bar_id: UUID, date: date, environment: str | None = None) -> Close:
    """The close of a day, in one snapshot; the bar's environment unless another is named. Raises `NotFound`."""
    async with rt.db.acquire() as db, db.transaction(isolation="repeatable_read", readonly=True):
        bar = await bar_by_id(db, bar_id)
        if bar is None:
            raise NotFound
        day = day_of(bar_id, environment or bar.environment, date)
        return Close(
            day,
            date,
            await queries.booked(db, day),
            await queries.received(db, day),
            await queries.between_money_and_tabs(db, day),
            await queries.between_money_and_statement(db, day),
            {each.kind: each for each in await queries.stated(db, day)},
            covered_until(day, await queries.covered(db, day)),
            await queries.given_back(db, day),
            await queries.tabs(db, day),
        )


def covered_until(day: Day, stretches: list[tuple[datetime, datetime]]) -> datetime | None:
    """How far statements cover a day from its beginning without a gap; files that meet within two minutes do."""
    reached = day.since
    for since, until in stretches:
        if since > reached + timedelta(minutes=2):
            break
        reached = max(reached, until + timedelta(seconds=1))
    return reached if reached > day.since else None

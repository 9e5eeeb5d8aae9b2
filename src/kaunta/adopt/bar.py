"""One bar, from its old rows to Kaunta's: pure, so that a dry run and the real one do the same.

Every tab's balance is checked against a sum that the database took by brute force over the old rows: old balance plus
every named difference must be the new one, to the cent. What does not add up is a bug, and stops the move.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from kaunta.adopt import old_queries
from kaunta.adopt.amounts import Difference
from kaunta.adopt.attempts import Money, sorted_out
from kaunta.adopt.credentials import Till, adopted_till, stand_in
from kaunta.adopt.decisions import Asked
from kaunta.adopt.money import Books, NewEntry, NewMoney, adopted_money, settled
from kaunta.adopt.old import OldBar, OldCredential, OldDish, OldOrder, OldTab
from kaunta.adopt.people import NewDish, adopted_menu
from kaunta.adopt.shape import Shape
from kaunta.adopt.tabs import NewOrder, NewTab, adopted_orders, adopted_tabs
from kaunta.bars.add import slug_of
from kaunta.core.db import Connection
from kaunta.credentials.legacy import LegacyKeys


class Unexplained(RuntimeError):
    """A balance that the differences do not explain."""


@dataclass(frozen=True, slots=True)
class OldBooks:
    """Everything of a bar in the old tables. `balances`: what its tabs owe, summed by the database."""

    bar: OldBar
    credentials: Sequence[OldCredential]
    dishes: Sequence[OldDish]
    tabs: Sequence[OldTab]
    orders: Sequence[OldOrder]
    money: Money
    balances: Mapping[UUID, Decimal]


@dataclass(frozen=True, slots=True)
class AdoptedBar:
    """A bar as it will stand in Kaunta's tables."""

    bar: OldBar
    till: Till
    dishes: Sequence[NewDish]
    dishes_left: int
    tabs: Sequence[NewTab]
    orders: Sequence[NewOrder]
    money: NewMoney
    differences: Sequence[Difference]
    before: Mapping[UUID, Decimal]
    after: Mapping[UUID, int]


async def read(db: Connection, shape: Shape, bar: OldBar, now: datetime) -> OldBooks:
    """A bar's rows, in the caller's snapshot."""
    return OldBooks(
        bar=bar,
        credentials=await old_queries.credentials(db, shape, bar.id),
        dishes=await old_queries.dishes(db, shape, bar.id),
        tabs=await old_queries.tabs(db, shape, bar.id),
        orders=await old_queries.orders(db, shape, bar.id),
        money=await read_money(db, shape, bar.id, now),
        balances=await old_queries.balances(db, shape, bar.id),
    )


async def read_money(db: Connection, shape: Shape, bar_id: UUID, now: datetime) -> Money:
    """A bar's payments, in the caller's snapshot."""
    payments = await old_queries.payments(db, shape, bar_id)
    transactions = await old_queries.transactions(db, shape, bar_id)
    return sorted_out(payments, transactions, now)


def adopted(old: OldBooks, winners: Mapping[str, UUID], keys: LegacyKeys, asked: Asked, now: datetime) -> AdoptedBar:
    """What becomes of it. Raises `Unexplained`."""
    bar_id = old.bar.id
    till = adopted_till(old.bar, old.credentials, keys, asked)
    dishes, dishes_left = adopted_menu(old.dishes, bar_id, asked, now)
    tabs = adopted_tabs(old.tabs, now)
    orders, rounded = adopted_orders(old.orders, bar_id, asked, now)
    books = Books(bar_id, till.environment, {tab.id: tab for tab in tabs}, winners, asked)
    money = adopted_money(books, old.money, now)
    tabs, closed = settled(books, tabs, balances_of(tabs, orders, money.entries), money.entries)
    if money.payments and not till.credentials:
        till = Till(till.environment, [stand_in(old.bar, till.environment)], till.was_on, False)
    after = balances_of(tabs, orders, money.entries)
    differences = [*rounded, *money.differences, *closed]
    explain(old.balances, differences, after)
    return AdoptedBar(old.bar, till, dishes, dishes_left, tabs, orders, money, differences, old.balances, after)


def balances_of(tabs: Iterable[NewTab], orders: Iterable[NewOrder], entries: Iterable[NewEntry]) -> dict[UUID, int]:
    """What is owed on each tab."""
    owed = {tab.id: 0 for tab in tabs}
    for order in orders:
        if order.status == "confirmed":
            owed[order.tab_id] += order.total
    for entry in entries:
        owed[entry.tab_id] -= entry.amount
    return owed


def explain(before: Mapping[UUID, Decimal], differences: Iterable[Difference], after: Mapping[UUID, int]) -> None:
    """Raises `Unexplained` where old balance and differences do not make the new balance."""
    expected = dict(before)
    for difference in differences:
        if difference.tab_id is not None:
            expected[difference.tab_id] += difference.effect
    for tab_id, balance in after.items():
        if expected[tab_id] != balance:
            raise Unexplained(f"tab {tab_id}: {before[tab_id]} before, {balance} after, {expected[tab_id]} explained")


def slugs(bars: Iterable[OldBar]) -> dict[UUID, str]:
    """Each bar's short name: its own where it is one, else made from its name, never one that another bar has."""
    taken: set[str] = set()
    found = {}
    for bar in bars:
        slug = slug_of(bar.slug or "") or slug_of(bar.name or "") or "bar"
        if slug in taken:
            slug = f"{slug[:51]}-{bar.id.hex[:8]}"
        taken.add(slug)
        found[bar.id] = slug
    return found


def winners_of(credits: Iterable[tuple[str, datetime, UUID]]) -> dict[str, UUID]:
    """Of each receipt that is counted more than once, the row that came first."""
    first: dict[str, tuple[datetime, UUID]] = {}
    twice = set()
    for receipt, at, id_ in credits:
        if receipt in first:
            twice.add(receipt)
            first[receipt] = min(first[receipt], (at, id_))
        else:
            first[receipt] = (at, id_)
    return {receipt: first[receipt][1] for receipt in twice}

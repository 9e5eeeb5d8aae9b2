"""The menu as the bar keeps it: dishes come, change, move and go; an order keeps the name and price it was made with.

A guest reads the menu category by category, so the dishes of one category stand together: every change sets the whole
order anew, under the bar's lock.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal
from uuid import UUID

from kaunta.bars.queries import lock_bar
from kaunta.core.audit import audit
from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries
from kaunta.tabs.errors import ItemNotFound, MenuRefused
from kaunta.tabs.values import MenuItem

LONGEST_NAME, LONGEST_CATEGORY = 80, 40
DEAREST = 1_000_000
#: What a guest's phone still scrolls through.
MOST_ITEMS = 500

Move = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a dish should be; `price` in whole shillings."""

    category: str
    name: str
    price: int
    available: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """The same for what people take for the same dish."""
        return self.category.casefold(), self.name.casefold()


@dataclass(frozen=True, slots=True)
class Imported:
    added: int
    changed: int
    retired: int


def one_line(text: str, longest: int, what: str) -> str:
    """A text as it will stand on the menu: one line, nothing invisible in it. Raises `MenuRefused`."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not text:
        raise MenuRefused(f"{what} is missing.")
    if len(text) > longest:
        raise MenuRefused(f"{what} has at most {longest} characters.")
    if not text.isprintable():
        raise MenuRefused(f"{what} holds a character that nobody can see.")
    return text


def checked(wanted: Wanted) -> Wanted:
    """A dish fit for the menu. Raises `MenuRefused`."""
    category = one_line(wanted.category, LONGEST_CATEGORY, "The category")
    name = one_line(wanted.name, LONGEST_NAME, "The name")
    if not 1 <= wanted.price <= DEAREST:
        raise MenuRefused(f"The price is a whole number of shillings, 1 to {DEAREST:,}.")
    return Wanted(category, name, wanted.price, wanted.available)


def said(item: MenuItem) -> Wanted:
    return Wanted(item.category, item.name, item.price, item.available)


def grouped(items: Sequence[MenuItem]) -> list[MenuItem]:
    """The same dishes with those of a category together, the categories in the order in which each first comes."""
    by_category: dict[str, list[MenuItem]] = {}
    for item in items:
        by_category.setdefault(item.category, []).append(item)
    return [item for category in by_category.values() for item in category]


async def locked_menu(db: Connection, bar_id: UUID) -> list[MenuItem]:
    """The menu, which nobody else changes until the transaction ends."""
    await lock_bar(db, bar_id)
    return await queries.menu(db, bar_id)


async def arrange(db: Connection, bar_id: UUID, items: Sequence[MenuItem]) -> None:
    await queries.place_menu_items(db, bar_id, [item.id for item in grouped(items)])


def spelled(wanted: Wanted, items: Sequence[MenuItem]) -> Wanted:
    """In the category's present spelling: `beer` is no second category beside `Beer`."""
    known = {item.category.casefold(): item.category for item in items}
    category = known.get(wanted.category.casefold(), wanted.category)
    return Wanted(category, wanted.name, wanted.price, wanted.available)


def refuse_twins(wanted: Wanted, others: Sequence[MenuItem]) -> None:
    if wanted.key in {said(item).key for item in others}:
        raise MenuRefused(f"{wanted.name} is in {wanted.category} already.")


def find(items: Sequence[MenuItem], item_id: UUID) -> MenuItem:
    for item in items:
        if item.id == item_id:
            return item
    raise ItemNotFound


async def insert(db: Connection, rt: Runtime, bar_id: UUID, wanted: Wanted, place: int, by: str) -> MenuItem:
    item_id = await queries.add_menu_item(db, bar_id, wanted.category, wanted.name, wanted.price, place)
    if not wanted.available:
        await queries.change_menu_item(
            db, bar_id, item_id, wanted.category, wanted.name, wanted.price, wanted.available
        )
    await audit(db, rt.clock, by, "menu.item_added", "menu_item", item_id, bar_id=bar_id, **asdict(wanted))
    return MenuItem(item_id, wanted.category, wanted.name, wanted.price, wanted.available)


async def write(db: Connection, rt: Runtime, bar_id: UUID, item: MenuItem, wanted: Wanted, by: str) -> MenuItem:
    """Store and audit what is new about a dish; nothing where nothing is."""
    before, after = asdict(said(item)), asdict(wanted)
    new = {name: value for name, value in after.items() if value != before[name]}
    if new:
        await queries.change_menu_item(db, bar_id, item.id, **after)
        was = {name: before[name] for name in new}
        await audit(
            db, rt.clock, by, "menu.item_changed", "menu_item", item.id, bar_id=bar_id, name=item.name, was=was, now=new
        )
    return MenuItem(item.id, wanted.category, wanted.name, wanted.price, wanted.available)


async def retire(db: Connection, rt: Runtime, bar_id: UUID, item: MenuItem, by: str) -> None:
    await queries.retire_menu_item(db, bar_id, item.id, rt.clock.now())
    await audit(db, rt.clock, by, "menu.item_retired", "menu_item", item.id, bar_id=bar_id, **asdict(said(item)))


async def add_item(rt: Runtime, bar_id: UUID, wanted: Wanted, by: str) -> UUID:
    """A dish more, last of its category. Raises `MenuRefused`."""
    wanted = checked(wanted)
    async with transaction(rt.db) as db:
        items = await locked_menu(db, bar_id)
        if len(items) >= MOST_ITEMS:
            raise MenuRefused(f"A menu has at most {MOST_ITEMS} items.")
        wanted = spelled(wanted, items)
        refuse_twins(wanted, items)
        added = await insert(db, rt, bar_id, wanted, len(items), by)
        await arrange(db, bar_id, [*items, added])
    return added.id


async def change_item(
    rt: Runtime, bar_id: UUID, item_id: UUID, wanted: Wanted, by: str, *, after: UUID | Literal["first"] | None = None
) -> None:
    """Say something else about a dish. `after`: where in its category it comes, None: where it is.

    Raises `MenuRefused`, `ItemNotFound`.
    """
    wanted = checked(wanted)
    async with transaction(rt.db) as db:
        items = await locked_menu(db, bar_id)
        item = find(items, item_id)
        others = [one for one in items if one.id != item_id]
        wanted = spelled(wanted, others)
        refuse_twins(wanted, others)
        changed = await write(db, rt, bar_id, item, wanted, by)
        place = items.index(item) if wanted.category == item.category else len(others)
        if after == "first":
            place = next((i for i, one in enumerate(others) if one.category == wanted.category), place)
        elif after is not None:
            place = next((i + 1 for i, one in enumerate(others) if one.id == after), place)
        await arrange(db, bar_id, [*others[:place], changed, *others[place:]])


async def set_available(rt: Runtime, bar_id: UUID, item_id: UUID, available: bool, by: str) -> MenuItem:
    """Sold out, or there again: the dish as it was. Raises `ItemNotFound`."""
    async with transaction(rt.db) as db:
        item = find(await locked_menu(db, bar_id), item_id)
        await write(db, rt, bar_id, item, Wanted(item.category, item.name, item.price, available), by)
    return item


async def retire_item(rt: Runtime, bar_id: UUID, item_id: UUID, by: str) -> None:
    """Off the menu for good; orders that name it stay as they are. Raises `ItemNotFound`."""
    async with transaction(rt.db) as db:
        await retire(db, rt, bar_id, find(await locked_menu(db, bar_id), item_id), by)


async def move_category(rt: Runtime, bar_id: UUID, category: str, where: Move, by: str) -> None:
    """Change places with the category before or after it. Raises `ItemNotFound`."""
    async with transaction(rt.db) as db:
        items = await locked_menu(db, bar_id)
        order = list(dict.fromkeys(item.category for item in items))
        if category not in order:
            raise ItemNotFound
        here = order.index(category)
        there = max(0, min(len(order) - 1, here + (1 if where == "down" else -1)))
        order[here], order[there] = order[there], order[here]
        await arrange(db, bar_id, sorted(items, key=lambda item: order.index(item.category)))
        await audit(db, rt.clock, by, "menu.arranged", "bar", bar_id, bar_id=bar_id, categories=order)


async def rename_category(rt: Runtime, bar_id: UUID, category: str, name: str, by: str) -> str:
    """Another name for a category, or the name of one it joins; the name as it is kept.

    Raises `MenuRefused` (also where both have the same dish), `ItemNotFound`.
    """
    name = one_line(name, LONGEST_CATEGORY, "The category")
    async with transaction(rt.db) as db:
        items = await locked_menu(db, bar_id)
        members = [item for item in items if item.category == category]
        if not members:
            raise ItemNotFound
        others = [item for item in items if item.category != category]
        present = list(items)
        for item in members:
            wanted = spelled(Wanted(name, item.name, item.price, item.available), others)
            refuse_twins(wanted, others)
            present[present.index(item)] = await write(db, rt, bar_id, item, wanted, by)
            name = wanted.category
        await arrange(db, bar_id, present)
    return name


async def import_menu(
    rt: Runtime, bar_id: UUID, rows: Sequence[Wanted], by: str, *, retire_others: bool = False
) -> Imported:
    """Take over a whole list, all or nothing: dishes of the same category and name are changed, others added, in the
    list's order; what is not in it stays after it, or is retired. Raises `MenuRefused`.
    """
    async with transaction(rt.db) as db:
        items = await locked_menu(db, bar_id)
        present = {said(item).key: item for item in items}
        listed: list[MenuItem] = []
        added = changed = 0
        for row in rows:
            wanted = spelled(checked(row), [*items, *listed])
            if found := present.pop(wanted.key, None):
                listed.append(await write(db, rt, bar_id, found, wanted, by))
                changed += said(found) != wanted
            else:
                refuse_twins(wanted, listed)
                listed.append(await insert(db, rt, bar_id, wanted, len(items) + added, by))
                added += 1
        rest = list(present.values())
        if len(listed) + (0 if retire_others else len(rest)) > MOST_ITEMS:
            raise MenuRefused(f"A menu has at most {MOST_ITEMS} items.")
        for item in rest if retire_others else ():
            await retire(db, rt, bar_id, item, by)
        await arrange(db, bar_id, [*listed, *([] if retire_others else rest)])
    return Imported(added, changed, len(rest) if retire_others else 0)

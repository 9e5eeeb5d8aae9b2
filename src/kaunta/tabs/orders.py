"""Orders: a guest asks, staff confirm; only then is something owed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from kaunta.core.db import Connection, affected, transaction
from kaunta.core.runtime import Runtime
from kaunta.tabs import queries
from kaunta.tabs.errors import OrderDecided, OrderNotFound, OrderRefused, TabClosed, TabNotFound
from kaunta.tabs.tabs import new_tab

#: More of one thing in one order is a slip of the finger or a prank.
MOST_OF_ONE = 50
MOST_LINES = 60


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What somebody wants: menu item → quantity. `key` makes a second submission the same order."""

    bar_id: UUID
    lines: Mapping[UUID, int]
    key: str
    by: Literal["customer", "staff"]
    tab_ref: str | None = None
    table_id: UUID | None = None
    device_hash: bytes | None = None
    account_id: UUID | None = None

    @property
    def actor(self) -> str:
        return f"staff:{self.account_id}" if self.account_id else "guest"


@dataclass(frozen=True, slots=True)
class Placed:
    tab_id: UUID
    tab_ref: str
    order_number: int


async def place_order(rt: Runtime, request: OrderRequest) -> Placed:
    """Take an order, opening a tab where there is none; the same key gives the same order.

    Raises `OrderRefused` (nothing in it, too much, something not on the menu), `TabNotFound`, `TabClosed`.
    """
    check_lines(request.lines)
    if not 1 <= len(request.key) <= 200:
        raise OrderRefused("The order carries no key.")
    async with transaction(rt.db) as db:
        tab_id, ref = await find_or_open_tab(db, rt, request)
        # Under the tab's lock, so that a double tap finds the first one's order.
        row = await queries.lock_tab(db, tab_id)
        if row is None or row.bar_id != request.bar_id:
            raise TabNotFound
        if made := await queries.order_by_key(db, request.bar_id, request.key):
            return Placed(made["tab_id"], made["tab_ref"], made["order_number"])
        if row.status != "open":
            raise TabClosed
        if request.device_hash is not None:
            await queries.join_device(db, request.device_hash, tab_id, request.bar_id, rt.clock.now())
        items = await priced(db, request)
        number = await queries.insert_order(
            db,
            rt.entropy.uuid(),
            request.bar_id,
            tab_id,
            items,
            sum(line["price"] * line["quantity"] for line in items),
            request.by,
            request.key,
            rt.clock.now(),
        )
    rt.live.hint(f"bar:{request.bar_id}", f"tab:{tab_id}")
    return Placed(tab_id, ref, number)


def check_lines(lines: Mapping[UUID, int]) -> None:
    if not lines:
        raise OrderRefused("Choose something first.")
    if len(lines) > MOST_LINES:
        raise OrderRefused(f"An order has at most {MOST_LINES} lines.")
    if any(not 1 <= quantity <= MOST_OF_ONE for quantity in lines.values()):
        raise OrderRefused(f"Order between 1 and {MOST_OF_ONE} of one thing.")


async def find_or_open_tab(db: Connection, rt: Runtime, request: OrderRequest) -> tuple[UUID, str]:
    if made := await queries.order_by_key(db, request.bar_id, request.key):
        return made["tab_id"], made["tab_ref"]
    if request.tab_ref is not None:
        tab_id = await queries.tab_id_by_ref(db, request.tab_ref)
        if tab_id is None:
            raise TabNotFound
        return tab_id, request.tab_ref
    return await new_tab(db, rt, request.bar_id, request.table_id, request.actor)


async def priced(db: Connection, request: OrderRequest) -> list[dict[str, Any]]:
    """The order's lines with name and price as they are now: the price a guest saw is the price owed."""
    items = {item.id: item for item in await queries.menu_items(db, request.bar_id, list(request.lines))}
    missing = request.lines.keys() - items.keys()
    if missing:
        raise OrderRefused("Something in this order is not on the menu. Reload the menu and order again.")
    gone = [items[id_].name for id_ in request.lines if not items[id_].available]
    if gone:
        raise OrderRefused(f"Not available now: {', '.join(gone)}.")
    return [
        {"item_id": str(id_), "name": items[id_].name, "quantity": quantity, "price": items[id_].price}
        for id_, quantity in request.lines.items()
    ]


async def confirm_order(rt: Runtime, bar_id: UUID, order_id: UUID, account_id: UUID) -> None:
    """Staff take an order: from now on it is owed. Raises `OrderNotFound`, `OrderDecided`, `TabClosed`."""
    async with transaction(rt.db) as db:
        tab_id = await lock_orders_tab(db, bar_id, order_id)
        if affected(await queries.confirm_order(db, order_id, f"staff:{account_id}", rt.clock.now())) != 1:
            raise OrderDecided
    rt.live.hint(f"bar:{bar_id}", f"tab:{tab_id}")


async def reject_order(rt: Runtime, bar_id: UUID, order_id: UUID, account_id: UUID) -> None:
    """Staff turn an order down. Raises `OrderNotFound`, `OrderDecided`, `TabClosed`."""
    async with transaction(rt.db) as db:
        tab_id = await lock_orders_tab(db, bar_id, order_id)
        if affected(await queries.cancel_order(db, order_id, f"staff:{account_id}", rt.clock.now())) != 1:
            raise OrderDecided
    rt.live.hint(f"bar:{bar_id}", f"tab:{tab_id}")


async def lock_orders_tab(db: Connection, bar_id: UUID, order_id: UUID) -> UUID:
    tab_id = await queries.tab_id_of_order(db, bar_id, order_id)
    if tab_id is None:
        raise OrderNotFound
    row = await queries.lock_tab(db, tab_id)
    if row is None or row.status == "closed":
        raise TabClosed
    return tab_id

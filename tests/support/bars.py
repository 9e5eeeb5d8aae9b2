"""Bars as the tests find them: on the menu, switched on for M-Pesa, with an owner, a waiter and a tab that is owed for.

`open_tab` gives further tabs of exactly so many shillings, `switched` changes a bar's M-Pesa.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from kaunta.access import queries as access_queries
from kaunta.access.accounts import Role, set_role
from kaunta.bars import queries as bar_queries
from kaunta.bars.add import add_bar
from kaunta.bars.mpesa_switch import sync_mpesa_status
from kaunta.bars.values import Environment
from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.credentials.store import NewCredential, store
from kaunta.tabs import queries as tab_queries
from kaunta.tabs import views as tab_views
from kaunta.tabs.guests import device_hash
from kaunta.tabs.orders import OrderRequest, confirm_order, place_order

PASSWORD = "correct horse battery"
#: What the seeded tab owes: two beers and three sodas.
OWED = 1_000
MENU = (("Beer", "Tusker", 350), ("Soft drinks", "Soda", 100), ("Kitchen", "Nyama choma", 800))


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who works at a bar and can sign in."""

    account_id: UUID
    username: str
    role: Role
    password: str = PASSWORD


@dataclass(frozen=True, slots=True)
class OpenTab:
    """An open tab with a confirmed order of `owed` shillings. `device` is the cookie of the guest who ordered."""

    id: UUID
    ref: str
    bar_id: UUID
    number: int
    owed: int
    device: str


@dataclass(frozen=True, slots=True)
class SeededBar:
    """A bar ready to serve. `items`: menu item ids by name."""

    id: UUID
    slug: str
    name: str
    table_id: UUID
    table_label: str
    table_code: str
    items: Mapping[str, UUID]
    credential_id: UUID
    owner: Staff
    waiter: Staff
    tab: OpenTab


@pytest.fixture(scope="session")
def password_hash() -> str:
    """A real hash that is compared at once: what is meant to be slow was a third of what a staff page's test cost.
    How slow the program makes its own tests/access/test_accounts.py looks at."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


async def add_staff(db: Connection, rt: Runtime, bar_id: UUID, role: Role, username: str, password_hash: str) -> Staff:
    account_id = await access_queries.insert_account(db, username, username.title(), password_hash, False)
    assert account_id is not None
    await set_role(db, rt.clock, account_id, bar_id, role, by="test")
    return Staff(account_id, username, role)


async def open_tab(rt: Runtime, bar_id: UUID, owed: int, by: UUID) -> OpenTab:
    """A tab on which one order of exactly `owed` shillings was placed by a guest and confirmed by staff."""
    device = rt.entropy.token()
    async with transaction(rt.db) as db:
        item = await tab_queries.add_menu_item(db, bar_id, "Bill", f"As agreed {device[:8]}", owed, 99)
    return await order_on_new_tab(rt, bar_id, {item: 1}, by, device)


async def order_on_new_tab(
    rt: Runtime, bar_id: UUID, lines: Mapping[UUID, int], by: UUID, device: str, table_id: UUID | None = None
) -> OpenTab:
    placed = await place_order(
        rt,
        OrderRequest(
            bar_id=bar_id, lines=lines, key=device, by="customer", device_hash=device_hash(device), table_id=table_id
        ),
    )
    async with rt.db.acquire() as db:
        before = await tab_views.tab_by_ref(db, placed.tab_ref)
    assert before is not None
    await confirm_order(rt, bar_id, before.orders[0].id, by)
    return OpenTab(before.id, before.ref, bar_id, before.number, before.orders[0].total, device)


async def seed_bar(
    rt: Runtime, name: str, password_hash: str, *, environment: Environment = "sandbox", shortcode: str = "174379"
) -> SeededBar:
    """A bar with everything it needs to take a payment."""
    async with transaction(rt.db) as db:
        bar_id = await add_bar(db, rt.clock, name, by="test")
        credential_id = await store(
            db,
            rt,
            bar_id,
            NewCredential(
                environment,
                shortcode,
                None,
                Secret(f"consumer-key-of-{bar_id.hex}"),
                Secret(f"consumer-secret-of-{bar_id.hex}"),
                Secret(f"passkey-of-{bar_id.hex}"),
            ),
            by="test",
        )
        await sync_mpesa_status(db, rt.clock, bar_id, True, environment=environment, by="test")
        items = {
            item: await tab_queries.add_menu_item(db, bar_id, category, item, price, position)
            for position, (category, item, price) in enumerate(MENU)
        }
        table_code = rt.entropy.speakable(10)
        table_id = await tab_queries.add_table(db, bar_id, "Table 4", table_code)
        bar = await bar_queries.bar_by_id(db, bar_id)
        assert bar is not None
        owner = await add_staff(db, rt, bar_id, "owner", f"owner-of-{bar.slug}", password_hash)
        waiter = await add_staff(db, rt, bar_id, "waiter", f"waiter-of-{bar.slug}", password_hash)
    tab = await order_on_new_tab(
        rt, bar_id, {items["Tusker"]: 2, items["Soda"]: 3}, waiter.account_id, rt.entropy.token(), table_id
    )
    assert tab.owed == OWED
    return SeededBar(
        id=bar_id,
        slug=bar.slug,
        name=name,
        table_id=table_id,
        table_label="Table 4",
        table_code=table_code,
        items=items,
        credential_id=credential_id,
        owner=owner,
        waiter=waiter,
        tab=tab,
    )


@pytest_asyncio.fixture
async def bar(rt: Runtime, password_hash: str) -> SeededBar:
    """Mama Njeri's, with a tab of 1,000 shillings."""
    return await seed_bar(rt, "Mama Njeri's Bar", password_hash)


@pytest_asyncio.fixture
async def other_bar(rt: Runtime, bar: SeededBar, password_hash: str) -> SeededBar:
    """Another tenant with people and a tab of its own, on the same sandbox shortcode."""
    return await seed_bar(rt, "Kwa Otieno", password_hash)


@pytest.fixture
def new_tab(rt: Runtime, bar: SeededBar) -> Callable[[int], Awaitable[OpenTab]]:
    """Another tab of the first bar: `await new_tab(700)` owes 700 shillings."""
    return lambda owed: open_tab(rt, bar.id, owed, bar.waiter.account_id)

"""The demo's bar: a menu, three tables, an owner who can sign in, and sandbox credentials for the stand-in."""

from dataclasses import dataclass
from uuid import UUID

from kaunta.access.accounts import add_account, set_role
from kaunta.access.api_keys import add_api_key
from kaunta.access.queries import account_by_username
from kaunta.bars.add import add_bar
from kaunta.bars.mpesa_switch import sync_mpesa_status
from kaunta.bars.queries import bar_by_slug
from kaunta.core.db import Connection, transaction
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.credentials.store import NewCredential, store
from kaunta.tabs import queries as tabs
from kaunta.tabs.orders import OrderRequest, confirm_order, place_order
from kaunta.tabs.views import tab_by_ref

SLUG = "mama-njeris"
NAME = "Mama Njeri's Bar"
OWNER = "njeri"
#: Safaricom's public sandbox shortcode and passkey (daraja.md §4).
SHORTCODE = "174379"
PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"

MENU = (
    ("Beer", "Tusker Lager", 300), ("Beer", "Tusker Malt", 320), ("Beer", "White Cap", 300),
    ("Beer", "Guinness", 330), ("Spirits", "Gin and tonic", 450), ("Spirits", "Whisky, single", 400),
    ("Soft", "Stoney Tangawizi", 100), ("Soft", "Water", 80), ("Soft", "Passion juice", 150),
    ("Kitchen", "Nyama choma, half kilo", 700), ("Kitchen", "Chips masala", 250), ("Kitchen", "Samosa, three", 150),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoBar:
    """What the demo prints and its checks use."""

    bar_id: UUID
    slug: str
    table_code: str
    tab_id: UUID
    tab_ref: str
    owner_id: UUID


async def prepare(rt: Runtime, owner_password: str) -> DemoBar:
    """The demo's bar, made on first use; with an open tab that already owes something."""
    async with transaction(rt.db) as db:
        found = await bar_by_slug(db, SLUG)
        bar_id = found.id if found else await build(db, rt, owner_password)
    async with rt.db.acquire() as db:
        table = (await tabs.tables(db, bar_id))[0]
        owner_id = await owner(db)
        owing = [tab for tab in await tabs.open_tab_summaries(db, bar_id) if tab.balance > 0]
    if owing:
        tab_id, tab_ref = owing[0].id, owing[0].ref
    else:
        tab_id, tab_ref = await owing_tab(rt, bar_id, table.id, owner_id)
    return DemoBar(bar_id, SLUG, table.code, tab_id, tab_ref, owner_id)


async def build(db: Connection, rt: Runtime, owner_password: str) -> UUID:
    bar_id = await add_bar(db, rt.clock, NAME, slug=SLUG, business_name="MAMA NJERI BAR", by="demo")
    await store(
        db,
        rt,
        bar_id,
        NewCredential("sandbox", SHORTCODE, None, Secret("demo-consumer-key"), Secret("demo-consumer-secret"),
                      Secret(PASSKEY)),
        by="demo",
    )  # fmt: skip
    await sync_mpesa_status(db, rt.clock, bar_id, True, environment="sandbox", by="demo")
    for position, (category, name, price) in enumerate(MENU):
        await tabs.add_menu_item(db, bar_id, category, name, price, position)
    for number in (1, 2, 3):
        await tabs.add_table(db, bar_id, f"Table {number}", rt.entropy.speakable(10))
    account_id = await add_account(db, rt.clock, OWNER, "Njeri", owner_password, administrator=True, by="demo")
    await set_role(db, rt.clock, account_id, bar_id, "owner", by="demo")
    return bar_id


async def owner(db: Connection) -> UUID:
    account = await account_by_username(db, OWNER)
    if account is None:
        raise RuntimeError("the demo's bar has no owner")
    return account.id


async def owing_tab(rt: Runtime, bar_id: UUID, table_id: UUID | None, owner_id: UUID) -> tuple[UUID, str]:
    """A tab with a confirmed order of KES 900: three beers."""
    async with rt.db.acquire() as db:
        beer = (await tabs.menu(db, bar_id))[0]
    request = OrderRequest(
        bar_id=bar_id, table_id=table_id, lines={beer.id: 3}, key=f"demo-{rt.entropy.ref()}", by="customer"
    )
    placed = await place_order(rt, request)
    async with rt.db.acquire() as db:
        view = await tab_by_ref(db, placed.tab_ref)
    if view is None:
        raise RuntimeError("a tab that was just opened is gone")
    await confirm_order(rt, bar_id, view.orders[0].id, owner_id)
    return placed.tab_id, placed.tab_ref


async def admin_key(rt: Runtime, bar_id: UUID) -> str:
    """A key for programs that look at the demo's bar."""
    async with transaction(rt.db) as db:
        return await add_api_key(db, rt, "demo", bar_id, ["payments:read", "diagnostics"], by="demo")

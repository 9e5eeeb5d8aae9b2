"""A Friday evening at the counter: payments in every state, an order that waits, money that fits nothing."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from kaunta.core.db import transaction
from kaunta.core.problems import Severity, open_problem
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.receipts import Sighting, sighted
from kaunta.payments.typed_codes import claim_code
from kaunta.tabs.orders import OrderRequest, place_order
from kaunta.worker import Worker
from tests.support.bars import OpenTab, SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

#: How a payment ends, its shillings and its phone. The first is the oldest.
PAYMENTS = (
    ("paid", 950, "254110040411"),
    ("amount_differs", 700, "254110040412"),
    ("ack_and_callback_lost", 980, "254110040413"),
    ("cancelled", 600, "254110040414"),
    ("paid", 350, "254110040415"),
    ("no_funds", 850, "254110040416"),
    ("paid", 420, "254110040417"),
    ("person", 610, "254110040418"),
)
NewTab = Callable[[int], Awaitable[OpenTab]]


async def evening(application: Served, simulator: Safaricom, bar: SeededBar, new_tab: NewTab) -> None:
    """Let it happen, some minutes between one payment and the next."""
    rt = application.rt
    for end, amount, phone in PAYMENTS:
        tab = await new_tab(amount)
        simulator.simulator.queue_scenario(end)
        started = await initiate(rt, application.pushes, Intent(tab.ref, phone, amount))
        await started.answered()
        if end != "person":
            await simulator.settle()
        await application.pushes.drain()
        await simulator.advance(140)
    for loop in Worker(rt, application.pushes.daraja).loops():
        while loop.name == "silence" and await loop.work():
            pass
    await sighted(rt, Sighting(bar.id, "sandbox", "174379", "SKK1A2B3C4", 900, "c2b", rt.clock.now()))
    await claim_code(rt, bar.tab.ref, "TKX1AB2C3D")
    async with transaction(rt.db) as db:
        await open_problem(
            db, rt.clock, "push_refused", bar.id, bar_id=bar.id, severity=Severity.ERROR, message="Invalid shortcode"
        )
    await simulator.advance(65)
    await order(application, bar, 2)


async def order(application: Served, bar: SeededBar, sodas: int, table_id: UUID | None = None) -> None:
    """A guest orders so many sodas."""
    rt = application.rt
    await place_order(
        rt,
        OrderRequest(
            bar_id=bar.id, lines={bar.items["Soda"]: sodas, bar.items["Tusker"]: 1}, key=rt.entropy.token(),
            by="customer", device_hash=rt.entropy.token().encode(), table_id=table_id or bar.table_id,
        ),
    )  # fmt: skip


async def sleeping_books(application: Served) -> None:
    """The payments get names that are the same in every picture."""
    async with application.rt.db.acquire() as db:
        await db.execute("set session_replication_role = replica")
        await db.execute(
            """
            update mpesa_transactions p set reference = 'TB-7F3' || n.place,
                receipt = case when receipt > '' then 'TKX1AB2C3' || n.place end
            from (select id, row_number() over (order by created_at) as place from mpesa_transactions) n
            where n.id = p.id
            """
        )
        await db.execute("set session_replication_role = origin")

"""Somebody at the counter with payments in every state before them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio

from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.payments.desk import Act
from kaunta.payments.initiate import Intent, initiate
from kaunta.worker import Worker
from tests.staff.conftest import Read, Reader
from tests.support.bars import OpenTab, SeededBar, Staff, add_staff
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Enter = Callable[[Staff], Awaitable[str]]
#: What becomes of the push, and how old the payment is when somebody looks at it, seconds.
ENDS = (
    "person",
    "cancelled",
    "no_funds",
    "pin_locked",
    "paid",
    "callback_lost",
    "ack_and_callback_lost",
    "line_busy",
    "ack_hangs",
)
AGES = (0, 45, 125, 310, 430, 720)
FORMS = {
    Act.CHECK: ("check", {}),
    Act.PUSH: ("push", {"no_sms": "yes"}),
    Act.PAID: ("resolve", {"ended": "paid", "reason": "the phone died", "evidence": "seen on the till"}),
    Act.NOT_PAID: ("resolve", {"ended": "not_paid", "reason": "the phone died", "evidence": "nothing on the till"}),
}


DECISIONS = (Act.PAID, Act.NOT_PAID)


@dataclass
class Counter:
    """Somebody at the counter, and payments in every state before them."""

    application: Served
    simulator: Safaricom
    read: Reader
    new_tab: Callable[[int], Awaitable[OpenTab]]
    csrf: str
    made: int = 0

    @property
    def rt(self) -> Runtime:
        return self.application.rt

    async def payment(self, end: str, age: int) -> UUID:
        """A payment of a payer and tab of its own."""
        self.made += 1
        tab = await self.new_tab(300)
        self.simulator.simulator.queue_scenario(end)
        started = await initiate(self.rt, self.application.pushes, Intent(tab.ref, f"2547{self.made:08d}", 200))
        if end != "ack_hangs":
            await started.answered()
        else:
            # Nobody waits for this answer; it counts as none.
            await self.simulator.advance(60)
        if end != "person":
            await self.simulator.settle()
        await self.simulator.advance(age)
        await self.application.pushes.drain()
        await self.work()
        return started.transaction_id

    async def work(self) -> None:
        for loop in Worker(self.rt, self.application.pushes.daraja).loops():
            while loop.name in {"inbox", "silence"} and await loop.work():
                pass

    async def ask_first(self, transaction_id: UUID) -> Read:
        """Step 1 of a decision: Safaricom is asked, where it can be."""
        return await self.read(f"/staff/payments/{transaction_id}/resolve/check", data={"csrf": self.csrf})

    async def act(self, transaction_id: UUID, act: Act, payable: int = 0) -> Read:
        path, data = FORMS[act]
        code = {"receipt": f"SKK{self.made:07d}"} if act is Act.PAID else {}
        sent = {"csrf": self.csrf, "amount": str(payable), **data, **code}
        return await self.read(f"/staff/payments/{transaction_id}/{path}", data=sent)


@pytest.fixture
def at_counter(
    application: Served, simulator: Safaricom, read: Reader, new_tab: Callable[[int], Awaitable[OpenTab]]
) -> Callable[[str], Counter]:
    return lambda csrf: Counter(application, simulator, read, new_tab, csrf)


Colleagues = dict[str, Staff]


@pytest_asyncio.fixture
async def colleagues(rt: Runtime, bar: SeededBar, password_hash: str) -> Colleagues:
    """Everybody who works at the bar, by role."""
    async with transaction(rt.db) as db:
        cashier = await add_staff(db, rt, bar.id, "cashier", f"cashier-of-{bar.slug}", password_hash)
        manager = await add_staff(db, rt, bar.id, "manager", f"manager-of-{bar.slug}", password_hash)
    return {"waiter": bar.waiter, "cashier": cashier, "manager": manager, "owner": bar.owner}

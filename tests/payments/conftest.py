"""An evening at the bar: guests pay, phones ring, the worker takes its turns; in the end the books must be right."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.payments import inbox, invariants, views
from kaunta.payments.callback_url import token_hash
from kaunta.payments.initiate import Initiated, Intent, initiate
from kaunta.payments.under_way import Pushes
from kaunta.payments.views import PaymentView
from kaunta.simulator.pushes import Push
from kaunta.simulator.scenarios import Scenario
from kaunta.tabs import views as tab_views
from kaunta.tabs.values import TabView
from kaunta.worker import Worker
from tests.support.bars import OpenTab, SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

PHONE = "254708374149"
#: The worker's loops that live on payments' rows.
PAYMENT_LOOPS = frozenset({"inbox", "queries", "silence"})
#: Nobody of the simulator's test numbers: they follow the queued scenario, else they pay.
FRIENDS = tuple(f"2547000000{number:02d}" for number in range(20))


@pytest.fixture
def rt(application: Served) -> Runtime:
    """The served application's own runtime."""
    return application.rt


@pytest.fixture
def pushes(application: Served) -> Pushes:
    """The served application's own pushes."""
    return application.pushes


@dataclass
class Evening:
    """What a test does and looks at. `pay` starts a payment of the bar's tab; time passes by `wait`."""

    rt: Runtime
    clock: ManualClock
    pushes: Pushes
    simulator: Safaricom
    bar: SeededBar
    #: Broken on purpose: the books are not looked at in the end.
    tampered: bool = field(default=False)

    async def start(
        self,
        amount: int = 500,
        *,
        phone: str = PHONE,
        tab: OpenTab | None = None,
        scenario: str | Scenario | None = None,
        **more: Any,
    ) -> Initiated:
        """A payment is begun; `scenario` is what becomes of its push."""
        if scenario is not None:
            self.simulator.simulator.queue_scenario(scenario)
        return await initiate(self.rt, self.pushes, Intent((tab or self.bar.tab).ref, phone, amount, **more))

    async def pay(self, amount: int = 500, **how: Any) -> UUID:
        """A payment is begun and Safaricom has answered the push; its id."""
        started = await self.start(amount, **how)
        await started.answered()
        return started.transaction_id

    async def rung(self) -> None:
        """Safaricom has taken the push on, whether it has answered or not."""
        while not self.simulator.simulator.pushes:
            await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Whatever is still to happen on the phones happens, and every callback is understood."""
        await self.simulator.settle()
        await self.pushes.drain()

    async def wait(self, seconds: float) -> None:
        """Time passes for everybody; the worker sleeps."""
        await self.simulator.advance(seconds)
        await self.pushes.drain()

    async def work(self) -> None:
        """The worker does what is due for payments; what it does for the house besides is left out."""
        for loop in Worker(self.rt, self.pushes.daraja).loops():
            while loop.name in PAYMENT_LOOPS and await loop.work():
                pass
        await self.pushes.drain()

    async def live_on(self, seconds: int, *, step: int = 5) -> None:
        """Time passes while the worker works."""
        for _ in range(0, seconds, step):
            await self.wait(step)
            await self.work()

    async def hear(self, body: bytes, token: str | None, source: str = "127.0.0.1") -> str | None:
        """A callback arrives, is stored and understood; its verdict."""
        hashed = token_hash(token) if token else None
        stored = await inbox.receive(self.rt, body, token_hash=hashed, source=source)
        verdict = await inbox.process(self.rt, stored, body, hashed)
        return verdict.name if verdict else None

    def push(self, number: int = -1) -> Push:
        """A push as Safaricom knows it: the newest, or by its place."""
        return list(self.simulator.simulator.pushes.values())[number]

    def token(self, number: int = -1) -> str:
        """The secret of a push's callback address, as only Safaricom was told it."""
        return self.push(number).wanted.callback_url.rpartition("/")[2]

    async def view(self, transaction_id: UUID) -> PaymentView:
        found = await views.payment(self.rt, transaction_id)
        assert found is not None
        return found

    async def tab(self, tab: OpenTab | None = None) -> TabView:
        async with self.rt.db.acquire() as db:
            found = await tab_views.tab_by_ref(db, (tab or self.bar.tab).ref)
        assert found is not None
        return found

    async def problems(self, subject: UUID | None = None) -> set[str]:
        """The kinds of the open problems (about one subject)."""
        rows = await self.rt.db.fetch("select kind, subject from problems where closed_at is null")
        return {row["kind"] for row in rows if subject is None or row["subject"] == str(subject)}

    async def verdicts(self) -> list[str]:
        """What became of the callbacks, in the order of their arrival."""
        rows = await self.rt.db.fetch("select verdict from mpesa_callbacks order by id")
        return [row["verdict"] for row in rows]

    async def row(self, transaction_id: UUID) -> Mapping[str, Any]:
        """The payment's row as it stands in the database."""
        found = await self.rt.db.fetchrow("select * from mpesa_transactions where id = $1", transaction_id)
        assert found is not None
        return dict(found)

    async def events(self, transaction_id: UUID) -> list[str]:
        """The payment's history: what kind of line each is."""
        rows = await self.rt.db.fetch(
            "select kind from payment_events where transaction_id = $1 order by id", transaction_id
        )
        return [row["kind"] for row in rows]

    async def queries(self) -> int:
        """How often Daraja was asked what became of a push."""
        return sum(push.queries for push in self.simulator.simulator.pushes.values())

    async def tamper(self, statement: str, *arguments: Any) -> None:
        """Write past every guard, as only somebody with the database's own password could."""
        self.tampered = True
        async with transaction(self.rt.db) as db:
            await db.execute("set local session_replication_role = replica")
            await db.execute(statement, *arguments)

    async def broken(self) -> set[str]:
        """The names of the invariants that do not hold."""
        async with self.rt.db.acquire() as db:
            return {finding.name for finding in await invariants.check_all(db) if not finding.ok}


@pytest_asyncio.fixture
async def evening(
    rt: Runtime, clock: ManualClock, pushes: Pushes, simulator: Safaricom, bar: SeededBar
) -> AsyncIterator[Evening]:
    """An evening at Mama Njeri's. However it went, every invariant holds in the end."""
    an_evening = Evening(rt, clock, pushes, simulator, bar)
    yield an_evening
    if not an_evening.tampered:
        assert await an_evening.broken() == set()


class Said:
    """Callback bodies about a push, as Safaricom, or somebody who would like to be it, writes them."""

    def __init__(self, evening: Evening) -> None:
        self.evening = evening

    def paid(self, receipt: str = "FORGED0001", amount: int = 500, **changed: object) -> bytes:
        items = [
            {"Name": "Amount", "Value": amount},
            {"Name": "MpesaReceiptNumber", "Value": receipt},
            {"Name": "TransactionDate", "Value": 20261120203100},
            {"Name": "PhoneNumber", "Value": 254708374149},
        ]
        return self.result(0, CallbackMetadata={"Item": items}, **changed)

    def result(self, code: object, **changed: object) -> bytes:
        push = self.evening.push()
        told = {
            "MerchantRequestID": push.merchant_id,
            "CheckoutRequestID": push.checkout_id,
            "ResultCode": code,
            "ResultDesc": "said",
        }
        return json.dumps({"Body": {"stkCallback": told | changed}}).encode()


@pytest.fixture
def said(evening: Evening) -> Said:
    """What callbacks say about the newest push."""
    return Said(evening)

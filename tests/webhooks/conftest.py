"""A receiver at the other end: a real HTTP server that verifies what it is sent, and answers as a test says."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kaunta.core.clock import ManualClock
from kaunta.core.runtime import Runtime
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.under_way import Pushes
from kaunta.webhooks import endpoints, telling
from kaunta.webhooks.delivering import Couriers
from tests.support.bars import OpenTab, SeededBar
from tests.support.cluster import earlier_transactions_ended
from tests.support.door import Served, listening
from tests.support.safaricom import Safaricom

PHONE = "254708374149"


@pytest.fixture
def rt(application: Served) -> Runtime:
    """The served application's own runtime: Safaricom's callbacks arrive there."""
    return application.rt


@pytest.fixture
def pushes(application: Served) -> Pushes:
    """The served application's own pushes."""
    return application.pushes


@dataclass(frozen=True, slots=True)
class Posted:
    """What came, with the headers as they were."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    def verifies(self, secret: str) -> bool:
        """As the specification says, written without our code."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return self.headers["webhook-signature"] == f"v1,{right}"


@dataclass(slots=True)
class Receiver:
    """`answers`: the status by path, else 204; what is in `hangs` is answered only when `released` is set."""

    url: str
    posts: list[Posted] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: Request) -> Response:
        path = request.url.path
        self.posts.append(Posted(path, dict(request.headers), await request.body()))
        if path in self.hangs:
            await self.released.wait()
        return Response(status_code=self.answers.get(path, 204), headers={"Location": "/elsewhere"})

    def at(self, path: str) -> list[Posted]:
        return [post for post in self.posts if post.path == path]

    def types(self, path: str) -> list[str]:
        return sorted(post.said["type"] for post in self.at(path))


@pytest.fixture
def receiver_socket() -> Iterator[socket.socket]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        yield bound


@pytest_asyncio.fixture
async def receiver(receiver_socket: socket.socket) -> AsyncIterator[Receiver]:
    there = Receiver(f"http://127.0.0.1:{receiver_socket.getsockname()[1]}")
    app = Starlette(routes=[Route("/{path:path}", there.take, methods=["GET", "POST"])])
    app.state.leaving = asyncio.Event()
    async with listening(app, receiver_socket):  # type: ignore[arg-type]
        yield there
        there.released.set()


async def tell(rt: Runtime) -> int:
    """A worker's turn, once nothing of another test's holds it up."""
    await earlier_transactions_ended(rt.db)
    return await telling.tell(rt)


@dataclass(frozen=True, slots=True)
class Evening:
    """Payments of a bar, and the worker's turns that tell of them."""

    rt: Runtime
    pushes: Pushes
    simulator: Safaricom
    clock: ManualClock
    couriers: Couriers

    async def pays(self, tab: OpenTab, amount: int = 400, scenario: str = "paid", phone: str | None = None) -> UUID:
        """A guest is asked to pay, and whatever the scenario says comes of it. Each guest has a phone of their own."""
        self.simulator.simulator.queue_scenario(scenario)
        phone = phone or f"2547000000{len(self.simulator.simulator.pushes):02d}"
        started = await initiate(self.rt, self.pushes, Intent(tab.ref, phone, amount))
        await started.answered()
        await self.simulator.settle()
        await self.pushes.drain()
        return started.transaction_id

    async def turn(self, minutes: float = 0, *, patient: bool = True) -> int:
        """Time passes, what happened is told, and messages are sent until nothing is due; how many were tried."""
        self.clock.advance(minutes * 60)
        while await (tell if patient else telling.tell)(self.rt):
            pass
        return await self.sends()

    async def sends(self) -> int:
        before = await self.tries()
        while await self.couriers.turn():
            pass
        return await self.tries() - before

    async def tries(self) -> int:
        found: int = await self.rt.db.fetchval("select coalesce(sum(attempts), 0) from webhook_messages")
        return found

    async def waiting(self) -> int:
        found: int = await self.rt.db.fetchval(
            "select count(*) from webhook_messages where delivered_at is null and given_up_at is null"
        )
        return found


@pytest_asyncio.fixture
async def evening(rt: Runtime, pushes: Pushes, simulator: Safaricom, clock: ManualClock) -> AsyncIterator[Evening]:
    couriers = Couriers(rt)
    yield Evening(rt, pushes, simulator, clock, couriers)
    await couriers.stop()


Listens = Callable[..., Awaitable[endpoints.Added]]


@pytest.fixture
def listens(rt: Runtime, receiver: Receiver, bar: SeededBar) -> Listens:
    """`await listens("/pos")`: an endpoint of the bar's at the receiver."""

    async def add(path: str, whose: SeededBar = bar) -> endpoints.Added:
        return await endpoints.add(rt, whose.id, receiver.url + path, by="test")

    return add

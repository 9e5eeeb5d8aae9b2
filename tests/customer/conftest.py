"""A guest at a table: what they read, and one payment of theirs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import pytest
from multidict import CIMultiDictProxy

from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom


@dataclass(frozen=True, slots=True)
class Read:
    """A page as it came."""

    status: int
    path: str
    text: str
    headers: CIMultiDictProxy[str]


Reader = Callable[..., Awaitable[Read]]
Outcome = Callable[[], Awaitable[None]]


@pytest.fixture
def read(application: Served, http: aiohttp.ClientSession) -> Reader:
    """`await read("/b/…")`; `data=` makes it a form that is sent; redirects are followed."""

    async def go(path: str, *, data: object = None, **headers: str) -> Read:
        method = "GET" if data is None else "POST"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with http.request(method, path, data=data, headers=named) as response:
            return Read(response.status, response.url.path, await response.text(), response.headers)

    return go


@pytest.fixture
def paying(read: Reader, bar: SeededBar) -> Callable[..., Awaitable[Read]]:
    """`await paying(400)`: the pay form of the bar's tab, sent; the page it leads to."""

    async def pay(amount: object = 400, phone: str = "0708 374 149", key: str = "key-1") -> Read:
        return await read(f"/pay/{bar.tab.ref}", data={"amount": str(amount), "phone": phone, "key": key})

    return pay


@pytest.fixture
def outcome(application: Served, simulator: Safaricom) -> Outcome:
    """`await outcome()`: what is still to happen on the phones happens, and we have understood its callbacks."""

    async def happen() -> None:
        await simulator.settle()
        await application.pushes.drain()

    return happen

"""Somebody at the counter, signed in."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from tests.support.bars import SeededBar, Staff
from tests.support.door import Served


@dataclass(frozen=True, slots=True)
class Read:
    """A page as it came."""

    status: int
    path: str
    text: str
    headers: "aiohttp.typedefs.LooseHeaders"


Reader = Callable[..., Awaitable[Read]]


@pytest.fixture
def read(application: Served, http: aiohttp.ClientSession) -> Reader:
    """`await read("/staff")`; `data=` makes it a form that is sent; redirects are followed."""

    async def go(path: str, *, data: object = None, **headers: str) -> Read:
        method = "GET" if data is None else "POST"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with http.request(method, path, data=data, headers=named) as response:
            return Read(response.status, response.url.path, await response.text(), response.headers)

    return go


@pytest.fixture
def signed_in(read: Reader) -> Callable[[Staff], Awaitable[str]]:
    """`await signed_in(bar.waiter)`: the session's form token."""

    async def enter(who: Staff) -> str:
        page = await read("/staff/login", data={"user": who.username, "password": who.password})
        assert page.path == "/staff", page.text
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        assert found is not None
        return found[1]

    return enter


@pytest_asyncio.fixture
async def token(signed_in: Callable[[Staff], Awaitable[str]], bar: SeededBar) -> str:
    """The bar's waiter is signed in; the token their forms carry."""
    return await signed_in(bar.waiter)

"""Somebody at the counter, signed in."""

import re
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from tests.customer.conftest import Read, Reader, read
from tests.support.bars import SeededBar, Staff

__all__ = ["Read", "Reader", "read"]


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

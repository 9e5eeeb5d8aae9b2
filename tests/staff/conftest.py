"""Somebody at the counter, signed in."""

import re
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from kaunta.access.accounts import Role
from kaunta.core.db import transaction
from tests.customer.conftest import Read, Reader, read
from tests.support.bars import SeededBar, Staff, add_staff
from tests.support.door import Served

__all__ = ["Read", "Reader", "read"]

AsRole = Callable[[Role], Awaitable[str]]


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


@pytest.fixture
def as_role(
    application: Served, bar: SeededBar, password_hash: str, signed_in: Callable[[Staff], Awaitable[str]]
) -> AsRole:
    """`await as_role("cashier")`: somebody with that role at the bar is signed in; the token their forms carry."""

    async def enter(role: Role) -> str:
        known = {"waiter": bar.waiter, "owner": bar.owner}.get(role)
        if known is not None:
            return await signed_in(known)
        async with transaction(application.rt.db) as db:
            who = await add_staff(db, application.rt, bar.id, role, f"{role}-of-{bar.slug}", password_hash)
        return await signed_in(who)

    return enter

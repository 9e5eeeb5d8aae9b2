"""A machine at the door: it starts payments, asks about them, and holds a key of its bar's."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from kaunta.access.api_keys import Scope, add_api_key
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from tests.support.bars import SeededBar
from tests.support.door import Served

PHONE = "254708374149"
INITIATE = "/api/payments/mpesa/initiate"
STATUS = "/api/payments/mpesa/status"
RETRY = "/api/payments/mpesa/retry"
TRANSACTIONS = "/api/payments/mpesa/transactions"

Starting = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]
NewKey = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture
def rt(application: Served) -> Runtime:
    """The served application's own runtime."""
    return application.rt


@pytest.fixture
def start(http: aiohttp.ClientSession, bar: SeededBar) -> Starting:
    """`await start(amount=400)`: the status and the body of a POST to initiate."""

    async def post(*, key: str | None = None, **fields: object) -> tuple[int, dict[str, Any]]:
        body = {"tabId": bar.tab.ref, "phoneNumber": PHONE, "amount": 400} | fields
        headers = {"Idempotency-Key": key} if key else {}
        async with http.post(INITIATE, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    return post


@pytest.fixture
def new_key(rt: Runtime, bar: SeededBar) -> NewKey:
    """`await new_key("payments:read")`: the header of a key of the bar's."""

    async def make(*scopes: Scope, whose: SeededBar | None = bar) -> dict[str, str]:
        async with transaction(rt.db) as db:
            key = await add_api_key(db, rt, "till", whose.id if whose else None, list(scopes), by="test")
        return {"Authorization": f"Bearer {key}"}

    return make


@pytest_asyncio.fixture
async def key(new_key: NewKey) -> dict[str, str]:
    """A key that may read the bar's payments."""
    return await new_key("payments:read")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings_with(**fields): other settings for one test")

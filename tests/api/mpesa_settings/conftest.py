"""The M-Pesa settings over HTTP, in front of two Safaricoms: whatever is asked, no answer holds a secret."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from kaunta.access import sessions
from kaunta.core.clock import ManualClock
from kaunta.core.runtime import Runtime
from kaunta.settings import Settings
from tests.support.bars import PASSWORD, SeededBar
from tests.support.hosts import allow, host, with_production
from tests.support.safaricom import Safaricom
from tests.support.switch import Plot, State, secret_of

PATH = "/api/mpesa-settings"
MASK = "••••••••••••••••"
NOTHING = {"credentials_updated": False, "bar_status_updated": False}
BOTH = {"credentials_updated": True, "bar_status_updated": True}


@pytest_asyncio.fixture
async def simulator(clock: ManualClock) -> AsyncIterator[Safaricom]:
    """The sandbox."""
    async with host("sandbox", clock) as running:
        yield running


@pytest_asyncio.fixture
async def production(clock: ManualClock) -> AsyncIterator[Safaricom]:
    async with host("production", clock) as running:
        yield running


@pytest.fixture
def settings(settings: Settings, production: Safaricom) -> Settings:
    return with_production(settings, production)


@dataclass
class Office:
    """Somebody's settings: `save` posts them, `said` keeps every answer. What is secret may be in none of them."""

    http: aiohttp.ClientSession
    plot: Plot
    cookie: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str = PATH, **more: Any) -> tuple[int, dict[str, Any]]:
        headers = self.cookie | more.pop("headers", {})
        async with self.http.request(method, path, headers=headers, **more) as answer:
            text = await answer.text()
            self.said.append(text)
            kind = answer.headers["content-type"]
            assert kind == ("application/json" if answer.status < 400 else "application/problem+json")
            body: dict[str, Any] = json.loads(text)
            return answer.status, body

    async def save(self, *, path: str = PATH, headers: Any = None, **fields: Any) -> tuple[int, dict[str, Any]]:
        body = {"barId": str(self.plot.bar_id), "mpesa_enabled": True, "mpesa_environment": "sandbox"} | fields
        status, answer = await self.ask("POST", path, json=body, headers=headers or {})
        if status >= 400 and path == PATH and answer["code"] != "cross_site":
            assert (answer["success"], answer["sync_status"]) == (False, NOTHING)
            assert answer["message"]
        return status, answer

    async def look(self) -> dict[str, Any]:
        status, found = await self.ask("GET", f"{PATH}?barId={self.plot.bar_id}")
        assert status == 200
        return found

    async def test(self, **fields: Any) -> dict[str, Any]:
        status, answer = await self.save(path=f"{PATH}/test", **fields)
        assert status == 200
        return answer


@pytest_asyncio.fixture
async def plot(rt: Runtime, bar: SeededBar) -> Plot:
    """The bar with credentials for both environments; the sandbox's are on, and proven."""
    plot = Plot(rt, bar.id)
    await plot.plant(State("sandbox", True, {"sandbox": True, "production": False}), tested=True)
    return plot


@pytest.fixture
def secrets() -> list[str]:
    """Whatever may never come out; tests add theirs."""
    names = ("consumer_key", "consumer_secret", "passkey")
    return [secret_of(environment, name) for environment in ("sandbox", "production") for name in names]


Enter = Callable[..., Awaitable[Office]]


@pytest_asyncio.fixture
async def enter(http: aiohttp.ClientSession, rt: Runtime, plot: Plot, secrets: list[str]) -> AsyncIterator[Enter]:
    """`await enter("owner-of-…")`: somebody signed in; `None`: nobody."""
    offices: list[Office] = []

    async def sign_in(username: str | None) -> Office:
        office = Office(http, plot)
        if username is not None:
            signed = await sessions.sign_in(rt, username, PASSWORD, "127.0.0.1")
            assert signed is not None
            office.cookie = {"Cookie": f"kaunta_staff={signed.token}"}
        offices.append(office)
        return office

    yield sign_in
    said = "".join(text for office in offices for text in office.said)
    for secret in (*secrets, MASK):
        assert secret not in said


@pytest_asyncio.fixture
async def owner(enter: Enter, bar: SeededBar) -> Office:
    return await enter(bar.owner.username)


def news(environment: str = "sandbox", **fields: Any) -> dict[str, Any]:
    """New credentials, as the seeds' callers send them."""
    return {
        "mpesa_environment": environment,
        "mpesa_business_shortcode": {"sandbox": "174379", "production": "600000"}[environment],
        "mpesa_consumer_key": f"new-{environment}-key-0123",
        "mpesa_consumer_secret": f"new-{environment}-secret-0123",
        "mpesa_passkey": f"new-{environment}-passkey-0123",
    } | fields


@pytest.fixture(autouse=True)
def known(simulator: Safaricom, production: Safaricom, secrets: list[str]) -> None:
    """The hosts take the new pairs of keys too, each its own."""
    for environment, safaricom in (("sandbox", simulator), ("production", production)):
        pair = news(environment)
        allow(safaricom, pair["mpesa_consumer_key"], pair["mpesa_consumer_secret"])
        secrets += [pair[f"mpesa_{name}"] for name in ("consumer_key", "consumer_secret", "passkey")]

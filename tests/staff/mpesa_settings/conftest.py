"""M-Pesa's settings as their people see them, in front of two Safaricoms: no page ever holds a secret."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio

from kaunta.access import sessions
from kaunta.access.accounts import Role
from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.settings import Settings
from tests.customer.conftest import Read
from tests.support.bars import PASSWORD, SeededBar, add_staff
from tests.support.door import Served
from tests.support.hosts import allow, host, with_production
from tests.support.safaricom import Safaricom
from tests.support.switch import SECRETS, Plot, State, secret_of

BASE = "/staff/settings/mpesa"
#: Secrets that tests type, besides those that are planted.
NEW = {name: f"new-{name.replace('_', '-')}-9876543210" for name in SECRETS}
INITIATOR_PASSWORD = "initiator-password-9876543210"


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


@pytest.fixture(autouse=True)
def known(simulator: Safaricom, production: Safaricom) -> None:
    """Both hosts take the new pair of keys too."""
    for safaricom in (simulator, production):
        allow(safaricom, NEW["consumer_key"], NEW["consumer_secret"])


@pytest_asyncio.fixture
async def plot(rt: Runtime, bar: SeededBar) -> Plot:
    """The bar with credentials for both environments; the sandbox's are on, and proven."""
    plot = Plot(rt, bar.id)
    await plot.plant(State("sandbox", True, {"sandbox": True, "production": False}), tested=True)
    return plot


@dataclass
class Desk:
    """Somebody at the settings: `see` opens a page, `send` posts a form of theirs. `said`: everything that came."""

    http: aiohttp.ClientSession
    csrf: str
    said: list[str] = field(default_factory=list)

    async def see(self, page: str = "") -> Read:
        return await self.ask("GET", page, None)

    async def send(self, page: str, **fields: str) -> Read:
        return await self.ask("POST", page, {"csrf": self.csrf} | fields)

    async def ask(self, method: str, page: str, data: dict[str, str] | None) -> Read:
        path = page if page.startswith("/") else f"{BASE}/{page}".rstrip("/")
        async with self.http.request(method, path, data=data) as answer:
            self.said.append(await answer.text())
            return Read(answer.status, answer.url.path, self.said[-1], answer.headers)


Enter = Callable[[Role], Awaitable[Desk]]


@pytest_asyncio.fixture
async def enter(application: Served, rt: Runtime, plot: Plot, password_hash: str) -> AsyncIterator[Enter]:
    """`await enter("manager")`: somebody of that role, signed in. At the end, no page they saw held a secret."""
    desks: list[Desk] = []

    async def sign_in(role: Role) -> Desk:
        name = f"some-{role}"
        async with transaction(rt.db) as db:
            await add_staff(db, rt, plot.bar_id, role, name, password_hash)
        signed = await sessions.sign_in(rt, name, PASSWORD, "127.0.0.1")
        assert signed is not None
        http = aiohttp.ClientSession(application.url, headers={"Cookie": f"kaunta_staff={signed.token}"})
        desks.append(Desk(http, signed.csrf))
        return desks[-1]

    yield sign_in
    for desk in desks:
        await desk.http.close()
    planted = [secret_of(environment, name) for environment in ("sandbox", "production") for name in SECRETS]
    said = "".join(text for desk in desks for text in desk.said)
    for secret in (*planted, *NEW.values(), INITIATOR_PASSWORD):
        # Four characters are shown; nothing much longer is, from either end.
        for part in (secret[:12], secret[-8:]):
            assert part not in said


@pytest_asyncio.fixture
async def owner(enter: Enter) -> Desk:
    return await enter("owner")


@pytest_asyncio.fixture
async def manager(enter: Enter) -> Desk:
    return await enter("manager")


def alert(page: Read) -> str:
    """What a page says went wrong."""
    found = re.search(r'role="alert"[^>]*>([^<]*)<', page.text)
    assert found is not None, page.text
    return found[1]

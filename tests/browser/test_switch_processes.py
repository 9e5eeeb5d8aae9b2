"""The switch between programs: the owner's `kaunta serve`, the guest's, and Safaricom's refusals between them."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from kaunta.bars.suspension import STOP_SECONDS
from kaunta.core.clock import Clock
from kaunta.core.migrate import upgrade
from kaunta.core.runtime import running
from kaunta.settings import load
from kaunta.simulator.clock import SimulatedTime
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.testing import RunningSimulator, running_simulator
from tests.chaos.evening import eventually
from tests.chaos.programs import Program, Server, held_port
from tests.plugins.databases import place
from tests.plugins.prove import Proof
from tests.support.bars import PASSWORD, SeededBar, seed_bar

FACTOR = 60.0
#: Milliseconds, on a machine that is busy; and the same after a stop has had its time.
A_MOMENT, A_STOP = 15_000, STOP_SECONDS / FACTOR * 1_000 + 20_000
WITH_MPESA = "text=with M-Pesa"


@dataclass(frozen=True, slots=True)
class House:
    """Two programs: guests come to one, the owner to the other, which has the worker."""

    guests: str
    owner: str
    bar: SeededBar
    safaricom: RunningSimulator


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(place() / f"kaunta-switch-{os.getpid()}-{tmp_path.name}")
    started.start()
    yield started
    started.stop()
    shutil.rmtree(started.folder)


@pytest_asyncio.fixture
async def house(server: Server, keyring_entry: str, password_hash: str, tmp_path: Path) -> AsyncIterator[House]:
    options = SimulatorOptions(clock_factor=FACTOR)
    async with AsyncExitStack() as stack:
        safaricom = await stack.enter_async_context(running_simulator(options, clock=SimulatedTime(FACTOR)))
        url = server.url()
        await upgrade(url)
        said = {
            "KAUNTA_MODE": "development",
            "KAUNTA_DATABASE_URL": url,
            "KAUNTA_KEYS": keyring_entry,
            "KAUNTA_DARAJA_SANDBOX_URL": safaricom.url,
            "KAUNTA_DARAJA_PRODUCTION_URL": safaricom.url,
            "KAUNTA_CALLBACK_SOURCES": "off",
            "KAUNTA_CLOCK_FACTOR": str(FACTOR),
            "KAUNTA_SPOOL_FOLDER": str(tmp_path / "spool"),
        }
        settings = load(said, needs=("mode", "database_url", "keys"))
        async with running(settings, listen=False, clock=Clock(FACTOR)) as rt:
            bar = await seed_bar(rt, "Mama Njeri's Bar", password_hash)
        plain = {name: value for name, value in os.environ.items() if not name.startswith("KAUNTA_")}
        urls = []
        http = await stack.enter_async_context(aiohttp.ClientSession())
        for name, more in (("guests", ["--no-worker"]), ("owner", [])):
            port = stack.enter_context(held_port()).getsockname()[1]
            urls.append(f"http://127.0.0.1:{port}")
            told = plain | said | {"KAUNTA_PUBLIC_URL": urls[-1]}
            program = Program(name, ["serve", "--port", str(port), *more], told, tmp_path / f"{name}.log")
            await program.start()
            stack.push_async_callback(program.stop)

        async def answering() -> None:
            for each in urls:
                async with http.get(f"{each}/readyz") as answer:
                    assert answer.status == 200, await answer.text()

        await eventually(answering, 120)
        yield House(urls[0], urls[1], bar, safaricom)


@pytest_asyncio.fixture
async def page(chromium: Browser, house: House) -> AsyncIterator[Page]:
    """A guest's page, open and listening, and marked: a reload would lose the mark."""
    context = await chromium.new_context(base_url=house.guests)
    page = await context.new_page()
    async with page.expect_response("**/events**"):
        await page.goto(f"/pay/{house.bar.tab.ref}")
    await page.evaluate("window.untouched = true")
    yield page
    await context.close()


@pytest_asyncio.fixture
async def owner(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(house.owner, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        body = {"user": house.bar.owner.username, "password": PASSWORD}
        async with http.post("/staff/login", json=body) as answer:
            assert answer.status == 200, await answer.text()
        yield http


@pytest.mark.prove
@pytest.mark.req("SYNC-3.1", "SYNC-3.2", "SYNC-3.3", "SYNC-3.4", "SYNC-P5", "SYNC-1.1", "PAY-8.4")
@pytest.mark.failure(13, 80)
async def test_off_on_and_stopped_travel_from_one_program_to_a_page_of_the_other(
    house: House, page: Page, owner: aiohttp.ClientSession, proof: Proof
) -> None:
    async def turn(on: bool) -> None:
        wish = {"barId": str(house.bar.id), "mpesa_enabled": on, "mpesa_environment": "sandbox"}
        async with owner.post("/api/mpesa-settings", json=wish) as answer:
            assert answer.status == 200, await answer.text()

    for _ in range(3):
        await turn(False)
        await expect(page.locator(WITH_MPESA)).to_be_hidden(timeout=A_MOMENT)
        await turn(True)
        await expect(page.locator(WITH_MPESA)).to_be_visible(timeout=A_MOMENT)
    for number in (1, 2):
        house.safaricom.simulator.queue_scenario("merchant_unknown")
        body = {"tabId": house.bar.tab.ref, "phoneNumber": f"25470000001{number}", "amount": 10}
        async with owner.post("/api/payments/mpesa/initiate", json=body) as answer:
            assert (await answer.json())["status"] == "failed"
    await expect(page.locator(WITH_MPESA)).to_be_hidden(timeout=A_MOMENT)
    async with owner.get(f"/api/mpesa-settings?barId={house.bar.id}") as answer:
        found = await answer.json()
    assert (found["mpesa_enabled"], found["available"]) == (True, False)
    assert "Safaricom refused the shortcode" in found["suspended"]["reason"]
    await expect(page.locator(WITH_MPESA)).to_be_visible(timeout=A_STOP)
    assert await page.evaluate("window.untouched") is True
    proof("switch: off, on, stopped and resumed, seen on a page of another program without a reload", "8 of 8")

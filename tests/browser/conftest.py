"""Headless Chromium in front of the served application, in the test's own loop.

The distribution's browser is used, found on PATH or named by KAUNTA_TEST_CHROMIUM.
"""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from kaunta.worker import Worker
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# A machine that runs other tests beside gives a page its time; what a page takes by itself the proofs measure.
expect.set_options(timeout=30_000)

Opener = Callable[..., Awaitable[Page]]
Outcome = Callable[[], Awaitable[None]]
Living = Callable[..., Awaitable[None]]
#: The worker's loops that live on payments' rows.
PAYMENT_LOOPS = frozenset({"inbox", "queries", "silence"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is; a machine without one cannot show what these tests show."""
    found = os.environ.get("KAUNTA_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("No Chromium on PATH. Install it (Debian: apt-get install chromium), or set KAUNTA_TEST_CHROMIUM.")
    return found


@pytest_asyncio.fixture
async def chromium(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def opened(chromium: Browser, application: Served) -> AsyncIterator[Opener]:
    """`await opened("/pay/…", javascript=False)`: a phone of its own with that page on it.

    A script error or a refused resource on any of them fails the test.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    async def go(path: str, *, javascript: bool = True, width: int = 360, scheme: str = "dark") -> Page:
        context = await chromium.new_context(
            base_url=application.url,
            java_script_enabled=javascript,
            viewport={"width": width, "height": 740},
            color_scheme="light" if scheme == "light" else "dark",
        )
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        await page.goto(path)
        return page

    yield go
    for context in contexts:
        await context.close()
    assert faults == []


@pytest.fixture
def outcome(application: Served, simulator: Safaricom) -> Outcome:
    """`await outcome()`: what is still to happen on the phones happens, and its callbacks are committed."""

    async def happen() -> None:
        await simulator.settle()
        await application.pushes.drain()

    return happen


@pytest.fixture
def live_on(application: Served, simulator: Safaricom) -> Living:
    """`await live_on(300)`: so many seconds pass for everybody, while the worker asks about silent payments."""

    async def live(seconds: int, step: int = 15) -> None:
        worker = Worker(application.rt, application.pushes.daraja)
        await application.pushes.drain()
        for _ in range(0, seconds, step):
            await simulator.advance(step)
            for loop in worker.loops():
                while loop.name in PAYMENT_LOOPS and await loop.work():
                    pass
            await application.pushes.drain()

    return live


@pytest.fixture
def paying(opened: Opener, bar: SeededBar) -> Opener:
    """`await paying()`: a phone that has sent the pay form of the bar's tab and looks at the payment."""

    async def pay(amount: int = 1_000, **options: object) -> Page:
        page = await opened(f"/pay/{bar.tab.ref}?amount={amount}", **options)
        await page.fill("#phone", "0708 374 149")
        await page.click("text=with M-Pesa")
        await page.wait_for_url("**/p/*")
        return page

    return pay

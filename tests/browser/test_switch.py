"""The owner's switch on one host, a guest's open page on another: nobody reloads anything."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect
from pydantic import SecretStr

from kaunta.access import sessions
from kaunta.bars.suspension import resume, suspend
from kaunta.core.clock import Clock
from kaunta.core.db import transaction
from kaunta.settings import Settings
from tests.browser.conftest import Opener, Outcome
from tests.support.bars import PASSWORD, SeededBar
from tests.support.door import Served, served
from tests.support.relay import Relay, relay
from tests.support.safaricom import Safaricom

#: How long an open page may take on a busy machine, in milliseconds; by itself it takes a fraction of a second.
A_MOMENT = 30_000


@pytest_asyncio.fixture
async def wire(database_url: str) -> AsyncIterator[Relay]:
    """What the guest's host listens through."""
    async with relay(database_url) as between:
        yield between


@pytest.fixture
def settings(settings: Settings, wire: Relay) -> Settings:
    """The guest's host: it listens to the database over a wire that can be cut."""
    return settings.model_copy(update={"database_direct_url": SecretStr(wire.url)})


@pytest_asyncio.fixture
async def counter(settings: Settings, clock: Clock) -> AsyncIterator[Served]:
    """Another host on the same database, with a straight way to it: the owner's browser is there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        own = settings.model_copy(update={"public_url": url, "database_direct_url": None})
        async with served(own, clock, bound, worker=False) as running:
            yield running


@pytest_asyncio.fixture
async def turn(counter: Served, bar: SeededBar) -> AsyncIterator[Callable[[bool], Awaitable[None]]]:
    """`await turn(False)`: the owner switches M-Pesa off through the settings API."""
    signed = await sessions.sign_in(counter.rt, bar.owner.username, PASSWORD, "127.0.0.1")
    assert signed is not None
    async with aiohttp.ClientSession(counter.url, headers={"Cookie": f"kaunta_staff={signed.token}"}) as http:

        async def post(on: bool) -> None:
            wish = {"barId": str(bar.id), "mpesa_enabled": on, "mpesa_environment": "sandbox"}
            async with http.post("/api/mpesa-settings", json=wish) as answer:
                assert answer.status == 200, await answer.text()

        yield post


@pytest_asyncio.fixture
async def page(opened: Opener, bar: SeededBar) -> Page:
    """The guest's open page, its stream standing, and marked: a reload would lose the mark."""
    page = await opened("/b/nowhere")
    async with page.expect_response("**/events**"):
        await page.goto(f"/pay/{bar.tab.ref}")
    await expect(page.locator("text=with M-Pesa")).to_be_visible()
    await page.evaluate("window.untouched = true")
    return page


@pytest.mark.req("SYNC-3.2", "SYNC-3.1", "SYNC-3.3", "SYNC-3.4", "SYNC-P5", "SYNC-1.1")
@pytest.mark.failure(13, 80)
async def test_off_and_on_reach_the_open_page_without_a_reload(
    page: Page, turn: Callable[[bool], Awaitable[None]]
) -> None:
    for _ in range(2):
        await turn(False)
        await expect(page.locator("text=with M-Pesa")).to_be_hidden(timeout=A_MOMENT)
        await expect(page.locator("#live")).to_contain_text("M-Pesa is not available here right now")
        await turn(True)
        await expect(page.locator("text=with M-Pesa")).to_be_visible(timeout=A_MOMENT)
    assert await page.evaluate("window.untouched") is True


@pytest.mark.req("SYNC-3.2", "SYNC-3.3", "PAY-8.4")
async def test_a_stop_beside_the_switch_reaches_the_open_page_too_and_so_does_its_end(
    page: Page, counter: Served, bar: SeededBar
) -> None:
    rt = counter.rt
    async with transaction(rt.db) as db:
        await suspend(db, rt.clock, bar.id, "two payments failed", seconds=900, by="kaunta")
    await expect(page.locator("text=with M-Pesa")).to_be_hidden(timeout=A_MOMENT)
    await expect(page.locator("#live")).to_contain_text("M-Pesa is not available here right now")
    await expect(page.locator("#live")).not_to_contain_text("failed")
    async with transaction(rt.db) as db:
        await resume(db, rt.clock, bar.id, by="kaunta", reason="its time has passed")
    await expect(page.locator("text=with M-Pesa")).to_be_visible(timeout=A_MOMENT)
    assert await page.evaluate("window.untouched") is True


@pytest.mark.req("SYNC-3.2", "SYNC-3.3")
async def test_switched_off_between_the_form_and_its_sending_nothing_is_sent_and_the_counter_is_offered(
    opened: Opener, bar: SeededBar, turn: Callable[[bool], Awaitable[None]], simulator: Safaricom
) -> None:
    form = await opened(f"/pay/{bar.tab.ref}", javascript=False)
    await turn(False)
    await form.fill("#phone", "0708 374 149")
    await form.click("text=with M-Pesa")
    await expect(form.locator("#live")).to_contain_text("M-Pesa is not available here right now")
    await expect(form.locator("#live")).to_contain_text("Pay at the counter")
    assert not simulator.simulator.pushes


@pytest.mark.req("SYNC-3.2")
async def test_a_payment_under_way_is_paid_though_the_switch_is_off_by_then(
    paying: Opener, turn: Callable[[bool], Awaitable[None]], outcome: Outcome
) -> None:
    payment = await paying(400)
    await turn(False)
    await outcome()
    await payment.wait_for_selector(".paid", timeout=A_MOMENT)


@pytest.mark.req("SYNC-3.2")
@pytest.mark.failure(80)
async def test_what_was_switched_while_nobody_could_listen_is_made_up_for(
    page: Page, turn: Callable[[bool], Awaitable[None]], wire: Relay, application: Served
) -> None:
    live = application.rt.live
    wire.cut()
    async with asyncio.timeout(30):
        while live.listening.is_set():
            await asyncio.sleep(0.01)
    await turn(False)
    await expect(page.locator("text=with M-Pesa")).to_be_visible()
    await wire.mend()
    async with asyncio.timeout(30):
        await live.listening.wait()
    await expect(page.locator("text=with M-Pesa")).to_be_hidden(timeout=A_MOMENT)
    await turn(True)
    await expect(page.locator("text=with M-Pesa")).to_be_visible(timeout=A_MOMENT)
    assert await page.evaluate("window.untouched") is True

"""The simulator's own pages in a browser: phones side by side, live; the console; both schemes, accessible, narrow."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.pushing import ring
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.testing import RunningSimulator, running_simulator
from tests.browser.test_look import look

Opener = Callable[..., Awaitable[Page]]
ONE, OTHER = "254722000001", "254722000002"
PAGES = ("phone", "console", "console/1", "console/callbacks", "console/behaviour", "console/businesses")


@pytest_asyncio.fixture
async def safaricom() -> AsyncIterator[RunningSimulator]:
    async with running_simulator(SimulatorOptions(auto="person", seed=7), manual=True) as running:
        yield running


@pytest.fixture
def rung(safaricom: RunningSimulator) -> Callable[..., str]:
    """Rings a phone; the push's id."""

    def rings(phone: str = ONE, amount: int = 100) -> str:
        push = ring(safaricom.simulator, phone=phone, amount=amount, callback_url="http://127.0.0.1:9/cb")
        return push.checkout_id

    return rings


@pytest.fixture
def simulator(safaricom: RunningSimulator) -> Simulator:
    return safaricom.simulator


@pytest_asyncio.fixture
async def at_simulator(chromium: Browser, safaricom: RunningSimulator) -> AsyncIterator[Opener]:
    """`await at_simulator("phone", width=900)`: that page of the simulator; a script error fails the test."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    async def go(path: str, *, width: int = 1440, scheme: str = "dark", javascript: bool = True) -> Page:
        context = await chromium.new_context(
            base_url=safaricom.url,
            java_script_enabled=javascript,
            viewport={"width": width, "height": 900},
            color_scheme="light" if scheme == "light" else "dark",
        )
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        await page.goto(f"/_sim/{path}")
        return page

    yield go
    for context in contexts:
        await context.close()
    assert faults == []


async def test_a_prompt_on_one_phone_leaves_the_pin_half_typed_on_another(
    at_simulator: Opener, rung: Callable[..., str], simulator: Simulator
) -> None:
    first = rung(ONE)
    page = await at_simulator("phone")
    pin = page.locator(f"#phone-{ONE} .sheet .pin")
    for key in "12":
        await page.click(f"#phone-{ONE} [data-key='{key}']")
    rung(OTHER, 250)
    await expect(page.locator(f"#phone-{OTHER} .sheet")).to_contain_text("KES 250", use_inner_text=True)
    await expect(pin).to_have_value("12")
    for key in "34":
        await page.click(f"#phone-{ONE} [data-key='{key}']")
    await page.click(f"#phone-{ONE} >> text=Send")
    await expect(page.locator(f"#phone-{ONE} .sms li").first).to_contain_text("Confirmed. Ksh100.00")
    assert simulator.pushes[first].result == "0"
    await expect(page.locator(f"#phone-{OTHER} .sheet")).to_be_visible()


async def test_cancel_lapse_till_and_456_work_without_a_script(
    at_simulator: Opener, rung: Callable[..., str], simulator: Simulator
) -> None:
    cancelled, lapsed = rung(ONE), rung(OTHER)
    page = await at_simulator("phone", javascript=False, width=360)
    await page.click(f"#phone-{ONE} >> text=Cancel")
    await page.click(f"#phone-{OTHER} >> text=Ignore it")
    assert [simulator.pushes[each].result for each in (cancelled, lapsed)] == ["1032", "1037"]
    phone = page.locator(f"#phone-{ONE}")
    await phone.locator("summary", has_text="Pay bill").click()
    menu = phone.locator("form[aria-label^='Pay bill']")
    for label, typed in (("Business number", "600333"), ("Account", "T4"), ("Amount, KES", "500"), ("PIN", "1234")):
        await menu.get_by_label(label).fill(typed)
    await menu.get_by_role("button", name="Pay").click()
    await expect(phone.locator(".sms li").first).to_contain_text("sent to KAUNTA DEMO for account T4")
    await phone.locator("text=Forward to 456").click()
    await expect(phone.locator(".sms li").first).to_contain_text("has been reversed")


async def test_the_console_lists_what_happens_as_it_happens(
    at_simulator: Opener, rung: Callable[..., str], simulator: Simulator
) -> None:
    page = await at_simulator("console")
    await expect(page.locator(".empty")).to_be_visible()
    simulator.answer(rung(), 1032)
    await simulator.settle()
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(page.locator(".empty")).to_have_count(0)
    await page.click("#rows a")
    await expect(page.locator("pre").first).to_contain_text('"ResultCode": 1032')
    await page.click("text=Copy")
    await expect(page.locator("[data-copy]")).to_have_text("Copied")
    await page.click("text=Send it again, or changed")
    await page.fill("textarea", '{"changed": true}')
    await page.click("text=Send this")
    await expect(page.locator("[role=status]")).to_contain_text("the merchant did not answer")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), pytest.param(1440, "light", marks=pytest.mark.prove)])
async def test_every_page_is_accessible_and_as_wide_as_the_screen(
    at_simulator: Opener, rung: Callable[..., str], simulator: Simulator, width: int, scheme: str
) -> None:
    simulator.answer(rung(), 0)
    rung(OTHER)
    simulator.queue_scenario("callback_lost")
    await simulator.pay_till("600222", ONE, 300)
    await simulator.advance(1)
    page = await at_simulator(PAGES[0], width=width, scheme=scheme)
    for path in PAGES:
        await page.goto(f"/_sim/{path}")
        await look(page)

"""M-Pesa's settings in a browser, on a phone and on a desk: accessible, nothing wider than the screen, and usable."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opener, Outcome
from tests.browser.test_look import look
from tests.support.bars import SeededBar

BASE = "/staff/settings/mpesa"
PAGES = ("", "/credentials/sandbox", "/credentials/production", "/connection", "/payment", "/environment", "/readiness")
#: How long a busy machine may take, in milliseconds.
A_WHILE = 60_000


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), pytest.param(1440, "light", marks=pytest.mark.prove)])
async def test_the_settings_pages_and_what_an_owner_does_on_them(
    opened: Opener, outcome: Outcome, bar: SeededBar, width: int, scheme: str
) -> None:
    page = await opened("/staff/login", width=width, scheme=scheme)
    page.set_default_timeout(A_WHILE)
    await page.fill("#user", bar.owner.username)
    await page.fill("#password", bar.owner.password)
    await page.press("#password", "Enter")
    await page.wait_for_url("**/staff")
    for path in PAGES:
        await page.goto(f"{BASE}{path}")
        await page.evaluate("document.querySelectorAll('main details').forEach(e => e.open = true)")
        await look(page)
    # Keys: a mask is refused beside its field, the true thing is stored.
    await page.goto(f"{BASE}/credentials/sandbox")
    await page.click("text=Replace >> nth=2")
    await page.fill("#passkey", "••••••••••••")
    await page.click("text=Check with Safaricom and save")
    await expect(page.locator("#problem")).to_contain_text("passkey")
    await look(page)
    assert await page.input_value("#passkey") == ""
    await page.fill("#passkey", "a-new-passkey-0123")
    await page.click("text=Check with Safaricom and save")
    await expect(page.locator("main [role=status]")).to_contain_text("Safaricom took them")
    # The connection in steps, then a payment whose end is picked.
    await page.goto(f"{BASE}/connection")
    await page.click("text=Test sandbox")
    await expect(page.locator("#h-steps")).to_contain_text("the connection works")
    await look(page)
    await page.goto(f"{BASE}/payment")
    await page.select_option("#outcome", "cancelled")
    await page.click("text=Ring for KES 1 in the sandbox")
    await page.wait_for_url(re.compile("/staff/payments/"))
    await outcome()
    await expect(page.locator(".is.no").first).to_contain_text("cancelled", timeout=A_WHILE)
    # Off, and on again.
    await page.goto(BASE)
    await page.click("text=Switch M-Pesa off")
    await expect(page.locator("main [role=status]")).to_contain_text("M-Pesa is off.")
    await look(page)
    await page.click("text=Switch M-Pesa on")
    await expect(page.locator("main [role=status]")).to_contain_text("M-Pesa is on.")

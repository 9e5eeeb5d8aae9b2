"""Settings › Webhooks on the narrowest phone: a long address and the secret, seen once, do not widen the page."""

from playwright.async_api import expect

from tests.browser.conftest import Opener
from tests.browser.test_look import look
from tests.browser.test_paying import sign_in
from tests.support.bars import SeededBar
from tests.support.door import Served

ADDRESS = f"http://127.0.0.1:9/{'pos-of-mama-njeri' * 4}?token=of-the-receiver"


async def test_an_owner_adds_a_webhook_and_tries_it(opened: Opener, application: Served, bar: SeededBar) -> None:
    page = await opened("/staff/login", width=320, scheme="dark")
    await sign_in(page, bar, owner=True)
    await page.goto("/staff/settings")
    await page.click("a:has-text('Webhooks')")
    await look(page)
    await page.fill("#url", ADDRESS)
    await page.click("button:text-is('Add')")
    await expect(page.locator("#h-secret ~ p code")).to_contain_text("whsec_")
    await look(page)
    await page.click("button:text-is('Send a test')")
    await expect(page.locator("p.note[role=status]")).to_contain_text("The test was not taken: refused.")
    await expect(page.locator("body")).not_to_contain_text("whsec_")
    await look(page)

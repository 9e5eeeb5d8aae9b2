"""Settings at the counter, on a phone and on a desk: accessible, nothing wider than the screen, in working order."""

import re

import pytest
from playwright.async_api import expect

from kaunta.tabs import menus
from kaunta.tabs.menus import Wanted
from tests.browser.conftest import Opener
from tests.browser.test_look import look
from tests.support.bars import SeededBar
from tests.support.door import Served

PAGES = (
    "/staff/settings", "/staff/settings/menu", "/staff/settings/tables", "/staff/settings/bar",
    "/staff/settings/diagnosis",
)  # fmt: skip
OPEN_ALL = "document.querySelectorAll('details').forEach(e => e.open = true)"


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), pytest.param(1440, "light", marks=pytest.mark.prove)])
async def test_the_settings_pages(opened: Opener, application: Served, bar: SeededBar, width: int, scheme: str) -> None:
    rows = [Wanted(f"Kind {n // 20}", f"Nyama choma with ugali and kachumbari, number {n}", 450, n % 9 > 0)
            for n in range(60)]  # fmt: skip
    await menus.import_menu(application.rt, bar.id, rows, "staff:test", retire_others=True)
    page = await opened("/staff/login", width=width, scheme=scheme)
    await page.fill("input[name=user]", bar.owner.username)
    await page.fill("input[name=password]", bar.owner.password)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/staff$"))
    for path in PAGES:
        await page.goto(path)
        await page.evaluate(OPEN_ALL)
        await look(page)
    await page.goto("/staff/settings/menu")
    await page.click("summary:has-text('Kind 1')")
    await page.click('[aria-label="Sold out: Nyama choma with ugali and kachumbari, number 20"]')
    # The category in which something was done stays open, at the dish.
    await expect(page.locator(":target")).to_contain_text("number 20")
    await expect(page.locator(":target")).to_contain_text("sold out")
    await page.click(":target a")
    await page.evaluate(OPEN_ALL)
    await look(page)
    wrong = {"name": "menu.csv", "mimeType": "text/csv", "buffer": b"category,name,price\nBeer,,1\n"}
    await page.goto("/staff/settings/menu")
    await page.set_input_files("#file", wrong)  # type: ignore[arg-type]
    await page.click("button:text-is('Import')")
    await expect(page.locator("[role=alert]")).to_contain_text("Row 2: The name is missing.")
    await look(page)

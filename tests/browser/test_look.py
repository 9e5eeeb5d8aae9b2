"""The screens people see most, in both schemes: accessible, and without a horizontal scroll at 320 px.

The guest's every screen, in every language and scheme, is looked at in the proofs (test_axe.py).
"""

import re
from typing import Any

import pytest
from axe_core_python.async_playwright import Axe
from playwright.async_api import Page

from tests.browser.conftest import Opener, Outcome
from tests.browser.test_paying import sign_in
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

STATES = {
    "check_phone": "update mpesa_transactions set amount = amount",
    "unknown": "update mpesa_transactions set status = 'timeout'",
    "not_paid": """update mpesa_transactions set status = 'failed', settled_at = now(), result_code = '17',
                   failure_reason = 'result', next_check_at = null""",
}


async def look(page: Page) -> None:
    """Axe (WCAG 2.2 AA) finds nothing, and nothing is wider than the screen."""
    # What fades in or pulses is looked at as it stands.
    await page.emulate_media(reduced_motion="reduce")
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found: dict[str, Any] = await Axe().run(page, options=options)
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in found["violations"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("lang", ["en", "sw"])
async def test_the_guests_first_pages(opened: Opener, bar: SeededBar, scheme: str, lang: str) -> None:
    paths = (f"/b/{bar.slug}/t/{bar.table_code}", f"/pay/{bar.tab.ref}", f"/pay/{bar.tab.ref}/till", "/b/nowhere")
    for path in paths:
        await look(await opened(f"{path}?lang={lang}", width=320, scheme=scheme))


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_the_payments_screens(
    paying: Opener, application: Served, simulator: Safaricom, outcome: Outcome, scheme: str
) -> None:
    page = await paying(width=320, scheme=scheme)
    for sql in STATES.values():
        async with application.rt.db.acquire() as db:
            await db.execute(sql)
        await page.reload()
        await look(page)
    await outcome()
    await page.wait_for_selector(".paid")
    await look(page)
    await page.click("text=See receipt")
    await look(page)


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_who_asks_for_more_contrast_gets_seven_to_one(
    opened: Opener, paying: Opener, outcome: Outcome, bar: SeededBar, scheme: str
) -> None:
    page = await paying(400, width=768, scheme=scheme)
    await page.emulate_media(contrast="more", reduced_motion="reduce")
    payment = page.url
    paths = (payment, f"/b/{bar.slug}/t/{bar.table_code}", f"/pay/{bar.tab.ref}", f"/pay/{bar.tab.ref}/till")
    for path in paths:
        await page.goto(path)
        await look(page)
        found: dict[str, Any] = await Axe().run(page, options={"runOnly": ["color-contrast-enhanced"]})
        assert [[node["html"] for node in v["nodes"]] for v in found["violations"]] == [], path
    await outcome()
    await page.goto(payment)
    await page.wait_for_selector(".paid")
    await look(page)


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (320, "light"), (768, "light"), (1280, "dark")])
async def test_the_counters_pages(
    opened: Opener, paying: Opener, outcome: Outcome, bar: SeededBar, width: int, scheme: str
) -> None:
    await paying(400)
    await outcome()
    page = await opened("/staff/login", width=width, scheme=scheme)
    await look(page)
    await sign_in(page, bar)
    await look(page)
    await page.goto("/staff/board")
    await look(page)
    await page.click("text=/^TB-/")
    await page.wait_for_url(re.compile("/staff/payments/"))
    await look(page)
    await page.goto(f"/staff/tabs/{bar.tab.id}")
    await look(page)

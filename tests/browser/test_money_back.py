"""Giving back what has no code, and what the accounts hold, in a browser: accessible, and no wider than it is."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page

from kaunta.core.secret import Secret
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.initiators import set_initiator
from kaunta.payments.silence import ask_about_due
from tests.browser.conftest import Opener
from tests.browser.test_look import look
from tests.browser.test_paying import sign_in
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom


async def show(page: Page, name: str) -> None:
    """Looked at; with KAUNTA_SCREENS, a folder, a picture is kept."""
    if folder := os.environ.get("KAUNTA_SCREENS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True, animations="disabled")
    await look(page)


@pytest.mark.prove
async def test_a_payment_without_a_code_is_given_back_by_hand(
    opened: Opener, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    rt = application.rt
    simulator.simulator.queue_scenario("callback_lost")
    started = await initiate(rt, application.pushes, Intent(bar.tab.ref, "254708374149", 400))
    await started.answered()
    for seconds in (31, 22):
        await simulator.advance(seconds)
        await ask_about_due(rt, application.pushes.daraja)
    page = await opened("/staff/login", width=1024)
    await sign_in(page, bar, owner=True)
    await page.goto(f"{application.url}/staff/payments/{started.transaction_id}")
    await show(page, "codeless-payment")
    await page.click("text=Give money back…")
    await page.wait_for_selector("text=takes money back by its code only")
    await show(page, "codeless-form")
    await page.fill("#amount", "150")
    await page.fill("#reason", "paid twice")
    await page.fill("#code", "SKK9Z8Y7X6")
    await page.click("button:has-text('Record it')")
    await page.wait_for_selector("h1:has-text('Refund')")
    await show(page, "codeless-refund")


@pytest.mark.prove
async def test_the_accounts_are_asked_for_beside_the_days_close(
    opened: Opener, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    rt = application.rt
    certificate = rt.settings.sandbox_certificate
    assert certificate is not None
    Path(certificate).write_bytes(simulator.simulator.initiators.certificate(rt.clock.now()))
    await set_initiator(rt, bar.id, "sandbox", "barapi", Secret("Kaunta#2026"), by="staff:owner")
    await simulator.simulator.pay_till("174379", "254700000050", 350, "")
    page = await opened("/staff/login", width=1024)
    await sign_in(page, bar, owner=True)
    await page.goto(f"{application.url}/staff/day")
    await page.click("text=Ask what the accounts hold")
    await page.wait_for_selector("text=is being asked")
    await simulator.settle()
    await application.pushes.drain()
    await page.goto(f"{application.url}/staff/day")
    await page.wait_for_selector("text=As Safaricom said at")
    await show(page, "day-held")

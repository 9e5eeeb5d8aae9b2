"""The whole journey as pictures: docs/screens, drawn again by `make screens`.

Every run walks the journey and looks at what is on it; only with KAUNTA_SCREENS, a folder, are the pictures kept.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from kaunta.simulator.testing import FRIDAY_EVENING
from tests.browser.conftest import Opener, Outcome
from tests.browser.evening import NewTab, evening, sleeping_books
from tests.browser.pictures import keep
from tests.browser.test_paying import sign_in
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

REFERENCE, RECEIPT = "TB-7F3K", "TKX1AB2C3D"
Shot = Callable[[Page, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a walk needs: phones, the counter's side of it, and the camera."""

    open: Opener
    shoot: Shot
    outcome: Outcome
    bar: SeededBar
    application: Served
    simulator: Safaricom

    async def name(self) -> None:
        """The last payment gets names that are the same in every run."""
        async with self.application.rt.db.acquire() as db:
            await db.execute("set session_replication_role = replica")
            await db.execute(
                """
                update mpesa_transactions p set reference = $1 || n.place, receipt = case when receipt > '' then $2 end
                from (select id, row_number() over (order by created_at) as place from mpesa_transactions) n
                where n.id = p.id
                """,
                REFERENCE, RECEIPT,
            )  # fmt: skip
            await db.execute("set session_replication_role = origin")

    async def guest(self, path: str, lang: str = "en", scheme: str = "dark", width: int = 360) -> Page:
        page = await self.open("/b/nowhere", width=width, scheme=scheme)
        await page.emulate_media(reduced_motion="reduce")
        await page.clock.set_fixed_time(FRIDAY_EVENING)
        await page.goto(f"{path}{'&' if '?' in path else '?'}lang={lang}")
        return page

    async def pay(self, page: Page, phone: str = "0708 374 149") -> None:
        await page.fill("#phone", phone)
        await page.click("button:has-text('M-Pesa')")
        await page.wait_for_url("**/p/*")
        await self.name()
        await page.reload()


@pytest.fixture
def stage(opened: Opener, outcome: Outcome, bar: SeededBar, application: Served, simulator: Safaricom) -> Stage:
    return Stage(opened, keep, outcome, bar, application, simulator)


async def test_from_the_menu_to_the_receipt(stage: Stage) -> None:
    bar, tab = stage.bar, stage.bar.tab
    page = await stage.guest(f"/b/{bar.slug}/t/{bar.table_code}")
    await page.click('[aria-label="Add Tusker"]')
    await page.click('[aria-label="Add Soda"]')
    await stage.shoot(page, "1-menu")
    await page.goto(f"/pay/{tab.ref}")
    await page.fill("#phone", "0708 374 149")
    await stage.shoot(page, "2-pay")
    await stage.pay(page)
    await expect(page.locator("h1")).to_have_text("Check your phone")
    await stage.shoot(page, "3-check-your-phone")
    await stage.outcome()
    await stage.name()
    await page.reload()
    await expect(page.locator("h1")).to_have_text("Paid. Thank you!")
    await stage.shoot(page, "4-paid")
    board = await stage.open("/staff", width=768)
    await sign_in(board, bar)
    await board.goto("/staff/board")
    await expect(board.locator("#link-word")).to_have_text("Live")
    await stage.shoot(board, "5-counter")
    await page.click("text=See receipt")
    await stage.shoot(page, "6-receipt")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", await page.pdf())) == 1


async def test_what_may_go_otherwise(stage: Stage) -> None:
    tab = stage.bar.tab
    page = await stage.guest(f"/pay/{tab.ref}", "sw", "light")
    stage.simulator.simulator.queue_scenario("rule_limited")
    await stage.pay(page)
    await stage.outcome()
    await page.reload()
    await expect(page.locator("[data-cool]")).to_be_disabled()
    await stage.shoot(page, "7-not-paid-yet-sw")
    stage.simulator.simulator.queue_scenario("person")
    page = await stage.guest(f"/pay/{tab.ref}")
    await stage.pay(page, "0110 040 401")
    await stage.simulator.advance(61)
    await page.reload()
    await stage.shoot(page, "8-checking")
    async with stage.application.rt.db.acquire() as db:
        await db.execute("update mpesa_transactions set status = 'timeout' where status = 'sent'")
    await stage.simulator.advance(400)
    await page.reload()
    await expect(page.locator("h1")).to_have_text("We are still waiting for M-Pesa")
    await page.click("text=I have no SMS")
    await stage.shoot(page, "9-we-do-not-know-yet")
    await page.click("text=I have the M-Pesa SMS")
    await page.fill("#code", RECEIPT)
    await page.click("text=Check this code")
    await expect(page.locator("#codes")).to_contain_text("We are checking code")
    await stage.shoot(page, "10-pay-by-hand")


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (360, "dark"),
        pytest.param(820, "light", marks=pytest.mark.prove),
        pytest.param(1440, "dark", marks=pytest.mark.prove),
    ],
)
async def test_the_counter_on_a_phone_a_tablet_and_a_desk(
    stage: Stage, new_tab: NewTab, width: int, scheme: str
) -> None:
    await evening(stage.application, stage.simulator, stage.bar, new_tab)
    await sleeping_books(stage.application)
    page = await stage.open("/staff/login", width=width, scheme=scheme)
    await page.emulate_media(reduced_motion="reduce")
    await page.clock.set_fixed_time(stage.application.rt.clock.now())
    await sign_in(page, stage.bar, owner=True)
    await expect(page.locator(".matter")).to_have_count(6)
    await stage.shoot(page, f"11-attention-{width}")
    await page.goto("/staff/board")
    await expect(page.locator("#link-word")).to_have_text("Live")
    await stage.shoot(page, f"12-board-{width}")
    await page.goto(f"/staff/tabs/{stage.bar.tab.id}")
    await stage.shoot(page, f"13-tab-{width}")

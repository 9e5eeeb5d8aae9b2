"""What goes wrong between the phone and us: the page keeps what it knows, and there is one payment and one push."""

from dataclasses import replace

import pytest
from playwright.async_api import Page, Route, expect

from kaunta.payments.views import payments_of_tab
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.scenarios import Callback
from tests.browser.conftest import Living, Opener, Outcome
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

#: How long a page may take on a machine that runs other tests beside, in milliseconds.
A_MOMENT = 30_000


@pytest.mark.req("PAY-7.4", "PAY-P15")
async def test_a_network_that_dies_between_the_form_and_its_answer_makes_no_second_push(
    opened: Opener, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    page = await opened(f"/pay/{bar.tab.ref}")

    async def swallow(route: Route) -> None:
        if route.request.method == "POST":
            await route.fetch(max_redirects=0)
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/pay/*", swallow)
    await page.fill("#phone", "0708 374 149")
    await page.click("text=with M-Pesa")
    await page.wait_for_url("chrome-error://**")
    await page.unroute("**/pay/*")
    await page.goto(f"/pay/{bar.tab.ref}")
    await expect(page.locator("#live")).to_contain_text("is waiting for M-Pesa")
    assert len(simulator.simulator.pushes) == 1
    assert len(await payments_of_tab(application.rt, bar.tab.id)) == 1


async def test_without_a_stream_the_page_finds_out_by_asking(paying: Opener, outcome: Outcome) -> None:
    page = await paying()
    await page.route("**/events**", lambda route: route.abort())
    await page.reload()
    await outcome()
    await page.wait_for_selector(".paid", timeout=A_MOMENT)


@pytest.mark.failure(71)
async def test_a_page_that_comes_back_to_the_foreground_reads_again(paying: Opener, outcome: Outcome) -> None:
    page = await paying()
    await page.route("**/events**", lambda route: route.abort())
    await page.reload()
    await page.clock.install()
    await page.reload()
    # Time stands still for the page: nothing but its return asks.
    await outcome()
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await page.wait_for_selector(".paid", timeout=A_MOMENT)


@pytest.mark.req("PAY-7.3")
@pytest.mark.failure(74)
@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_money_that_comes_late_turns_not_known_into_paid(
    paying: Opener, outcome: Outcome, live_on: Living, simulator: Safaricom, javascript: bool
) -> None:
    simulator.simulator.queue_scenario("late_success")
    page = await paying(javascript=javascript)
    await live_on(315, step=45)
    await page.reload()
    await expect(page.locator("h1")).to_have_text("We are still waiting for M-Pesa")
    await outcome()
    await page.wait_for_selector(".paid", timeout=A_MOMENT)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_money_that_comes_after_all_turns_not_paid_into_paid(
    paying: Opener, outcome: Outcome, live_on: Living, simulator: Safaricom, javascript: bool
) -> None:
    simulator.simulator.queue_scenario(
        replace(CATALOGUE["paid"], callbacks=(Callback(result="1032"), Callback(after=60)))
    )
    page = await paying(javascript=javascript)
    await live_on(15)
    await page.reload()
    await expect(page.locator("h1")).to_have_text("Not paid")
    await outcome()
    if not javascript:
        # A settled page does not reload itself for ever: reading it again is enough.
        await page.reload()
    await page.wait_for_selector(".paid", timeout=A_MOMENT)


async def test_closed_and_opened_again_by_the_card_on_the_table_the_payment_is_found(
    opened: Opener, outcome: Outcome, bar: SeededBar
) -> None:
    page = await opened(f"/pay/{bar.tab.ref}")
    await page.context.add_cookies(
        [{"name": "kaunta_guest", "value": bar.tab.device, "url": page.url, "httpOnly": True}]
    )
    await page.reload()
    await page.fill("#phone", "0708 374 149")
    await page.click("text=with M-Pesa")
    await page.wait_for_url("**/p/*")
    payment = page.url
    again = await page.context.new_page()
    await page.close()
    await again.goto(f"/b/{bar.slug}/t/{bar.table_code}")
    await again.click("text=Show it")
    await again.wait_for_url("**/p/*")
    assert again.url == payment
    await outcome()
    await again.wait_for_selector(".paid", timeout=A_MOMENT)


@pytest.mark.req("PAY-7.4")
async def test_a_double_tap_is_one_push(opened: Opener, simulator: Safaricom, bar: SeededBar) -> None:
    page = await opened(f"/pay/{bar.tab.ref}")
    await page.fill("#phone", "0708 374 149")
    await page.dblclick("text=with M-Pesa")
    await page.wait_for_url("**/p/*")
    assert len(simulator.simulator.pushes) == 1


async def test_the_number_survives_a_try_that_failed(
    paying: Opener, outcome: Outcome, simulator: Safaricom, bar: SeededBar
) -> None:
    simulator.simulator.queue_scenario("no_funds")
    page = await paying(400)
    await outcome()
    await page.click("text=Pay a part, or use another number")
    await expect(page.locator("#phone-h")).to_contain_text("Leave it empty to use 0708 ••• 149 again.")
    await pay_less(page, bar)
    await expect(page.locator("h1")).to_have_text("Check your phone")
    phones = {push.wanted.phone for push in simulator.simulator.pushes.values()}
    assert phones == {"254708374149"}


async def pay_less(page: Page, bar: SeededBar) -> None:
    await page.goto(f"/pay/{bar.tab.ref}?amount=50")
    await page.click("text=Pay KES 50 with M-Pesa")
    await page.wait_for_url("**/p/*")


async def test_advice_comes_while_the_number_is_typed(opened: Opener, bar: SeededBar) -> None:
    page = await opened(f"/pay/{bar.tab.ref}")
    advice = page.locator("#advice")
    for typed, says in (
        ("0708374149", "0708 374 149"),
        ("+254 733 404 000", "This looks like an Airtel number."),
        ("020 222", "Enter a Kenyan mobile number"),
        ("07o8", "Enter a Kenyan mobile number"),
        ("0708", ""),
    ):
        await page.fill("#phone", typed)
        await expect(advice).to_contain_text(says)
    await expect(advice).to_have_text("")


async def test_the_copy_buttons_copy(opened: Opener, bar: SeededBar) -> None:
    page = await opened(f"/pay/{bar.tab.ref}/till")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.locator("[data-copy='1000']")
    await button.click()
    await expect(button).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "1000"
    still = await opened(f"/pay/{bar.tab.ref}/till", javascript=False)
    await expect(still.locator(".copy").first).to_be_hidden()

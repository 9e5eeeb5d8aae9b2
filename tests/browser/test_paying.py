"""Paying in a real browser: nobody reloads anything."""

from time import perf_counter

import pytest
from playwright.async_api import Page, Request, expect

from kaunta.payments.views import payments_of_tab
from tests.browser.conftest import Opener, Outcome
from tests.plugins.prove import Proof
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

#: How long a page may take on a machine that runs other tests beside, in milliseconds. What it takes by itself is
#: measured by the proof below.
A_MOMENT = 30_000
A_SECOND = 1_000


@pytest.mark.req("PAY-3.4", "PAY-3.5", "PAY-3.6")
async def test_the_open_page_says_paid_without_a_reload(paying: Opener, outcome: Outcome) -> None:
    page = await paying()
    await expect(page.locator("h1")).to_have_text("Check your phone")
    await page.evaluate("window.untouched = true")
    await outcome()
    await page.wait_for_selector(".paid", timeout=A_MOMENT)
    assert await page.title() == "Paid. Thank you!"
    assert await page.locator("#say").inner_text() == "Paid. Thank you!"
    assert await page.evaluate("window.untouched") is True


async def test_without_javascript_the_page_finds_out_by_itself(paying: Opener, outcome: Outcome) -> None:
    page = await paying(javascript=False)
    await expect(page.locator("h1")).to_have_text("Check your phone")
    await outcome()
    await page.wait_for_selector(".paid", timeout=A_MOMENT)


async def test_two_phones_on_one_tab_one_payment_and_both_see_it(
    paying: Opener, opened: Opener, outcome: Outcome, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    friend = await opened(f"/pay/{bar.tab.ref}")
    mine = await paying()
    await expect(friend.locator("#live")).to_contain_text("A payment of KES 1,000 from 0708 ••• 149 is waiting")
    watching = await opened(mine.url)
    await outcome()
    for page in (mine, watching):
        await page.wait_for_selector(".paid", timeout=A_MOMENT)
    await expect(friend.locator("h1")).to_have_text("Nothing to pay")
    assert len(simulator.simulator.pushes) == 1
    assert len(await payments_of_tab(application.rt, bar.tab.id)) == 1


async def test_a_friend_who_joins_and_orders_is_seen_on_the_first_phone_without_a_reload(
    opened: Opener, bar: SeededBar
) -> None:
    mine, friend = [await opened(f"/b/{bar.slug}/t/{bar.table_code}") for _ in range(2)]
    await mine.click('[aria-label="Add Soda"]')
    await mine.click("#send")
    await expect(mine.locator(".moves")).to_contain_text("1 × Soda", timeout=A_MOMENT)
    await mine.evaluate("window.untouched = true")
    code = await mine.locator(".invite .code").inner_text()
    await friend.reload()
    await friend.fill("#code", code)
    await friend.click("#join .btn")
    await expect(friend.locator(".moves")).to_contain_text("1 × Soda", timeout=A_MOMENT)
    await friend.click('[aria-label="Add Tusker"]')
    await friend.click("#send")
    await expect(mine.locator(".moves")).to_contain_text("1 × Tusker", timeout=A_MOMENT)
    assert await mine.evaluate("window.untouched") is True


async def test_back_and_a_second_press_are_the_same_payment(paying: Opener, simulator: Safaricom) -> None:
    page = await paying(400)
    first = page.url
    await page.go_back()
    await page.fill("#phone", "0708 374 149")
    await page.click("text=with M-Pesa")
    await page.wait_for_url("**/p/*")
    assert page.url == first
    assert len(simulator.simulator.pushes) == 1


async def test_a_lost_network_changes_no_state_and_is_made_up_for(paying: Opener, outcome: Outcome) -> None:
    page = await paying()
    await page.context.set_offline(True)
    await expect(page.locator("#off")).to_be_visible()
    await expect(page.locator("h1")).to_have_text("Check your phone")
    await outcome()
    await page.context.set_offline(False)
    await page.wait_for_selector(".paid")
    await expect(page.locator("#off")).to_be_hidden()


async def test_a_status_page_makes_two_requests_and_weighs_under_six_kilobytes(
    paying: Opener, application: Served
) -> None:
    page = await paying()
    await expect(page.locator("h1")).to_have_text("Check your phone")
    live = application.rt.live
    # A hint of ours comes back: those of the payment's beginning have been heard.
    with live.subscribe(["quiet"]) as ear:
        live.hint("quiet")
        await ear.changed()
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    async with page.expect_request("**/events**") as stream:
        answer = await page.reload()
    await (await stream.value).response()
    await page.wait_for_function("document.readyState == 'complete'")
    assert answer is not None
    sizes = await answer.request.sizes()
    assert sizes["responseBodySize"] + sizes["responseHeadersSize"] < 6_000
    assert [request.url.partition("?")[0] for request in requests] == [page.url, f"{page.url}/events"]


async def test_what_the_guest_types_survives_a_change_of_the_tab(
    opened: Opener, application: Served, bar: SeededBar
) -> None:
    page = await opened(f"/pay/{bar.tab.ref}")
    await page.fill("#phone", "0712")
    async with application.rt.db.acquire() as db:
        await db.execute("update tabs set join_code = '0000' where id = $1", bar.tab.id)
    before = await page.get_attribute("#live", "data-v")
    application.rt.live.hint(f"tab:{bar.tab.id}")
    await expect(page.locator("#live")).not_to_have_attribute("data-v", str(before))
    assert await page.input_value("#phone") == "0712"
    assert await page.evaluate("document.activeElement.id") == "phone"


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_from_the_card_on_the_table_to_paid_with_the_counter_watching(
    opened: Opener, outcome: Outcome, bar: SeededBar, javascript: bool
) -> None:
    board = await opened("/staff", width=1280)
    await sign_in(board, bar)
    await board.goto("/staff/board")
    await expect(board.locator("#link-word")).to_have_text("Live")
    guest = await opened(f"/b/{bar.slug}/t/{bar.table_code}", javascript=javascript)
    for _ in range(2):
        await guest.click('[aria-label="Add Soda"]')
    assert await guest.input_value('[aria-label="Number of Soda"]') == "2"
    await guest.click("#send")
    await expect(guest.locator("#live")).to_contain_text("waiting for staff")
    await board.get_by_role("button", name="Confirm").click()
    await board.wait_for_load_state()
    # What is new waits while the mouse is on the lists.
    await board.mouse.move(5, 5)
    if javascript:
        await expect(guest.locator("#foot")).to_contain_text("Pay KES 200", timeout=A_MOMENT)
    else:
        await board.wait_for_load_state()
        await guest.reload()
    await guest.click("text=Pay KES 200")
    await guest.fill("#phone", "0110 040 401")
    await guest.click("text=with M-Pesa")
    await guest.wait_for_url("**/p/*")
    await expect(board.locator("table")).to_contain_text("0110 ••• 401")
    await outcome()
    await board.wait_for_selector("tr.new >> text=paid", timeout=A_MOMENT)
    if not javascript:
        await guest.reload()
    await guest.wait_for_selector(".paid", timeout=A_MOMENT)
    await guest.click("text=See receipt")
    await expect(guest.locator(".slip")).to_contain_text("KES 200")


async def sign_in(page: Page, bar: SeededBar, *, owner: bool = False) -> None:
    who = bar.owner if owner else bar.waiter
    await page.fill("#user", who.username)
    await page.fill("#password", who.password)
    await page.press("#password", "Enter")
    await page.wait_for_url("**/staff")
    await expect(page.locator("#link-word")).to_have_text("Live")


@pytest.mark.prove
async def test_from_the_commit_to_the_open_page_it_takes_less_than_a_second(
    paying: Opener, outcome: Outcome, proof: Proof
) -> None:
    """The machine has nothing else to do then: `make prove` runs it beside one other test at most."""
    page = await paying()
    await expect(page.locator("h1")).to_have_text("Check your phone")
    await outcome()
    started = perf_counter()
    await page.wait_for_selector(".paid", timeout=A_SECOND)
    proof("commit to the guest's open page, seconds", round(perf_counter() - started, 2))

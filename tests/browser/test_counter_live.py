"""The counter in a real browser: lines change where they stand, new ones wait, money sounds, the connection is told."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from kaunta.core.db import transaction
from kaunta.core.problems import open_problem
from kaunta.payments.initiate import Intent, initiate
from tests.browser.conftest import Opener, Outcome
from tests.browser.evening import NewTab, evening, order
from tests.browser.test_look import look
from tests.browser.test_paying import sign_in
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

#: Milliseconds a page may take on a machine that does much else.
LONG = 60_000
Seated = Callable[..., Awaitable[Page]]
Prompting = Callable[[int, str], Awaitable[None]]

#: Notes what was played; the browser still plays it.
LISTEN = """
    const start = OscillatorNode.prototype.start, played = [];
    OscillatorNode.prototype.start = function (at) {
        played.push(this.frequency.value);
        document.documentElement.dataset.played = played.join(" ");
        return start.call(this, at);
    };
"""


@pytest.fixture
def seated(opened: Opener, bar: SeededBar) -> Seated:
    """`await seated("/staff/board")`: the bar's waiter, or its owner, looks at that page and it is live."""

    async def sit(path: str = "/staff/board", *, owner: bool = False, **options: object) -> Page:
        page = await opened("/staff/login", **options)
        await page.add_init_script(LISTEN)
        await sign_in(page, bar, owner=owner)
        await page.goto(path)
        await live(page)
        return page

    return sit


@pytest.fixture
def prompting(application: Served, simulator: Safaricom, bar: SeededBar) -> Prompting:
    """`await prompting(300, "0708374149")`: a prompt that its guest answers when the test says so."""

    async def send(amount: int, phone: str) -> None:
        await simulator.advance(1)
        started = await initiate(application.rt, application.pushes, Intent(bar.tab.ref, phone, amount))
        await started.answered()

    return send


async def heard(page: Page, pitches: str) -> None:
    await expect(page.locator("html")).to_have_attribute("data-played", pitches, timeout=LONG)


async def live(page: Page) -> None:
    await expect(page.locator("#link-word")).to_have_text("Live", timeout=LONG)


async def test_lines_change_in_their_place_and_new_ones_wait_while_the_mouse_is_there(
    seated: Seated, prompting: Prompting, outcome: Outcome
) -> None:
    await prompting(300, "0708374149")
    page = await seated(width=1280)
    rows = page.locator("[data-list=payments] tr")
    await expect(rows).to_have_count(1)
    await rows.first.hover()
    before = await rows.first.bounding_box()
    await prompting(200, "0110040401")
    pill = page.locator("#pill")
    await expect(pill).to_have_text("1 new", timeout=LONG)
    await prompting(100, "0110040402")
    await expect(pill).to_have_text("2 new", timeout=LONG)
    await outcome()
    await expect(rows.first).to_contain_text("paid", timeout=LONG)
    await expect(rows).to_have_count(1)
    assert await rows.first.bounding_box() == before
    assert "KES 300" in (await rows.first.inner_text())
    await pill.click()
    await expect(rows).to_have_count(3)
    await expect(pill).to_be_hidden()
    # What waited has not grown old meanwhile.
    amounts = [re.search(r"KES (\d+)", text) for text in await rows.all_inner_texts()]
    assert [found[1] for found in amounts if found] == ["100", "200", "300"]
    await expect(page.locator("[data-list=payments] tr[data-state=completed]")).to_have_count(3)


async def test_a_board_that_nobody_touches_shows_everything_by_itself(
    seated: Seated, prompting: Prompting, application: Served, bar: SeededBar
) -> None:
    page = await seated(width=820)
    await expect(page.locator("[data-empty=payments]")).to_be_visible()
    await prompting(300, "0708374149")
    await expect(page.locator("[data-list=payments] tr")).to_have_count(1, timeout=LONG)
    await expect(page.locator("[data-empty=payments]")).to_be_hidden()
    await order(application, bar, 2)
    await expect(page.locator("[data-list=orders] article")).to_have_count(1, timeout=LONG)
    await expect(page.locator("[data-count=orders]")).to_have_text("1")
    assert await page.locator("#pill").is_hidden()


async def test_an_order_somebody_else_decided_stays_in_its_place_and_cannot_be_pressed(
    seated: Seated, application: Served, bar: SeededBar
) -> None:
    await order(application, bar, 1)
    await order(application, bar, 2)
    mine, theirs = await seated(width=1280), await seated(width=1280)
    cards = mine.locator("[data-list=orders] article")
    await cards.nth(1).hover()
    before = await cards.nth(1).bounding_box()
    await theirs.locator("[data-list=orders] article").first.get_by_text("Confirm").click()
    await expect(cards.first).to_have_class(re.compile("gone"), timeout=LONG)
    await expect(mine.locator("[data-count=orders]")).to_have_text("1")
    assert await cards.first.evaluate("card => card.inert")
    assert await cards.nth(1).bounding_box() == before
    await mine.mouse.move(5, 5)
    await expect(cards).to_have_count(1, timeout=LONG)
    await cards.first.get_by_text("Reject").click()
    await expect(mine.locator("[data-count=orders]")).to_have_text("0", timeout=LONG)


async def test_money_and_trouble_are_seen_and_for_whoever_wants_it_heard(
    seated: Seated, prompting: Prompting, outcome: Outcome, application: Served, bar: SeededBar
) -> None:
    page = await seated(width=1280)
    flash = page.locator("#flash")
    await prompting(100, "0708374149")
    await outcome()
    await expect(flash).to_have_class("paid", timeout=LONG)
    await expect(page.locator("#say")).to_contain_text("Paid. TB-")
    assert await page.get_attribute("html", "data-played") is None
    await page.click("#sound")
    await expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")
    await heard(page, "660 880")
    rt = application.rt
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "underpaid", bar.tab.id, bar_id=bar.id)
    rt.live.hint(f"bar:{bar.id}")
    await expect(flash).to_have_class("attention", timeout=LONG)
    await expect(page.locator("#needs")).to_contain_text("1 need attention")
    await heard(page, "660 880 330 330 330")
    # The next evening it is on again, as soon as somebody touches the page.
    await page.reload()
    await live(page)
    await expect(page.locator("#sound")).to_have_text("Sound is on")
    await page.mouse.click(5, 300)
    await prompting(100, "0110040401")
    await outcome()
    await heard(page, "660 880")
    await page.click("#sound")
    await expect(page.locator("#sound")).to_have_text("Sound is off")


async def test_without_a_stream_the_page_asks_every_few_seconds_and_says_so(
    seated: Seated, prompting: Prompting
) -> None:
    page = await seated(width=1280)

    async def refuse(route: object) -> None:
        await route.fulfill(status=503)  # type: ignore[attr-defined]

    await page.route("**/staff/events", refuse)
    await page.reload()
    await expect(page.locator("#link-word")).to_have_text("Polling every 5 s", timeout=LONG)
    await prompting(300, "0708374149")
    await expect(page.locator("[data-list=payments] tr")).to_have_count(1, timeout=LONG)
    await expect(page.locator("#link-word")).to_have_text("Polling every 5 s")
    await page.unroute("**/staff/events")
    await live(page)


async def test_a_lost_network_changes_nothing_and_is_made_up_for(seated: Seated, prompting: Prompting) -> None:
    page = await seated(width=1280)
    await page.context.set_offline(True)
    await expect(page.locator("#link-word")).to_have_text("No connection", timeout=LONG)
    await prompting(300, "0708374149")
    await page.context.set_offline(False)
    await live(page)
    await expect(page.locator("[data-list=payments] tr")).to_have_count(1, timeout=LONG)


async def test_home_is_live_and_a_matter_is_ended_there(seated: Seated, application: Served, bar: SeededBar) -> None:
    page = await seated("/staff", owner=True, width=360)
    await expect(page.locator(".calm")).to_be_visible()
    rt = application.rt
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "underpaid", bar.tab.id, bar_id=bar.id, amount=300)
    rt.live.hint(f"bar:{bar.id}")
    await expect(page.locator(".matter")).to_have_count(1, timeout=LONG)
    await expect(page.locator(".calm")).to_be_hidden()
    await page.click("text=I have seen to it")
    await page.fill(".matter input[name=why]", "the guest paid the rest in cash")
    # What is typed stays while the page changes around it.
    async with transaction(rt.db) as db:
        await open_problem(db, rt.clock, "late", bar.tab.id, bar_id=bar.id, amount=100)
    rt.live.hint(f"bar:{bar.id}")
    await expect(page.locator("#pill")).to_have_text("1 new", timeout=LONG)
    assert await page.input_value(".matter input[name=why]") == "the guest paid the rest in cash"
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator(".matter")).to_have_count(1, timeout=LONG)
    await expect(page.locator(".matter")).to_contain_text("Money came late")


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (320, "dark"),
        pytest.param(820, "light", marks=pytest.mark.prove),
        pytest.param(1440, "dark", marks=pytest.mark.prove),
    ],
)
async def test_axe_finds_nothing_at_the_counter(
    seated: Seated,
    application: Served,
    simulator: Safaricom,
    bar: SeededBar,
    new_tab: NewTab,
    width: int,
    scheme: str,
) -> None:
    await evening(application, simulator, bar, new_tab)
    page = await seated("/staff", owner=True, width=width, scheme=scheme)
    await page.locator(".end summary").first.click()
    await look(page)
    for path in ("/staff/board", f"/staff/tabs/{bar.tab.id}"):
        await page.goto(path)
        await live(page)
        await look(page)

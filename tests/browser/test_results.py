"""Every way a push can end, as the guest reads it: the sentence, and exactly which buttons there are."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import count

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from kaunta.daraja.words import ResultClass
from kaunta.payments.views import PaymentView, payments_of_tab
from kaunta.simulator.catalogue import OUTCOMES, REFUSALS
from tests.browser.conftest import Living, Opener
from tests.plugins.prove import Proof
from tests.support.bars import OpenTab, SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

AGAIN = ("Try again with KES 100", "Jaribu tena na KES 100")
CHANGE = ("Change number or amount", "Badilisha nambari au kiasi")
TILL = ("Pay by paybill number instead", "Lipa kwa nambari ya paybill badala yake")
PART = ("Pay a part, or use another number", "Lipa sehemu, au tumia nambari nyingine")
SMALLER = ("Pay a smaller part, or use another number", "Lipa sehemu ndogo, au tumia nambari nyingine")
OTHER = ("Use another number", "Tumia nambari nyingine")

#: What stands on the page of a payment that is not paid, from the top (ux.md §1.6).
BUTTONS = {
    ResultClass.CANCELLED: (AGAIN, CHANGE, TILL),
    ResultClass.NO_ANSWER: (AGAIN, CHANGE, TILL),
    ResultClass.EXPIRED: (AGAIN, CHANGE, TILL),
    ResultClass.NO_MONEY: (AGAIN, PART, TILL),
    ResultClass.WRONG_PIN: (AGAIN, CHANGE, TILL),
    ResultClass.PIN_LOCKED: (OTHER, TILL),
    ResultClass.LIMIT: (SMALLER, TILL),
    ResultClass.BUSY_LINE: (AGAIN, CHANGE, TILL),
    ResultClass.TOO_FAST: (AGAIN, CHANGE, TILL),
    ResultClass.MPESA_BUSY: (AGAIN, CHANGE, TILL),
    ResultClass.OUR_FAULT: (TILL,),
    ResultClass.UNKNOWN: (AGAIN, CHANGE, TILL),
}
PAID = (("See receipt", "Tazama risiti"), ("Pay the rest", "Lipa iliyobaki"))
UNKNOWN = (("I have the M-Pesa SMS", "Nina SMS ya M-Pesa"), AGAIN, ("Check now", "Angalia sasa"))
PROMISES = ("No money has left", "Hakuna pesa")
#: Long enough for every phone to answer and every question about it to be asked.
FIVE_MINUTES = 330

SCENARIOS = [scenario.name for scenario in (*OUTCOMES, *REFUSALS) if scenario.name != "person"]
SAMPLE = ["paid", "cancelled", "unreachable", "rule_limited", "till_mismatch", "unknown_code"]


@dataclass(frozen=True, slots=True)
class Guests:
    """`pay(scenario)`: somebody new pays KES 100 on a tab of their own; what became of it."""

    pay: Callable[[str], Awaitable[PaymentView]]


@pytest_asyncio.fixture
async def guests(
    application: Served,
    simulator: Safaricom,
    http: aiohttp.ClientSession,
    new_tab: Callable[[int], Awaitable[OpenTab]],
    live_on: Living,
) -> AsyncIterator[Guests]:
    numbers = count(10)

    async def pay(scenario: str) -> PaymentView:
        tab = await new_tab(500)
        phone = f"2547000000{next(numbers):02d}"
        simulator.simulator.queue_scenario(scenario, phone=phone)
        form = {"amount": "100", "phone": phone, "key": scenario}
        async with http.post(f"/pay/{tab.ref}", data=form) as answer:
            assert answer.url.path.startswith("/p/"), scenario
        await application.pushes.drain()
        payment = (await payments_of_tab(application.rt, tab.id))[0]
        if payment.status not in ("failed", "cancelled"):
            await live_on(60)
            payment = (await payments_of_tab(application.rt, tab.id))[0]
        if payment.status in ("sent", "pending"):
            await live_on(FIVE_MINUTES, step=60)
        return (await payments_of_tab(application.rt, tab.id))[0]

    yield Guests(pay)


async def look(page: Page, p: PaymentView, lang: int) -> None:
    """The page of `p` in English (0) or Swahili (1)."""
    await page.goto(f"/p/{p.id}?lang={('en', 'sw')[lang]}")
    live = page.locator("#live")
    says = await live.inner_text()
    wanted: tuple[tuple[str, str], ...]
    if p.status == "completed":
        await expect(page.locator("h1")).to_have_text(("Paid. Thank you!", "Imelipwa. Asante!")[lang])
        wanted = PAID
    elif p.status == "timeout":
        assert ("We do not know yet", "Bado hatujui")[lang] in says
        assert ("Not paid", "Haijalipwa")[lang] not in says
        wanted = UNKNOWN
    else:
        assert (p.meaning.guest_en, p.meaning.guest_sw)[lang] in says
        wanted = BUTTONS[p.meaning.klass]
    assert p.meaning.promises_no_money_left or PROMISES[lang] not in says
    found = [text.strip() for text in await live.locator(".btn").all_text_contents()]
    assert found == [button[lang] for button in wanted]
    again = live.locator("form .btn")
    if await again.count():
        assert await again.is_disabled() == (p.retry_after > 0)


@pytest.mark.req("PAY-3.6", "PAY-3.7", "PAY-7.1", "PAY-7.2", "PAY-7.3")
async def test_a_sample_of_ends_has_its_sentence_and_its_buttons(opened: Opener, guests: Guests) -> None:
    page = await opened("/b/nowhere")
    for scenario in SAMPLE:
        payment = await guests.pay(scenario)
        for lang in (0, 1):
            await look(page, payment, lang)


@pytest.mark.prove
@pytest.mark.req("PAY-3.6", "PAY-3.7", "PAY-7.1", "PAY-7.2", "PAY-7.3")
async def test_every_end_has_its_sentence_and_its_buttons(opened: Opener, guests: Guests, proof: Proof) -> None:
    pages = [await opened("/b/nowhere", javascript=javascript) for javascript in (True, False)]
    for scenario in SCENARIOS:
        payment = await guests.pay(scenario)
        for page in pages:
            for lang in (0, 1):
                await look(page, payment, lang)
    proof("ends of a push looked at, each in 2 languages, with and without script", len(SCENARIOS))


@pytest.mark.req("PAY-3.7")
async def test_the_cool_down_counts_down_opens_the_button_and_is_the_servers(
    opened: Opener, guests: Guests, simulator: Safaricom
) -> None:
    payment = await guests.pay("rule_limited")
    page = await opened("/b/nowhere")
    await page.clock.install()
    await page.goto(f"/p/{payment.id}")
    button = page.locator("[data-cool]")
    await expect(button).to_be_disabled()
    await page.clock.run_for(5_000)
    await expect(page.locator("[data-down]")).to_contain_text("You can try again in 01:")
    # A page whose clock runs ahead gets nowhere: the server counts for itself.
    await page.clock.run_for(120_000)
    await expect(button).to_be_enabled()
    await button.click()
    await expect(page.locator("#live [role=alert]")).to_be_visible()
    assert len(simulator.simulator.pushes) == 1
    await simulator.advance(121)
    await page.goto(f"/p/{payment.id}")
    await page.locator("form .btn").click()
    await expect(page.locator("h1")).to_have_text("Check your phone")
    assert len(simulator.simulator.pushes) == 2


@pytest.mark.req("PAY-7.3")
async def test_after_three_tries_the_till_comes_first_and_the_way_back_is_timed(
    paying: Opener, bar: SeededBar, simulator: Safaricom, live_on: Living
) -> None:
    for _ in range(3):
        simulator.simulator.queue_scenario("wrong_pin")
    page = await paying(100)
    for attempt in (1, 2, 3):
        await live_on(30)
        await page.reload()
        if attempt == 2:
            await expect(page.locator("#live")).to_contain_text("After a few wrong PINs Safaricom locks M-Pesa.")
        if attempt < 3:
            await page.locator("form .btn").click()
            await expect(page.locator("h1")).to_have_text("Check your phone")
    buttons = page.locator("#live .btn")
    await expect(buttons.first).to_have_text(TILL[0])
    await expect(page.locator("[data-cool]")).to_be_disabled()
    await expect(page.locator("[data-down]")).to_contain_text("You can try again in")

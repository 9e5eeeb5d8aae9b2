"""The phone, as a page."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from kaunta.simulator.options import Shortcode, SimulatorOptions
from kaunta.simulator.simulator import Simulator

from .merchant import Answered, Doing, Merchant, Till

PERSON = SimulatorOptions(auto="person", business_name="MAMA OTIENO BAR", seed=7)


@pytest.fixture
def options(request: pytest.FixtureRequest) -> SimulatorOptions:
    chosen: SimulatorOptions = getattr(request, "param", PERSON)
    return chosen


@pytest.fixture
def press(till: Till) -> Callable[..., Any]:
    """Fills the form of the page and presses a button."""

    async def pressed(checkout_id: str, **fields: str) -> Answered:
        return await till.ask("POST", "/_sim/phone", data={"checkout_id": checkout_id} | fields)

    return pressed


async def test_the_prompt_says_what_is_to_be_paid_to_whom(till: Till) -> None:
    await till.push()
    page = (await till.ask("GET", "/_sim/phone?phone=0708374149")).body.decode()
    assert "Do you want to pay KES\N{NO-BREAK SPACE}1,450 to MAMA OTIENO BAR Account no. TB-7F3K?" in page
    assert "0708 374 149" in page


async def test_another_phone_shows_nothing(till: Till) -> None:
    await till.push()
    page = (await till.ask("GET", "/_sim/phone?phone=254711040411")).body.decode()
    assert "Do you want to pay" not in page
    assert re.search(r'phone=254708374149">0708 374 149 <b>rings</b>', page)


async def test_without_a_number_it_follows_the_phone_that_rang_last(till: Till) -> None:
    await till.push()
    await till.push(PhoneNumber=254711040427)
    assert "0711 040 427" in (await till.ask("GET", "/_sim/phone")).body.decode()


async def test_a_pin_pays_and_the_receipt_arrives(
    till: Till, simulator: Simulator, merchant: Merchant, press: Doing
) -> None:
    page = await press(await till.pushed(), pin="1234", answer="pay", phone="254708374149")
    await simulator.settle()
    assert merchant.received[0].told["ResultCode"] == 0
    receipt = simulator.ledger[0].receipt
    sms = f"{receipt} Confirmed. Ksh1,450.00 sent to MAMA OTIENO BAR for account TB-7F3K on 20/11/26 at 8:30 PM."
    assert sms in page.body.decode()
    assert "Do you want to pay" not in page.body.decode()


@pytest.mark.parametrize(("fields", "result"), [({"answer": "cancel"}, 1032), ({"answer": "pay", "pin": "0000"}, 2001)])
async def test_cancel_and_the_wrong_pin_fail(
    till: Till, simulator: Simulator, merchant: Merchant, press: Doing, fields: dict[str, str], result: int
) -> None:
    await press(await till.pushed(), **fields)
    await simulator.settle()
    assert merchant.received[0].told["ResultCode"] == result
    assert not simulator.ledger


async def test_a_pin_that_is_none_changes_nothing(till: Till, simulator: Simulator, press: Doing) -> None:
    checkout_id = await till.pushed()
    page = await press(checkout_id, answer="pay", pin="12")
    assert "four digits" in page.body.decode()
    assert simulator.pushes[checkout_id].result is None


async def test_answering_a_lapsed_prompt_returns_to_the_phone(till: Till, simulator: Simulator, press: Doing) -> None:
    checkout_id = await till.pushed()
    await simulator.settle()
    assert (await press(checkout_id, answer="pay", pin="1234")).status == 200
    assert simulator.pushes[checkout_id].result == "1037"
    assert not simulator.ledger


async def test_the_screen_is_sent_again_only_when_it_changed(till: Till, simulator: Simulator) -> None:
    checkout_id = await till.pushed()
    page = (await till.ask("GET", "/_sim/phone?phone=254708374149")).body.decode()
    version = re.search(r'data-version="([^"]+)"', page)
    assert version
    poll = f"/_sim/phone/screen?phone=254708374149&seen={version[1]}"
    assert (await till.ask("GET", poll)).status == 204
    simulator.answer(checkout_id, 1032)
    changed = await till.ask("GET", poll)
    assert changed.status == 200
    assert "You have cancelled" in changed.body.decode()


async def test_the_page_works_without_a_script_and_allows_no_foreign_one(till: Till) -> None:
    await till.push()
    async with till.session.get(till.base + "/_sim/phone") as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert '<noscript><meta http-equiv="refresh"' in page
    assert '<form class="sheet" method="post"' in page
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce
    assert f'<script nonce="{nonce[1]}">' in page
    assert "http://" not in page.replace(till.base, "")


async def test_two_prompts_on_one_phone_are_answered_one_after_the_other(
    till: Till, simulator: Simulator, press: Doing
) -> None:
    first, second = await till.pushed(Amount=100), await till.pushed(Amount=200)
    page = (await till.ask("GET", "/_sim/phone")).body.decode()
    assert "KES\N{NO-BREAK SPACE}100" in page
    assert "1 more waiting" in page
    page = (await press(first, answer="pay", pin="1111")).body.decode()
    assert "KES\N{NO-BREAK SPACE}200" in page
    assert simulator.pushes[second].ringing


async def test_markup_in_a_reference_is_text(till: Till) -> None:
    await till.push(AccountReference="<b>x</b>")
    assert "&lt;b&gt;x&lt;/b&gt;" in (await till.ask("GET", "/_sim/phone")).body.decode()


@pytest.mark.parametrize(
    "options",
    [SimulatorOptions(auto="person", shortcodes=(Shortcode("174379", till="600222", name="BAA"),))],
    indirect=True,
)
async def test_a_tills_prompt_and_receipt_name_no_account(till: Till, simulator: Simulator, press: Doing) -> None:
    checkout_id = await till.pushed(TransactionType="CustomerBuyGoodsOnline", PartyB=600222)
    page = (await till.ask("GET", "/_sim/phone")).body.decode()
    assert "KES\N{NO-BREAK SPACE}1,450 to BAA?" in page
    page = (await press(checkout_id, answer="pay", pin="1234")).body.decode()
    assert f"{simulator.ledger[0].receipt} Confirmed. Ksh1,450.00 paid to BAA on" in page

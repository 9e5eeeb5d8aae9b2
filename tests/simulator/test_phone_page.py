"""The phones, as a page."""

import json
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
    poll = f"/_sim/phone/screens?phone=254708374149&seen={version[1]}"
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
    assert "script-src 'self'; " in policy
    scripts = re.findall(r"<script([^>]*)>", page)
    assert scripts
    assert all(re.search(r'src="/_sim/files/\w+\.js\?[0-9a-f]{12}" defer', script) for script in scripts)
    assert "http://" not in page.replace(till.base, "")


async def test_several_phones_stand_side_by_side(till: Till) -> None:
    await till.push(PhoneNumber=254722000001)
    page = (await till.ask("GET", "/_sim/phone?phone=0722000001&phone=%2B254722000002")).body.decode()
    assert re.findall(r'<section class="phone" id="phone-(\d+)"', page) == ["254722000001", "254722000002"]


async def test_an_ignored_prompt_can_lapse_at_once(
    till: Till, simulator: Simulator, merchant: Merchant, press: Doing
) -> None:
    await press(await till.pushed(), answer="lapse", on="254708374149")
    await simulator.settle()
    assert merchant.received[0].told["ResultCode"] == 1037


async def test_the_third_wrong_pin_locks_it(till: Till, press: Doing) -> None:
    for _ in range(3):
        page = await press(await till.pushed(), answer="pay", pin="0000", on="254708374149")
    assert "PIN locked" in page.body.decode()
    unlocked = await till.ask("POST", "/_sim/phone/customer", data={"on": "254708374149", "unlock": "on"})
    assert "PIN locked" not in unlocked.body.decode()


@pytest.mark.parametrize(("fields", "kind"), [({"account": "T4"}, "Pay Bill"), ({}, "Buy Goods")])
async def test_a_customer_pays_the_till_from_the_phones_own_menu(
    till: Till, simulator: Simulator, merchant: Merchant, fields: dict[str, str], kind: str
) -> None:
    urls = {"ConfirmationURL": merchant.url, "ValidationURL": merchant.url}
    await till.post("/mpesa/c2b/v2/registerurl", {"ShortCode": "600222", "ResponseType": "Completed"} | urls)
    asked = {"on": "0722000001", "till": "600222", "amount": "300", "pin": "1234"} | fields
    page = await till.ask("POST", "/_sim/phone/pay", data=asked)
    await simulator.settle()
    told = json.loads(merchant.received[0].body)
    assert (told["TransactionType"], told["TransAmount"], told["BillRefNumber"]) == (
        kind,
        "300.00",
        fields.get("account", ""),
    )
    assert f"{told['TransID']} Confirmed. Ksh300.00" in page.body.decode()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"till": "12"}, "5 to 7 digits"),
        ({"amount": "0"}, "whole number of shillings"),
        ({"pin": "12"}, "four digits"),
        ({"pin": "0000"}, "wrong PIN"),
        ({"account": ""}, "names an account"),
        ({"amount": "2000000"}, "M-PESA declined the payment (4)"),
        ({"on": "0202222222"}, "not a Kenyan mobile number"),
    ],
)
async def test_a_payment_that_cannot_be_says_why(
    till: Till, simulator: Simulator, fields: dict[str, str], says: str
) -> None:
    asked = {"on": "0722000001", "till": "600222", "amount": "300", "pin": "1234"} | fields
    assert says in (await till.ask("POST", "/_sim/phone/pay", data=asked)).body.decode()
    assert not list(simulator.ledger)


async def test_a_receipt_forwarded_to_456_is_taken_back_once(till: Till, simulator: Simulator, press: Doing) -> None:
    await press(await till.pushed(), pin="1234", answer="pay", on="254708374149")
    receipt = simulator.ledger[0].receipt
    forward = {"on": "254708374149", "receipt": receipt}
    page = (await till.ask("POST", "/_sim/phone/456", data=forward)).body.decode()
    assert f"Transaction {receipt} of MAMA OTIENO BAR has been reversed" in page
    assert simulator.ledger.reversed_amount(receipt) == 1450
    assert "Nothing is left" in (await till.ask("POST", "/_sim/phone/456", data=forward)).body.decode()


async def test_a_customers_balance_and_pin_can_be_set(till: Till, simulator: Simulator, press: Doing) -> None:
    customer = {"on": "254708374149", "balance": "1,000", "pin": "4321"}
    await till.ask("POST", "/_sim/phone/customer", data=customer)
    checkout_id = await till.pushed()
    await press(checkout_id, pin="4321", answer="pay")
    assert simulator.pushes[checkout_id].result == "1"
    wrong = await till.pushed(Amount=10)
    await press(wrong, pin="1234", answer="pay")
    assert simulator.pushes[wrong].result == "2001"


async def test_a_form_of_another_site_is_refused(till: Till, simulator: Simulator) -> None:
    asked = {"on": "0722000001", "till": "600222", "amount": "300", "pin": "1234"}
    answer = await till.ask("POST", "/_sim/phone/pay", data=asked, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert not list(simulator.ledger)


async def test_open_pages_are_told_when_something_happens(till: Till, simulator: Simulator) -> None:
    async with till.session.get(till.base + "/_sim/events") as stream:
        assert await stream.content.readuntil(b"\n\n") == f"retry: 1000\ndata: {simulator.news.version}\n\n".encode()
        await till.push()
        told = await stream.content.readuntil(b"\n\n")
    assert told.startswith(b"data: ")


@pytest.mark.parametrize("name", ["nothing.css", "base.html", "..%2Fsimulator.py"])
async def test_only_the_pages_own_files_are_served(till: Till, name: str) -> None:
    assert (await till.ask("GET", f"/_sim/files/{name}")).status == 404


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

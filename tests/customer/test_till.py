"""Paying by hand: the numbers, and a typed code that is a claim until Safaricom proves it."""

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.payments.typed_codes import TRIES, CodeUnreadable, read_code
from kaunta.payments.views import payments_of_tab
from tests.customer.conftest import Outcome, Read, Reader
from tests.support.bars import OpenTab, SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Paying = Callable[..., Awaitable[Read]]
CODE = "TKX1AB2C3D"
SMS = (
    f"{CODE} Confirmed. Ksh400.00 sent to MAMA NJERI BAR for account TB-7F3K9 on 20/11/26 at 8:30 PM. New M-PESA "
    "balance is Ksh1,200.00. Transaction cost, Ksh0.00. Dial *234*3# to check your limits."
)
codes = st.from_regex(r"[A-Z][A-Z0-9]{8}[0-9]", fullmatch=True)


@pytest.fixture
def typing(read: Reader, bar: SeededBar) -> Callable[..., Awaitable[Read]]:
    """`await typing(CODE)`: the code, sent from the till page of the bar's tab (or of another)."""

    async def send(code: str = "", tab: OpenTab = bar.tab, **fields: str) -> Read:
        return await read(f"/pay/{tab.ref}/till", data={"code": code, **fields})

    return send


Typing = Callable[..., Awaitable[Read]]


async def test_a_paybill_bar_shows_number_account_and_amount(read: Reader, bar: SeededBar) -> None:
    page = await read(f"/pay/{bar.tab.ref}/till?amount=400")
    assert "Pay by paybill number" in page.text
    assert "Business number" in page.text
    assert "174379" in page.text
    assert f"TAB{bar.tab.number}" in page.text
    assert "KES 400" in page.text
    assert 'data-copy="400"' in page.text


async def test_a_till_bar_shows_the_till_and_no_account(read: Reader, application: Served, bar: SeededBar) -> None:
    async with application.rt.db.acquire() as db:
        await db.execute("update mpesa_credentials set till_number = '567890' where tenant_id = $1", bar.id)
    page = await read(f"/pay/{bar.tab.ref}/till")
    assert "Buy Goods and Services" in page.text
    assert "567890" in page.text
    assert "Account number" not in page.text


async def test_from_a_payment_the_account_is_its_reference(
    paying: Paying, read: Reader, application: Served, bar: SeededBar, outcome: Outcome, simulator: Safaricom
) -> None:
    simulator.simulator.queue_scenario("unreachable")
    page = await paying(400)
    await outcome()
    payment = (await payments_of_tab(application.rt, bar.tab.id))[0]
    assert f'href="/pay/{bar.tab.ref}/till?p={payment.id}"' in (await read(page.path)).text
    till = await read(f"/pay/{bar.tab.ref}/till?p={payment.id}")
    assert payment.reference in till.text
    assert "KES 400" in till.text


@pytest.mark.parametrize("named", ["nobody", "00000000-0000-4000-8000-000000000000"])
async def test_a_payment_that_is_not_this_tabs_is_left_aside(read: Reader, bar: SeededBar, named: str) -> None:
    page = await read(f"/pay/{bar.tab.ref}/till?p={named}")
    assert page.status == 200
    assert "KES 1,000" in page.text


async def test_while_a_prompt_waits_the_page_warns_first(paying: Paying, read: Reader, bar: SeededBar) -> None:
    page = await paying(400)
    till = await read(f"/pay/{bar.tab.ref}/till?p={page.path.removeprefix('/p/')}")
    assert "Do not pay again yet." in till.text


async def test_an_unknown_code_waits_in_front_of_staff(typing: Typing, application: Served, bar: SeededBar) -> None:
    page = await typing(CODE.lower())
    assert f"We are checking code <b>{CODE}</b> with M-Pesa." in page.text
    assert "Paid. Thank you!" not in page.text
    async with application.rt.db.acquire() as db:
        claim = await db.fetchrow("select * from receipt_claims")
        problem = await db.fetchrow("select * from problems where kind = 'receipt_claimed'")
        paid = await db.fetchval("select count(*) from tab_payments")
    assert claim is not None
    assert problem is not None
    assert (claim["receipt"], claim["status"], claim["claimed_by"]) == (CODE, "open", "guest")
    assert problem["bar_id"] == bar.id
    assert paid == 0


async def test_the_same_code_again_is_the_same_claim(typing: Typing, application: Served) -> None:
    for _ in range(TRIES + 1):
        assert (await typing(CODE)).status == 200
    async with application.rt.db.acquire() as db:
        assert await db.fetchval("select count(*) from receipt_claims") == 1


async def test_the_sms_is_read_for_its_code_and_dropped(typing: Typing, application: Served, bar: SeededBar) -> None:
    page = await typing(sms=SMS)
    assert f"We are checking code <b>{CODE}</b>" in page.text
    assert "balance is" not in page.text
    async with application.rt.db.acquire() as db:
        kept = await db.fetchval(
            """
            select (select string_agg(to_jsonb(c)::text, ' ') from receipt_claims c)
                   || (select string_agg(to_jsonb(p)::text, ' ') from problems p)
            """
        )
    assert CODE in kept
    assert "1,200" not in kept


async def test_a_code_that_is_none_is_refused_beside_its_field(typing: Typing, application: Served) -> None:
    page = await typing("hello")
    assert page.status == 400
    assert "An M-Pesa code has 10 letters and digits" in page.text
    assert 'href="#code"' in page.text
    assert "hello" not in page.text


async def test_the_sixth_code_in_ten_minutes_is_too_many(
    typing: Typing, simulator: Safaricom, new_tab: Callable[[int], Awaitable[OpenTab]]
) -> None:
    for number in range(TRIES):
        assert (await typing(f"TKX1AB2C{number}D")).status == 200
    assert (await typing("TKX1AB2C9D")).status == 429
    assert (await typing("TKX1AB2C9D", await new_tab(500))).status == 200
    await simulator.advance(601)
    assert (await typing("TKX1AB2C9D")).status == 200


async def test_the_code_of_a_payment_that_came_through_leads_to_it(
    paying: Paying, outcome: Outcome, application: Served, bar: SeededBar, typing: Typing
) -> None:
    await paying(400)
    await outcome()
    payment = (await payments_of_tab(application.rt, bar.tab.id))[0]
    assert payment.receipt is not None
    page = await typing(payment.receipt)
    assert page.path == f"/p/{payment.id}"
    assert "Paid. Thank you!" in page.text


async def test_a_code_that_paid_another_tab_is_told_so_and_nothing_more(
    paying: Paying,
    outcome: Outcome,
    application: Served,
    bar: SeededBar,
    typing: Typing,
    new_tab: Callable[[int], Awaitable[OpenTab]],
) -> None:
    await paying(400)
    await outcome()
    payment = (await payments_of_tab(application.rt, bar.tab.id))[0]
    page = await typing(payment.receipt, await new_tab(500))
    assert "this code was already used for another payment. Ask staff." in page.text
    assert payment.reference not in page.text
    assert "KES 400" not in page.text
    async with application.rt.db.acquire() as db:
        assert await db.fetchval("select status from receipt_claims") == "refused"
        assert await db.fetchval("select count(*) from problems where kind = 'receipt_claimed'") == 0


async def test_a_claim_never_stands_in_the_way_of_the_true_callback_and_is_decided_by_it(
    paying: Paying,
    outcome: Outcome,
    application: Served,
    bar: SeededBar,
    typing: Typing,
    simulator: Safaricom,
    new_tab: Callable[[int], Awaitable[OpenTab]],
) -> None:
    thief = await new_tab(500)
    simulator.simulator.queue_scenario("callback_slow")
    await paying(400)
    await simulator.advance(10)
    receipt = next(iter(simulator.simulator.pushes.values())).receipt
    assert receipt is not None
    for tab in (thief, bar.tab):
        assert "We are checking code" in (await typing(receipt, tab)).text
    await outcome()
    assert (await payments_of_tab(application.rt, bar.tab.id))[0].status == "completed"
    async with application.rt.db.acquire() as db:
        claims = {row["tab_id"]: row["status"] for row in await db.fetch("select * from receipt_claims")}
        still_open = await db.fetchval(
            "select count(*) from problems where kind = 'receipt_claimed' and closed_at is null"
        )
    assert claims[thief.id] == "refused"
    assert claims[bar.tab.id] == "matched"
    assert still_open == 0


@given(codes, st.sampled_from(["", " ", "-"]), st.booleans())
def test_every_way_to_write_a_code_is_the_same_code(code: str, between: str, lower: bool) -> None:
    written = between.join(code)
    assert read_code(written.lower() if lower else written) == code


@given(codes, st.text(max_size=200))
def test_the_code_of_an_sms_is_the_word_before_confirmed(code: str, rest: str) -> None:
    assert read_code(f"{code} Confirmed. Ksh1,450.00 sent to MAMA NJERI on 20/11/26 {rest}") == code
    assert read_code(f"Fwd: {code} Imethibitishwa Ksh1,450.00 zimetumwa {rest}") == code


@given(st.text(max_size=400))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        code = read_code(text)
    except CodeUnreadable as refusal:
        assert refusal.status == 400
    else:
        assert len(code) == 10
        assert code.isascii()
        assert code.isalnum()
        assert code == code.upper()

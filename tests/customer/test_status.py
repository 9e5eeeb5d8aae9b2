"""The payment's page, from "check your phone" to whatever end, in both languages."""

import re
from collections.abc import Awaitable, Callable

import pytest

from kaunta.daraja.results import ROWS, ResultCode
from tests.customer.conftest import Outcome, Read, Reader
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Paying = Callable[..., Awaitable[Read]]
PROMISE = "No money has left"


async def test_paid_is_green_with_code_reference_and_clock(
    paying: Paying, read: Reader, outcome: Outcome, bar: SeededBar
) -> None:
    page = await paying(400)
    await outcome()
    page = await read(page.path)
    assert "Paid. Thank you!" in page.text
    assert 'class="paid"' in page.text
    # The server's time of day, in seconds and in words; the script counts on from there.
    assert '<b data-s="73804">20:30:04</b>' in page.text
    assert "Still to pay on this tab: <b>KES 600</b>" in page.text
    assert "http-equiv" not in page.text


@pytest.mark.failure(69)
@pytest.mark.failure(70)
async def test_the_page_says_paid_only_when_the_server_knows(paying: Paying, read: Reader) -> None:
    page = await paying(400)
    assert "Paid. Thank you!" not in (await read(page.path)).text
    assert '<noscript><meta http-equiv="refresh"' in page.text


@pytest.mark.req("PAY-3.5")
async def test_after_a_minute_the_page_is_checking(paying: Paying, read: Reader, simulator: Safaricom) -> None:
    simulator.simulator.queue_scenario("person")
    page = await paying(400)
    await simulator.advance(61)
    assert "Checking with M-Pesa" in (await read(page.path)).text


@pytest.mark.req("PAY-3.7")
async def test_a_cancelled_prompt_offers_another_try_at_once(
    paying: Paying, read: Reader, simulator: Safaricom, outcome: Outcome
) -> None:
    simulator.simulator.queue_scenario("cancelled")
    page = await paying(400)
    await outcome()
    page = await read(page.path)
    assert "You cancelled the prompt. No money has left your account." in page.text
    again = await read(f"{page.path}/retry", data={"key": "again"})
    assert again.path != page.path
    assert "Check your phone" in again.text


async def test_a_retry_sent_twice_is_one_push(
    paying: Paying, read: Reader, simulator: Safaricom, outcome: Outcome
) -> None:
    simulator.simulator.queue_scenario("cancelled")
    page = await paying(400)
    await outcome()
    first = await read(f"{page.path}/retry", data={"key": "again"})
    second = await read(f"{page.path}/retry", data={"key": "again"})
    assert first.path == second.path
    assert len(simulator.simulator.pushes) == 2


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind in ("final", "cancel")], ids=lambda row: row.code)
@pytest.mark.parametrize("lang", ["en", "sw"])
async def test_every_final_code_has_its_sentence_and_promises_no_more_than_is_true(
    paying: Paying, read: Reader, application: Served, lang: str, row: ResultCode
) -> None:
    code, money, says = row.code, row.money_may_have_moved, row.guest_sw if lang == "sw" else row.guest_en
    page = await paying(400)
    async with application.rt.db.acquire() as db:
        await db.execute(
            """
            update mpesa_transactions set status = 'failed', settled_at = now(), result_code = $1,
                   failure_reason = 'result', next_check_at = null
            """,
            code,
        )
    page = await read(f"{page.path}?lang={lang}")
    assert says in page.text.replace("&#39;", "'")
    if money:
        assert PROMISE not in page.text
        assert "Hakuna pesa" not in page.text


async def test_timeout_reads_as_not_known_and_asks_for_the_tick(
    paying: Paying, read: Reader, application: Served, simulator: Safaricom
) -> None:
    simulator.simulator.queue_scenario("person")
    page = await paying(400)
    async with application.rt.db.acquire() as db:
        await db.execute("update mpesa_transactions set status = 'timeout'")
    page = await read(page.path)
    assert "We are still waiting for M-Pesa" in page.text
    assert "Not paid" not in page.text
    assert PROMISE not in page.text
    assert 'name="acknowledgeUnknown"' in page.text
    refused = await read(f"{page.path}/retry", data={"key": "k"})
    assert refused.status == 409
    await simulator.advance(5 * 60 + 121)
    unticked = await read(f"{page.path}/retry", data={"key": "k"})
    assert (unticked.status, len(simulator.simulator.pushes)) == (409, 1)
    again = await read(f"{page.path}/retry", data={"key": "k", "acknowledgeUnknown": "on"})
    assert again.path != page.path


@pytest.mark.req("PAY-7.3")
async def test_three_tries_that_came_to_nothing_are_enough_and_the_page_counts_the_rest(
    paying: Paying, read: Reader, simulator: Safaricom, outcome: Outcome
) -> None:
    for attempt in range(3):
        simulator.simulator.queue_scenario("cancelled")
        page = await paying(100, key=f"key-{attempt}")
        await outcome()
        await simulator.advance(30)
    page = await read(page.path)
    left = re.search(r'data-s="(\d+)"', page.text)
    assert left is not None
    assert 480 < int(left[1]) < 580
    refused = await read(f"{page.path}/retry", data={"key": "again"})
    assert refused.status == 429
    assert "Too many tries for now. Wait 10 minutes, or ask staff." in refused.text
    assert "/retry" not in refused.text
    assert len(simulator.simulator.pushes) == 3
    await simulator.advance(int(left[1]))
    assert "Check your phone" in (await read(f"{page.path}/retry", data={"key": "again"})).text


async def test_more_than_the_tab_is_said(
    paying: Paying, read: Reader, application: Served, outcome: Outcome, bar: SeededBar
) -> None:
    page = await paying(1_000)
    async with application.rt.db.acquire() as db:
        await db.execute("update tab_orders set total = 950 where tab_id = $1", bar.tab.id)
    await outcome()
    says = "You paid KES 50 more than the tab. Ask staff for it back, or leave it as a tip."
    assert says in (await read(page.path)).text


@pytest.mark.req("PAY-3.3")
async def test_another_operators_prefix_is_a_warning_and_no_more(paying: Paying) -> None:
    page = await paying(100, "0733 404 000")
    assert page.path.startswith("/p/")
    assert "0733 ••• 000 looks like an Airtel number. M-Pesa needs a Safaricom line." in page.text


async def test_less_than_asked_is_said(paying: Paying, read: Reader, simulator: Safaricom, outcome: Outcome) -> None:
    simulator.simulator.queue_scenario("amount_differs")
    page = await paying(400)
    await outcome()
    assert "We received KES 390 of KES 400. KES 10 is still to pay." in (await read(page.path)).text


async def test_swahili_by_switch_and_by_browser(paying: Paying, read: Reader) -> None:
    page = await paying(400)
    assert "Angalia simu yako" in (await read(page.path, Accept_Language="sw-KE,sw;q=0.9")).text
    assert '<html lang="sw">' in (await read(f"{page.path}?lang=sw")).text
    assert "Angalia simu yako" in (await read(page.path)).text


async def test_an_unchanged_page_costs_next_to_nothing(paying: Paying, read: Reader, outcome: Outcome) -> None:
    page = await paying(400)
    tag = (await read(page.path)).headers["ETag"]
    same = await read(page.path, X_Fragment="main", If_None_Match=tag)
    assert (same.status, same.text) == (204, "")
    await outcome()
    changed = await read(page.path, X_Fragment="main", If_None_Match=tag)
    assert changed.status == 200
    assert "Paid. Thank you!" in changed.text


async def test_no_guest_page_holds_the_number_or_a_secret(
    paying: Paying, read: Reader, outcome: Outcome, bar: SeededBar
) -> None:
    page = await paying(400, "0708374149")
    await outcome()
    for path in (page.path, f"/pay/{bar.tab.ref}", f"/b/{bar.slug}/t/{bar.table_code}"):
        text = (await read(path)).text
        assert "708374149" not in text
        assert "passkey" not in text

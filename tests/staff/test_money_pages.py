"""Receipts, refunds, statements and the day's close at the counter."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.web import Shield
from kaunta.payments.receipts import Placed, Sighting, sighted
from tests.staff.conftest import Read, Reader
from tests.statements import files
from tests.statements.files import Row
from tests.support.bars import SeededBar, Staff, add_staff
from tests.support.door import Served

CODE = "SKK1A2B3C4"
SignIn = Callable[[Staff], Awaitable[str]]
Uploading = Callable[..., Awaitable[Read]]


@pytest.fixture
def money(application: Served, bar: SeededBar, clock: ManualClock) -> Callable[..., Awaitable[Placed]]:
    """`await money(250)`: a guest paid so many shillings straight to the till, for no payment of ours."""

    async def come(amount: int, code: str = CODE, reference: str = "") -> Placed:
        seen = Sighting(
            bar.id, "sandbox", "174379", code, amount, "c2b", clock.now(), reference, "25470****149", "OTIENO K"
        )
        return await sighted(application.rt, seen)

    return come


@pytest.fixture
def colleague(application: Served, password_hash: str, bar: SeededBar) -> Callable[..., Awaitable[Staff]]:
    """`await colleague("cashier")`: somebody else who works at the bar."""

    async def hire(role: str) -> Staff:
        async with transaction(application.rt.db) as db:
            return await add_staff(db, application.rt, bar.id, role, f"{role}-two", password_hash)  # type: ignore[arg-type]

    return hire


@pytest.fixture
def upload(http: aiohttp.ClientSession) -> Uploading:
    """`await upload(token, data)`: the form with a file, sent as a browser does."""

    async def send(token: str, data: bytes, *, shortcode: str = "174379", name: str = "statement.csv") -> Read:
        form = aiohttp.FormData({"csrf": token, "shortcode": shortcode})
        form.add_field("file", data, filename=name, content_type="text/csv")
        async with http.post("/staff/statements", data=form) as response:
            return Read(response.status, response.url.path, await response.text(), response.headers)

    return send


async def ledger(application: Served, bar: SeededBar) -> list[tuple[str, int]]:
    rows = await application.rt.db.fetch(
        "select kind, amount from tab_payments where bar_id = $1 order by created_at, amount", bar.id
    )
    return [(row["kind"], row["amount"]) for row in rows]


async def test_the_queue_shows_the_money_its_evidence_and_no_number(
    read: Reader, signed_in: SignIn, bar: SeededBar, money: Callable[..., Awaitable[Placed]]
) -> None:
    await money(1_000, reference="table four")
    await signed_in(bar.waiter)
    page = await read("/staff/receipts")
    for shown in (
        CODE,
        "KES 1,000",
        "OTIENO ••• 149",
        "paid straight to the till",
        "table four",
        "the tab owes exactly",
    ):
        assert shown in page.text
    assert "25470****149" not in page.text
    assert "OTIENO K" not in page.text


async def test_a_cashier_matches_a_receipt_and_takes_it_back(
    read: Reader,
    signed_in: SignIn,
    colleague: Callable[..., Awaitable[Staff]],
    application: Served,
    bar: SeededBar,
    money: Callable[..., Awaitable[Placed]],
) -> None:
    at = f"/staff/receipts/{(await money(250)).receipt_id}"
    token = await signed_in(await colleague("cashier"))
    refused = await read(f"{at}/match", data={"csrf": token, "tab_id": str(bar.tab.id), "reason": ""})
    assert (refused.status, "Say why" in refused.text) == (400, True)
    nowhere = await read(f"{at}/match", data={"csrf": token, "reason": "said so"})
    assert (nowhere.status, "Say which tab" in nowhere.text) == (400, True)
    form = {"csrf": token, "tab_id": str(bar.tab.id), "reason": "showed me the SMS"}
    done = await read(f"{at}/match", data=form)
    assert (done.status, done.path) == (200, at)
    assert "real, and on a tab" in done.text
    again = await read(f"{at}/match", data=form)
    assert (again.status, "credited already" in again.text) == (409, True)
    assert await ledger(application, bar) == [("payment", 250)]
    await read(f"{at}/take-back", data={"csrf": token, "reason": "the wrong tab"})
    assert await ledger(application, bar) == [("reversal", -250), ("payment", 250)]
    assert "on no tab yet" in (await read(at)).text
    await read(f"{at}/aside", data={"csrf": token, "reason": "the owner's deposit"})
    assert "real, and set aside" in (await read(at)).text


async def test_a_waiter_may_check_and_look_and_not_match(
    read: Reader, token: str, application: Served, bar: SeededBar, money: Callable[..., Awaitable[Placed]]
) -> None:
    placed = await money(250)
    for what, form in (("match", {"tab_id": str(bar.tab.id), "reason": "mine"}), ("aside", {"reason": "mine"})):
        assert (await read(f"/staff/receipts/{placed.receipt_id}/{what}", data={"csrf": token, **form})).status == 403
    page = await read(f"/staff/receipts/{placed.receipt_id}")
    assert "Ask a cashier" in page.text
    assert "/match" not in page.text
    assert await ledger(application, bar) == []


@pytest.mark.parametrize("typed", [CODE, " skk1a 2b3c4 "])
async def test_a_real_code_leads_to_its_receipt(
    read: Reader, token: str, money: Callable[..., Awaitable[Placed]], typed: str
) -> None:
    placed = await money(250)
    page = await read("/staff/receipts/check", data={"csrf": token, "code": typed})
    assert page.path == f"/staff/receipts/{placed.receipt_id}"


async def test_a_code_nobody_has_heard_of_is_not_called_real(read: Reader, token: str) -> None:
    page = await read("/staff/receipts/check", data={"csrf": token, "code": "SKK9Z9Z9Z9"})
    assert page.status == 200
    assert "Not heard of yet" in page.text
    unreadable = await read("/staff/receipts/check", data={"csrf": token, "code": "hello?"})
    assert (unreadable.status, "8 to 15" in unreadable.text) == (400, True)


async def test_a_refund_by_hand_needs_a_second_manager_above_the_limit(
    read: Reader,
    signed_in: SignIn,
    colleague: Callable[..., Awaitable[Staff]],
    application: Served,
    bar: SeededBar,
    money: Callable[..., Awaitable[Placed]],
) -> None:
    placed = await money(3_000)
    at = f"/staff/receipts/{placed.receipt_id}/refund"
    token = await signed_in(bar.owner)
    assert "at most KES 3,000" in (await read(at)).text
    form = {"csrf": token, "amount": "1,500", "reason": "paid twice", "method": "by_hand", "key": "key-12345"}
    missing = await read(at, data=form)
    assert (missing.status, 'value="1,500"' in missing.text) == (400, True)
    asked = await read(at, data=form | {"code": "SKK9Z8Y7X6"})
    assert asked.path.startswith("/staff/refunds/")
    assert "You asked for it: another manager" in asked.text
    assert (await read(at, data=form | {"code": "SKK9Z8Y7X6"})).path == asked.path
    own = await read(f"{asked.path}/approve", data={"csrf": token})
    assert (own.status, "Somebody else has to agree" in own.text) == (409, True)
    assert "KES 1,500" in (await read("/staff/refunds")).text
    token = await signed_in(await colleague("manager"))
    done = await read(f"{asked.path}/approve", data={"csrf": token})
    assert "given back" in done.text
    assert "requested" in done.text
    assert "approved" in done.text
    assert await application.rt.db.fetchval("select state::text from mpesa_refunds") == "refunded"
    late = await read(f"{asked.path}/withdraw", data={"csrf": token})
    assert late.status == 409


async def test_giving_back_asks_for_the_password_again_after_a_while(
    read: Reader, signed_in: SignIn, bar: SeededBar, clock: ManualClock, money: Callable[..., Awaitable[Placed]]
) -> None:
    placed = await money(300)
    await signed_in(bar.owner)
    clock.advance(700)
    page = await read(f"/staff/receipts/{placed.receipt_id}/refund")
    assert page.path == "/staff/prove"
    assert f"/staff/receipts/{placed.receipt_id}/refund" in page.text


async def test_a_cashier_gives_nothing_back(
    read: Reader,
    signed_in: SignIn,
    colleague: Callable[..., Awaitable[Staff]],
    money: Callable[..., Awaitable[Placed]],
) -> None:
    placed = await money(300)
    await signed_in(await colleague("cashier"))
    assert (await read(f"/staff/receipts/{placed.receipt_id}/refund")).status == 403
    assert (await read("/staff/refunds")).status == 403
    assert "Refunds" not in (await read("/staff")).text


async def test_a_statement_is_shown_before_it_counts_and_then_imported(
    read: Reader, signed_in: SignIn, application: Served, bar: SeededBar, upload: Uploading
) -> None:
    token = await signed_in(bar.owner)
    rows = [
        Row(CODE, "Merchant Payment from 25470****149 - OTIENO K", "1,000.00"),
        Row(CODE, "Pay merchant Charge", "", "-5.50"),
    ]
    staged = await upload(token, files.as_csv(files.organisation(rows)))
    assert staged.path.startswith("/staff/statements/")
    for shown in ("Nothing of it counts yet", CODE, "−KES 5.50", 'Theirs only <span class="count">1</span>'):
        assert shown in staged.text
    assert await application.rt.db.fetchval("select count(*) from mpesa_receipts") == 0
    done = await read(f"{staged.path}/import", data={"csrf": token})
    assert (done.status, done.path) == (200, staged.path)
    assert "waits for a person" in done.text
    assert await application.rt.db.fetchval("select count(*) from mpesa_receipts") == 1
    table = await read(f"{staged.path}/table.csv")
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "OTIENO" not in table.text
    assert f"theirs_only,{CODE}" in table.text
    again = await upload(token, files.as_csv(files.organisation(rows)))
    assert "This very file was imported" in again.text
    assert (await read(f"{again.path}/discard", data={"csrf": token})).path == "/staff/statements"
    assert (await read(again.path)).status == 404


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Choose the file"),
        (b"not,a\nstatement,1\n", "no M-Pesa statement"),
        (files.as_csv(files.portal([Row(CODE, paid_in="x")])), "Row 2: Paid In is no amount"),
        (files.as_csv(files.organisation([Row(CODE, paid_in="1.00")], shortcode="600999")), "not of 174379"),
    ],
)
async def test_a_file_that_is_no_statement_of_the_bar_is_refused_with_row_and_reason(
    read: Reader, signed_in: SignIn, application: Served, bar: SeededBar, upload: Uploading, data: bytes, words: str
) -> None:
    token = await signed_in(bar.owner)
    page = await upload(token, data, name="statement.csv" if data else "")
    assert (page.status, words in page.text) == (422, True), page.text[-3000:]
    assert await application.rt.db.fetchval("select count(*) from statement_imports") == 0


async def test_a_long_file_is_taken_and_one_without_end_is_not(
    signed_in: SignIn, bar: SeededBar, upload: Uploading, application: Served
) -> None:
    token = await signed_in(bar.owner)
    rows = [Row(f"SKK{number:07d}", paid_in="10.00") for number in range(6_000)]
    taken = await upload(token, files.as_csv(files.portal(rows)))
    assert "6,000 rows" in taken.text
    layer: Any = application.app.middleware_stack
    while not isinstance(layer, Shield):
        layer = layer.app
    layer.uploads["/staff/statements"] = 100_000
    assert (await upload(token, files.as_csv(files.portal(rows)))).status == 413


async def test_a_statements_form_from_elsewhere_is_not_believed(
    signed_in: SignIn, bar: SeededBar, upload: Uploading
) -> None:
    await signed_in(bar.owner)
    page = await upload("0" * 64, files.as_csv(files.portal([Row(CODE, paid_in="1.00")])))
    assert (page.status, "earlier sign-in" in page.text) == (403, True)


async def test_the_days_close_is_shown_kept_and_turned(
    read: Reader, signed_in: SignIn, bar: SeededBar, money: Callable[..., Awaitable[Placed]]
) -> None:
    await money(250)
    token = await signed_in(bar.owner)
    await read(
        f"/staff/tabs/{bar.tab.id}/payments", data={"csrf": token, "amount": "400", "method": "cash", "key": "k"}
    )
    page = await read("/staff/day")
    assert "Friday, 20 November 2026" in page.text
    figures = re.findall(
        r'<th>([^<]+)</th>(?:<td class="num">\d+</td>|<td></td>)?<td class="num">([^<]+)</td>', page.text
    )
    assert ("Paid straight to the till", "KES 250") not in figures
    assert ("M-Pesa took", "KES 250") in figures
    assert ("M-Pesa on tabs", "KES 0") in figures
    assert ("Cash", "KES 400") in figures
    assert ("Ordered", "KES 1,000") in figures
    assert CODE in page.text
    assert "1 to look at" in page.text
    assert "KES 0" in (await read("/staff/day?date=2026-11-19")).text
    kept = await read("/staff/day.csv?date=2026-11-20")
    assert "credited,cash,,,,,400," in kept.text
    assert kept.headers["Content-Disposition"] == 'attachment; filename="day-2026-11-20.csv"'
    assert (await read("/staff/day?date=yesterday")).status == 400


@pytest.mark.parametrize("path", ["/staff/statements", "/staff/day", "/staff/day.csv"])
async def test_closing_the_day_is_a_managers(read: Reader, token: str, path: str) -> None:
    assert (await read(path)).status == 403


async def test_the_board_leads_from_a_problem_to_its_receipt(
    read: Reader, token: str, money: Callable[..., Awaitable[Placed]]
) -> None:
    await money(250)
    page = await read("/staff")
    assert "Money that is on no tab" in page.text
    assert f'href="/staff/receipts/{CODE}"' in page.text
    assert (await read(f"/staff/receipts/{CODE}")).status == 200

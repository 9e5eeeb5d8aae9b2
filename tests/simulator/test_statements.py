"""The organisation's statement in both published layouts, as CSV and as a workbook, beside the books."""

import csv
import io
from typing import Any

import pytest
from openpyxl import load_workbook

from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.statements import ORG_HEADER, PORTAL_HEADER

from .merchant import Doing, Sample
from .staging import GUEST, Stage

STORE, TILL = "600100", "600222"


@pytest.fixture
def exported(stage: Stage) -> Doing:
    """The lines of a statement."""

    async def lines(layout: str, kind: str = "csv", **bounds: str) -> list[list[str]]:
        said = {"shortcode": TILL, "layout": layout, "format": kind} | bounds
        answer = await stage.till.ask("GET", "/_sim/statement", params=said)
        assert answer.status == 200, answer.body
        if kind == "xlsx":
            sheet = load_workbook(io.BytesIO(answer.body)).active
            assert sheet is not None
            return [
                [str(cell) if cell is not None else "" for cell in row] for row in sheet.iter_rows(values_only=True)
            ]
        assert answer.body.count(b"\r\n") == answer.body.count(b"\n")
        return list(csv.reader(io.StringIO(answer.body.decode(), newline="")))

    return lines


@pytest.fixture
async def evening(stage: Stage) -> Stage:
    """A push paid, a failed one, a payment by hand, a reversal, one by 456, a withdrawal, at half past eight."""
    await stage.push_to_till(STORE, TILL, Amount=2000)
    await stage.simulator.settle()
    stage.simulator.queue_scenario("no_funds")
    await stage.push_to_till(STORE, TILL, Amount=900)
    await stage.simulator.settle()
    await stage.simulator.advance(1)
    by_hand = await stage.simulator.pay_till(TILL, GUEST, 2500)
    small = await stage.simulator.pay_till(TILL, GUEST, 200)
    stage.simulator.bank.give_back(small.receipt, None, 50)
    await stage.till.ask("POST", "/_sim/reverse-456", json={"receipt": by_hand.receipt})
    await stage.till.ask("POST", "/_sim/withdraw", json={"shortcode": STORE, "amount": 1000})
    return stage


def column(lines: list[list[str]], header: tuple[str, ...], name: str) -> list[str]:
    """A column below the header, totals left out."""
    start = lines.index(list(header)) + 1
    return [line[header.index(name)] for line in lines[start:] if line[0] != "Total:"]


def test_the_headers_are_those_published(sample: Sample) -> None:
    published: dict[str, Any] = sample("statement_rows")
    assert list(ORG_HEADER) == published["utility_account_header"]
    assert list(PORTAL_HEADER) == published["new_portal_header"]


@pytest.mark.usefixtures("evening")
async def test_the_preamble_has_every_published_label(exported: Doing, sample: Sample) -> None:
    lines = await exported("org")
    before = [cell for line in lines[: lines.index(list(ORG_HEADER))] for cell in line]
    for label in sample("statement_rows")["utility_preamble_labels"]:
        start = label.partition(" …")[0]
        assert any(cell.startswith(start) for cell in before), label


@pytest.mark.usefixtures("evening")
@pytest.mark.parametrize(("layout", "header"), [("org", ORG_HEADER), ("portal", PORTAL_HEADER)])
async def test_a_charge_is_a_row_with_the_payments_receipt(
    exported: Doing, sample: Sample, layout: str, header: tuple[str, ...]
) -> None:
    begun = tuple(words.partition(" from ")[0] for words in sample("statement_rows")["details_prefixes"])
    lines = await exported(layout)
    withdrawn = next(name for name in header if name.startswith("Withdrawn"))
    details, receipts = column(lines, header, "Details"), column(lines, header, header[0])
    amounts = column(lines, header, withdrawn)
    charges = [at for at, words in enumerate(details) if words == "Pay merchant Charge"]
    assert [amounts[at] for at in charges] == ["-13.75", "-11.00"]
    for at in charges:
        assert receipts[at] == receipts[at + 1]
        assert details[at + 1].startswith(begun)


@pytest.mark.usefixtures("evening")
async def test_every_movement_is_there_newest_first(exported: Doing) -> None:
    lines = await exported("org")
    assert column(lines, ORG_HEADER, "Paid In") == ["", "", "", "200.00", "", "2,500.00", "900.00", "", "2,000.00"]
    assert column(lines, ORG_HEADER, "Withdrawn") == [
        "-1,000.00", "-2,500.00", "-50.00", "", "-13.75", "", "", "-11.00", "",
    ]  # fmt: skip
    assert column(lines, ORG_HEADER, "Transaction Status") == ["Completed"] * 6 + ["Failed"] + ["Completed"] * 2
    assert column(lines, ORG_HEADER, "Balance")[0] == "1,125.25"


async def test_every_balance_follows_from_the_row_before(evening: Stage, exported: Doing) -> None:
    lines = await exported("portal")
    rows = list(zip(*(column(lines, PORTAL_HEADER, name) for name in PORTAL_HEADER[3:]), strict=True))[::-1]
    balance = 0
    for state, paid_in, withdrawn, after in rows:
        moved = cents(paid_in) + cents(withdrawn) if state == "Completed" else 0
        balance += moved
        assert cents(after) == balance
    assert balance == evening.simulator.ledger.account(STORE).utility


def cents(said: str) -> int:
    return round(float(said.replace(",", "") or 0) * 100)


@pytest.mark.usefixtures("evening")
async def test_dates_and_payers_are_written_as_each_portal_does(exported: Doing) -> None:
    org, portal = await exported("org"), await exported("portal")
    assert column(org, ORG_HEADER, "Completion Time")[-1] == "20-11-2026 20:30:04"
    assert column(portal, PORTAL_HEADER, "Completion Time")[-1] == "20/11/2026 20:30:04"
    assert column(org, ORG_HEADER, "Other Party Info")[-1].startswith("25470****149 - ")
    assert column(portal, PORTAL_HEADER, "Details")[-1].startswith("Merchant Payment Online from 25470****149 - ")
    assert portal[0] == list(PORTAL_HEADER)


@pytest.mark.usefixtures("evening")
async def test_what_undoes_a_payment_is_linked_to_it(evening: Stage, exported: Doing) -> None:
    linked = column(await exported("org"), ORG_HEADER, "Linked Transaction ID")
    back = [payment for payment in evening.simulator.ledger if payment.reverses]
    assert [each for each in linked if each] == [payment.reverses for payment in reversed(back)]


@pytest.mark.usefixtures("evening")
@pytest.mark.parametrize("layout", ["org", "portal"])
async def test_the_workbook_says_what_the_csv_says(exported: Doing, layout: str) -> None:
    book, text = await exported(layout, "xlsx"), await exported(layout)
    assert [[cell for cell in line if cell] for line in book] == [[cell for cell in line if cell] for line in text]


async def test_a_time_window_leaves_out_the_rest(evening: Stage, exported: Doing) -> None:
    late = {"from": "2026-11-20T20:30:05+03:00"}
    assert len(column(await exported("portal", **late), PORTAL_HEADER, "Details")) == 7
    assert len(column(await exported("portal", to="2026-11-20T17:30:04Z"), PORTAL_HEADER, "Details")) == 2


async def test_a_business_without_payments_has_an_empty_statement(exported: Doing) -> None:
    assert await exported("portal") == [list(PORTAL_HEADER)]
    assert column(await exported("org"), ORG_HEADER, "Receipt No.") == []


@pytest.mark.parametrize("said", [{"layout": "pdf"}, {"format": "doc"}, {"shortcode": "x"}, {"from": "Friday"}])
async def test_a_statement_that_is_none_is_refused(stage: Stage, said: dict[str, str]) -> None:
    answer = await stage.till.ask("GET", "/_sim/statement", params={"shortcode": TILL} | said)
    assert answer.status == 400


async def test_a_paybills_rows_name_the_account(stage: Stage) -> None:
    await stage.paid()
    answer = await stage.till.ask("GET", "/_sim/statement", params={"shortcode": "600984", "layout": "portal"})
    assert "Pay Bill from 25470****149 - " in answer.body.decode()
    assert "Acc. TB-7F3K" in answer.body.decode()


@pytest.mark.parametrize("options", [SimulatorOptions(seed=7, business_limit=1000)], indirect=True)
async def test_a_full_account_takes_no_more(stage: Stage) -> None:
    await stage.paid()
    stage.simulator.queue_scenario("paid")
    await stage.push_to_till("600984", "600984", Amount=600)
    assert (await stage.last())["Body"]["stkCallback"]["ResultCode"] == 8

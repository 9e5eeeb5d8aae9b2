"""What the machine and those who built it found about direct money, each as an evening of its own."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from kaunta.core.secret import Secret
from kaunta.payments import matching, pull, refund_views, refunds, reversals
from kaunta.payments.checking import check_code
from kaunta.payments.initiators import set_initiator
from kaunta.payments.looking_again import look_again
from kaunta.payments.refunds import RefundWanted
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.pushes import Kind
from kaunta.simulator.scenarios import Callback
from kaunta.simulator.statements import Layout
from kaunta.statements.placing import place_due

from .books import check
from .direct_books import paid_in
from .guests import PHONES
from .house import World, open_house
from .settling import SHORTCODE, import_statement
from .test_found import Found

#: Called off, as the callback says; paid, as only Safaricom's books say.
CALLED_OFF = replace(CATALOGUE["paid"], callbacks=(Callback(result="1032"),), confirms_after=None)


@pytest_asyncio.fixture
async def acting(world: World) -> AsyncIterator[Found]:
    """A bar that may ask Safaricom about a code."""
    house = await open_house(world)
    await set_initiator(house.rt, house.bars[0].id, "sandbox", "barapi", Secret("Kaunta#2026"), by="staff:owner")
    yield Found(house)
    await house.close()


@pytest.mark.req("PAY-2.4")
@pytest.mark.parametrize("told_by", ["statement", "list"])
async def test_a_list_that_names_the_payment_beats_the_match_of_a_code_that_was_only_checked(
    acting: Found, told_by: str
) -> None:
    """A checked code tells no reference, so staff may match it to the wrong guest; the list says whose it was."""
    house = acting.house
    bar, daraja = house.bars[0], house.pushes.daraja
    if told_by == "list":
        await pull.subscribe(house.rt, daraja, bar.id, "sandbox", "0700000001", by="staff:owner")
    payment = await acting.pay(0, 0, 300, CALLED_OFF)
    await acting.passes(10)
    (code,) = paid_in(house)
    await check_code(house.rt, daraja, bar.id, code, by="staff:cashier")
    books = await acting.passes(10)
    other = house.tabs[2]
    await matching.match_to_tab(
        house.rt, bar.id, books.receipts[code].id, other.id, by="staff:cashier", reason="a guest showed the SMS"
    )
    if told_by == "statement":
        await import_statement(house, bar, Layout.ORG)
    else:
        await house.passes(301)
        await pull.work(house.rt, daraja)
    books = await check(house, acting.expected)
    row = books.row_of(code)
    assert row is not None
    assert row.transaction_id == payment
    assert (books.payments[payment].status, books.credited(payment)) == ("completed", 300)
    assert (str(other.id), "claim_disproved") in books.problems


async def test_a_reversal_that_the_other_bar_of_a_shortcode_sees_first_is_named_and_then_booked(acting: Found) -> None:
    """The payment is its own bar's at once; of the money that went back a problem tells that bar's people, until they
    import too."""
    house = acting.house
    payment = await acting.pay(0, 0, 300, CALLED_OFF)
    await acting.passes(10)
    (code,) = paid_in(house)
    house.simulator.bank.give_back(code, None, 90, Kind.CUSTOMER_REVERSAL)
    await import_statement(house, house.bars[1], Layout.ORG)
    books = await check(house, acting.expected)
    assert books.credited(payment) == 300
    assert books.named(books.receipts[code].id) == {"reversal_seen_elsewhere"}
    await import_statement(house, house.bars[0], Layout.ORG)
    books = await check(house, acting.expected)
    assert books.credited(payment) == 210
    assert books.named(books.receipts[code].id) == {"reversed_by_customer"}
    await import_statement(house, house.bars[1], Layout.PORTAL)
    assert (await check(house, acting.expected)).named(books.receipts[code].id) == {"reversed_by_customer"}


async def test_a_reversal_read_before_its_payment_is_booked_when_the_payment_is_known(acting: Found) -> None:
    """Today's statement is imported first, yesterday's, with the payment on it, later."""
    house = acting.house
    taken = await house.simulator.pay_till(SHORTCODE, PHONES[7], 300, "rent")
    await acting.passes(86_400)
    house.simulator.bank.give_back(taken.receipt, None, None, Kind.CUSTOMER_REVERSAL)
    await import_statement(house, house.bars[0], Layout.ORG, seconds=3_600)
    books = await check(house, acting.expected)
    assert (f"sandbox:{taken.receipt}", "reversal_without_receipt") in books.problems
    await import_statement(house, house.bars[0], Layout.ORG)
    await place_due(house.rt)
    books = await check(house, acting.expected)
    assert [(each.receipt, each.amount, each.state) for each in books.refunds] == [(taken.receipt, 300, "refunded")]
    assert "reversed_by_customer" in books.named(books.receipts[taken.receipt].id)
    assert (f"sandbox:{taken.receipt}", "reversal_without_receipt") not in books.problems


async def test_a_receipt_that_fits_another_bars_payment_is_that_bars(acting: Found) -> None:
    """Two bars share a shortcode; the one imports a statement that shows what the other's guest paid by hand."""
    house = acting.house
    payment = await acting.pay(0, 0, 300, replace(CATALOGUE["person"], callbacks=()))
    await acting.believe(payment, None)
    taken = await house.simulator.pay_till(SHORTCODE, PHONES[7], 300, "rent")
    await import_statement(house, house.bars[1], Layout.ORG)
    books = await check(house, acting.expected)
    row = books.row_of(taken.receipt)
    assert row is not None
    assert (row.transaction_id, books.receipts[taken.receipt].bar_id) == (payment, house.bars[0].id)


async def test_a_receipt_that_another_bar_asked_about_first_is_the_bars_whose_guest_paid(acting: Found) -> None:
    """Two bars share a shortcode; the one checks a code before the other has heard of the payment."""
    house = acting.house
    payment = await acting.pay(
        1, 1, 300, replace(CATALOGUE["paid"], callbacks=(Callback(after=25),), confirms_after=None)
    )
    await acting.passes(10)
    (code,) = paid_in(house)
    await check_code(house.rt, house.pushes.daraja, house.bars[0].id, code, by="staff:cashier")
    books = await acting.passes(10)
    assert (books.receipts[code].bar_id, books.credited(payment)) == (house.bars[0].id, 0)
    books = await acting.passes(10)
    assert (books.receipts[code].bar_id, books.credited(payment)) == (house.bars[1].id, 300)


async def test_a_receipt_that_waits_at_another_bar_is_still_that_of_the_payment_it_fits(acting: Found) -> None:
    """Two bars share a shortcode; the one sees the receipt before the other's payment is completed without one."""
    house = acting.house
    taken = await house.simulator.pay_till(SHORTCODE, PHONES[7], 300, "rent")
    await import_statement(house, house.bars[1], Layout.ORG)
    books = await check(house, acting.expected)
    assert books.receipts[taken.receipt].bar_id == house.bars[1].id
    payment = await acting.pay(0, 0, 300, replace(CATALOGUE["person"], callbacks=()))
    await acting.believe(payment, None)
    assert await look_again(house.rt) == 1
    books = await check(house, acting.expected)
    row = books.row_of(taken.receipt)
    assert row is not None
    assert (row.transaction_id, books.receipts[taken.receipt].bar_id) == (payment, house.bars[0].id)


async def test_a_refund_of_what_was_then_proven_for_another_bars_guest_is_not_sent(acting: Found) -> None:
    """Two bars share a shortcode; the one asks for the money back of what the other's callback then proves."""
    house = acting.house
    bar, daraja = house.bars[0], house.pushes.daraja
    await acting.pay(1, 1, 300, replace(CATALOGUE["paid"], callbacks=(Callback(after=25),), confirms_after=None))
    await acting.passes(10)
    (code,) = paid_in(house)
    await check_code(house.rt, daraja, bar.id, code, by="staff:cashier")
    books = await acting.passes(10)
    wanted = RefundWanted(bar.id, 300, "nobody's here", "reversal", "click-0001", receipt_id=books.receipts[code].id)
    refund = await refunds.request(house.rt, wanted, by="staff:manager")
    await acting.passes(10)
    await reversals.send(house.rt, daraja, refund.id)
    await acting.passes(10)
    (ended,) = await refund_views.of_bar(house.rt, bar.id, refund.created_at)
    assert (ended.state, house.simulator.ledger.reversed_amount(code)) == ("withdrawn", 0)

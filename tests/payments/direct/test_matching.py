"""Whose money is it? Never a guess, never by phone; and what a person says gives way to what Safaricom proves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from kaunta.daraja.requests import timestamp
from kaunta.payments import matching
from kaunta.payments.checking import LIMITS, Source, Standing, TooManyChecks, check_code
from kaunta.payments.looking_again import look_again
from kaunta.payments.matching import Ground, NotOnAClaim, ReceiptBooked, ReceiptGoesElsewhere
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.states import Status
from kaunta.payments.typed_codes import claim_code
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.scenarios import Callback, Query
from tests.payments.conftest import FRIENDS
from tests.support.bars import OpenTab

from .conftest import DirectMoney

#: The money moves at once; the callback takes twelve minutes, and queries say nothing.
SLOW_WORD = replace(CATALOGUE["paid"], callbacks=(Callback(after=720),), query=Query(stuck=True))
NewTab = Callable[[int], Awaitable[OpenTab]]


async def test_what_speaks_for_a_tab_is_shown_and_not_booked(told: DirectMoney, new_tab: NewTab) -> None:
    evening = told.evening
    theirs = await new_tab(500)
    await evening.wait(5)
    code = await told.pay_till(500)
    await claim_code(evening.rt, theirs.ref, code)
    (waiting,) = await matching.unmatched(evening.rt, evening.bar.id)
    assert (waiting.receipt, waiting.amount) == (code, 500)
    assert waiting.phone.startswith("•••"), "the number itself is nobody's business"
    found = await matching.suggestions(evening.rt, waiting.receipt_id)
    assert [(each.ground, each.tab_id) for each in found] == [
        (Ground.CODE_TYPED, theirs.id),
        (Ground.BALANCE_FITS, theirs.id),
    ]
    assert (await evening.tab(theirs)).paid == 0


async def test_a_person_matches_a_receipt_once(told: DirectMoney, new_tab: NewTab) -> None:
    evening = told.evening
    theirs = await new_tab(500)
    code = await told.pay_till(500)
    await told.match(code, theirs.id)
    assert (await evening.tab(theirs)).paid == 500
    assert await matching.unmatched(evening.rt, evening.bar.id) == []
    assert "receipt_unmatched" not in await evening.problems()
    with pytest.raises(ReceiptBooked):
        await told.match(code, evening.bar.tab.id)
    actions = await evening.rt.db.fetch("select actor from audit_events where action = 'receipt.matched'")
    assert [row["actor"] for row in actions] == ["staff:cashier"]


async def test_a_match_can_be_taken_back_and_made_again(told: DirectMoney, new_tab: NewTab) -> None:
    evening = told.evening
    theirs = await new_tab(500)
    code = await told.pay_till(500)
    await told.match(code, evening.bar.tab.id)
    receipt = await told.known(code)
    await matching.take_back(evening.rt, evening.bar.id, receipt.id, by="staff:cashier", reason="wrong table")
    assert (await evening.tab()).paid == 0
    assert sorted(entry.kind for entry in (await evening.tab()).entries) == ["payment", "reversal"]
    await told.match(code, theirs.id)
    assert (await evening.tab(theirs)).paid == 500


async def test_what_safaricom_proved_cannot_be_taken_back(told: DirectMoney) -> None:
    evening = told.evening
    payment = await evening.pay(500)
    await evening.settle()
    receipt = await told.known((await evening.view(payment)).receipt or "")
    with pytest.raises(NotOnAClaim):
        await matching.take_back(evening.rt, evening.bar.id, receipt.id, by="staff:x", reason="I say so")


async def test_money_that_is_nobodys_bill_is_set_aside(told: DirectMoney) -> None:
    evening = told.evening
    code = await told.pay_till(700)
    receipt = await told.known(code)
    await matching.set_aside(evening.rt, evening.bar.id, receipt.id, by="staff:owner", reason="my own deposit")
    assert await matching.unmatched(evening.rt, evening.bar.id) == []
    assert await told.hear(told.confirmation(code, "700.00")) == "unmatched"
    assert "receipt_unmatched" not in await evening.problems()


async def test_a_receiptless_payment_comes_before_anybodys_word(told: DirectMoney, new_tab: NewTab) -> None:
    """The list of ruling 6: it goes there first."""
    evening = told.evening
    theirs = await new_tab(500)
    told.lose("stk")
    told.lose("confirmation")
    payment = await evening.pay(500, scenario="paid")
    await evening.settle()
    (paid,) = told.ledger
    # The confirmation comes without a reference, as tills' do, before the two queries have agreed.
    assert await told.hear(told.confirmation(paid.receipt, "500.00", TransTime=timestamp(paid.at))) == "unmatched"
    await evening.live_on(120)
    view = await evening.view(payment)
    assert (view.status, view.receipt) == (Status.COMPLETED, None)
    receipt = await told.known(paid.receipt)
    with pytest.raises(ReceiptGoesElsewhere):
        await matching.match_to_tab(
            evening.rt, evening.bar.id, receipt.id, theirs.id, by="staff:cashier", reason="they say so"
        )
    assert (await evening.view(payment)).receipt == paid.receipt
    assert (await evening.tab(theirs)).paid == 0
    assert await look_again(evening.rt) == 0


async def test_two_that_it_fits_are_a_persons_matter(told: DirectMoney, new_tab: NewTab) -> None:
    evening = told.evening
    told.lose("stk", None)
    told.lose("confirmation", None)
    await evening.pay(500, phone=FRIENDS[0], scenario="paid")
    await evening.pay(500, phone=FRIENDS[1], tab=await new_tab(500), scenario="paid")
    await evening.settle()
    await evening.live_on(120)
    first, second = told.ledger
    for paid in (first, second):
        assert await told.hear(told.confirmation(paid.receipt, "500.00", TransTime=timestamp(paid.at))) == "unmatched"
    receipt = await told.known(first.receipt)
    fits = await matching.suggestions(evening.rt, receipt.id)
    assert {each.status for each in fits if each.ground is Ground.PAYMENT_FITS} == {"completed"}
    chosen = next(each.transaction_id for each in fits if each.transaction_id)
    assert chosen is not None
    await matching.match_to_payment(
        evening.rt, evening.bar.id, receipt.id, chosen, by="staff:cashier", reason="the phone showed it"
    )
    assert await look_again(evening.rt) == 1, "now only one is left that it fits"
    assert {(await told.known(each.receipt)).ledger_id is not None for each in (first, second)} == {True}


@pytest.mark.parametrize("how", ["matched to the tab", "resolved with the code"])
async def test_a_wrong_match_gives_way_to_the_payment_it_is_proven_for(
    told: DirectMoney, new_tab: NewTab, how: str
) -> None:
    evening = told.evening
    theirs = await new_tab(500)
    told.lose("confirmation", None)
    true_owner = await evening.pay(500, tab=theirs, phone=FRIENDS[0], scenario=SLOW_WORD)
    wrong = await evening.pay(500, phone=FRIENDS[1], scenario="ack_and_callback_lost")
    await evening.wait(20)
    paid = next(each for each in told.ledger if each.phone == FRIENDS[0])
    await told.hear(told.confirmation(paid.receipt, "500.00", TransTime=timestamp(paid.at)))
    if how == "matched to the tab":
        await told.match(paid.receipt, evening.bar.tab.id)
    else:
        saw = Resolution(True, "they showed an SMS", "the SMS", "staff:cashier", paid.receipt)
        await resolve(evening.rt, wrong, saw)
    assert (await evening.tab()).paid == 500
    await evening.settle()
    assert (await evening.view(true_owner)).receipt == paid.receipt
    assert (await evening.tab(theirs)).paid == 500
    assert (await evening.tab()).paid == 0
    assert "claim_disproved" in await evening.problems()


@pytest.mark.parametrize("how", ["disproved by Safaricom", "taken back by who said it"])
async def test_a_wrong_match_takes_nothing_from_a_payment_that_safaricom_called_paid(
    told: DirectMoney, new_tab: NewTab, how: str
) -> None:
    evening = told.evening
    told.lose("stk", 2)
    told.lose("confirmation", None)
    # Two that the receipt fits, so that a person has to say which; a third that it belongs to.
    chosen = await evening.pay(500, phone=FRIENDS[0], scenario="paid")
    await evening.pay(500, phone=FRIENDS[1], tab=await new_tab(500), scenario="paid")
    await evening.settle()
    await evening.live_on(120)
    assert (await evening.view(chosen)).status is Status.COMPLETED
    theirs = await new_tab(500)
    true_owner = await evening.pay(500, tab=theirs, phone=FRIENDS[2], scenario=SLOW_WORD)
    await evening.wait(20)
    paid = next(each for each in told.ledger if each.phone == FRIENDS[2])
    assert await told.hear(told.confirmation(paid.receipt, "500.00", TransTime=timestamp(paid.at))) == "unmatched"
    receipt = await told.known(paid.receipt)
    await matching.match_to_payment(
        evening.rt, evening.bar.id, receipt.id, chosen, by="staff:cashier", reason="the phone showed it"
    )
    assert "no_receipt" not in await evening.problems(chosen)
    if how == "taken back by who said it":
        await matching.take_back(evening.rt, evening.bar.id, receipt.id, by="staff:cashier", reason="another's")
    await evening.settle()
    assert (await evening.view(true_owner)).receipt == paid.receipt
    assert (await evening.tab(theirs)).paid == 500
    assert (await evening.tab()).paid == 500, "M-Pesa said that this one was paid too"
    assert "no_receipt" in await evening.problems(chosen)


async def test_a_code_is_answered_from_the_receipts_else_by_safaricom_and_it_says_which(
    acting: DirectMoney,
) -> None:
    evening = acting.evening
    rt, daraja, bar = evening.rt, evening.pushes.daraja, evening.bar.id
    acting.lose("confirmation", None)
    seen = await evening.pay(500)
    await evening.settle()
    code = (await evening.view(seen)).receipt or ""
    answer = await check_code(rt, daraja, bar, code.lower(), by="staff:x")
    assert (answer.source, answer.standing, answer.amount) == (Source.RECEIPTS, Standing.BOOKED, 500)
    unseen = await acting.pay_till(350)
    asked = await check_code(rt, daraja, bar, unseen, by="staff:x")
    assert (asked.source, asked.standing) == (Source.NOBODY, Standing.ASKED)
    await evening.settle()
    answer = await check_code(rt, daraja, bar, unseen, by="staff:x")
    assert (answer.source, answer.standing, answer.amount) == (Source.SAFARICOM, Standing.UNMATCHED, 350)
    assert "receipt_unmatched" in await evening.problems(answer.receipt_id)
    await check_code(rt, daraja, bar, "SKE52PAWR9", by="staff:x")
    await evening.settle()
    answer = await check_code(rt, daraja, bar, "SKE52PAWR9", by="staff:x")
    assert (answer.source, answer.standing) == (Source.SAFARICOM, Standing.NOT_FOUND)


async def test_nobody_tries_codes_one_after_the_other(acting: DirectMoney) -> None:
    evening = acting.evening
    rt, daraja, bar = evening.rt, evening.pushes.daraja, evening.bar.id
    most = LIMITS[0][1]
    codes = [f"SKE52PAW{number:02d}" for number in range(most + 5)]
    asked = await asyncio.gather(
        *(check_code(rt, daraja, bar, code, by="staff:x") for code in codes), return_exceptions=True
    )
    assert sum(isinstance(each, TooManyChecks) for each in asked) == 5
    assert await rt.db.fetchval("select count(*) from daraja_requests where kind = 'status'") == most
    await evening.settle()
    # What is known already costs no question, and the next minute has its own.
    known = codes[[isinstance(each, TooManyChecks) for each in asked].index(False)]
    assert (await check_code(rt, daraja, bar, known, by="staff:x")).standing is Standing.NOT_FOUND
    await evening.wait(61)
    await check_code(rt, daraja, bar, "SKE52PAWR9", by="staff:x")


async def test_a_bar_without_an_initiator_says_that_it_cannot_ask(told: DirectMoney) -> None:
    answer = await check_code(
        told.evening.rt, told.evening.pushes.daraja, told.evening.bar.id, "SKE52PAWR9", by="staff:x"
    )
    assert (answer.source, answer.standing) == (Source.NOBODY, Standing.CANNOT_ASK)


async def test_acknowledgement_and_callback_lost_are_found_by_a_code_that_safaricom_confirms(
    acting: DirectMoney,
) -> None:
    """Each alone suffices: here the typed code, checked with Safaricom, and a person's look."""
    evening = acting.evening
    acting.lose("confirmation", None)
    payment = await evening.pay(500, scenario="ack_and_callback_lost")
    await evening.settle()
    await evening.live_on(320)
    assert (await evening.view(payment)).status is Status.TIMEOUT
    (paid,) = acting.ledger
    await claim_code(evening.rt, evening.bar.tab.ref, paid.receipt, payment)
    await check_code(evening.rt, evening.pushes.daraja, evening.bar.id, paid.receipt, by="staff:x")
    await evening.settle()
    receipt = await acting.known(paid.receipt)
    best = (await matching.suggestions(evening.rt, receipt.id))[0]
    assert (best.ground, best.transaction_id) == (Ground.CODE_TYPED, payment)
    await matching.match_to_payment(
        evening.rt, evening.bar.id, receipt.id, payment, by="staff:cashier", reason="code, amount and time fit"
    )
    assert (await evening.view(payment)).status is Status.COMPLETED
    assert (await evening.tab()).paid == 500

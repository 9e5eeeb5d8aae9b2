"""Direct payments: a confirmation is proof, once, whatever else tells the same receipt, and a stranger's is none."""

import asyncio

import pytest

from kaunta.payments import c2b, c2b_addresses
from kaunta.payments.callback_url import token_hash
from kaunta.payments.states import Status
from kaunta.simulator.direct import Declined
from kaunta.simulator.faults import Fault
from tests.payments.conftest import FRIENDS, Evening, Said

from .conftest import SHORTCODE, DirectMoney


@pytest.mark.req("PAY-2.3", "PAY-2.6")
async def test_a_payment_at_the_till_is_proven_and_put_before_a_person(told: DirectMoney) -> None:
    code = await told.pay_till(350)
    receipt = await told.known(code)
    assert (receipt.amount, receipt.ledger_id, receipt.first_channel) == (350, None, "c2b")
    assert "receipt_unmatched" in await told.evening.problems(receipt.id)
    assert await told.evening.verdicts() == ["unmatched"]
    assert (await told.evening.tab()).paid == 0, "an amount is nobody's name"


@pytest.mark.failure(57)
@pytest.mark.parametrize("first", ["stk", "c2b"])
async def test_a_push_that_is_told_twice_is_credited_once(told: DirectMoney, first: str) -> None:
    evening = told.evening
    payment = await evening.pay(500, scenario="person")
    late = "confirmation" if first == "stk" else "stk"
    told.lose(late)
    evening.simulator.simulator.answer(evening.push().checkout_id, 0)
    await evening.settle()
    assert (await evening.tab()).paid == 500
    (message,) = [each for each in evening.simulator.simulator.outbox.messages.values() if each.kind == late]
    await evening.simulator.simulator.resend(message.id)
    await evening.settle()
    view = await evening.view(payment)
    assert (view.status, view.irregularities) == (Status.COMPLETED, ())
    assert (await evening.tab()).paid == 500
    assert await told.sightings(view.receipt or "") == [first, "c2b" if first == "stk" else "stk"]
    assert await evening.verdicts() == ["applied", "duplicate"]
    assert "receipt_unmatched" not in await evening.problems()


@pytest.mark.failure(57)
@pytest.mark.parametrize("reference", ["ours", ""])
async def test_callback_and_confirmation_at_the_same_moment_are_one_credit(
    told: DirectMoney, reference: str, evening: Evening
) -> None:
    payment = await evening.pay(500, scenario="person")
    said = (await evening.view(payment)).reference if reference else ""
    told.lose("stk", None)
    told.lose("confirmation", None)
    evening.simulator.simulator.answer(evening.push().checkout_id, 0)
    await evening.settle()
    (paid,) = told.ledger
    body = Said(evening).paid(paid.receipt)
    await asyncio.gather(
        *(evening.hear(body, evening.token()) for _ in range(3)),
        *(told.hear(told.confirmation(paid.receipt, "500.00", said)) for _ in range(3)),
    )
    view = await evening.view(payment)
    assert (view.status, view.receipt, view.irregularities) == (Status.COMPLETED, paid.receipt, ())
    assert (await evening.tab()).paid == 500
    assert len(await told.sightings(paid.receipt)) == 6
    assert "receipt_unmatched" not in await evening.problems()


@pytest.mark.parametrize("phone", ["2547 ***** 126", "25470****149", "254708374149", "e3b0c44298fc1c14" * 4, ""])
@pytest.mark.parametrize("amount", ["5.00", "5", 5, 5.0])
async def test_every_published_form_is_read(told: DirectMoney, phone: str, amount: object) -> None:
    body = told.confirmation("SKE52PAWR9", amount, MSISDN=phone, FirstName="", Extra={"a": 1})
    assert await told.hear(body) == "unmatched"
    assert (await told.known("SKE52PAWR9")).amount == 5


async def test_a_till_may_be_announced_under_the_till_or_the_store(told: DirectMoney) -> None:
    await told.evening.rt.db.execute("update mpesa_credentials set till_number = '5678901'")
    assert await told.hear(told.confirmation("SKE52PAWR9", "10.00", BusinessShortCode="5678901")) == "unmatched"
    assert await told.hear(told.confirmation("SKE52PAWR8", "10.00", BusinessShortCode="999999")) == "contradictory"
    assert await told.receipt("SKE52PAWR8") is None
    assert "c2b_shortcode_differs" in await told.evening.problems()


@pytest.mark.failure(55)
async def test_without_the_secret_nothing_is_believed(told: DirectMoney) -> None:
    forged = told.confirmation("SKE52PAWR9", "500.00", (await told.evening.view(await told.evening.pay(500))).reference)
    assert await told.hear(forged, url="https://x/c2b/" + "0" * 64 + "/confirmation") == "unauthenticated"
    assert await told.receipt("SKE52PAWR9") is None


async def test_cents_are_never_rounded_and_never_lost(told: DirectMoney) -> None:
    assert await told.hear(told.confirmation("SKE52PAWR9", "10.50")) == "contradictory"
    assert "receipt_not_whole" in await told.evening.problems()


async def test_a_push_that_nobody_told_us_about_is_found_by_its_confirmation(told: DirectMoney) -> None:
    evening = told.evening
    payment = await evening.pay(500, scenario="ack_and_callback_lost")
    await evening.settle()
    view = await evening.view(payment)
    assert (view.status, view.receipt) == (Status.COMPLETED, told.ledger[0].receipt)
    assert (await evening.tab()).paid == 500


async def test_a_payment_by_hand_under_our_reference_settles_the_attempt(told: DirectMoney) -> None:
    evening = told.evening
    payment = await evening.pay(500, scenario="cancelled")
    await evening.settle()
    reference = (await evening.view(payment)).reference
    await told.pay_till(500, reference.lower().replace("-", " "))
    assert (await evening.view(payment)).status is Status.COMPLETED
    assert (await evening.tab()).paid == 500


async def test_the_tabs_number_is_enough_and_can_be_taken_back(told: DirectMoney) -> None:
    evening = told.evening
    code = await told.pay_till(300, f"tab {evening.bar.tab.number}")
    assert (await evening.tab()).paid == 300
    assert (await told.known(code)).on_claim
    overpaid = await told.pay_till(900, f"TAB{evening.bar.tab.number}")
    row = await evening.rt.db.fetchrow(
        "select detail from problems where kind = 'overpaid' and subject = $1", str((await told.known(overpaid)).id)
    )
    assert row is not None and row["detail"]["propose_refund"] == 200


async def test_a_closed_tabs_number_is_nobodys(told: DirectMoney) -> None:
    evening = told.evening
    await evening.tamper("update tabs set status = 'closed', closed_at = now(), closed_by = 'test'")
    await told.pay_till(300, f"TAB{evening.bar.tab.number}")
    assert (await evening.tab()).paid == 0


async def test_a_validation_is_answered_by_the_bars_rule(told: DirectMoney) -> None:
    evening = told.evening
    hashed = token_hash(told.confirmation_url.split("/")[4])
    body = told.confirmation("SKE52PAWR9", "10.00", "NOBODY")
    assert (await c2b.judge(evening.rt, hashed, body)).accepted
    await c2b_addresses.set_rule(evening.rt, evening.bar.id, "sandbox", SHORTCODE, "open_references", by="staff:owner")
    assert (await c2b.judge(evening.rt, hashed, body)).code == "C2B00012"
    reference = (await evening.view(await evening.pay(500, phone=FRIENDS[0], scenario="person"))).reference
    assert (await c2b.judge(evening.rt, hashed, told.confirmation("SKE52PAWR9", "10.00", reference))).accepted
    tab = told.confirmation("SKE52PAWR9", "10.00", f"TAB{evening.bar.tab.number}")
    assert (await c2b.judge(evening.rt, hashed, tab)).accepted
    other = told.confirmation("SKE52PAWR9", "10.00", BusinessShortCode="999999")
    assert (await c2b.judge(evening.rt, hashed, other)).code == "C2B00015"
    assert not (await c2b.judge(evening.rt, token_hash("0" * 64), tab)).accepted


async def test_safaricom_takes_no_money_that_the_rule_turns_down(told: DirectMoney) -> None:
    evening = told.evening
    evening.simulator.simulator.merchants.validating.add(SHORTCODE)
    await c2b_addresses.set_rule(evening.rt, evening.bar.id, "sandbox", SHORTCODE, "open_references", by="staff:owner")
    with pytest.raises(Declined):
        await told.pay_till(300, "rent")
    assert await told.pay_till(300, f"TAB{evening.bar.tab.number}")
    assert (await evening.tab()).paid == 300


async def test_a_validation_proves_nothing(told: DirectMoney) -> None:
    assert await told.hear(told.confirmation("SKE52PAWR9", "10.00"), channel="validation") == "answered"
    assert await told.receipt("SKE52PAWR9") is None


async def test_registering_again_in_production_is_refused_and_explained(money: DirectMoney, evening: Evening) -> None:
    first = await c2b_addresses.register(evening.rt, evening.pushes.daraja, evening.bar.id, "sandbox", by="staff:owner")
    again = await c2b_addresses.register(
        evening.rt, evening.pushes.daraja, evening.bar.id, "sandbox", by="staff:owner", version="v1"
    )
    assert first.confirmation_url == again.confirmation_url, "the address is made once and stays"
    evening.simulator.simulator.faults.add(Fault("c2b_register", "urls_registered"))
    refused = await c2b_addresses.register(
        evening.rt, evening.pushes.daraja, evening.bar.id, "sandbox", by="staff:owner"
    )
    assert (refused.state, refused.error_code) == ("refused", "500.003.1001")
    assert refused.remedy is not None and "URL management" in refused.remedy

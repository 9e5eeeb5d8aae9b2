"""Each sentence about receipts and refunds is broken on purpose, and its query says so."""

import pytest

from kaunta.payments.refund_results import ReversalSeen, reversal_seen

from .conftest import DirectMoney

CORRUPTIONS = {
    "receipts_have_their_place": "update problems set closed_at = now() where kind = 'receipt_unmatched'",
    "credited_receipts_are_credits": "update receipt_claims set status = 'refused' where status = 'matched'",
    "every_receipt_was_seen": "delete from mpesa_receipt_sightings",
    "refunds_within_received": "update mpesa_refunds set amount = 5000",
    "refunds_are_in_the_ledger": "delete from tab_payments where kind = 'refund'",
    "ledger_refunds_are_refunds": "update mpesa_refunds set state = 'failed'",
    "reversals_are_sent_once": "delete from daraja_requests",
    "refunds_have_their_history": "delete from refund_events where kind = 'sent'",
    "refunds_beyond_knowing_are_shown": "delete from problems where kind = 'reversed_by_customer'",
    "large_refunds_have_two_people": "alter table mpesa_refunds drop constraint mpesa_refunds_check4; "
    "update mpesa_refunds set needs_approval = true",
}


@pytest.fixture
async def busy(acting: DirectMoney) -> DirectMoney:
    """One receipt is nobody's, one was matched by a person, of one a part was given back, one was taken back."""
    evening = acting.evening
    await acting.pay_till(70)
    await acting.match(await acting.pay_till(80), evening.bar.tab.id)
    payment = await evening.pay(500)
    await evening.settle()
    refund = await acting.give_back((await evening.view(payment)).receipt or "", 200)
    await acting.send(refund)
    await evening.settle()
    taken = await acting.pay_till(90)
    await reversal_seen(
        evening.rt, ReversalSeen(evening.bar.id, "sandbox", "174379", taken, 90, "TKX1AB2C3D", evening.clock.now())
    )
    assert await evening.broken() == set()
    return acting


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_a_corruption_turns_its_invariant_red(busy: DirectMoney, name: str) -> None:
    await busy.evening.tamper(CORRUPTIONS[name])
    assert name in await busy.evening.broken()

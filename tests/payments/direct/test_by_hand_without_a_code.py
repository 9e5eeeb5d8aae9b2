"""Money sent back by hand while no code was known: it has left, and stays on record whatever is proven afterwards."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from kaunta.payments import matching, refunds
from kaunta.payments.queries.refunds import Refund
from kaunta.payments.receipts import Sighting, sighted
from kaunta.payments.refunds import RefundRefused, RefundWanted
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.silence import ask_about_due
from kaunta.payments.states import Status
from tests.payments.conftest import Evening, Said
from tests.support.bars import OpenTab

from .conftest import SHORTCODE, DirectMoney

NewTab = Callable[[int], Awaitable[OpenTab]]
CODE, BACK = "SKK1A2B3C4", "SKK9Z8Y7X6"


async def by_hand(evening: Evening, payment: UUID, amount: int, key: str = "click-0001") -> Refund:
    credit = await evening.rt.db.fetchval(
        "select id from tab_payments where transaction_id = $1 and kind = 'payment'", payment
    )
    wanted = RefundWanted(evening.bar.id, amount, "sent from the bar's phone", "by_hand", key, None, credit, BACK)
    return await refunds.request(evening.rt, wanted, by="staff:manager")


async def rows(evening: Evening, tab_id: UUID) -> list[tuple[str, int]]:
    found = await evening.rt.db.fetch("select kind, amount from tab_payments where tab_id = $1 order by amount", tab_id)
    return [(row["kind"], row["amount"]) for row in found]


async def codeless(evening: Evening, amount: int, tab: OpenTab) -> UUID:
    """Two questions said that it was paid; no code was told."""
    payment = await evening.pay(amount, tab=tab, scenario="callback_lost")
    for seconds in (31, 22):
        await evening.wait(seconds)
        assert await ask_about_due(evening.rt, evening.pushes.daraja) == 1
    view = await evening.view(payment)
    assert (view.status, view.receipt) == (Status.COMPLETED, None)
    return payment


@pytest.mark.req("PAY-2.3")
@pytest.mark.failure(57)
async def test_a_claim_that_is_disproved_does_not_undo_what_was_sent_by_hand(
    told: DirectMoney, new_tab: NewTab
) -> None:
    evening = told.evening
    told.lose("confirmation", None)
    theirs, wrong_tab = await new_tab(400), await new_tab(400)
    true_id = await codeless(evening, 400, theirs)
    wrong_id = await evening.pay(400, tab=wrong_tab, phone="254700200001", scenario="unreachable")
    await resolve(evening.rt, wrong_id, Resolution(True, "they say so", "an SMS", "staff:x", CODE))
    refund = await by_hand(evening, wrong_id, 150)
    reference = (await evening.view(true_id)).reference
    await sighted(
        evening.rt, Sighting(evening.bar.id, "sandbox", SHORTCODE, CODE, 400, "c2b", evening.clock.now(), reference)
    )
    assert (await evening.view(true_id)).receipt == CODE
    assert (await evening.tab(theirs)).paid == 400
    # Nothing came from this guest, and 150 left for them.
    assert await rows(evening, wrong_tab.id) == [("reversal", -400), ("refund", -150), ("payment", 400)]
    assert (await evening.tab(wrong_tab)).paid == -150
    assert (await told.refund(refund)).state == "refunded"
    assert "claim_disproved" in await evening.problems(wrong_id)


async def test_a_match_that_was_wrong_does_not_take_it_along(told: DirectMoney, new_tab: NewTab) -> None:
    evening = told.evening
    told.lose("confirmation", None)
    ours, theirs = await new_tab(400), await new_tab(400)
    our_id = await codeless(evening, 400, ours)
    await by_hand(evening, our_id, 150)
    at = await evening.rt.db.fetchval("select created_at from tab_payments where transaction_id = $1", our_id)
    placed = await sighted(evening.rt, Sighting(evening.bar.id, "sandbox", SHORTCODE, CODE, 400, "statement", at))
    await matching.match_to_payment(
        evening.rt, evening.bar.id, placed.receipt_id, our_id, by="staff:x", reason="they say so"
    )
    assert (await told.known(CODE)).transaction_id == our_id
    their_id = await codeless(evening, 400, theirs)
    reference = (await evening.view(their_id)).reference
    await sighted(evening.rt, Sighting(evening.bar.id, "sandbox", SHORTCODE, CODE, 400, "c2b", at, reference))
    assert (await evening.view(their_id)).receipt == CODE
    # Safaricom had said that this one was paid too; only whose code that was has changed.
    assert await rows(evening, ours.id) == [("refund", -150), ("payment", 400)]
    assert "no_receipt" in await evening.problems(our_id)
    assert await rows(evening, theirs.id) == [("payment", 400)]


@pytest.mark.parametrize("way", ["callback", "confirmation"])
async def test_a_proof_smaller_than_what_has_gone_is_booked_at_once_and_a_person_told(
    told: DirectMoney, new_tab: NewTab, way: str
) -> None:
    evening = told.evening
    told.lose("confirmation", None)
    tab = await new_tab(400)
    payment = await codeless(evening, 400, tab)
    refund = await by_hand(evening, payment, 400)
    if way == "callback":
        assert await evening.hear(Said(evening).paid(CODE, 300), evening.token()) == "applied"
    else:
        reference = (await evening.view(payment)).reference
        await sighted(
            evening.rt, Sighting(evening.bar.id, "sandbox", SHORTCODE, CODE, 300, "c2b", evening.clock.now(), reference)
        )
    assert (await evening.view(payment)).receipt == CODE
    assert await rows(evening, tab.id) == [("refund", -400), ("correction", -100), ("payment", 400)]
    problem = await evening.rt.db.fetchrow(
        "select p.severity, p.detail, r.receipt from problems p join mpesa_receipts r on p.subject = r.id::text "
        "where p.kind = 'given_back_too_much' and p.closed_at is null"
    )
    assert problem is not None
    assert (problem["severity"], problem["receipt"]) == ("critical", CODE)
    assert (problem["detail"]["amount"], problem["detail"]["received"]) == (100, 300)
    assert (await told.refund(refund)).state == "refunded"
    receipt_id = (await told.known(CODE)).id
    more = RefundWanted(evening.bar.id, 1, "once more", "by_hand", "click-0002", receipt_id, None, "SKK0000001")
    with pytest.raises(RefundRefused):
        await refunds.request(evening.rt, more, by="staff:manager")

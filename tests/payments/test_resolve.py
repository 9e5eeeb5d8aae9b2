"""A person decides what Safaricom will not tell; Safaricom's proof stands above them, in any order of arrival."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from kaunta.core.errors import BadRequest
from kaunta.payments.reconcile import NothingToAsk, check_now, reconcile
from kaunta.payments.resolve import NotResolved, ReceiptUsed, Resolution, resolve
from kaunta.payments.states import Status
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.scenarios import Callback, Query
from tests.payments.conftest import FRIENDS, Evening
from tests.support.bars import OpenTab

SAW_IT = {"reason": "no answer for ten minutes", "evidence": "the till's SMS", "by": "staff:test"}


@pytest.fixture
def paid() -> Resolution:
    return Resolution(paid=True, **SAW_IT)


@pytest.fixture
def not_paid() -> Resolution:
    return Resolution(paid=False, **SAW_IT)


#: The money moves at once; the callback takes twelve minutes, and queries say nothing.
SLOW_WORD = replace(CATALOGUE["paid"], callbacks=(Callback(after=720),), query=Query(stuck=True))


@pytest.mark.req("PAY-4.4")
@pytest.mark.failure(68)
async def test_a_person_books_an_unknown_payment_and_it_is_audited(evening: Evening, paid: Resolution) -> None:
    payment = await evening.pay(500, scenario="ack_and_callback_lost")
    await evening.live_on(320)
    applied = await resolve(evening.rt, payment, paid)
    assert applied.after is Status.COMPLETED
    view = await evening.view(payment)
    assert set(view.irregularities) == {"late", "no_receipt", "by_hand"}
    assert (await evening.tab()).paid == 500
    row = await evening.rt.db.fetchrow(
        "select reason, detail, actor from audit_events where action = 'payment.resolved'"
    )
    assert row is not None
    assert row["reason"] == SAW_IT["reason"]
    assert row["detail"]["evidence"] == SAW_IT["evidence"]
    assert row["actor"] == "staff:test"


async def test_not_paid_needs_ten_minutes(evening: Evening, not_paid: Resolution) -> None:
    payment = await evening.pay(500, scenario="ack_and_callback_lost")
    await evening.live_on(320)
    with pytest.raises(NotResolved):
        await resolve(evening.rt, payment, not_paid)
    await evening.live_on(300)
    await resolve(evening.rt, payment, not_paid)
    assert (await evening.view(payment)).status is Status.FAILED
    assert (await evening.tab()).paid == 0


@pytest.mark.failure(52, 68)
async def test_a_success_after_not_paid_is_booked_all_the_same(evening: Evening, not_paid: Resolution) -> None:
    payment = await evening.pay(500, scenario=replace(CATALOGUE["late_success"], delay=900))
    await evening.live_on(640)
    await resolve(evening.rt, payment, not_paid)
    await evening.live_on(300)
    view = await evening.view(payment)
    assert view.status is Status.COMPLETED
    assert "contradicted" in view.irregularities
    assert (await evening.tab()).paid == 500


@pytest.mark.parametrize("missing", ["reason", "evidence"])
async def test_a_decision_needs_reason_and_evidence(evening: Evening, missing: str) -> None:
    payment = await evening.pay(500, scenario="ack_and_callback_lost")
    await evening.live_on(320)
    with pytest.raises(BadRequest):
        await resolve(evening.rt, payment, Resolution(paid=True, **{**SAW_IT, missing: " "}))
    assert (await evening.view(payment)).status is Status.TIMEOUT


async def test_a_true_receipt_after_a_decision_is_filled_in_and_credited_once(
    evening: Evening, paid: Resolution
) -> None:
    payment = await evening.pay(500, scenario=SLOW_WORD)
    await evening.live_on(320)
    await resolve(evening.rt, payment, paid)
    await evening.settle()
    view = await evening.view(payment)
    assert view.receipt is not None
    assert (await evening.tab()).paid == 500


@pytest.mark.failure(57)
async def test_a_code_proven_for_another_payment_cannot_be_used(
    evening: Evening, new_tab: Callable[[int], Awaitable[OpenTab]]
) -> None:
    other = await evening.pay(500, tab=await new_tab(500), phone=FRIENDS[0], scenario="paid")
    await evening.settle()
    used = (await evening.view(other)).receipt
    payment = await evening.pay(500, phone=FRIENDS[1], scenario="ack_and_callback_lost")
    await evening.live_on(320)
    with pytest.raises(ReceiptUsed):
        await resolve(evening.rt, payment, Resolution(paid=True, receipt=used, **SAW_IT))
    assert (await evening.tab()).paid == 0


@pytest.mark.failure(66)
async def test_a_claimed_code_gives_way_to_the_payment_it_is_proven_for(
    evening: Evening, new_tab: Callable[[int], Awaitable[OpenTab]]
) -> None:
    theirs = await new_tab(500)
    true_owner = await evening.pay(500, tab=theirs, phone=FRIENDS[0], scenario=SLOW_WORD)
    wrong = await evening.pay(500, phone=FRIENDS[1], scenario="ack_and_callback_lost")
    await evening.live_on(320)
    code = evening.simulator.simulator.ledger[0].receipt
    await resolve(evening.rt, wrong, Resolution(paid=True, receipt=code, **SAW_IT))
    assert (await evening.tab()).paid == 500

    await evening.settle()

    assert (await evening.view(true_owner)).receipt == code
    assert (await evening.tab(theirs)).paid == 500
    assert (await evening.tab()).paid == 0, "what rested on the claim alone is taken back"
    assert "claim_disproved" in await evening.problems(wrong)
    kinds = [entry.kind for entry in (await evening.tab()).entries]
    assert kinds == ["payment", "reversal"], "by a row of its own, nothing is rewritten"


async def test_asking_now_settles_a_payment_whose_callback_was_lost(evening: Evening) -> None:
    payment = await evening.pay(500, scenario="callback_lost")
    await evening.settle()
    await check_now(evening.rt, evening.pushes.daraja, payment)
    await evening.wait(25)
    await check_now(evening.rt, evening.pushes.daraja, payment)
    assert (await evening.view(payment)).status is Status.COMPLETED


async def test_a_payment_that_was_never_named_cannot_be_asked_about(evening: Evening) -> None:
    payment = await evening.pay(500, scenario="ack_and_callback_lost")
    with pytest.raises(NothingToAsk):
        await check_now(evening.rt, evening.pushes.daraja, payment)


async def test_reconciling_asks_about_everything_without_an_end(evening: Evening) -> None:
    lost = await evening.pay(300, phone=FRIENDS[0], scenario="cancelled")
    await evening.pay(300, phone=FRIENDS[1], scenario="person")
    since = evening.clock.before(3_600)
    dry = await reconcile(evening.rt, evening.pushes.daraja, since=since, bar_id=evening.bar.id, dry_run=True)
    assert {result.after for result in dry} == {Status.SENT}
    await evening.wait(10)
    await reconcile(evening.rt, evening.pushes.daraja, since=since, bar_id=None)
    assert (await evening.view(lost)).status is Status.CANCELLED

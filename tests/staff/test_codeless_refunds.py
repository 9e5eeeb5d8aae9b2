"""Giving back a payment whose M-Pesa code nobody knows: by hand, with the code of the way back, and once."""

from collections.abc import Awaitable, Callable

import pytest_asyncio

from kaunta.payments import views
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.receipts import Sighting, sighted
from kaunta.payments.silence import ask_about_due
from kaunta.payments.views import PaymentView
from tests.staff.conftest import Reader
from tests.support.bars import SeededBar, Staff
from tests.support.door import Served
from tests.support.safaricom import Safaricom

SignIn = Callable[[Staff], Awaitable[str]]
CODE, BACK = "SKK1A2B3C4", "SKK9Z8Y7X6"


@pytest_asyncio.fixture
async def codeless(application: Served, simulator: Safaricom, bar: SeededBar) -> PaymentView:
    """Two questions said that it was paid, and no receipt was told."""
    simulator.simulator.queue_scenario("callback_lost")
    intent = Intent(bar.tab.ref, "254708374149", 400)
    started = await initiate(application.rt, application.pushes, intent)
    await started.answered()
    for seconds in (31, 22):
        await simulator.advance(seconds)
        assert await ask_about_due(application.rt, application.pushes.daraja) == 1
    found = await views.payment(application.rt, started.transaction_id)
    assert found is not None
    assert (found.status, found.receipt) == ("completed", None)
    return found


async def ledger(application: Served, bar: SeededBar) -> list[tuple[str, int]]:
    rows = await application.rt.db.fetch(
        "select kind, amount from tab_payments where bar_id = $1 order by amount desc", bar.id
    )
    return [(row["kind"], row["amount"]) for row in rows]


async def test_what_was_sent_by_hand_is_recorded_once(
    read: Reader, signed_in: SignIn, application: Served, bar: SeededBar, codeless: PaymentView
) -> None:
    token = await signed_in(bar.owner)
    at = f"/staff/payments/{codeless.reference}/refund"
    assert at in (await read(f"/staff/payments/{codeless.reference}")).text
    page = await read(at)
    assert "takes money back by its code only" in page.text
    assert 'value="reversal"' not in page.text
    # Whatever the form says: nothing without a code can be reversed.
    form = {"csrf": token, "amount": "150", "reason": "paid twice", "method": "reversal", "key": "key-12345"}
    missing = await read(at, data=form)
    assert (missing.status, "The code of the M-Pesa message" in missing.text) == (400, True)
    too_much = await read(at, data=form | {"code": BACK, "amount": "401", "key": "key-other"})
    assert (too_much.status, "More than is left" in too_much.text) == (422, True)
    done = await read(at, data=form | {"code": BACK})
    assert done.path.startswith("/staff/refunds/")
    assert "given back" in done.text
    assert (await read(at, data=form | {"code": BACK})).path == done.path
    assert await ledger(application, bar) == [("payment", 400), ("refund", -150)]
    assert "at most KES 250" in (await read(at)).text
    assert "no code yet" in (await read("/staff/refunds")).text


async def test_a_code_that_comes_while_somebody_types_takes_the_refund_along(
    read: Reader, signed_in: SignIn, application: Served, bar: SeededBar, codeless: PaymentView
) -> None:
    token = await signed_in(bar.owner)
    at = f"/staff/payments/{codeless.reference}/refund"
    await read(at)
    seen = Sighting(bar.id, "sandbox", "174379", CODE, 400, "c2b", application.rt.clock.now(), codeless.reference)
    placed = await sighted(application.rt, seen)
    form = {"csrf": token, "amount": "150", "reason": "paid twice", "method": "by_hand", "key": "key-12345"}
    done = await read(at, data=form | {"code": BACK})
    assert f"/staff/receipts/{placed.receipt_id}" in done.text
    assert await ledger(application, bar) == [("payment", 400), ("refund", -150)]
    page = await read(f"/staff/payments/{codeless.reference}")
    assert f'<a href="/staff/receipts/{placed.receipt_id}">{CODE}</a>' in page.text
    assert "at most KES 250" in (await read(at)).text
    assert "M-Pesa takes it back" in (await read(at)).text


async def test_nothing_is_given_back_of_what_was_not_paid_or_by_whoever_may_not(
    read: Reader, signed_in: SignIn, bar: SeededBar, application: Served, simulator: Safaricom
) -> None:
    simulator.simulator.queue_scenario("cancelled")
    started = await initiate(application.rt, application.pushes, Intent(bar.tab.ref, "254708374149", 400))
    await started.answered()
    await simulator.settle()
    at = f"/staff/payments/{started.transaction_id}/refund"
    token = await signed_in(bar.waiter)
    assert (await read(at)).status == 403
    assert (await read(at, data={"csrf": token, "amount": "1"})).status == 403
    await signed_in(bar.owner)
    page = await read(at)
    assert (page.status, "Nothing was credited" in page.text) == (404, True)

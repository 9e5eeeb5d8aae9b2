"""Starting a payment: what is recorded before anything is sent, and that the same request is the same payment."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest

from kaunta.payments.errors import (
    KeyReused,
)
from kaunta.payments.states import Status
from kaunta.tabs.errors import AmountRefused
from tests.support.bars import OpenTab

from .conftest import FRIENDS, PHONE, Evening

NewTab = Callable[[int], Awaitable[OpenTab]]


@pytest.mark.req("PAY-1.1", "PAY-1.4", "PAY-6.1", "PAY-6.2")
@pytest.mark.failure(46, 63)
async def test_an_accepted_push_is_sent_with_daraja_s_ids_kept(evening: Evening) -> None:
    payment = await evening.pay(400)
    view, row, push = await evening.view(payment), await evening.row(payment), evening.push()
    assert (view.status, view.stage, view.tab_id) == (Status.SENT, "check_phone", evening.bar.tab.id)
    assert push.wanted.amount == view.amount == 400
    assert push.wanted.reference == view.reference
    assert row["merchant_request_id"] == push.merchant_id
    assert row["checkout_request_id_hash"] == evening.rt.keys.index("checkout_request_id", push.checkout_id)
    assert await evening.events(payment) == ["created", "changed"]


@pytest.mark.failure(46)
async def test_the_intent_is_committed_before_the_phone_rings(evening: Evening) -> None:
    started = await evening.start(scenario="slow_answer")
    await evening.rung()
    assert (await evening.view(started.transaction_id)).status is Status.PENDING
    await evening.simulator.advance(25)
    await started.answered()
    assert (await evening.view(started.transaction_id)).status is Status.SENT


@pytest.mark.req("PAY-5.1", "PAY-5.3")
async def test_neither_phone_nor_token_nor_daraja_s_id_is_stored_readable(evening: Evening) -> None:
    await evening.pay()
    text = ""
    for table in ("mpesa_transactions", "payment_events", "daraja_exchanges", "audit_events", "problems"):
        text += await evening.rt.db.fetchval(f"select json_agg(t)::text from {table} t") or ""
    assert "TB-" in text
    for secret in (PHONE, PHONE[3:], evening.token(), evening.push().checkout_id, f"passkey-of-{evening.bar.id.hex}"):
        assert secret not in text


# Idempotency


@pytest.mark.req("PAY-7.4", "PAY-P15")
async def test_the_same_key_is_the_same_payment_and_one_push(evening: Evening) -> None:
    first = await evening.start(key="tap")
    again = await evening.start(key="tap")
    await first.answered()
    assert again.transaction_id == first.transaction_id
    assert (first.replayed, again.replayed) == (False, True)
    assert len(evening.simulator.simulator.pushes) == 1


@pytest.mark.req("PAY-7.4", "PAY-P15")
@pytest.mark.failure(42)
async def test_twenty_taps_at_once_with_one_key_are_one_payment(evening: Evening) -> None:
    all_of_them = await asyncio.gather(*(evening.start(key="tap") for _ in range(20)))
    await asyncio.gather(*(one.answered() for one in all_of_them))
    assert len({one.transaction_id for one in all_of_them}) == 1
    assert sum(not one.replayed for one in all_of_them) == 1
    assert len(evening.simulator.simulator.pushes) == 1


async def test_the_same_key_with_another_body_is_refused(evening: Evening) -> None:
    await evening.pay(400, key="tap")
    for other in ({"amount": 401}, {"phone": FRIENDS[1]}, {"retry_of": uuid4()}):
        with pytest.raises(KeyReused):
            await evening.start(**({"amount": 400, "key": "tap"} | other))  # type: ignore[arg-type]
    assert len(evening.simulator.simulator.pushes) == 1


async def test_the_same_number_typed_in_another_way_is_the_same_request(evening: Evening) -> None:
    first = await evening.start(phone="0708 374 149", key="tap")
    assert (await evening.start(phone="+254-708-374149", key="tap")).transaction_id == first.transaction_id
    await first.answered()


async def test_a_key_belongs_to_its_tab(evening: Evening, new_tab: NewTab) -> None:
    first = await evening.pay(key="tap")
    assert await evening.pay(key="tap", tab=await new_tab(600)) != first


async def test_a_key_is_forgotten_after_a_day(evening: Evening) -> None:
    first = await evening.pay(400, key="tap")
    await evening.settle()
    await evening.wait(24 * 3600 + 1)
    assert await evening.pay(400, key="tap") != first


async def test_a_refused_request_keeps_no_key(evening: Evening) -> None:
    with pytest.raises(AmountRefused):
        await evening.start(1_001, key="tap")
    payment = await evening.pay(900, key="tap")
    assert (await evening.view(payment)).amount == 900

"""Where payments stand, asked by many at one moment."""

import asyncio
from uuid import uuid4

from kaunta.payments import current
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.views import payment
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

PHONES = ("254708374149", "254711040401", "254711040402")


async def test_many_who_ask_at_once_are_each_told_of_their_own_payment(
    application: Served, bar: SeededBar, simulator: Safaricom
) -> None:
    rt = application.rt
    begun = []
    for phone in PHONES:
        started = await initiate(rt, application.pushes, Intent(bar.tab.ref, phone, 100))
        await started.answered()
        begun.append(started.transaction_id)
    await simulator.settle()
    await application.pushes.drain()
    asked = [*begun, uuid4(), *begun]
    told = await asyncio.gather(*(current.state(rt, id_) for id_ in asked))
    assert [one.id if one else None for one in told] == [*begun, None, *begun]
    for one in told:
        seen = await payment(rt, one.id) if one else None
        assert (one is None) == (seen is None)
        if one and seen:
            assert (one.status, one.received, one.receipt) == (seen.status, seen.received, seen.receipt)
            assert (one.phone_masked, one.meaning) == (seen.phone_masked, seen.meaning)
            assert (one.retryable, one.retry_after) == (seen.retryable, seen.retry_after)
            assert (one.created_at, one.updated_at) == (seen.created_at, seen.updated_at)

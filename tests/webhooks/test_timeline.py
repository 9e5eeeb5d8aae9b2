"""A payment's timeline says which of the bar's programs were told, and of their addresses no more than the host."""

import json

from kaunta.core.runtime import Runtime
from kaunta.payments.bundle import support_bundle
from kaunta.payments.timeline import Kind, attempts
from kaunta.payments.views import payment
from tests.support.bars import SeededBar
from tests.webhooks.conftest import Evening, Listens, Receiver

TOKEN = "sk-of-the-receivers-own-4711"


async def test_the_timeline_says_what_became_of_each_message(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar, rt: Runtime
) -> None:
    await listens(f"/pos/{TOKEN}")
    await listens(f"/deaf/{TOKEN}?key={TOKEN}")
    receiver.answers[f"/deaf/{TOKEN}"] = 500
    paid = await evening.pays(bar.tab, 400)
    await evening.turn()
    (only,) = await attempts(rt, paid)
    told = {moment.text: moment.detail for moment in only.moments if moment.kind is Kind.NOTICE}
    assert told == {
        "webhook payment.completed to 127.0.0.1: delivered": {"tries": 1, "error": None},
        "webhook payment.completed to 127.0.0.1: waits to be sent": {"tries": 1, "error": "http_500"},
    }
    await rt.db.execute("update webhook_messages set given_up_at = $1 where delivered_at is null", rt.clock.now())
    (only,) = await attempts(rt, paid)
    assert "webhook payment.completed to 127.0.0.1: not delivered, given up" in {one.text for one in only.moments}
    seen = await payment(rt, paid)
    assert seen is not None
    bundle = json.dumps(await support_bundle(rt, seen, by="staff:x"), ensure_ascii=False)
    assert "webhook payment.completed to 127.0.0.1: delivered" in bundle
    assert TOKEN not in bundle
    assert TOKEN not in repr(only)

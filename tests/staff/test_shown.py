"""What the guest's phone said, and when, on the payment's page at the counter."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest

from kaunta.core.runtime import Runtime
from tests.customer.conftest import outcome, paying
from tests.staff.counters import Counter, Enter, at_counter
from tests.support.bars import SeededBar

__all__ = ["at_counter", "outcome", "paying"]

SENT, PAID = "shown to the guest: waiting", "shown to the guest: paid"


async def shown(rt: Runtime, payment: UUID, states: int) -> list[str]:
    """What was written, once that is so many states: it is written behind the answers."""
    async with asyncio.timeout(60):
        while True:
            rows = await rt.db.fetch(
                "select status::text as status from payment_showings where transaction_id = $1 order by at",
                payment,
            )
            if len(rows) >= states:
                return [row["status"] for row in rows]
            await asyncio.sleep(0.02)


@pytest.mark.req("PAY-4.2")
async def test_the_timeline_says_when_the_guests_phone_said_paid(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    payment = await counter.payment("paid", 0)
    # A machine's question is nobody's phone.
    assert (await counter.read(f"/api/payments/mpesa/status/{payment}")).status == 200
    page = await counter.read(f"/staff/payments/{payment}")
    assert "shown to the guest:" not in page.text
    await counter.simulator.advance(5)
    for _ in range(3):
        assert "Paid. Thank you!" in (await counter.read(f"/p/{payment}")).text
    assert await shown(counter.rt, payment, 1) == ["completed"]
    page = await counter.read(f"/staff/payments/{payment}")
    assert page.text.index("sent → completed") < page.text.index(PAID)
    assert SENT not in page.text
    only = await counter.read(f"/staff/payments/{payment}?kind=shown")
    assert (PAID in only.text, "sent → completed" in only.text) == (True, False)


async def test_an_open_page_that_is_told_nothing_new_is_shown_nothing(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.waiter))
    payment = await counter.payment("person", 0)
    page = await counter.read(f"/p/{payment}")
    assert await shown(counter.rt, payment, 1) == ["sent"]
    await counter.application.app.state.showings.drain()
    counter.application.app.state.showings.remembered.clear()
    await counter.rt.db.execute("delete from payment_showings")
    polled = await counter.read(f"/p/{payment}", x_fragment="main", if_none_match=page.headers["ETag"])
    assert polled.status == 204
    changed = await counter.read(f"/p/{payment}", x_fragment="main", if_none_match="another")
    assert changed.status == 200
    assert await shown(counter.rt, payment, 1) == ["sent"]


async def test_a_guest_is_answered_though_nothing_can_be_written(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.waiter))
    payment = await counter.payment("paid", 0)
    await counter.rt.db.execute("alter table payment_showings rename to elsewhere")
    assert "Paid. Thank you!" in (await counter.read(f"/p/{payment}")).text
    await counter.application.app.state.showings.drain(60)
    await counter.rt.db.execute("alter table elsewhere rename to payment_showings")
    assert "Paid. Thank you!" in (await counter.read(f"/p/{payment}")).text
    assert await shown(counter.rt, payment, 1) == ["completed"]

"""A typed code proves to be another payment's in the very moment in which the payment's own receipt comes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kaunta.core.db import connect
from kaunta.payments.resolve import Resolution, resolve
from tests.support.bars import OpenTab

from .conftest import FRIENDS, Evening, Said

NewTab = Callable[[int], Awaitable[OpenTab]]


@pytest.mark.failure(57)
@pytest.mark.parametrize("first", [0, 1], ids=["its own receipt is first", "the other's proof is first"])
async def test_whichever_of_two_proofs_is_first_both_payments_stay_credited(
    evening: Evening, said: Said, new_tab: NewTab, database_url: str, first: int
) -> None:
    """The other's proof once looked at the claim, waited for the tab, and took back what had become proven."""
    theirs = await new_tab(500)
    true_owner = await evening.pay(500, tab=theirs, phone=FRIENDS[0], scenario="person")
    wrong = await evening.pay(500, phone=FRIENDS[1], scenario="person")
    word = Resolution(paid=True, reason="no answer", evidence="the guest's SMS", by="staff:test", receipt="THEIRCODE1")
    await resolve(evening.rt, wrong, word)
    other = evening.push(0)
    proofs = [
        (said.paid("OWNCODE001"), evening.token(1)),
        (
            said.paid("THEIRCODE1", CheckoutRequestID=other.checkout_id, MerchantRequestID=other.merchant_id),
            evening.token(0),
        ),
    ]
    hearing = []
    async with connect(database_url) as other_hands, other_hands.transaction():
        # Both are on their way to the tab that the word credited, one behind the other.
        await other_hands.execute("select from tabs where id = $1 for update", evening.bar.tab.id)
        for waiting, which in enumerate((first, 1 - first), start=1):
            hearing.append(asyncio.create_task(evening.hear(*proofs[which])))
            await somebody_waits(evening, waiting)
    assert await asyncio.gather(*hearing) == ["applied", "applied"]
    assert [(await evening.view(payment)).receipt for payment in (true_owner, wrong)] == ["THEIRCODE1", "OWNCODE001"]
    assert (await evening.tab(theirs)).paid == 500
    assert (await evening.tab()).paid == 500


async def somebody_waits(evening: Evening, many: int) -> None:
    """Until so many transactions wait for the tab."""
    sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with asyncio.timeout(60):
        while await evening.rt.db.fetchval(sql) < many:
            await asyncio.sleep(0.005)

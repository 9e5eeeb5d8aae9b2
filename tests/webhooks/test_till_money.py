"""A bar's programs hear of money that came straight to the till too: once it is on a tab, when it leaves it again, and
when nobody knows whose it is."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kaunta.core.db import transaction
from kaunta.payments import matching
from kaunta.payments.looking_again import LOOK_AGAIN_SECONDS, note_nobodys
from kaunta.payments.receipts import APART_SECONDS, Placed, Sighting, place, prepare, sighted
from kaunta.webhooks import telling
from tests.support.bars import OpenTab, SeededBar

from .conftest import Evening, Listens, Receiver, tell

Paid = Callable[..., Awaitable[Placed]]


@pytest.fixture
def at_till(evening: Evening, bar: SeededBar) -> Paid:
    """`await at_till("SKK1A2B3C4", 300, "TAB 1")`: Safaricom says that somebody paid by hand."""

    async def paid(code: str, amount: int, reference: str = "") -> Placed:
        at = evening.clock.now()
        return await sighted(
            evening.rt, Sighting(bar.id, "sandbox", "174379", code, amount, "c2b", at, reference, "2547 ***** 126")
        )

    return paid


def told(receiver: Receiver) -> list[tuple[Any, ...]]:
    """What came, in its order, without what every message has."""
    said = [(post.said["type"], post.said["data"]) for post in receiver.at("/pos")]
    return [
        (type_, data["mpesaReceiptNumber"], data["amountReceived"], data["tabNumber"], data["irregularities"])
        for type_, data in said
    ]


async def test_money_with_the_tabs_number_is_told_as_completed(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar, at_till: Paid
) -> None:
    added = await listens("/pos")
    await at_till("SKK1A2B3C4", 300, f"TAB {bar.tab.number}")
    assert await evening.turn() == 1
    (post,) = receiver.at("/pos")
    assert post.verifies(added.secret.reveal())
    assert post.said["type"] == "payment.completed"
    assert post.said["data"] == {
        "barId": str(bar.id), "environment": "sandbox", "transactionId": None, "reference": None,
        "tabNumber": bar.tab.number, "amount": None, "status": "completed", "amountReceived": 300,
        "mpesaReceiptNumber": "SKK1A2B3C4", "irregularities": [],
    }  # fmt: skip
    # Safaricom says everything twice.
    await at_till("SKK1A2B3C4", 300, f"TAB {bar.tab.number}")
    assert await evening.turn() == 0


async def test_what_a_person_matches_and_takes_back_is_told_with_what_is_unusual(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar, at_till: Paid,
    new_tab: Callable[[int], Awaitable[OpenTab]],
) -> None:  # fmt: skip
    await listens("/pos")
    small = await new_tab(100)
    placed = await at_till("SKK1A2B3C5", 300)
    assert await evening.turn() == 0
    by = {"by": f"staff:{bar.owner.account_id}", "reason": "the guest showed the SMS"}
    await matching.match_to_tab(evening.rt, bar.id, placed.receipt_id, small.id, **by)
    await evening.turn()
    completed = ("payment.completed", "SKK1A2B3C5", 300, small.number, ["overpaid"])
    assert sorted(told(receiver)) == [completed, ("payment.irregular", *completed[1:])]
    receiver.posts.clear()
    await matching.take_back(evening.rt, bar.id, placed.receipt_id, **by)
    await matching.match_to_tab(evening.rt, bar.id, placed.receipt_id, bar.tab.id, **by)
    await evening.turn()
    assert sorted(told(receiver)) == [
        ("payment.completed", "SKK1A2B3C5", 300, bar.tab.number, []),
        ("payment.irregular", "SKK1A2B3C5", -300, small.number, ["claim_disproved"]),
    ]


async def test_money_that_stays_on_no_tab_is_told_once_and_only_after_its_time_to_find_one(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar, at_till: Paid
) -> None:
    await listens("/pos")
    await at_till("SKK1A2B3C6", 250)
    await at_till("SKK1A2B3C7", 50, f"TAB {bar.tab.number}")
    assert await note_nobodys(evening.rt) == 0
    evening.clock.advance(APART_SECONDS + 1)
    assert await note_nobodys(evening.rt) == 1
    assert await note_nobodys(evening.rt) == 0
    await evening.turn()
    assert ("payment.irregular", "SKK1A2B3C6", 250, None, ["unmatched"]) in told(receiver)
    assert len(told(receiver)) == 2
    await at_till("SKK1A2B3C8", 60)
    evening.clock.advance(LOOK_AGAIN_SECONDS + 1)
    assert await note_nobodys(evening.rt) == 0


async def test_money_that_proves_to_be_a_payments_leaves_the_tab_it_was_matched_to(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar, at_till: Paid,
    new_tab: Callable[[int], Awaitable[OpenTab]],
) -> None:  # fmt: skip
    await listens("/pos")
    theirs = await new_tab(500)
    payment = await evening.pays(bar.tab, 400, "callback_lost")
    placed = await at_till("SKK1A2B3C9", 400)
    await matching.match_to_tab(
        evening.rt, bar.id, placed.receipt_id, theirs.id, by="staff:cashier", reason="they say it is theirs"
    )
    reference = await evening.rt.db.fetchval("select reference from mpesa_transactions where id = $1", payment)
    await at_till("SKK1A2B3C9", 400, reference)
    await evening.turn()
    assert sorted(told(receiver)) == [
        ("payment.completed", "SKK1A2B3C9", 400, bar.tab.number, []),
        ("payment.completed", "SKK1A2B3C9", 400, theirs.number, []),
        ("payment.irregular", "SKK1A2B3C9", -400, theirs.number, ["claim_disproved"]),
    ]
    (paid,) = [post.said["data"] for post in receiver.at("/pos") if post.said["data"]["tabNumber"] == bar.tab.number]
    assert paid["transactionId"] == str(payment)


async def test_payments_and_till_money_of_one_evening_are_told_once_each_however_the_turns_are_cut(
    evening: Evening, listens: Listens, bar: SeededBar, at_till: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By marks that stop in the middle, by workers who read anew, and in a restored copy."""
    monkeypatch.setattr(telling, "AT_ONCE", 2)
    await listens("/pos")
    for number in range(3):
        await at_till(f"SKK1A2B3D{number}", 10 + number, f"TAB {bar.tab.number}")
        await evening.pays(bar.tab, 20 + number)
    for _ in range(6):
        await tell(evening.rt)
    await evening.rt.db.execute("update webhook_marks set cluster = 1, xact = '999999999', id = 7")
    await tell(evening.rt)
    bodies = [json.loads(row["body"]) for row in await evening.rt.db.fetch("select body from webhook_messages")]
    assert {body["type"] for body in bodies} == {"payment.completed"}
    assert sorted(body["data"]["amountReceived"] for body in bodies) == [10, 11, 12, 20, 21, 22]


async def test_what_one_transaction_did_is_told_whole_where_a_mark_stops_in_it(
    evening: Evening, listens: Listens, bar: SeededBar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "AT_ONCE", 1)
    await listens("/pos")
    at = evening.clock.now()
    seen = [
        Sighting(bar.id, "sandbox", "174379", f"SKK1A2B3E{number}", 10 + number, "c2b", at, f"TAB {bar.tab.number}")
        for number in range(3)
    ]
    plans = [await prepare(evening.rt, each) for each in seen]
    async with transaction(evening.rt.db) as db:
        for plan, each in zip(plans, seen, strict=True):
            await place(db, evening.rt, plan, each)
    turns = [await tell(evening.rt) for _ in range(4)]
    assert turns == [1, 1, 1, 0]
    assert await evening.rt.db.fetchval("select count(distinct event_id) from webhook_messages") == 3

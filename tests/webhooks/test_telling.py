"""What a bar's programs are told: every completion, irregularity and refund of that bar, once each, and of no other."""

import asyncio
import json

import asyncpg
import pytest

from kaunta.core.db import connect
from kaunta.core.runtime import Runtime
from kaunta.payments.queries import sightings
from kaunta.payments.refunds import RefundWanted, request
from kaunta.settings import Settings
from tests.support.bars import SeededBar

from .conftest import PHONE, Evening, Listens, Receiver, tell


async def test_a_completed_payment_is_told_with_a_signature_that_verifies(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    added = await listens("/pos")
    payment_id = await evening.pays(bar.tab)
    assert await evening.turn() == 1
    (post,) = receiver.at("/pos")
    assert post.verifies(added.secret.reveal())
    assert not post.verifies("whsec_" + "A" * 44)
    assert int(post.headers["webhook-timestamp"]) == int(evening.clock.now().timestamp())
    said = post.said
    assert said["type"] == "payment.completed"
    told = said["data"]
    assert (told["transactionId"], told["barId"], told["status"]) == (str(payment_id), str(bar.id), "completed")
    assert (told["amount"], told["amountReceived"], told["tabNumber"]) == (400, 400, bar.tab.number)
    assert told["mpesaReceiptNumber"]
    assert (told["irregularities"], told["environment"]) == ([], "sandbox")
    assert await evening.turn() == 0


async def test_no_message_holds_a_phone_a_name_or_a_reference_that_opens_a_guests_page(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    await listens("/pos")
    await evening.pays(bar.tab, phone=PHONE)
    await evening.turn()
    receipt_ref = await rt.db.fetchval("select receipt_ref from mpesa_transactions")
    text = receiver.at("/pos")[0].body.decode()
    for private in (PHONE, PHONE[3:], "•••", bar.tab.ref, receipt_ref, bar.tab.device):
        assert private not in text


async def test_an_unusual_payment_is_told_as_unusual_too(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    await listens("/pos")
    await evening.pays(bar.tab, 400, "amount_differs")
    assert await evening.turn() == 2
    assert receiver.types("/pos") == ["payment.completed", "payment.irregular"]
    for post in receiver.at("/pos"):
        assert post.said["data"]["irregularities"] == ["underpaid"]
        assert (post.said["data"]["amount"], post.said["data"]["amountReceived"]) == (400, 390)
    assert len({post.id for post in receiver.at("/pos")}) == 2


async def test_a_payment_that_failed_is_told_to_nobody(evening: Evening, listens: Listens, bar: SeededBar) -> None:
    await listens("/pos")
    await evening.pays(bar.tab, 400, "cancelled")
    assert await evening.turn() == 0


async def test_a_refund_is_told(
    evening: Evening, rt: Runtime, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    await listens("/pos")
    payment_id = await evening.pays(bar.tab)
    code = await rt.db.fetchval("select receipt from mpesa_transactions")
    async with rt.db.acquire() as db:
        receipt = await sightings.seen_by_code(db, "sandbox", code)
    assert receipt is not None
    wanted = RefundWanted(bar.id, 150, "one beer too many", "by_hand", "12345678", receipt.id, code="SKK1A2B3C5")
    refund = await request(rt, wanted, by=f"staff:{bar.owner.account_id}")
    await evening.turn()
    assert receiver.types("/pos") == ["payment.completed", "payment.refunded"]
    told = next(post.said["data"] for post in receiver.at("/pos") if post.said["type"] == "payment.refunded")
    assert (told["transactionId"], told["refundId"]) == (str(payment_id), str(refund.id))
    assert (told["amountRefunded"], told["amount"], told["mpesaReceiptNumber"]) == (150, 400, code)


async def test_another_bars_program_hears_nothing(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar, other_bar: SeededBar
) -> None:
    await listens("/mine")
    await listens("/theirs", other_bar)
    await evening.pays(bar.tab)
    await evening.turn()
    assert receiver.types("/mine") == ["payment.completed"]
    assert receiver.at("/theirs") == []


async def test_what_happened_before_a_program_listened_is_not_told(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    await evening.pays(bar.tab, 100)
    evening.clock.advance(1)
    await listens("/first")
    await evening.pays(bar.tab, 200)
    evening.clock.advance(1)
    await listens("/second")
    await evening.turn()
    assert [post.said["data"]["amount"] for post in receiver.at("/first")] == [200]
    assert receiver.at("/second") == []


async def test_an_event_of_a_slow_transaction_is_told_although_a_later_one_was_told_before(
    evening: Evening, rt: Runtime, settings: Settings, receiver: Receiver, listens: Listens, bar: SeededBar
) -> None:
    """An event with a lower number that is committed later must not be skipped (rulings 24)."""
    await listens("/pos")
    first = await evening.pays(bar.tab, 100)
    assert settings.database_url is not None
    async with connect(settings.database_url.get_secret_value()) as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(
            "insert into payment_events (at, bar_id, transaction_id, kind, from_status, to_status, actor, detail) "
            "values ($1, $2, $3, 'learnt', 'completed', 'completed', 'test', $4)",
            evening.clock.now(), bar.id, first, {"irregularities": ["duplicate"]},
        )  # fmt: skip
        second = await evening.pays(bar.tab, 200)
        await evening.turn(patient=False)
        told = {post.said["data"]["transactionId"] for post in receiver.at("/pos")}
        assert str(second) not in told
        await transaction.commit()
    await evening.turn()
    told = {post.said["data"]["transactionId"] for post in receiver.at("/pos")}
    assert told == {str(first), str(second)}
    assert receiver.types("/pos") == ["payment.completed", "payment.completed", "payment.irregular"]


async def test_workers_at_once_tell_each_event_once(
    evening: Evening, rt: Runtime, listens: Listens, bar: SeededBar
) -> None:
    await listens("/pos")
    for amount in (100, 150, 200):
        await evening.pays(bar.tab, amount)
    await asyncio.gather(*(tell(rt) for _ in range(6)))
    assert await rt.db.fetchval("select count(*) from webhook_messages") == 3


async def test_in_a_restored_copy_nothing_is_told_twice_and_nothing_is_left_out(
    evening: Evening, rt: Runtime, listens: Listens, bar: SeededBar
) -> None:
    await listens("/pos")
    await evening.pays(bar.tab, 100)
    await tell(rt)
    await evening.pays(bar.tab, 200)
    # As in another cluster, whose own transactions have other numbers.
    await rt.db.execute("update webhook_marks set cluster = 1, xact = '999999999', id = 7")
    await tell(rt)
    amounts = await rt.db.fetch("select body from webhook_messages")
    assert sorted(json.loads(row["body"])["data"]["amount"] for row in amounts) == [100, 200]
    await evening.pays(bar.tab, 50)
    await tell(rt)
    assert await rt.db.fetchval("select count(*) from webhook_messages") == 3


@pytest.mark.failure(78)
async def test_money_is_taken_while_nobody_can_write_messages(
    evening: Evening, rt: Runtime, settings: Settings, listens: Listens, bar: SeededBar
) -> None:
    """Whatever holds the webhooks' tables, or breaks them: no payment waits for them, and none fails."""
    await listens("/pos")
    assert settings.database_url is not None
    async with connect(settings.database_url.get_secret_value()) as other, other.transaction():
        await other.execute("lock table webhook_endpoints, webhook_messages, webhook_marks in access exclusive mode")
        async with asyncio.timeout(60):
            payment_id = await evening.pays(bar.tab)
        assert (
            await rt.db.fetchval("select status::text from mpesa_transactions where id = $1", payment_id) == "completed"
        )
        await other.execute("alter table webhook_messages add constraint broken check (false) not valid")
    with pytest.raises(asyncpg.CheckViolationError):
        await tell(rt)
    await evening.pays(bar.tab, 100)
    await rt.db.execute("alter table webhook_messages drop constraint broken")
    await tell(rt)
    assert await evening.waiting() == 2

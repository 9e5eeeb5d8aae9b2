"""What one message writes, all of it or nothing: ledger, receipt, event, problems, and hints only afterwards."""

import asyncio

import asyncpg
import pytest

from kaunta.core.db import transaction
from kaunta.core.live import Live
from kaunta.payments import inbox, inbox_work
from kaunta.payments.callback_url import token_hash
from kaunta.payments.states import Status
from kaunta.tabs.queries import set_tab_closed

from .conftest import FRIENDS, Evening, Said


@pytest.mark.req("PAY-2.4", "PAY-2.6", "PAY-P7", "PAY-P8")
@pytest.mark.failure(48)
async def test_a_success_writes_payment_ledger_receipt_and_event_together(evening: Evening) -> None:
    payment = await evening.pay(400)
    await evening.settle()
    db = evening.rt.db
    row = await evening.row(payment)
    ledger = await db.fetchrow("select * from tab_payments where transaction_id = $1", payment)
    receipt = await db.fetchrow("select * from mpesa_receipts where transaction_id = $1", payment)
    sighting = await db.fetchrow("select * from mpesa_receipt_sightings")
    event = await db.fetchrow("select * from payment_events where transaction_id = $1 and kind = 'changed' order by id desc", payment)  # fmt: skip # noqa: E501
    callback = await db.fetchrow("select * from mpesa_callbacks")
    assert ledger and receipt and sighting and event and callback
    assert (ledger["kind"], ledger["method"], ledger["amount"], ledger["receipt"]) == (
        "payment",
        "mpesa",
        400,
        row["receipt"],
    )
    assert (receipt["ledger_id"], receipt["amount"], receipt["receipt"]) == (ledger["id"], 400, row["receipt"])
    assert (sighting["receipt_id"], sighting["channel"], sighting["callback_id"]) == (
        receipt["id"],
        "stk",
        callback["id"],
    )
    assert (event["from_status"], event["to_status"], event["actor"]) == ("sent", "completed", "safaricom")
    assert event["detail"] == {
        "reason": "paid",
        "amount": 400,
        "receipt": row["receipt"],
        "result_code": "0",
        "callback_id": callback["id"],
    }
    assert (callback["verdict"], callback["transaction_id"]) == ("applied", payment)


@pytest.mark.failure(46, 48)
@pytest.mark.parametrize(
    "trouble",
    [
        "alter table tab_payments add constraint trouble check (amount > 1000) not valid",
        "alter table mpesa_receipts add constraint trouble check (ledger_id is null) not valid",
        "alter table mpesa_transactions add constraint trouble check (status <> 'completed') not valid",
        "alter table payment_events add constraint trouble check (to_status is distinct from 'completed') not valid",
        "alter table mpesa_callbacks add constraint trouble check (verdict is null) not valid",
    ],
)
async def test_when_one_part_cannot_be_written_nothing_is(evening: Evening, said: Said, trouble: str) -> None:
    payment = await evening.pay(scenario="person")
    await evening.rt.db.execute(trouble)
    with pytest.raises(asyncpg.CheckViolationError):
        await evening.hear(said.paid(), evening.token())
    assert (await evening.view(payment)).status is Status.SENT
    for table in ("tab_payments", "mpesa_receipts", "mpesa_receipt_sightings"):
        assert await evening.rt.db.fetchval(f"select count(*) from {table}") == 0
    assert await evening.rt.db.fetchval("select count(*) from mpesa_callbacks where processed_at is null") == 1
    await evening.rt.db.execute(f"{trouble.partition(' add ')[0]} drop constraint trouble")
    await evening.wait(inbox.LEASE_SECONDS)
    assert await inbox_work.work_off(evening.rt) == 1
    assert (await evening.tab()).paid == 500


@pytest.mark.failure(80)
async def test_an_open_page_hears_of_a_payment_once_it_is_committed_and_not_before(
    evening: Evening, said: Said
) -> None:
    payment = await evening.pay(scenario="person")
    live: Live = evening.rt.live
    heard: list[tuple[str, str]] = []
    topics = (f"payment:{payment}", f"tab:{evening.bar.tab.id}", f"bar:{evening.bar.id}")
    ears = [live.subscribe([topic]) for topic in topics]
    subscriptions = [ear.__enter__() for ear in ears]
    try:
        # What the push itself said may still be on its way.
        await live.flush()
        await asyncio.sleep(0.05)
        for subscription in subscriptions:
            subscription.event.clear()
        await evening.rt.db.execute("alter table mpesa_receipts add constraint trouble check (amount < 0) not valid")
        with pytest.raises(asyncpg.CheckViolationError):
            await evening.hear(said.paid(), evening.token())
        assert live.waiting == set()
        await evening.rt.db.execute("alter table mpesa_receipts drop constraint trouble")
        await evening.hear(said.paid(), evening.token())
        for topic, subscription in zip(topics, subscriptions, strict=True):
            await asyncio.wait_for(subscription.changed(), 30)
            heard.append((topic, (await evening.view(payment)).status))
    finally:
        for ear in ears:
            ear.__exit__(None, None, None)
    assert heard == [(topic, "completed") for topic in topics]


# Tabs that are closed, overdue, contradicted


async def test_money_for_a_closed_tab_is_booked_there_and_flagged(evening: Evening, said: Said) -> None:
    payment = await evening.pay(1_000, scenario="person")
    async with transaction(evening.rt.db) as db:
        await set_tab_closed(db, evening.bar.tab.id, "somebody", evening.clock.now())
    await evening.hear(said.paid(amount=1_000), evening.token())
    view, tab = await evening.view(payment), await evening.tab()
    assert (view.status, view.irregularities) == (Status.COMPLETED, ("closed_tab",))
    assert (tab.status, tab.paid) == ("closed", 1_000)
    assert await evening.problems(payment) == {"closed_tab"}


async def make_overdue(evening: Evening) -> None:
    await evening.rt.db.execute(
        "update tabs set status = 'overdue', moved_to_overdue_at = now() where id = $1", evening.bar.tab.id
    )


@pytest.mark.failure(74, 75, 76)
@pytest.mark.parametrize(("amount", "status"), [(999, "overdue"), (1_000, "closed")])
async def test_an_overdue_tab_closes_by_itself_when_all_is_paid(evening: Evening, amount: int, status: str) -> None:
    await make_overdue(evening)
    payment = await evening.pay(amount)
    await evening.settle()
    assert (await evening.view(payment)).stage == "paid"
    assert (await evening.tab()).status == status


async def test_an_open_tab_stays_open_when_it_is_paid(evening: Evening) -> None:
    await evening.pay(1_000)
    await evening.settle()
    assert (await evening.tab()).status == "open"


async def test_a_tab_with_a_contradicted_payment_is_not_closed_by_itself(evening: Evening) -> None:
    await evening.pay(400, scenario="failure_after_success")
    await evening.wait(5)
    await evening.settle()
    await make_overdue(evening)
    await evening.pay(600, phone=FRIENDS[1])
    await evening.settle()
    tab = await evening.tab()
    assert (tab.balance, tab.status) == (0, "overdue")


# Problems


async def test_an_unknown_payments_problem_closes_with_its_end(evening: Evening) -> None:
    payment = await evening.pay(scenario="late_success")
    await evening.live_on(310, step=62)
    assert await evening.problems(payment) == {"unknown_payment"}
    await evening.settle()
    assert await evening.problems(payment) == {"late"}
    closed = await evening.rt.db.fetchrow("select * from problems where kind = 'unknown_payment'")
    assert closed is not None
    assert (closed["closed_by"], closed["close_reason"]) == ("kaunta", "paid")


async def test_a_missing_receipts_problem_closes_when_the_receipt_comes(evening: Evening, said: Said) -> None:
    payment = await evening.pay(scenario="callback_lost")
    await evening.live_on(60)
    assert await evening.problems(payment) == {"no_receipt"}
    await evening.hear(said.paid("CAMELATER1", 480), evening.token())
    view = await evening.view(payment)
    assert (view.receipt, view.received, view.irregularities) == ("CAMELATER1", 480, ("no_receipt", "underpaid"))
    assert await evening.problems(payment) == {"underpaid"}
    ledger = await evening.rt.db.fetch("select kind, amount, receipt from tab_payments order by created_at, kind desc")
    assert [tuple(row.values()) for row in ledger] == [
        ("payment", 500, "CAMELATER1"),
        ("correction", -20, "CAMELATER1"),
    ]
    assert (await evening.tab()).paid == 480


@pytest.mark.failure(57)
async def test_the_same_message_a_hundred_times_is_booked_once(evening: Evening, said: Said) -> None:
    await evening.pay(scenario="person")
    body, hashed = said.paid(), token_hash(evening.token())
    stored = [await inbox.receive(evening.rt, body, token_hash=hashed, source=None) for _ in range(100)]
    await asyncio.gather(*(inbox.process(evening.rt, one, body, hashed) for one in stored))
    assert await evening.verdicts() == ["applied"] + ["duplicate"] * 99
    assert (await evening.tab()).paid == 500
    assert await evening.rt.db.fetchval("select count(*) from mpesa_receipts") == 1
    assert await evening.rt.db.fetchval("select count(*) from mpesa_receipt_sightings") == 100

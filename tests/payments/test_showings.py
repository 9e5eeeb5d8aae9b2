"""What guests were shown is written once, behind their answer, and never in anybody's way."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from kaunta.core.runtime import Runtime
from kaunta.payments import showings
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.queries.showings import of_payment
from kaunta.payments.showings import Showings
from kaunta.payments.under_way import Pushes
from kaunta.worker import Worker
from tests.support.bars import SeededBar

PHONE = "254708374149"


async def shown(rt: Runtime, payment: UUID) -> list[tuple[str, datetime]]:
    async with rt.db.acquire() as db:
        return [(each.status, each.at) for each in await of_payment(db, payment)]


async def test_each_state_is_written_once_with_its_first_moment_however_many_processes_show_it(rt: Runtime) -> None:
    bar, payment, first = uuid4(), uuid4(), rt.clock.now()
    one, other = Showings(rt), Showings(rt)
    for minute in range(3):
        one.note(bar, payment, "sent", first + timedelta(minutes=minute))
    await one.drain()
    other.note(bar, payment, "sent", first + timedelta(hours=1))
    other.note(bar, payment, "completed", first + timedelta(hours=2))
    await other.drain()
    assert await shown(rt, payment) == [("sent", first), ("completed", first + timedelta(hours=2))]


async def test_a_payment_that_is_being_decided_holds_nobody_up_and_is_not_held_up(
    rt: Runtime, bar: SeededBar, pushes: Pushes
) -> None:
    payment = (await initiate(rt, pushes, Intent(bar.tab.ref, PHONE, 100))).transaction_id
    telling = Showings(rt)
    async with rt.db.acquire() as db, db.transaction():
        await db.execute("select from mpesa_transactions where id = $1 for update", payment)
        telling.note(bar.id, payment, "sent", rt.clock.now())
        await telling.drain(60)
        assert await shown(rt, payment) != []


async def test_what_could_not_be_written_is_told_to_nobody_and_tried_with_the_next_answer(rt: Runtime) -> None:
    bar, payment, now = uuid4(), uuid4(), rt.clock.now()
    telling = Showings(rt)
    await rt.db.execute("alter table payment_showings rename to elsewhere")
    telling.note(bar, payment, "sent", now)
    await telling.drain(60)
    assert telling.remembered == {}
    await rt.db.execute("alter table elsewhere rename to payment_showings")
    telling.note(bar, payment, "sent", now)
    await telling.drain(60)
    assert await shown(rt, payment) == [("sent", now)]


async def test_what_is_remembered_and_what_waits_is_bounded(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showings, "MOST_REMEMBERED", 3)
    monkeypatch.setattr(showings, "MOST_WAITING", 5)
    telling = Showings(rt)
    for _ in range(50):
        telling.note(uuid4(), uuid4(), "sent", rt.clock.now())
    assert (len(telling.remembered), len(telling.waiting)) == (3, 5)
    await telling.drain(60)
    assert await rt.db.fetchval("select count(*) from payment_showings") == 5


async def test_a_showing_is_a_fact_that_ages_with_the_books(rt: Runtime, pushes: Pushes) -> None:
    bar, payment, now = uuid4(), uuid4(), rt.clock.now()
    telling = Showings(rt)
    telling.note(bar, payment, "sent", datetime(2010, 1, 1, tzinfo=UTC))
    telling.note(bar, payment, "completed", now)
    await telling.drain(60)
    for statement in ("update payment_showings set at = now()", "truncate payment_showings"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rt.db.execute(statement)
    await Worker(rt, pushes.daraja).keep_up()
    assert await shown(rt, payment) == [("completed", now)]

"""The bar's days: exact whether they are counted yet, counted, or changed long after they were counted."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from uuid import UUID

import pytest
import pytest_asyncio

from kaunta.core.db import Pool
from kaunta.core.runtime import Runtime
from kaunta.payments.day_totals import day_totals, keep_days
from kaunta.payments.history import Filter, history
from kaunta.payments.states import Status
from tests.support.bars import SeededBar

#: Payments of sixteen days in every status, forty minutes apart, the newest a minute old.
PAYMENTS = 600
FILL = """
insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment, business_shortcode,
    reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash, status, started_by, push_started_at,
    sent_at, settled_at, checkout_request_id_hash, receipt, amount_received, created_at, updated_at)
select gen_random_uuid(), $1, $2, gen_random_uuid(), 1, case when n % 9 = 0 then 'production' else 'sandbox' end,
       '174379', 'N' || n, 'receipt-' || n, 10 + n, $4, sha256(n::text::bytea), sha256(('t' || n)::bytea),
       s.status::transaction_status, 'guest', m, m,
       case when s.status in ('completed', 'failed', 'cancelled') then m end,
       sha256(('c' || n)::bytea), case s.status when 'completed' then 'R' || n end,
       case s.status when 'completed' then 10 + n end, m, m
from generate_series(1, $3) n,
     lateral (select now() - interval '1 minute' - n * interval '40 minutes' as m,
                     (array['completed', 'failed', 'completed', 'cancelled', 'timeout', 'completed', 'sent'])[1 + n % 7]
                         as status) s
"""
BY_HAND = """
select count(*)::int, count(*) filter (where settled_at is not null)::int,
       count(*) filter (where status = 'completed')::int, coalesce(sum(amount_received), 0)::int,
       coalesce((select -sum(l.amount) from tab_payments l join mpesa_transactions t on t.id = l.transaction_id
                 where l.kind = 'refund' and t.bar_id = $1 and t.status::text = any($4)
                   and (t.created_at at time zone 'Africa/Nairobi' - interval '6 hours')::date between $2 and $3
                   and t.environment = any($5)), 0)::int
from mpesa_transactions
where bar_id = $1 and (created_at at time zone 'Africa/Nairobi' - interval '6 hours')::date between $2 and $3
  and status::text = any($4) and environment = any($5)
"""
Check = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class House:
    """A bar with payments of many days, and what day it is."""

    rt: Runtime
    bar_id: UUID
    today: date


@pytest_asyncio.fixture
async def house(rt: Runtime, bar: SeededBar) -> House:
    phone = rt.keys.seal(await rt.keys.current(bar.id), "phone", b"254708374149")
    async with rt.db.acquire() as db, db.transaction():
        await db.execute("set local session_replication_role = replica")
        await db.execute(FILL, bar.id, bar.tab.id, PAYMENTS, phone)
    today = await rt.db.fetchval("select (now() at time zone 'Africa/Nairobi' - interval '6 hours')::date")
    return House(rt, bar.id, today)


@pytest.fixture
def right(house: House) -> Check:
    """The totals of many filters are those counted by hand."""

    async def check() -> None:
        days = [None, *(house.today - timedelta(days=ago) for ago in (15, 9, 3, 1))]
        for first, last in product(days, reversed(days)):
            for statuses, environment in (((), None), ((Status.COMPLETED,), None), ((Status.FAILED,), "sandbox")):
                async with house.rt.db.acquire() as db:
                    found = await day_totals(db, house.bar_id, first, last, statuses, environment)
                (by_hand,) = await house.rt.db.fetch(
                    BY_HAND, house.bar_id, first or date(2000, 1, 1), last or date(2100, 1, 1),
                    [each.value for each in statuses or Status],
                    [environment] if environment else ["sandbox", "production"],
                )  # fmt: skip
                counted = (found.payments, found.ended, found.paid, found.received, found.refunded)
                assert counted == tuple(by_hand), (first, last, statuses, environment)

    return check


@pytest_asyncio.fixture
async def old(house: House) -> UUID:
    """A payment of ten days ago that failed."""
    found: UUID = await house.rt.db.fetchval(
        "select id from mpesa_transactions where status = 'failed' and created_at < now() - interval '10 days' limit 1"
    )
    return found


async def count_all(rt: Runtime) -> None:
    while await keep_days(rt):
        pass


async def succeed(db: Pool, payment: UUID) -> None:
    """A success that came long after."""
    await db.execute(
        "update mpesa_transactions set status = 'completed', receipt = 'LATE1', amount_received = 77 where id = $1",
        payment,
    )


async def test_days_are_exact_before_and_after_they_are_counted(house: House, right: Check) -> None:
    await right()
    assert await keep_days(house.rt) > 0
    await right()
    await count_all(house.rt)
    (kept,) = await house.rt.db.fetch("select min(day), max(day), count(distinct day) from payment_days")
    assert kept["count"] > 10
    # The last days may still change as nobody is told of.
    assert kept["max"] <= house.today - timedelta(days=2)
    await right()


async def test_a_late_success_counts_at_once_and_its_day_is_counted_anew(house: House, right: Check, old: UUID) -> None:
    await count_all(house.rt)
    await succeed(house.rt.db, old)
    assert await house.rt.db.fetchval("select count(*) from payment_days_stale") == 1
    await right()
    await count_all(house.rt)
    assert await house.rt.db.fetchval("select count(*) from payment_days_stale") == 0
    await right()


async def test_a_refund_of_an_old_payment_counts_at_once(house: House, right: Check) -> None:
    await count_all(house.rt)
    await house.rt.db.execute(
        """
        insert into tab_payments (id, bar_id, tab_id, kind, method, amount, environment, transaction_id, recorded_by,
                                  created_at)
        select gen_random_uuid(), bar_id, tab_id, 'refund', 'mpesa', -5, environment, id, 'staff', now()
        from mpesa_transactions where status = 'completed' and created_at < now() - interval '5 days' limit 1
        """
    )
    await right()
    await count_all(house.rt)
    await right()


async def test_a_change_that_was_under_way_while_its_day_was_counted_is_not_lost(
    house: House, right: Check, old: UUID
) -> None:
    async with house.rt.db.acquire() as other:
        turn = other.transaction()
        await turn.start()
        await succeed(other, old)  # type: ignore[arg-type]
        await count_all(house.rt)
        await turn.commit()
    await right()
    await count_all(house.rt)
    await right()


async def test_one_worker_counts_at_a_time(house: House) -> None:
    async with house.rt.db.acquire() as other, other.transaction():
        await other.execute("select from payment_days_mark for update")
        assert await keep_days(house.rt) == 0
    assert await keep_days(house.rt) > 0


async def test_the_page_counts_by_days_whatever_the_days_state_and_environment_and_else_payment_by_payment(
    house: House,
) -> None:
    for wish in (Filter(), Filter(statuses=(Status.FAILED,), environment="sandbox", last_day=house.today)):
        assert (await history(house.rt, house.bar_id, wish)).totals.exact
    for wish in (Filter(text="N1"), Filter(least=1), Filter(irregular=True), Filter(confirmed_by="query")):
        assert not (await history(house.rt, house.bar_id, wish)).totals.exact

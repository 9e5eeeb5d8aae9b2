"""The worker's own looks, at the house and at who was at the credentials: what they find opens and closes by itself."""

import asyncio
from datetime import timedelta

import pytest

from kaunta.alerts.access_watch import KIND, watch_access
from kaunta.alerts.house import KEY_DAYS, check_house
from kaunta.core import queries
from kaunta.core.audit import audit
from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.migrate import head_revision
from kaunta.core.problems import open_problem
from kaunta.core.runtime import Runtime
from kaunta.core.vault import Damaged
from kaunta.credentials import store
from kaunta.keys import holders
from kaunta.payments.under_way import Pushes
from kaunta.worker import Worker
from tests.support.bars import SeededBar


async def open_kinds(rt: Runtime) -> list[str]:
    rows = await rt.db.fetch("select kind from problems where closed_at is null order by kind")
    return [row["kind"] for row in rows]


async def beat(rt: Runtime) -> None:
    async with rt.db.acquire() as db:
        await queries.beat(db, "test:1", rt.clock.now(), {})


BROKEN = {
    "callbacks_waiting": (
        "insert into mpesa_callbacks (received_at, channel, body_enc, next_attempt_at)"
        " values ('2026-01-01', 'stk', '', '2026-01-01')",
        "update mpesa_callbacks set processed_at = now(), verdict = 'orphan'",
    ),
    "schema_differs": (
        "update alembic_version set version_num = '0001'",
        f"update alembic_version set version_num = '{head_revision()}'",
    ),
    "partitions_short": (
        "create or replace function kaunta_months_ahead() returns integer language sql stable as 'select 1'",
        "create or replace function kaunta_months_ahead() returns integer language sql stable as 'select 6'",
    ),
    "worker_silent": ("delete from worker_heartbeats", "select 1"),
    "database_rights_missing": (
        "alter table tab_payments rename to elsewhere",
        "alter table elsewhere rename to tab_payments",
    ),
}  # fmt: skip


@pytest.mark.req("FIX-6.4")
@pytest.mark.parametrize("kind", BROKEN)
async def test_what_is_wrong_with_the_house_opens_and_closes_by_itself(rt: Runtime, kind: str) -> None:
    await beat(rt)
    await check_house(rt)
    assert await open_kinds(rt) == []
    breaks, mends = BROKEN[kind]
    await rt.db.execute(breaks)
    for _ in range(2):
        await check_house(rt)
    assert await open_kinds(rt) == [kind]
    await rt.db.execute(mends)
    await beat(rt)
    await check_house(rt)
    assert await open_kinds(rt) == []


async def test_a_worker_is_missed_after_two_minutes(rt: Runtime, clock: ManualClock) -> None:
    await beat(rt)
    clock.advance(119)
    await check_house(rt)
    assert await open_kinds(rt) == []
    clock.advance(2)
    await check_house(rt)
    assert await open_kinds(rt) == ["worker_silent"]


async def test_matters_of_a_moment_close_after_a_day(rt: Runtime, clock: ManualClock) -> None:
    await beat(rt)
    async with transaction(rt.db) as db:
        for kind in ("callback_orphan", "c2b_unauthenticated", "result_unauthenticated", "spool_unreadable", "late"):
            await open_problem(db, rt.clock, kind, "x", bar_id=None)
        await open_problem(db, rt.clock, "callback_not_processed", "17", bar_id=None)
        await open_problem(db, rt.clock, "refund_not_sent", str(rt.entropy.uuid()), bar_id=None)
    await check_house(rt)
    assert "callback_not_processed" not in await open_kinds(rt)
    assert "refund_not_sent" not in await open_kinds(rt)
    assert len(await open_kinds(rt)) == 5
    clock.advance(86_401)
    await beat(rt)
    await check_house(rt)
    assert await open_kinds(rt) == ["late"]


async def opened(rt: Runtime, bar: SeededBar, actor: str, times: int, **how: str) -> None:
    async with transaction(rt.db) as db:
        for _ in range(times):
            await audit(db, rt.clock, actor, "credentials.opened", "credentials", bar.id, bar_id=bar.id, **how)


async def unusual(rt: Runtime) -> list[str]:
    await watch_access(rt)
    rows = await rt.db.fetch(
        "select detail ->> 'reason' as reason from problems where kind = $1 and closed_at is null", KIND
    )
    return [row["reason"] for row in rows]


@pytest.mark.req("FIX-1.1", "FIX-6.4")
async def test_an_evening_of_payments_is_nothing_unusual(rt: Runtime, bar: SeededBar) -> None:
    await opened(rt, bar, "kaunta", 300, reason="a status query")
    await opened(rt, bar, f"staff:{bar.waiter.account_id}", 100, reason="a push")
    await opened(rt, bar, "guest", 100, reason="a push")
    await opened(rt, bar, f"staff:{bar.owner.account_id}", 3, reason="a connection test")
    assert await unusual(rt) == []


@pytest.mark.req("FIX-1.1", "FIX-6.4")
async def test_one_person_who_opens_them_over_and_over_is(rt: Runtime, bar: SeededBar, clock: ManualClock) -> None:
    await opened(rt, bar, f"staff:{bar.owner.account_id}", 20, reason="a connection test")
    for _ in range(2):
        assert await unusual(rt) == ["one person opened the credentials 20 times within an hour"]
    row = await rt.db.fetchrow("select bar_id, severity, detail from problems where kind = $1", KIND)
    assert row is not None
    assert (row["bar_id"], row["severity"]) == (bar.id, "error")
    assert row["detail"]["actor"] == f"staff:{bar.owner.account_id}"
    clock.advance(3_601)
    assert await unusual(rt) == []
    assert await rt.db.fetchval("select close_reason from problems where kind = $1", KIND)


async def test_failures_in_numbers_are(rt: Runtime, bar: SeededBar) -> None:
    async with transaction(rt.db) as db:
        for _ in range(5):
            await store.note_unreadable(db, rt, bar.id, Damaged(), why="a connection test", by="staff:x")
    assert await unusual(rt) == ["5 tries at the credentials failed or were refused within an hour"]


async def test_nobody_should_be_at_them_at_four_in_the_morning(rt: Runtime, bar: SeededBar, clock: ManualClock) -> None:
    now = clock.now()
    # 01:00 UTC is 04:00 in Nairobi.
    night = (now + timedelta(days=1)).replace(hour=1, minute=0, second=0, microsecond=0)
    clock.advance((night - now).total_seconds())
    await opened(rt, bar, "kaunta", 50, reason="a look at what is in use")
    assert await unusual(rt) == []
    await opened(rt, bar, "operator", 1, reason="a connection test")
    assert await unusual(rt) == ["somebody was at the credentials in the hours of 03:00-08:00"]


async def test_a_worker_does_it_all_by_itself(rt: Runtime, pushes: Pushes, bar: SeededBar) -> None:
    await opened(rt, bar, f"staff:{bar.owner.account_id}", 20, reason="a connection test")
    worker = Worker(rt, pushes.daraja, name="test:1")
    async with asyncio.timeout(60):
        await worker.once()
        await worker.start()
        while not await rt.db.fetchval("select count(*) from alerts where kind = $1", KIND):
            await asyncio.sleep(0.02)
        await worker.stop()
    assert KIND in await open_kinds(rt)
    assert "worker_silent" not in await open_kinds(rt)


async def test_a_key_is_old_after_a_year_and_a_new_one_is_not(rt: Runtime, clock: ManualClock) -> None:
    await beat(rt)
    await check_house(rt)
    await holders.tell(rt, "test:1")
    clock.advance(timedelta(days=KEY_DAYS).total_seconds())
    await beat(rt)
    await holders.tell(rt, "test:1")
    await check_house(rt)
    assert await open_kinds(rt) == []
    clock.advance(86_400)
    await beat(rt)
    await check_house(rt)
    assert await open_kinds(rt) == ["key_old"]
    ages = await rt.db.fetch("select first_seen_at from keyring_ages")
    assert len(ages) == 1
    # A key that was put first today is a new one.
    await rt.db.execute("update keyring_ages set first_seen_at = $1", clock.now() - timedelta(days=1))
    await check_house(rt)
    assert await open_kinds(rt) == []

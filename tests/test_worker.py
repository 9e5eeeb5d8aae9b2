"""The worker's loops: they outlive a bad turn, say that they live, and keep the house."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from kaunta.core import queries
from kaunta.core.runtime import Runtime
from kaunta.payments import inbox
from kaunta.payments.under_way import Pushes
from kaunta.worker import Loop, Worker
from tests.support.bars import SeededBar

SOON = 30.0


@pytest.fixture
def worker(rt: Runtime, pushes: Pushes) -> Worker:
    return Worker(rt, pushes.daraja, name="test:1")


@pytest.fixture
def turns(worker: Worker) -> Callable[[list[int | Exception]], Awaitable[int]]:
    """Let a loop run over these results of its turns; how many it took before it had taken them all."""

    async def run(results: list[int | Exception]) -> int:
        taken = 0
        done = asyncio.Event()

        async def work() -> int:
            nonlocal taken
            await asyncio.sleep(0)
            result = results[min(taken, len(results) - 1)]
            taken += 1
            if taken >= len(results):
                done.set()
            if isinstance(result, Exception):
                raise result
            return result

        task = asyncio.create_task(worker.run(Loop("test", work, rest=0.01)))
        async with asyncio.timeout(SOON):
            await done.wait()
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return taken

    return run


@pytest.mark.req("PAY-7.5")
@pytest.mark.failure(54)
async def test_a_loop_goes_on_after_a_turn_that_failed(turns: Callable[..., Awaitable[int]]) -> None:
    errors: list[int | Exception] = [ConnectionResetError(), RuntimeError("a bug"), 3, 0, ValueError(), 1, 0]
    assert await turns(errors) >= len(errors)


async def test_a_worker_says_that_it_lives_before_it_begins(rt: Runtime, worker: Worker) -> None:
    await worker.start()
    async with rt.db.acquire() as db:
        assert await queries.newest_heartbeat(db) == rt.clock.now()
    assert len(worker.tasks) == len(worker.loops())
    await worker.stop()
    assert all(task.done() for task in worker.tasks)


async def test_a_worker_ends_while_its_loops_rest_or_work(rt: Runtime, worker: Worker) -> None:
    await worker.start()
    for _ in range(5):
        await asyncio.sleep(0)
    async with asyncio.timeout(SOON):
        await worker.stop()
    assert await rt.db.fetchval("select 1") == 1


@pytest.mark.failure(51)
async def test_once_does_what_waits_and_comes_back(rt: Runtime, worker: Worker) -> None:
    await inbox.receive(rt, b"{}", token_hash=None, source=None)
    await rt.db.execute("update mpesa_callbacks set next_attempt_at = received_at")
    async with asyncio.timeout(SOON):
        await worker.once()
    assert await rt.db.fetchval("select verdict from mpesa_callbacks") == "malformed"


async def test_upkeep_makes_the_coming_months_and_forgets_what_is_over(
    rt: Runtime, worker: Worker, bar: SeededBar
) -> None:
    next_month = await rt.db.fetchval("select to_char(now() at time zone 'UTC' + interval '1 month', 'YYYY_MM')")
    await rt.db.execute(f"drop table audit_events_{next_month}")
    now = rt.clock.now()
    for token, until in ((b"old", now - timedelta(seconds=1)), (b"new", now + timedelta(hours=1))):
        await rt.db.execute(
            "insert into staff_sessions (token_hash, account_id, csrf, created_at, last_seen_at, proved_at, expires_at)"
            " values ($1, $2, 'x', now(), now(), now(), $3)",
            token, bar.owner.account_id, until,
        )  # fmt: skip
    for days in (31, 1):
        await rt.db.execute(
            "insert into sign_in_attempts (username_hash, succeeded, at) values ('x', false, $1)",
            now - timedelta(days=days),
        )
    await worker.keep_up()
    async with rt.db.acquire() as db:
        assert await queries.months_ahead(db) >= 6
    assert [row["token_hash"] for row in await rt.db.fetch("select token_hash from staff_sessions")] == [b"new"]
    assert await rt.db.fetchval("select count(*) from sign_in_attempts") == 1


@pytest.mark.failure(93)
async def test_upkeep_without_the_right_to_make_partitions_still_forgets(
    rt: Runtime, worker: Worker, bar: SeededBar
) -> None:
    await rt.db.execute("insert into sign_in_attempts (username_hash, succeeded, at) values ('x', false, '2020-01-01')")
    await rt.db.execute(
        "create or replace function kaunta_make_partitions(months_ahead integer) returns integer language plpgsql as"
        " $$ begin raise insufficient_privilege; end $$"
    )
    await worker.keep_up()
    assert await rt.db.fetchval("select count(*) from sign_in_attempts") == 0


@pytest.mark.failure(97)
async def test_a_broken_invariant_is_put_before_a_person_until_it_is_true_again(
    rt: Runtime, worker: Worker, bar: SeededBar
) -> None:
    await rt.db.execute(
        "insert into mpesa_callbacks (received_at, channel, body_enc, processed_at, verdict, next_attempt_at)"
        " values (now(), 'stk', '', now(), 'applied', now())"
    )
    for _ in range(2):
        await worker.check_invariants()
    rows = await rt.db.fetch("select subject, severity, detail, closed_at from problems where kind = 'invariant'")
    assert [(row["subject"], row["severity"]) for row in rows] == [("applied_callbacks_have_payments", "critical")]
    assert rows[0]["detail"]["count"] == 1
    await rt.db.execute("update mpesa_callbacks set verdict = 'orphan'")
    await worker.check_invariants()
    assert await rt.db.fetchval("select close_reason from problems where kind = 'invariant'") == "true again"

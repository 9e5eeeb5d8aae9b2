"""Old lines go by their rule, the rule's work is on record, and the chain still holds."""

import asyncpg
import pytest
import pytest_asyncio

from kaunta.audit.verifying import Wrong
from kaunta.audit.watching import forget_old_lines, watch
from kaunta.core.clock import ManualClock
from kaunta.core.db import Pool, transaction
from tests.audit.conftest import SealedAudit

DAY = 86_400


@pytest_asyncio.fixture
async def today(sealed: SealedAudit) -> ManualClock:
    """The test's clock at the database's time: what is too early to forget, the database judges by its own."""
    clock = sealed.rt.clock
    assert isinstance(clock, ManualClock)
    clock.advance((await sealed.rt.db.fetchval("select now()") - clock.now()).total_seconds())
    return clock


async def old_lines(sealed: SealedAudit, clock: ManualClock) -> None:
    """Openings of secrets and decisions of eight years, four months and ten days ago, sealed then."""
    for days in (8 * 366, 120, 10):
        clock.advance(-days * DAY)
        await sealed.write("credentials.opened", "role.set")
        await sealed.happen("completed")
        await sealed.seal()
        clock.advance(days * DAY)


async def left(db: Pool) -> list[tuple[str, int]]:
    rows = await db.fetch(
        "select action, count(*) from audit_log where action <> 'audit.forgotten' group by action order by action"
    )
    return [(row["action"], row["count"]) for row in rows]


@pytest.mark.req("PAY-5.1")
async def test_each_kind_goes_when_its_time_is_over_and_the_chain_holds(
    sealed: SealedAudit, today: ManualClock
) -> None:
    await old_lines(sealed, today)
    assert await forget_old_lines(sealed.rt) == 4
    assert await left(sealed.rt.db) == [("completed", 2), ("credentials.opened", 1), ("role.set", 2)]
    words = await sealed.rt.db.fetch(
        "select actor, object_id, detail from audit_events where action = 'audit.forgotten' order by object_id"
    )
    assert [(word["actor"], word["object_id"], word["detail"]["count"]) for word in words] == [
        ("kaunta", "access", 2),
        ("kaunta", "money", 1),
        ("kaunta", "record", 1),
    ]
    await sealed.seal()
    report = await sealed.verify()
    assert (report.ok, report.forgotten) == (True, 4), report.findings
    assert await forget_old_lines(sealed.rt) == 0


async def test_what_is_not_sealed_is_not_forgotten(sealed: SealedAudit, today: ManualClock) -> None:
    today.advance(-3_000 * DAY)
    await sealed.write("role.set")
    today.advance(3_000 * DAY)
    assert await forget_old_lines(sealed.rt) == 0
    assert await sealed.rt.db.fetchval("select count(*) from audit_forgettings") == 0


async def test_a_removal_that_the_rule_does_not_cover_is_found_beside_what_it_covers(
    sealed: SealedAudit, today: ManualClock
) -> None:
    await old_lines(sealed, today)
    await forget_old_lines(sealed.rt)
    await sealed.seal()
    async with sealed.owner() as db:
        id_ = await db.fetchval(
            "delete from audit_events where id = (select max(id) from audit_events where action = 'role.set') "
            "returning id"
        )
        # A word for it that would cover everything until now covers only what may go at all.
        await db.execute(
            "insert into audit_events (at, actor, action, object_kind, object_id, detail) values "
            "(now(), 'kaunta', 'audit.forgotten', 'audit', 'record', jsonb_build_object('before', now()))"
        )
    await sealed.seal()
    assert [(one.what, one.id) for one in (await sealed.verify()).findings] == [(Wrong.REMOVED, id_)]


@pytest.mark.parametrize(("keep", "days"), [("access", 29), ("record", 1_800), ("money", 1_800)])
async def test_the_database_refuses_to_forget_too_early(sealed: SealedAudit, keep: str, days: int) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await sealed.rt.db.execute(f"select kaunta_forget_audit('{keep}', now() - interval '{days} days', 10)")


async def test_only_the_worker_may_have_it_forget_and_its_word_opens_nothing_else(
    sealed: SealedAudit, today: ManualClock
) -> None:
    await old_lines(sealed, today)
    call = "select kaunta_forget_audit('access', now() - interval '100 days', 10)"
    for role in ("kaunta_app", "kaunta_reader"):
        async with sealed.rt.db.acquire() as db:
            turn = db.transaction()
            await turn.start()
            await db.execute(f"set local role {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(call)
            await turn.rollback()
    async with transaction(sealed.rt.db) as db:
        await db.execute("set local role kaunta_worker")
        assert await db.fetchval(call) == 2
        await db.execute("reset role")
        for other in ("action = 'role.set'", "at > now() - interval '90 days'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with db.transaction():
                    await db.execute(f"delete from audit_events where {other}")


async def test_the_worker_follows_the_chain_and_a_break_is_put_before_a_person(sealed: SealedAudit) -> None:
    clock = sealed.rt.clock
    assert isinstance(clock, ManualClock)
    await sealed.write("a", "b")
    await sealed.seal()
    assert (await watch(sealed.rt), await watch(sealed.rt)) == (1, 0)
    async with sealed.owner() as db:
        id_ = await db.fetchval("update audit_events set actor = 'staff:other' where action = 'a' returning id")
    clock.advance(6 * 3_600 + 1)
    assert await watch(sealed.rt) == 1
    found = await sealed.rt.db.fetchval("select findings from audit_watch")
    assert [(one["what"], one["id"]) for one in found] == [("changed", id_)]
    problem = await sealed.rt.db.fetchrow("select severity, detail from problems where kind = 'audit_chain'")
    assert problem is not None
    assert problem["severity"] == "critical"
    assert f"row {id_}" in problem["detail"]["sentence"]

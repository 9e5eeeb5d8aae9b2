"""Sealing: everything that is committed, once, in order; nobody waits for it."""

import asyncio
import stat
from dataclasses import replace

import pytest

from kaunta.audit import anchors
from kaunta.audit.anchors import Anchor
from kaunta.audit.chain import SealKeyError
from kaunta.audit.sealing import seal
from kaunta.audit.watching import forget_old_lines, watch
from kaunta.core.audit import audit
from kaunta.core.clock import ManualClock
from kaunta.core.db import connect, open_pool, transaction
from kaunta.core.entropy import Entropy
from kaunta.core.errors import BadRequest
from kaunta.core.runtime import Runtime
from kaunta.core.vault import generate_entry
from tests.audit.conftest import BAR, SealedAudit


@pytest.mark.req("PAY-5.1", "PAY-P8")
async def test_every_line_of_every_table_is_sealed_once(sealed: SealedAudit) -> None:
    await sealed.write("a", "b", "c")
    await sealed.happen("created", "sent", "completed")
    await sealed.seal()
    await sealed.write("d")
    await sealed.seal()
    report = await sealed.verify()
    assert (report.ok, report.rows, report.forgotten) == (True, 7, 0)
    assert await seal(sealed.rt) == 0
    # One of the payment's and two of the lines at the least; more where another test's transaction lay in between.
    batches = await sealed.rt.db.fetchval("select array_agg(batch order by batch) from audit_seals")
    assert batches == list(range(1, len(batches) + 1))
    assert len(batches) >= 3


async def test_a_later_commit_with_a_lower_id_is_not_skipped(sealed: SealedAudit, database_url: str) -> None:
    async with connect(database_url) as slow:
        turn = slow.transaction()
        await turn.start()
        await audit(slow, sealed.rt.clock, "staff:slow", "slow", "bar", BAR, bar_id=BAR)
        await sealed.write("quick")
        # The lower id is not there yet: what came after it waits, and nobody waits for the seal.
        assert await seal(sealed.rt) == 0
        await turn.commit()
    await sealed.seal()
    ids = await sealed.rt.db.fetch("select id from audit_digests order by place")
    assert [row["id"] for row in ids] == await sealed.ids()
    assert (await sealed.verify()).ok


async def test_a_transaction_that_gave_up_holds_nothing_up(sealed: SealedAudit) -> None:
    with pytest.raises(ZeroDivisionError):
        async with transaction(sealed.rt.db) as db:
            await audit(db, sealed.rt.clock, "staff:x", "never", "bar", BAR, bar_id=BAR)
            1 / 0  # noqa: B018 - what went wrong
    await sealed.write("after")
    await sealed.seal()
    assert (await sealed.verify()).rows == 1


async def test_eight_sealers_at_once_make_one_chain(sealed: SealedAudit) -> None:
    for _ in range(5):
        await sealed.write(*"abcdefgh")
        await asyncio.gather(*(seal(sealed.rt) for _ in range(8)))
    await sealed.seal()
    report = await sealed.verify()
    assert (report.ok, report.rows) == (True, 40)


async def test_a_worker_by_least_privilege_seals_follows_and_forgets(sealed: SealedAudit, database_url: str) -> None:
    await sealed.write("a", "b")
    pool = await open_pool(f"{database_url}?role=kaunta_worker", size=2)
    try:
        least = SealedAudit(replace(sealed.rt, db=pool))
        assert await pool.fetchval("select current_user") == "kaunta_worker"
        await least.seal()
        assert await watch(least.rt) == 1
        assert await forget_old_lines(least.rt) == 0
        assert (await least.verify()).rows == 2
    finally:
        await pool.close()


async def test_a_copy_restored_to_another_cluster_is_sealed_on(sealed: SealedAudit) -> None:
    await sealed.write("a", "b")
    await sealed.seal()
    async with sealed.owner() as db:
        # What a dump carries over: transactions this cluster has yet to reach, of which one was not sealed there.
        await db.execute("update audit_events set xact = (xact::text::numeric + 1000000000)::text::xid8")
        await db.execute("update audit_marks set cluster = 1, xact = (xact::text::numeric + 1000000000)::text::xid8")
        await db.execute(
            "insert into audit_events (at, xact, bar_id, actor, action, object_kind, object_id) "
            "select at, (xact::text::numeric + 7)::text::xid8, bar_id, actor, 'c', object_kind, object_id "
            "from audit_events order by id desc limit 1"
        )
    await sealed.write("d")
    await sealed.seal()
    report = await sealed.verify()
    assert (report.ok, report.rows) == (True, 4), report.findings
    assert await seal(sealed.rt) == 0


async def test_without_a_key_nothing_is_sealed_and_with_another_the_chain_is_not_judged(sealed: SealedAudit) -> None:
    bare = replace(sealed.rt, settings=sealed.rt.settings.model_copy(update={"seal_key": None}))
    await sealed.write("a")
    assert await seal(bare) == 0
    await sealed.seal()
    other = generate_entry(Entropy(), "s1")
    settings = sealed.rt.settings
    with pytest.raises(SealKeyError) as refused:
        await SealedAudit(with_key(sealed.rt, other)).verify()
    assert other.partition(":")[2] not in str(refused.value)
    assert settings.seal_key is not None
    # A new key in front of the old one: what each has sealed is followed.
    both = with_key(sealed.rt, f"{generate_entry(Entropy(), 's2')},{settings.seal_key.get_secret_value()}")
    newer = SealedAudit(both)
    await newer.write("b")
    await newer.seal()
    assert (await newer.verify()).ok
    assert not (await sealed.verify()).ok


def with_key(rt: Runtime, entry: str) -> Runtime:
    from pydantic import SecretStr

    return replace(rt, settings=rt.settings.model_copy(update={"seal_key": SecretStr(entry)}))


async def test_heads_are_written_down_each_hour_and_survive_a_torn_line(sealed: SealedAudit) -> None:
    path = anchors.file_of(sealed.rt.settings.seal_folder)
    clock = sealed.rt.clock
    assert isinstance(clock, ManualClock)
    await sealed.write("a")
    await sealed.seal()
    await sealed.write("b")
    await sealed.seal()
    assert [one.batch for one in anchors.read(path)] == [1]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    clock.advance(3_601)
    with path.open("a") as file:
        file.write('{"batch": 2, "ma')
    assert await seal(sealed.rt) == 0
    assert [one.batch for one in anchors.read(path)] == [1, 2]
    clock.advance(3_601)
    await seal(sealed.rt)
    # Nothing was sealed since: the same head is not written again.
    assert [one.batch for one in anchors.read(path)] == [1, 2]
    assert (await sealed.verify()).ok


@pytest.mark.parametrize("text", ["", "5", "5:zz", "x:00", "{}", '{"batch": 1}', "[1]"])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        Anchor.parse(text)

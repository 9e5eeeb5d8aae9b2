"""Somebody owns the database and changes what was sealed: it is found, to the row where there is one."""

import random

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.audit.anchors import Anchor
from kaunta.audit.chain import keys_from
from kaunta.audit.verifying import Report, Wrong, verify
from tests.audit.conftest import SealedAudit

LAST = "(select max(batch) from audit_seals)"
OLDER = "(select min(xact) from audit_events)"
LINE = (
    "(at, xact, bar_id, actor, action, object_kind, object_id) "
    "select at - interval '{} hours', {}, bar_id, 'staff:ghost', 'x', 'bar', '1'"
)


def told(report: Report) -> set[tuple[Wrong, int | None]]:
    return {(one.what, one.id) for one in report.findings}


async def twelve(sealed: SealedAudit) -> list[int]:
    """Twelve lines in four batches, and some payment's events; the lines' ids in the chain's order."""
    for batch in range(4):
        await sealed.write(*(f"act.{batch}.{number}" for number in range(3)))
        await sealed.seal()
    await sealed.happen("created", "sent", "completed")
    await sealed.seal()
    assert (await sealed.verify()).ok
    return await sealed.ids()


# What is done to the lines number 5, 6 and 7 of the chain, and what is found.
ATTACKS: dict[str, tuple[str, set[tuple[Wrong, int | None]]]] = {
    "an actor": ("update audit_events set actor = 'staff:other' where id = {6}", {(Wrong.CHANGED, 6)}),
    "a bar": ("update audit_events set bar_id = null where id = {6}", {(Wrong.CHANGED, 6)}),
    "a reason added": ("update audit_events set reason = '' where id = {6}", {(Wrong.CHANGED, 6)}),
    "a number's form": (
        "update audit_events set detail = jsonb_build_object('note', 1.0) where id = {6}",
        {(Wrong.CHANGED, 6)},
    ),
    "a time": (
        "update audit_events set at = at + interval '1 second' where id = {6}",
        {(Wrong.REMOVED, 6), (Wrong.ADDED, 6)},
    ),
    "a row removed": ("delete from audit_events where id = {6}", {(Wrong.REMOVED, 6)}),
    "a row and its seal removed": (
        "delete from audit_events where id = {6}; delete from audit_digests where kind = 'audit' and id = {6}",
        {(Wrong.UNSEALED, None)},
    ),
    "only a seal removed": (
        "delete from audit_digests where kind = 'audit' and id = {6}",
        {(Wrong.UNSEALED, None), (Wrong.ADDED, 6)},
    ),
    "two rows swapped": (
        "update audit_events a set action = b.action, detail = b.detail from audit_events b "
        "where a.id in ({6}, {7}) and b.id in ({6}, {7}) and a.id <> b.id",
        {(Wrong.CHANGED, 6), (Wrong.CHANGED, 7)},
    ),
    "two digests swapped": (
        "update audit_digests a set digest = b.digest from audit_digests b where a.kind = 'audit' and "
        "b.kind = 'audit' and a.id in ({6}, {7}) and b.id in ({6}, {7}) and a.id <> b.id",
        {(Wrong.CHANGED, 6), (Wrong.CHANGED, 7)},
    ),
    "two rows change places": (
        "alter table audit_digests drop constraint audit_digests_pkey; "
        "update audit_digests a set place = b.place from audit_digests b where a.kind = 'audit' and "
        "b.kind = 'audit' and a.id in ({5}, {6}) and b.id in ({5}, {6}) and a.id <> b.id",
        {(Wrong.CHANGED, 5), (Wrong.CHANGED, 6)},
    ),
    "a row and its digest": (
        "update audit_events set actor = 'staff:other' where id = {6}; "
        "update audit_digests set digest = sha256('forged') where kind = 'audit' and id = {6}",
        {(Wrong.CHANGED, 6)},
    ),
    "a digest that says it may be forgotten": (
        "delete from audit_events where id = {6}; "
        "update audit_digests set keep = 'access' where kind = 'audit' and id = {6}",
        {(Wrong.REMOVED, 6)},
    ),
    "a row added beside the chain": (
        f"insert into audit_events {LINE.format(0, OLDER)} from audit_events where id = {{6}}",
        {(Wrong.ADDED, 999)},
    ),
    "a row added under a sealed id": (
        "insert into audit_events (id, at, xact, actor, action, object_kind, object_id) "
        f"select id, at + interval '1 day', {OLDER}, 'x', 'x', 'x', 'x' from audit_events where id = {{6}}",
        {(Wrong.ADDED, 6)},
    ),
    "a batch's MAC": ("update audit_seals set mac = sha256('forged') where batch = 3", {(Wrong.BATCH_CHANGED, None)}),
    "a batch's time": (
        "update audit_seals set sealed_at = sealed_at - interval '1 day' where batch = 3",
        {(Wrong.BATCH_CHANGED, None)},
    ),
    "a batch with all that it sealed": (
        "delete from audit_events e using audit_digests d where d.batch = 3 and d.id = e.id; "
        "delete from audit_digests where batch = 3; delete from audit_seals where batch = 3",
        {(Wrong.BATCH_REMOVED, None)},
    ),
    "the first batch": (
        "delete from audit_events e using audit_digests d where d.batch = 1 and d.id = e.id; "
        "delete from audit_digests where batch = 1; delete from audit_seals where batch = 1",
        {(Wrong.BATCH_REMOVED, None), (Wrong.CUT_OFF, None)},
    ),
    "a payment's event": (
        "update payment_events set kind = 'failed' where id = (select min(id) from payment_events)",
        {(Wrong.CHANGED, 1)},
    ),
    "the end, and not the mark": (
        f"delete from payment_events; delete from audit_digests where batch = {LAST}; "
        f"delete from audit_seals where batch = {LAST}",
        {(Wrong.CUT_OFF, 3)},
    ),
    "the key's name": ("update audit_seals set key_id = 'mine' where batch = 3", {(Wrong.KEY_UNKNOWN, None)}),
}


@pytest.mark.req("PAY-5.1", "PAY-P8")
@pytest.mark.parametrize("name", ATTACKS)
async def test_a_superusers_change_is_found_to_the_row(sealed: SealedAudit, name: str) -> None:
    ids = await twelve(sealed)
    statement, expected = ATTACKS[name]
    async with sealed.owner() as db:
        await db.execute(statement.replace("{5}", str(ids[4])).replace("{6}", str(ids[5])).replace("{7}", str(ids[6])))
    # By number in the chain; a row that was added has the number 999, payments' events have ids of their own.
    numbered = {id_: number for number, id_ in enumerate(ids, 1)}
    report = await sealed.verify()
    found = {
        (one.what, one.id if one.kind == "payment" or one.id is None else numbered.get(one.id, 999))
        for one in report.findings
    }
    assert found == expected
    assert all(str(one.id or one.batch or one.place) in one.sentence for one in report.findings)


async def test_truncated_partitions_are_missed_row_by_row(sealed: SealedAudit) -> None:
    ids = await twelve(sealed)
    async with sealed.owner() as db:
        await db.execute("truncate audit_events")
    report = await sealed.verify()
    assert told(report) == {(Wrong.REMOVED, id_) for id_ in ids}


async def test_a_cut_end_with_every_trace_removed_is_found_by_the_heads_outside(sealed: SealedAudit) -> None:
    ids = await twelve(sealed)
    before = await sealed.rt.db.fetchrow("select xact::text, id from audit_marks where kind = 'audit'")
    assert before is not None
    await sealed.write("embezzled")
    await sealed.seal()
    known = await sealed.verify()
    assert known.head is not None
    async with sealed.owner() as db:
        await db.execute(f"delete from audit_events where id > {ids[-1]}")
        await db.execute(f"delete from audit_digests where batch = {LAST}")
        await db.execute(f"delete from audit_seals where batch = {LAST}")
        await db.execute("update audit_marks set xact = $1::text::xid8, id = $2 where kind = 'audit'", *before.values())
    # The hour is not over, so no file has this head; whoever noted it sees that it is gone.
    key = sealed.rt.settings.seal_key
    assert key is not None
    report = await verify(sealed.rt.db, keys_from(key.get_secret_value()).keys, [Anchor(*known.head)])
    assert [(one.what, one.batch) for one in report.findings] == [(Wrong.CUT_OFF, known.head[0])]


async def test_a_chain_written_anew_over_a_changed_past_is_not_the_chain_that_was_noted(sealed: SealedAudit) -> None:
    ids = await twelve(sealed)
    async with sealed.owner() as db:
        await db.execute(f"update audit_events set actor = 'staff:other' where id = {ids[0]}")
        await db.execute("truncate audit_digests, audit_seals; update audit_marks set xact = '0', id = 0")
    await sealed.seal()
    assert (await sealed.verify(heads=False)).ok
    assert {one.what for one in (await sealed.verify()).findings} == {Wrong.CUT_OFF}


async def test_a_line_slipped_in_with_an_older_time_is_sealed_and_told(sealed: SealedAudit) -> None:
    await twelve(sealed)
    slipped = LINE.format(3, "pg_current_xact_id()")
    async with sealed.owner() as db:
        id_ = await db.fetchval(f"insert into audit_events {slipped} from audit_events limit 1 returning id")
    await sealed.seal()
    assert told(await sealed.verify()) == {(Wrong.BACKDATED, id_)}


async def test_who_runs_the_programs_may_not_touch_it_either(sealed: SealedAudit) -> None:
    await twelve(sealed)
    for role in ("kaunta_app", "kaunta_worker", "kaunta_reader"):
        for table in ("audit_events", "payment_events", "refund_events", "audit_seals", "audit_digests"):
            column = "sealed_at" if table == "audit_seals" else "at"
            for statement in (f"delete from {table}", f"update {table} set {column} = now()", f"truncate {table}"):
                async with sealed.rt.db.acquire() as db:
                    turn = db.transaction()
                    await turn.start()
                    await db.execute(f"set local role {role}")
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await db.execute(statement)
                    await turn.rollback()
    for table in ("audit_events", "payment_events", "audit_seals", "audit_digests"):
        for statement in (f"delete from {table}", f"truncate {table} cascade"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await sealed.rt.db.execute(statement)


@given(
    turns=st.lists(st.tuples(st.sampled_from("pasb"), st.integers(1, 4)), min_size=1, max_size=8),
    attack=st.sampled_from(["none", "change", "remove", "digest", "swap", "unseal"]),
    seed=st.integers(0, 2**16),
)
@pytest.mark.req("PAY-P8")
async def test_whatever_was_written_and_whichever_row_is_touched(
    sealed: SealedAudit, turns: list[tuple[str, int]], attack: str, seed: int
) -> None:
    await sealed.forget_everything()
    for what, times in turns:
        if what in "pb":
            await sealed.happen(*(f"event {n}" for n in range(times)))
        if what in "ab":
            await sealed.write(*(f"act {n}" for n in range(times)))
        if what == "s":
            await sealed.seal()
    await sealed.seal()
    rows = await sealed.rt.db.fetch("select kind, id, batch, place from audit_digests order by batch, place")
    report = await sealed.verify()
    assert (report.ok, report.rows) == (True, len(rows))
    if attack == "none" or len(rows) < 2:
        return
    victim, other = random.Random(seed).sample(list(rows), 2)
    table = f"{victim['kind']}_events"
    async with sealed.owner() as db:
        if attack == "change":
            await db.execute(f"update {table} set actor = 'staff:other' where id = $1", victim["id"])
        elif attack == "remove":
            await db.execute(f"delete from {table} where id = $1", victim["id"])
        else:
            where = "where batch = $1 and place = $2"
            place = (victim["batch"], victim["place"])
            if attack == "unseal":
                await db.execute(f"delete from audit_digests {where}", *place)
            elif attack == "digest":
                await db.execute(f"update audit_digests set digest = sha256('x') {where}", *place)
            else:
                wrong = (other["batch"], other["place"])
                await db.execute(
                    f"update audit_digests set digest = (select digest from audit_digests {where}) "
                    "where batch = $3 and place = $4",
                    *wrong, *place,
                )  # fmt: skip
    report = await sealed.verify()
    found = {(one.what, one.batch, one.place) for one in report.findings if one.place is not None}
    what = {"remove": Wrong.REMOVED, "unseal": Wrong.UNSEALED}.get(attack, Wrong.CHANGED)
    assert found == {(what, victim["batch"], victim["place"])}

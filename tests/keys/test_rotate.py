"""Everything is sealed anew under the new key, verified, resumable, and nothing that does not open is touched."""

from contextlib import aclosing
from dataclasses import replace

import pytest

from kaunta.core.entropy import Entropy
from kaunta.core.runtime import Runtime
from kaunta.core.spool import Spooled
from kaunta.core.vault import Keyring, generate_entry
from kaunta.keys import holders, rotate
from kaunta.keys.retire import NoSuchKey, NotEverywhere, StillNeeded, check_everywhere, reasons, retire
from kaunta.keys.rotate import Fault, Tools, Turned
from kaunta.keys.sealed import REGISTRY
from tests.support.bars import SeededBar
from tests.support.sealed import only, with_new_primary, without


@pytest.fixture
def new_ring(rt: Runtime) -> Keyring:
    """A new key in front of the one that everything is sealed with."""
    return with_new_primary(rt.keyring, "next")


@pytest.fixture
def tools(rt: Runtime, new_ring: Keyring) -> Tools:
    return Tools(new_ring, rt.entropy, rt.clock, "operator")


async def rotated(rt: Runtime, tools: Tools, *, batch: int = 20) -> list[Turned]:
    async with rt.db.acquire() as db, aclosing(rotate.rotate(db, tools, batch=batch)) as turns:
        return [turn async for turn in turns]


async def faults(rt: Runtime, keyring: Keyring) -> list[Fault]:
    async with rt.db.acquire() as db, aclosing(rotate.verify(db, keyring)) as pages:
        return [fault async for page in pages for fault in page.faults]


async def needed(rt: Runtime) -> set[str]:
    async with rt.db.acquire() as db:
        return {need.key_id for need in await rotate.all_needs(db)}


@pytest.mark.req("FIX-3.4", "FIX-7.3")
@pytest.mark.failure(17)
async def test_after_a_rotation_the_new_key_alone_opens_everything(
    rt: Runtime, tools: Tools, new_ring: Keyring, full_bar: SeededBar, other_bar: SeededBar
) -> None:
    assert await needed(rt) == {"test"}
    turns = await rotated(rt, tools, batch=2)
    assert {turn.table for turn in turns} == {table.name for table in REGISTRY}
    assert all(turn.rows <= 2 and not turn.faults for turn in turns)
    assert await needed(rt) == {"next"}
    assert await faults(rt, only(new_ring, "next")) == []
    assert await rotated(rt, tools) == []  # nothing is left to do
    told = await rt.db.fetch("select object_id, detail from audit_events where action = 'keys.rotated'")
    assert {row["object_id"] for row in told} == {"next"}
    assert {tuple(row["detail"]["before"]) for row in told} == {("test",)}


@pytest.mark.req("FIX-3.4")
async def test_a_rotation_that_was_cut_short_goes_on_where_it_was(
    rt: Runtime, tools: Tools, new_ring: Keyring, full_bar: SeededBar, other_bar: SeededBar
) -> None:
    async with rt.db.acquire() as db, aclosing(rotate.rotate(db, tools, batch=1)) as turns:
        assert (await anext(turns)).rows == 1
    assert await needed(rt) == {"test", "next"}
    assert await faults(rt, new_ring) == []
    first = sum(turn.rows for turn in await rotated(rt, tools, batch=1))
    assert first > 1
    assert await needed(rt) == {"next"}


@pytest.mark.req("FIX-7.3", "FIX-7.1")
@pytest.mark.failure(15)
@pytest.mark.failure(17)
async def test_what_does_not_open_is_named_and_left_as_it_is(
    rt: Runtime, tools: Tools, new_ring: Keyring, full_bar: SeededBar
) -> None:
    broken = "update mpesa_credentials set passkey_enc = set_byte(passkey_enc, length(passkey_enc) - 1, 0)"
    await rt.db.execute(broken + ", consumer_key_enc = 'base64 or so' where id = $1", full_bar.credential_id)
    before = await rt.db.fetchrow("select * from mpesa_credentials where id = $1", full_bar.credential_id)
    named = {(fault.column, fault.code) for turn in await rotated(rt, tools) for fault in turn.faults}
    assert named == {("passkey_enc", "vault_damaged"), ("consumer_key_enc", "vault_representation")}
    assert await rt.db.fetchrow("select * from mpesa_credentials where id = $1", full_bar.credential_id) == before
    assert await needed(rt) == {"next", "test", ""}
    async with rt.db.acquire() as db:
        (reason,) = await reasons(db, rt.clock, new_ring, rt.spool, "test")
    assert reason.what == "1 rows of mpesa_credentials"


@pytest.mark.req("FIX-3.2")
@pytest.mark.failure(18)
async def test_another_key_under_the_old_name_is_named_and_changes_nothing(rt: Runtime, full_bar: SeededBar) -> None:
    other = Keyring.parse(generate_entry(Entropy(), "test"))
    turns = await rotated(rt, Tools(with_new_primary(other, "next"), rt.entropy, rt.clock, "operator"))
    assert sum(turn.rows for turn in turns) == 0
    assert {fault.code for turn in turns for fault in turn.faults} == {"vault_wrong_key"}
    assert await faults(rt, rt.keyring) == []


async def test_somebody_who_holds_a_row_for_long_is_waited_for_in_vain_and_named(
    rt: Runtime, tools: Tools, full_bar: SeededBar
) -> None:
    async with rt.db.acquire() as other, other.transaction():
        await other.execute("select from bars where id = $1 for update", full_bar.id)
        async with rt.db.acquire() as db:
            await db.execute("set lock_timeout = '10ms'")
            async with aclosing(rotate.rotate(db, tools)) as turns:
                codes = {fault.code for turn in [each async for each in turns] for fault in turn.faults}
            await db.execute("reset lock_timeout")
    assert codes == {"busy"}
    assert all(turn.rows for turn in await rotated(rt, tools))


@pytest.mark.req("FIX-3.4", "FIX-8.1")
async def test_nothing_is_sealed_with_a_key_that_a_running_process_lacks(
    rt: Runtime, new_ring: Keyring, full_bar: SeededBar
) -> None:
    async with rt.db.acquire() as db:
        await check_everywhere(db, rt.clock, new_ring)
        await holders.tell(rt, "web:1")
        with pytest.raises(NotEverywhere, match="web:1"):
            await check_everywhere(db, rt.clock, new_ring)
        await holders.tell(replace(rt, keyring=new_ring), "web:1")
        await check_everywhere(db, rt.clock, new_ring)
        await holders.tell(replace(rt, keyring=with_new_primary(rt.keyring, "next")), "web:2")  # another "next"
        with pytest.raises(NotEverywhere, match="web:2"):
            await check_everywhere(db, rt.clock, new_ring)
        await holders.leave(rt, "web:2")
        await check_everywhere(db, rt.clock, new_ring)


@pytest.mark.req("FIX-3.4")
@pytest.mark.failure(17)
async def test_a_key_is_given_up_only_when_nothing_needs_it(
    rt: Runtime, tools: Tools, new_ring: Keyring, full_bar: SeededBar
) -> None:
    spooled = Spooled(rt.clock.now(), "stk", b"1" * 32, "127.0.0.1", b"{}")
    await rt.spool.keep(spooled)
    await holders.tell(rt, "web:1")
    async with rt.db.acquire() as db:
        with pytest.raises(NoSuchKey):
            await retire(db, rt.clock, new_ring, rt.spool, "k9", by="operator")
        with pytest.raises(StillNeeded, match="primary"):
            await retire(db, rt.clock, new_ring, rt.spool, "next", by="operator")
        with pytest.raises(StillNeeded) as refused:
            await retire(db, rt.clock, new_ring, rt.spool, "test", by="operator")
        for what in ("1 rows of mpesa_credentials", "1 rows of staff_accounts", "callbacks", "web:1"):
            assert what in refused.value.detail
        await rotated(rt, tools)
        with pytest.raises(StillNeeded) as refused:
            await retire(db, rt.clock, new_ring, rt.spool, "test", by="operator")
        assert "rows of" not in refused.value.detail
        await rt.spool.forget((await rt.spool.waiting())[0])
        await holders.tell(replace(rt, keyring=new_ring), "web:1")
        await retire(db, rt.clock, new_ring, rt.spool, "test", by="operator")
    assert await faults(rt, without(new_ring, "test")) == []

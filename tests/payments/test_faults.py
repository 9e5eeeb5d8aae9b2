"""Failures that are ours stop M-Pesa at the bar after the second in a row, and the stop ends."""

from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.bars.mpesa_settings import Wanted, save_settings
from kaunta.bars.payment_methods import payment_methods
from kaunta.bars.suspension import STOP_SECONDS, resume, suspend
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.core.secret import Secret
from kaunta.payments.errors import MpesaUnavailable
from kaunta.payments.faults import stop_where_we_fail
from kaunta.simulator.faults import Fault
from tests.payments.conftest import FRIENDS, Evening
from tests.support.bars import SeededBar
from tests.support.switch import Plot, State

#: How a push may end, by what is queued for it, and whether it was our fault.
OURS = ("rejected", "merchant_unknown")
THEIRS = ("wrong_pin", "cancelled", "paid", "subscriber_locked")
Fail = Callable[..., Awaitable[None]]


@pytest.fixture
def plot(rt: Runtime, bar: SeededBar) -> Plot:
    return Plot(rt, bar.id)


@pytest.fixture
def ends(evening: Evening) -> Fail:
    """`await ends("rejected", "paid")`: each by a guest of its own; then the worker's turn."""
    friends = iter(FRIENDS * 50)

    async def each(*scenarios: str) -> None:
        for scenario in scenarios:
            await evening.pay(1, phone=next(friends), scenario=scenario)
            await evening.settle()
            await evening.simulator.advance(61)
        await stop_where_we_fail(evening.rt)

    return each


async def reason(rt: Runtime, bar: SeededBar) -> str | None:
    async with rt.db.acquire() as db:
        found = await payment_methods(db, rt, bar.id)
    assert found is not None
    return found.mpesa_reason


@pytest.mark.req("PAY-8.4", "PAY-7.2")
async def test_the_second_in_a_row_stops_mpesa_tells_a_person_and_leaves_the_owners_flag(
    evening: Evening, ends: Fail, plot: Plot
) -> None:
    await ends("rejected")
    assert await reason(evening.rt, evening.bar) is None
    await ends("merchant_unknown")
    said = await reason(evening.rt, evening.bar)
    assert said is not None
    assert "suspended: Safaricom refused" in said
    assert await plot.state() == State("sandbox", True, {"sandbox": True})
    assert "mpesa_suspended" in await plot.problems()
    with pytest.raises(MpesaUnavailable):
        await evening.pay(1, phone=FRIENDS[-1])
    row = await evening.rt.db.fetchrow("select * from audit_events where action = 'mpesa.suspended'")
    assert row is not None
    assert (row["actor"], len(row["detail"]["payments"])) == ("kaunta", 2)


@pytest.mark.req("PAY-8.4")
@pytest.mark.parametrize("between", THEIRS)
async def test_anything_else_between_two_breaks_the_row(evening: Evening, ends: Fail, between: str) -> None:
    await ends("rejected", between, "rejected")
    assert await reason(evening.rt, evening.bar) is None


async def test_a_token_that_is_refused_is_our_fault_too_and_an_unreachable_safaricom_is_not(
    evening: Evening, ends: Fail
) -> None:
    evening.simulator.simulator.faults.add(Fault("oauth", "reset", times=None))
    await ends("paid", "paid", "paid")
    assert await reason(evening.rt, evening.bar) is None
    evening.simulator.simulator.faults.clear()
    evening.simulator.simulator.faults.add(Fault("oauth", "invalid_authentication", times=None))
    await ends("paid", "paid")
    assert await reason(evening.rt, evening.bar) is not None


@pytest.mark.req("PAY-8.4", "SYNC-3.3")
async def test_a_stop_ends_by_itself_tells_open_pages_and_what_was_before_counts_no_more(
    evening: Evening, ends: Fail, plot: Plot
) -> None:
    await ends("rejected", "rejected")
    await evening.simulator.advance(STOP_SECONDS - 62)
    await stop_where_we_fail(evening.rt)
    assert "mpesa_suspended" in await plot.problems()
    with evening.rt.live.subscribe([f"switch:{evening.bar.id}"]) as ear:
        await evening.simulator.advance(63)
        await stop_where_we_fail(evening.rt)
        await ear.changed()
    assert await reason(evening.rt, evening.bar) is None
    assert "mpesa_suspended" not in await plot.problems()
    await stop_where_we_fail(evening.rt)
    await ends("rejected")
    assert await reason(evening.rt, evening.bar) is None
    await ends("rejected")
    assert await reason(evening.rt, evening.bar) is not None


@pytest.mark.req("PAY-4.1")
async def test_switching_on_again_or_new_credentials_end_it_and_off_keeps_it(
    evening: Evening, ends: Fail, plot: Plot
) -> None:
    rt, daraja = evening.rt, evening.pushes.daraja
    await ends("rejected", "rejected")
    await save_settings(rt, daraja, evening.bar.id, Wanted(False, "sandbox"), by="owner")
    assert (await rt.db.fetchval("select mpesa_suspended_reason from bars")) is not None
    await save_settings(rt, daraja, evening.bar.id, Wanted(True, "sandbox"), by="owner")
    assert await reason(rt, evening.bar) is None
    await ends("rejected", "rejected")
    assert await reason(rt, evening.bar) is not None
    wish = Wanted(True, "sandbox", passkey=Secret("another-passkey-0123"))
    await save_settings(rt, daraja, evening.bar.id, wish, by="owner")
    assert await reason(rt, evening.bar) is None
    assert not {"mpesa_suspended", "push_refused"} & set(await plot.problems())
    # The new version begins anew: one failure of it is the first.
    await ends("rejected")
    assert await reason(rt, evening.bar) is None


async def test_an_operators_stop_is_not_the_owners_to_end(evening: Evening, plot: Plot) -> None:
    rt, daraja, bar = evening.rt, evening.pushes.daraja, evening.bar
    async with transaction(rt.db) as db:
        await suspend(db, rt.clock, bar.id, "an open question", seconds=None, by="operator")
    await save_settings(rt, daraja, bar.id, Wanted(True, "sandbox"), by="owner")
    await save_settings(rt, daraja, bar.id, Wanted(True, "sandbox", passkey=Secret("another-one-0123")), by="owner")
    await evening.simulator.advance(10 * STOP_SECONDS)
    await stop_where_we_fail(rt)
    assert "an open question" in (await reason(rt, bar) or "")
    assert "mpesa_suspended" in await plot.problems()
    async with transaction(rt.db) as db:
        assert await resume(db, rt.clock, bar.id, by="operator", reason="answered", operator=True)
        assert not await resume(db, rt.clock, bar.id, by="operator", reason="answered", operator=True)
    assert await reason(rt, bar) is None


async def test_a_bar_that_is_off_or_another_bar_is_left_alone(
    evening: Evening, ends: Fail, other_bar: SeededBar
) -> None:
    await ends("rejected", "rejected")
    assert await reason(evening.rt, other_bar) is None
    wish = Wanted(True, "sandbox")
    await save_settings(evening.rt, evening.pushes.daraja, evening.bar.id, wish, by="owner")
    await ends("rejected")
    await evening.pay(1, phone="254711040499", scenario="rejected")
    await save_settings(evening.rt, evening.pushes.daraja, evening.bar.id, Wanted(False, "sandbox"), by="owner")
    await stop_where_we_fail(evening.rt)
    assert await evening.rt.db.fetchval("select count(*) from bars where mpesa_suspended_reason is not null") == 0


#: A payment that ended so, a second after the one before it; the rest is as in the one that really was made.
ENDED = """
    insert into mpesa_transactions (id, bar_id, tab_id, credential_id, credential_version, environment,
        business_shortcode, reference, receipt_ref, amount, phone_enc, phone_hash, callback_token_hash, status,
        started_by, push_started_at, settled_at, failure_reason, result_code, result_desc, created_at, updated_at)
    select gen_random_uuid(), bar_id, tab_id, credential_id, credential_version, environment, business_shortcode,
        left(gen_random_uuid()::text, 12), gen_random_uuid()::text, 1, phone_enc, phone_hash,
        decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), $1::transaction_status, started_by, $2, $2, $3, $4,
        $5, $2, $2
    from mpesa_transactions limit 1
"""
#: Ways to end: status, failure reason, code, words; and whether it was our fault.
WAYS = {
    ("failed", "rejected", "400.002.02", "Bad Request"): True,
    ("failed", "rejected", "500.001.1001", "Merchant does not exist"): True,
    ("failed", "not_sent", None, "oauth_refused"): True,
    ("failed", "result", "2028", "not permitted"): True,
    ("failed", "not_sent", None, "oauth_unreachable:dns"): False,
    ("failed", "rejected", "500.001.1001", "unable to lock subscriber"): False,
    ("failed", "result", "2001", "wrong PIN"): False,
    ("cancelled", "result", "1032", "cancelled"): False,
}


@pytest.mark.req("PAY-8.4")
@given(history=st.lists(st.sampled_from(list(WAYS)), min_size=1, max_size=6), looks=st.booleans())
async def test_mpesa_is_stopped_exactly_after_two_of_ours_in_a_row(
    evening: Evening, history: list[tuple[str, ...]], looks: bool
) -> None:
    """`looks`: the worker looks after each payment; else only in the end, and sees the last two."""
    rt = evening.rt
    if not await rt.db.fetchval("select count(*) from mpesa_transactions"):
        await evening.pay(1, scenario="wrong_pin")
        await evening.settle()
    await evening.simulator.advance(86_500)
    stopped = False
    for number, (status, *how) in enumerate(history, 1):
        await evening.tamper(ENDED, status, rt.clock.now(), *how)
        await evening.simulator.advance(1)
        if looks or number == len(history):
            stopped = await stop_where_we_fail(rt) > 0
        if stopped:
            break
    ours = [WAYS[how] for how in history]  # type: ignore[index]
    rows = list(pairwise(ours)) if looks else [tuple(ours[-2:])]
    assert stopped is ((True, True) in rows)
    if stopped:
        async with transaction(rt.db) as db:
            await resume(db, rt.clock, evening.bar.id, by="operator", reason="next example", operator=True)

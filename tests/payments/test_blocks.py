"""Suspicion and blocks at work: who goes too far gets no prompts for a while, and nobody else pays for it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from kaunta.access import blocks
from kaunta.access.blocks import (
    AlreadyBlocked,
    BlockNotFound,
    GuestsPayHere,
    NobodyToBlock,
    Target,
    block_by_hand,
    judge,
    lift,
    shown_blocks,
    shown_suspects,
)
from kaunta.core.errors import BadRequest
from kaunta.core.phone import PhoneRefused
from kaunta.core.runtime import Runtime
from kaunta.limit_settings import AddressLimits
from kaunta.payments.errors import AddressBlocked, PromptsBlocked, TooManyPrompts
from kaunta.payments.standing import REFUSALS_KEPT
from tests.support.bars import OpenTab, SeededBar

from .conftest import FRIENDS, Evening, Said

WIFI, ABROAD = "198.51.100.20", "203.0.113.66"
NewTab = Callable[[int], Awaitable[OpenTab]]


@pytest.fixture
def enforcing(evening: Evening) -> Evening:
    """The same evening where addresses are turned away."""
    settings = evening.rt.settings.model_copy(update={"address_limits": AddressLimits.ENFORCE})
    return replace(evening, rt=replace(evening.rt, settings=settings))


@pytest.fixture
def pestered(new_tab: NewTab) -> Callable[[Evening], Awaitable[None]]:
    """Somebody has seven prompts sent to a phone whose owner declines each."""

    async def pester(evening: Evening) -> None:
        for _ in range(7):
            await evening.pay(10, tab=await new_tab(100), scenario="cancelled", source=ABROAD)
            await evening.settle()
            await evening.wait(61)

    return pester


async def audited(rt: Runtime) -> list[tuple[str, str, str | None]]:
    rows = await rt.db.fetch(
        "select action, actor, reason from audit_events where object_kind = 'prompt_block' order by id"
    )
    return [(row["action"], row["actor"], row["reason"]) for row in rows]


@pytest.mark.req("PAY-5.4", "PAY-P12")
async def test_a_phone_that_declines_again_and_again_is_left_alone_until_the_block_ends(
    evening: Evening, new_tab: NewTab, pestered: Callable[[Evening], Awaitable[None]], other_bar: SeededBar
) -> None:
    await pestered(evening)
    await judge(evening.rt)
    with pytest.raises(PromptsBlocked) as refusal:
        await evening.start(10, tab=await new_tab(100), source=WIFI)
    rest = refusal.value.fields["retryAfter"]
    assert isinstance(rest, int)
    assert 0 < rest <= 3_600
    (block,) = await shown_blocks(evening.rt, evening.bar.id)
    assert (block.who, block.kind, block.lasting) == ("0708 ••• 149", "phone", True)
    assert "7 prompts declined" in block.reason
    assert await evening.problems() >= {"prompts_suspicious"}
    # Others pay as before, from the same address too, and other bars have no part in it.
    await evening.pay(10, phone=FRIENDS[1], tab=await new_tab(100), source=ABROAD)
    assert await shown_blocks(evening.rt, other_bar.id) == []
    await evening.wait(3_601)
    await judge(evening.rt)
    await evening.pay(10, tab=await new_tab(100), source=WIFI)
    await evening.settle()
    assert [one[:2] for one in await audited(evening.rt)] == [("prompts.blocked", "kaunta")]
    await judge(evening.rt)
    assert "prompts_suspicious" not in await evening.problems()


@pytest.mark.req("PAY-5.4")
async def test_a_blocked_phone_pays_at_the_till_and_staff_may_ring_it(
    evening: Evening, new_tab: NewTab, pestered: Callable[[Evening], Awaitable[None]]
) -> None:
    await pestered(evening)
    await judge(evening.rt)
    payment = await evening.pay(10, tab=await new_tab(100), started_by=f"staff:{evening.bar.waiter.account_id}")
    await evening.settle()
    assert (await evening.view(payment)).status == "completed"


@pytest.mark.req("PAY-5.4")
async def test_a_lifted_block_lets_prompts_through_and_what_was_seen_counts_no_more(
    evening: Evening, new_tab: NewTab, pestered: Callable[[Evening], Awaitable[None]], other_bar: SeededBar
) -> None:
    await pestered(evening)
    await judge(evening.rt)
    (block,) = await shown_blocks(evening.rt, evening.bar.id)
    with pytest.raises(BlockNotFound):
        await lift(evening.rt, other_bar.id, block.id, "not mine", by="staff:x")
    with pytest.raises(BadRequest):
        await lift(evening.rt, evening.bar.id, block.id, "  ", by="staff:x")
    await lift(evening.rt, evening.bar.id, block.id, "it was  a game", by="staff:x")
    with pytest.raises(BlockNotFound):
        await lift(evening.rt, evening.bar.id, block.id, "once more", by="staff:x")
    await judge(evening.rt)
    await evening.pay(10, tab=await new_tab(100), source=WIFI)
    (block,) = await shown_blocks(evening.rt, evening.bar.id)
    assert (block.lasting, block.lifted_by, block.lift_reason) == (False, "staff:x", "it was a game")
    assert (await audited(evening.rt))[1] == ("prompts.unblocked", "staff:x", "it was a game")


@pytest.mark.req("PAY-5.4", "PAY-P12")
async def test_a_bar_full_of_guests_behind_one_address_is_never_locked_out(
    enforcing: Evening, new_tab: NewTab, said: Said
) -> None:
    evening, rt = enforcing, enforcing.rt
    await evening.pay(10, phone=FRIENDS[0], source=WIFI)
    await evening.settle()
    # … though somebody among them forges, guesses and floods as much as they like.
    for number in range(60):
        await remember(evening, WIFI, f"number {number}")
    for number in range(5):
        await evening.hear(said.paid(receipt=f"FORGED{number:04d}"), None, source=WIFI)
    await judge(rt)
    assert await shown_blocks(rt, evening.bar.id) == []
    (suspect,) = await shown_suspects(rt, evening.bar.id)
    assert (suspect.who, suspect.blockable) == (WIFI, False)
    with pytest.raises(GuestsPayHere):
        await block_by_hand(rt, evening.bar.id, suspect.target, 1, "a nuisance", by="staff:x")
    await blocks.block(rt, evening.bar.id, Target(source=WIFI), 0, "written past the rule", by="test")
    await evening.pay(10, phone=FRIENDS[1], source=WIFI)


@pytest.mark.req("PAY-5.4", "PAY-P12")
async def test_an_address_that_only_pesters_is_turned_away_where_the_settings_say_so(
    enforcing: Evening, evening: Evening
) -> None:
    for number in range(41):
        await remember(enforcing, ABROAD, f"number {number}")
    await judge(evening.rt)
    assert await shown_blocks(evening.rt, evening.bar.id) == []
    await judge(enforcing.rt)
    with pytest.raises(AddressBlocked):
        await enforcing.start(10, phone=FRIENDS[1], source=ABROAD)
    await enforcing.pay(10, phone=FRIENDS[1], source=WIFI)


@pytest.mark.req("PAY-5.4")
@pytest.mark.parametrize(("paid", "most"), [(False, 25), (True, 300)])
async def test_tries_in_vain_of_an_address_are_limited_and_one_that_paid_today_has_three_hundred(
    enforcing: Evening, paid: bool, most: int
) -> None:
    settings = enforcing.rt.settings.model_copy(update={"address_tries_per_hour": 25})
    evening = replace(enforcing, rt=replace(enforcing.rt, settings=settings))
    if paid:
        await evening.pay(10, phone=FRIENDS[0], source=WIFI)
        await evening.settle()
    await remember(evening, WIFI, "the same", most - 1)
    await evening.pay(10, phone=FRIENDS[1], source=WIFI)
    await remember(evening, WIFI, "the same")
    with pytest.raises(TooManyPrompts):
        await evening.start(10, phone=FRIENDS[2], source=WIFI)
    # By default it is written down and nothing more.
    lenient = replace(evening, rt=replace(evening.rt, settings=settings.model_copy(update={"address_limits": "log"})))
    assert lenient.rt.settings.address_limits == AddressLimits.LOG
    await lenient.pay(10, phone=FRIENDS[3], source=WIFI)


@pytest.mark.req("PAY-5.4")
async def test_forgers_are_remarkable_and_safaricom_never_is(evening: Evening, said: Said) -> None:
    await evening.pay(10)
    safaricom = str(evening.rt.settings.callback_networks[0].network_address)
    for number in range(4):
        await evening.hear(said.paid(receipt=f"FORGED{number:04d}"), None, source=ABROAD)
        await evening.hear(said.paid(receipt=f"FORGED{number:04d}"), None, source=safaricom)
    assert [one.who for one in await shown_suspects(evening.rt, evening.bar.id)] == [ABROAD]


@pytest.mark.req("PAY-5.4")
async def test_who_takes_another_ipv6_address_for_each_try_is_still_one(
    enforcing: Evening, evening: Evening, said: Said
) -> None:
    await evening.pay(10)
    for number in range(6):
        await evening.hear(said.paid(receipt=f"FORGED{number:04d}"), None, source=f"2001:db8:1:2::{number}")
    for number in range(3):
        with pytest.raises(PhoneRefused):
            await evening.start(10, phone="1", source=f"2001:db8:1:2::{number}")
    assert [(one.who, one.points) for one in await shown_suspects(evening.rt, evening.bar.id)] == [
        ("2001:db8:1:2::", 25 * 6 + 2 * 3)
    ]
    await judge(enforcing.rt)
    with pytest.raises(AddressBlocked):
        await enforcing.start(10, phone=FRIENDS[1], source="2001:db8:1:2:aaaa::")
    await enforcing.pay(10, phone=FRIENDS[1], source="2001:db8:1:3::")


@pytest.mark.req("PAY-5.4")
async def test_staff_block_whom_they_see(evening: Evening) -> None:
    rt, bar = evening.rt, evening.bar.id
    for number in range(35):
        await remember(evening, ABROAD, f"number {number}")
    (suspect,) = await shown_suspects(rt, bar)
    with pytest.raises(NobodyToBlock):
        await block_by_hand(rt, bar, "0" * 32, 4, "a nuisance", by="staff:x")
    with pytest.raises(BadRequest):
        await block_by_hand(rt, bar, suspect.target, 2_000, "a nuisance", by="staff:x")
    await block_by_hand(rt, bar, suspect.target, 4, "a nuisance", by="staff:x")
    with pytest.raises(AddressBlocked) as refusal:
        await evening.start(10, source=ABROAD)
    assert refusal.value.fields["retryAfter"] == 4 * 3_600
    # What was seen counts until the block: nobody is remarkable any more, and there is nobody to block again.
    with pytest.raises((AlreadyBlocked, NobodyToBlock)):
        await block_by_hand(rt, bar, suspect.target, 4, "a nuisance", by="staff:x")


@pytest.mark.req("PAY-5.4")
async def test_what_is_refused_is_a_row_and_so_much_of_it_that_nobody_fills_the_table(
    evening: Evening,
) -> None:
    await remember(evening, ABROAD, "the same", REFUSALS_KEPT - 1)
    for _ in range(3):
        with pytest.raises(PhoneRefused):
            await evening.start(phone="020 222 2222", source=ABROAD)
    rows = await evening.rt.db.fetch("select refused, phone_hash, host(source) from payment_tries order by id")
    assert [tuple(row) for row in rows[REFUSALS_KEPT - 1 :]] == [("phone_invalid", None, ABROAD)]


async def test_tries_and_blocks_are_kept_for_a_while_only(
    evening: Evening, pestered: Callable[[Evening], Awaitable[None]]
) -> None:
    await pestered(evening)
    await judge(evening.rt)
    count = "select (select count(*) from payment_tries), (select count(*) from prompt_blocks)"
    for days, left in ((0, (7, 1)), (31, (0, 1)), (60, (0, 0))):
        await evening.wait(days * 86_400)
        await blocks.forget_old(evening.rt)
        assert tuple(await evening.rt.db.fetchrow(count) or ()) == left


async def remember(evening: Evening, source: str, phone: str, times: int = 1) -> None:
    """Refusals that lie a little behind, as the database remembers them."""
    await evening.rt.db.execute(
        """
        insert into payment_tries (bar_id, at, source, phone_hash, refused)
        select $1, $2, $3::text::inet, $4, 'too_many_prompts' from generate_series(1, $5)
        """,
        evening.bar.id, evening.rt.clock.before(60), source, evening.rt.keys.index("phone", phone), times,
    )  # fmt: skip

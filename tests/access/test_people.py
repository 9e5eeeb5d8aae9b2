"""The people of a bar: who is invited comes once, and an owner always stays."""

import asyncio

import pytest

from kaunta.access import people
from kaunta.access.accounts import UsernameTaken
from kaunta.access.passwords import PasswordRefused
from kaunta.access.people import INVITATION_SECONDS, InvitationGone, LastOwner, NoSuchPerson
from kaunta.access.roles import ALLOWED, EVERYBODY, May, RoleRefused, may, require
from kaunta.access.sessions import session_of, sign_in
from kaunta.core.clock import Clock, ManualClock
from kaunta.core.errors import BadRequest, Conflict
from kaunta.core.runtime import Runtime
from tests.support.bars import PASSWORD, SeededBar


async def test_a_link_brings_one_person_in_with_the_role_it_names(rt: Runtime, bar: SeededBar) -> None:
    invited = await people.invite(rt, bar.id, "cashier", "Atieno", by=bar.owner.account_id)
    await people.accept_with_new_account(rt, invited.token, "atieno", PASSWORD)
    signed_in = await sign_in(rt, "atieno", PASSWORD, None)
    assert signed_in is not None
    session = await session_of(rt, signed_in.token)
    assert session is not None
    assert [(one.bar_id, one.role) for one in session.bars] == [(bar.id, "cashier")]
    with pytest.raises(InvitationGone):
        await people.accept_with_new_account(rt, invited.token, "another", PASSWORD)


async def test_two_who_open_one_link_at_once_are_one_person(rt: Runtime, bar: SeededBar) -> None:
    invited = await people.invite(rt, bar.id, "waiter", "Atieno", by=bar.owner.account_id)
    ended = await asyncio.gather(
        *(people.accept_with_new_account(rt, invited.token, f"guest{n}", PASSWORD) for n in range(4)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in ended) == ["InvitationGone"] * 3 + ["NoneType"]
    working, _ = await people.people_of(rt, bar.id)
    assert len(working) == 3


async def test_what_is_refused_leaves_the_link_as_it_was(rt: Runtime, bar: SeededBar) -> None:
    invited = await people.invite(rt, bar.id, "waiter", "Atieno", by=bar.owner.account_id)
    with pytest.raises(PasswordRefused):
        await people.accept_with_new_account(rt, invited.token, "atieno", "short")
    with pytest.raises(UsernameTaken):
        await people.accept_with_new_account(rt, invited.token, bar.owner.username, PASSWORD)
    with pytest.raises(Conflict):
        await people.accept_with_account(rt, invited.token, bar.waiter.account_id)
    with pytest.raises(BadRequest):
        await people.accept_with_new_account(rt, invited.token, "a b", PASSWORD)
    await people.accept_with_new_account(rt, invited.token, "atieno", PASSWORD)


async def test_an_old_or_withdrawn_link_opens_nothing(rt: Runtime, bar: SeededBar, clock: Clock) -> None:
    assert isinstance(clock, ManualClock)
    first = await people.invite(rt, bar.id, "waiter", "Atieno", by=bar.owner.account_id)
    (_, [invitation]) = await people.people_of(rt, bar.id)
    await people.withdraw(rt, bar.id, invitation.created_at, by="test")
    second = await people.invite(rt, bar.id, "waiter", "Otieno", by=bar.owner.account_id)
    clock.advance(INVITATION_SECONDS + 1)
    for token in (first.token, second.token, "0" * 64):
        with pytest.raises(InvitationGone):
            await people.look_at(rt, token)


@pytest.mark.parametrize("how", ["removed", "made a waiter", "closed"])
async def test_who_may_invite_no_more_does_not_come_back_by_a_link_of_their_own(
    rt: Runtime, bar: SeededBar, how: str
) -> None:
    second = await people.invite(rt, bar.id, "owner", "Partner", by=bar.owner.account_id)
    await people.accept_with_new_account(rt, second.token, "partner", PASSWORD)
    signed_in = await sign_in(rt, "partner", PASSWORD, None)
    partner = await session_of(rt, signed_in.token if signed_in else None)
    assert partner is not None
    link = await people.invite(rt, bar.id, "owner", "Myself", by=partner.account_id)
    match how:
        case "removed":
            await people.remove(rt, bar.id, partner.account_id, by="test")
        case "made a waiter":
            await people.change_role(rt, bar.id, partner.account_id, "waiter", by="test")
        case _:
            await rt.db.execute("update staff_accounts set active = false where id = $1", partner.account_id)
    with pytest.raises(InvitationGone):
        await people.look_at(rt, link.token)
    with pytest.raises(InvitationGone):
        await people.accept_with_new_account(rt, link.token, "myself.again", PASSWORD)
    assert (await people.people_of(rt, bar.id))[1] == []


async def test_an_account_comes_to_a_second_bar(rt: Runtime, bar: SeededBar, other_bar: SeededBar) -> None:
    invited = await people.invite(rt, other_bar.id, "manager", "Waiter", by=other_bar.owner.account_id)
    await people.accept_with_account(rt, invited.token, bar.waiter.account_id)
    working, _ = await people.people_of(rt, other_bar.id)
    assert (bar.waiter.account_id, "manager") in [(one.account_id, one.role) for one in working]


async def test_the_last_owner_stays_an_owner(rt: Runtime, bar: SeededBar) -> None:
    for role in ("manager", "waiter"):
        with pytest.raises(LastOwner):
            await people.change_role(rt, bar.id, bar.owner.account_id, people.as_role(role), by="test")
    with pytest.raises(LastOwner):
        await people.remove(rt, bar.id, bar.owner.account_id, by="test")
    await people.change_role(rt, bar.id, bar.waiter.account_id, "owner", by="test")
    ended = await asyncio.gather(
        people.change_role(rt, bar.id, bar.owner.account_id, "waiter", by="test"),
        people.change_role(rt, bar.id, bar.waiter.account_id, "waiter", by="test"),
        return_exceptions=True,
    )
    assert [type(one) for one in ended].count(LastOwner) == 1


async def test_who_is_taken_out_is_at_the_bar_no_more(rt: Runtime, bar: SeededBar, other_bar: SeededBar) -> None:
    signed_in = await sign_in(rt, bar.waiter.username, PASSWORD, None)
    assert signed_in is not None
    with pytest.raises(NoSuchPerson):
        await people.remove(rt, other_bar.id, bar.waiter.account_id, by="test")
    await people.remove(rt, bar.id, bar.waiter.account_id, by="test")
    session = await session_of(rt, signed_in.token)
    assert session is not None
    assert (session.bars, session.current) == ((), None)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "a\u202eb"])
async def test_a_name_is_something_to_read(rt: Runtime, bar: SeededBar, name: str) -> None:
    with pytest.raises(BadRequest):
        await people.invite(rt, bar.id, "waiter", name, by=bar.owner.account_id)


def test_the_table_of_roles_grows_with_the_role() -> None:
    ranks = ("waiter", "cashier", "manager", "owner")
    assert set(ALLOWED) == set(May)
    for what in May:
        held = [may(role, what) for role in ranks]
        assert held == sorted(held), what
        assert held[-1]
    assert not any(may("administrator", what) for what in May)
    assert frozenset(ranks) == EVERYBODY
    with pytest.raises(RoleRefused, match="As a waiter you may not give money back"):
        require("waiter", May.REFUND)

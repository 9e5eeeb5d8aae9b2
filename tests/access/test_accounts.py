"""Accounts, roles and passwords."""

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from kaunta.access.accounts import UsernameTaken, add_account, set_role
from kaunta.access.passwords import PasswordRefused, hashed, matches
from kaunta.access.queries import memberships
from kaunta.core.db import transaction
from kaunta.core.errors import BadRequest
from kaunta.core.runtime import Runtime
from tests.support.bars import SeededBar

GOOD = "correct horse battery"


async def test_a_password_is_kept_as_an_argon2id_hash_that_only_it_matches() -> None:
    one, other = await hashed(GOOD), await hashed(GOOD)
    assert one != other
    assert one.startswith("$argon2id$")
    assert extract_parameters(one) == RFC_9106_LOW_MEMORY
    assert GOOD not in one
    assert await matches(one, GOOD, known=False)
    assert not await matches(one, GOOD + " ", known=False)
    assert not await matches("not a hash", GOOD, known=False)
    assert not await matches(one, "\ud800", known=False)


@pytest.mark.parametrize("password", ["", "nine char", "x" * 501])
async def test_a_password_too_short_or_absurdly_long_is_refused(password: str) -> None:
    with pytest.raises(PasswordRefused):
        await hashed(password)


@pytest.mark.parametrize("username", ["", "a", "two words", "x" * 101, "njeri\0", "ñjeri", "a\nb"])
async def test_a_user_name_is_plain(rt: Runtime, username: str) -> None:
    async with transaction(rt.db) as db:
        with pytest.raises(BadRequest):
            await add_account(db, rt.clock, username, "Njeri", GOOD, by="test")


async def test_a_name_is_taken_whatever_the_letters_case(rt: Runtime) -> None:
    async with transaction(rt.db) as db:
        await add_account(db, rt.clock, "Njeri@bar.co.ke", "", GOOD, by="test")
    async with transaction(rt.db) as db:
        with pytest.raises(UsernameTaken):
            await add_account(db, rt.clock, "njeri@BAR.co.ke", "Njeri", GOOD, by="test")
    assert await rt.db.fetchval("select name from staff_accounts") == "Njeri@bar.co.ke"


async def test_an_account_and_its_roles_are_on_the_record_without_the_password(rt: Runtime, bar: SeededBar) -> None:
    async with transaction(rt.db) as db:
        account_id = await add_account(db, rt.clock, "otieno", "Otieno", GOOD, administrator=True, by="njeri")
        await set_role(db, rt.clock, account_id, bar.id, "waiter", by="njeri")
        await set_role(db, rt.clock, account_id, bar.id, "cashier", by="njeri")
        assert [member.role for member in await memberships(db, account_id)] == ["cashier"]
    rows = await rt.db.fetch("select action, detail::text from audit_events where actor = 'njeri' order by id")
    assert [row["action"] for row in rows] == ["account.added", "role.set", "role.set"]
    assert GOOD not in repr(rows)


async def test_there_is_no_role_beyond_the_four(rt: Runtime, bar: SeededBar) -> None:
    with pytest.raises(Exception, match="bar_members_role_check"):
        async with transaction(rt.db) as db:
            await set_role(db, rt.clock, bar.waiter.account_id, bar.id, "admin", by="test")  # type: ignore[arg-type]

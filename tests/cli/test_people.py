"""`kaunta user`: who there is, and the ways out of a lost phone or password."""

import pytest

from kaunta.access import second_factor
from kaunta.access.sessions import session_of, sign_in
from kaunta.core.runtime import Runtime
from tests.cli.conftest import Kaunta
from tests.support.bars import PASSWORD, SeededBar

OTHER = "another horse battery"


async def signed_in(rt: Runtime, username: str, password: str = PASSWORD) -> str | None:
    found = await sign_in(rt, username, password, None)
    return found.token if found else None


async def test_the_list_tells_where_each_works(installed: Kaunta, bar: SeededBar, rt: Runtime) -> None:
    said = await installed("user", "list", "--json")
    assert {one["username"]: one["bars"] for one in said.data} == {
        bar.owner.username: [f"{bar.slug}: owner"],
        bar.waiter.username: [f"{bar.slug}: waiter"],
    }
    lines = (await installed("user", "list")).out.splitlines()
    assert [line.split()[0] for line in lines] == sorted([bar.owner.username, bar.waiter.username])


async def test_a_password_is_reset_and_every_session_ends(installed: Kaunta, bar: SeededBar, rt: Runtime) -> None:
    token = await signed_in(rt, bar.waiter.username)
    words = ("user", "reset-password", bar.waiter.username)
    assert (await installed(*words, "--dry-run", typed=OTHER + "\n")).code == 0
    assert await session_of(rt, token) is not None
    assert (await installed(*words, typed="short\n")).code == 2
    assert (await installed(*words, typed=OTHER + "\n")).code == 0
    assert await session_of(rt, token) is None
    assert await signed_in(rt, bar.waiter.username) is None
    assert await signed_in(rt, bar.waiter.username, OTHER)


async def test_a_lost_second_factor_is_taken_away(installed: Kaunta, bar: SeededBar, rt: Runtime) -> None:
    import pyotp

    enrolment = await second_factor.begin(rt, bar.owner.account_id, bar.owner.username)
    await second_factor.confirm(rt, bar.owner.account_id, pyotp.TOTP(enrolment.secret).at(rt.clock.now()))
    assert await session_of(rt, await signed_in(rt, bar.owner.username)) is None
    assert (await installed("user", "totp-reset", bar.owner.username)).code == 0
    assert await session_of(rt, await signed_in(rt, bar.owner.username)) is not None


async def test_a_disabled_account_opens_nothing_until_it_is_enabled(
    installed: Kaunta, bar: SeededBar, rt: Runtime
) -> None:
    token = await signed_in(rt, bar.waiter.username)
    assert (await installed("user", "disable", bar.waiter.username)).code == 0
    assert await session_of(rt, token) is None
    assert await signed_in(rt, bar.waiter.username) is None
    assert "disabled" in (await installed("user", "list")).out
    assert (await installed("user", "enable", bar.waiter.username)).code == 0
    assert await signed_in(rt, bar.waiter.username)


async def test_a_role_is_given_and_the_last_owner_stays(installed: Kaunta, bar: SeededBar, rt: Runtime) -> None:
    words = ("user", "role", bar.owner.username, "--bar", bar.slug, "--role", "waiter")
    assert (await installed(*words, "--json")).code == 9
    assert (await installed("user", "role", bar.waiter.username, "--bar", bar.slug, "--role", "owner")).code == 0
    assert (await installed(*words)).code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("role", "nobody", "--bar", "{bar}", "--role", "owner"), 5),
        (("role", "{waiter}", "--bar", "nowhere", "--role", "owner"), 5),
        (("role", "{waiter}", "--bar", "{bar}", "--role", "king"), 2),
        (("disable", "nobody"), 5),
        (("totp-reset", "nobody"), 5),
    ],
)
async def test_what_cannot_be_is_told(installed: Kaunta, bar: SeededBar, words: tuple[str, ...], code: int) -> None:
    filled = [word.format(bar=bar.slug, waiter=bar.waiter.username) for word in words]
    said = await installed("user", *filled, "--json")
    assert (said.code, said.object["ok"]) == (code, False)

"""People and accounts at the counter: a link brings somebody in, a code is asked for, a proof grows old."""

import re
from collections.abc import Awaitable, Callable
from html import unescape

import pyotp
import pytest

from kaunta.access.second_factor import STEP_SECONDS
from kaunta.access.sessions import PROVED_SECONDS
from kaunta.core.clock import Clock, ManualClock
from tests.staff.conftest import Reader
from tests.support.bars import PASSWORD, SeededBar, Staff
from tests.support.door import Served

Enter = Callable[[Staff], Awaitable[str]]


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return unescape(match[1])


@pytest.fixture
def moving(clock: Clock) -> ManualClock:
    assert isinstance(clock, ManualClock)
    return clock


async def test_a_link_brings_somebody_new_to_the_board(read: Reader, signed_in: Enter, bar: SeededBar) -> None:
    csrf = await signed_in(bar.owner)
    page = await read("/staff/people/invitations", data={"csrf": csrf, "name": "Atieno", "role": "cashier"})
    path = found(r"(/staff/invitations/[0-9a-f]{64})", page.text)
    assert path not in (await read("/staff/people")).text
    await read("/staff/logout", data={"csrf": csrf})
    assert "cashier" in (await read(path)).text
    short = await read(path, data={"user": "atieno", "password": "short"})
    assert (short.status, 'value="atieno"' in short.text) == (400, True)
    board = await read(path, data={"user": "atieno", "password": PASSWORD})
    assert (board.path, "Atieno · cashier" in board.text) == ("/staff", True)
    assert (await read(path)).status == 404


async def test_only_owners_see_and_change_people(read: Reader, signed_in: Enter, bar: SeededBar) -> None:
    csrf = await signed_in(bar.waiter)
    assert "/staff/people" not in (await read("/staff")).text
    for path, data in (
        ("/staff/people", None),
        ("/staff/people/invitations", {"csrf": csrf, "name": "A", "role": "owner"}),
        (f"/staff/people/{bar.waiter.account_id}/role", {"csrf": csrf, "role": "owner"}),
        (f"/staff/people/{bar.owner.account_id}/remove", {"csrf": csrf}),
    ):
        assert (await read(path, data=data)).status == 403


async def test_whoever_finds_an_owners_screen_open_invites_nobody(
    read: Reader, signed_in: Enter, bar: SeededBar, moving: ManualClock
) -> None:
    csrf = await signed_in(bar.owner)
    moving.advance(PROVED_SECONDS + 1)
    page = await read("/staff/people/invitations", data={"csrf": csrf, "name": "Me", "role": "owner"})
    assert (page.path, "/staff/invitations/" in page.text) == ("/staff/prove", False)


async def test_the_last_owner_is_told_why_nothing_changed(read: Reader, signed_in: Enter, bar: SeededBar) -> None:
    csrf = await signed_in(bar.owner)
    page = await read(f"/staff/people/{bar.owner.account_id}/role", data={"csrf": csrf, "role": "waiter"})
    assert page.status == 409
    assert "A bar keeps at least one owner." in page.text


async def test_a_second_factor_is_set_asked_for_and_removed(
    read: Reader, signed_in: Enter, bar: SeededBar, application: Served, moving: ManualClock
) -> None:
    csrf = await signed_in(bar.owner)
    page = await read("/staff/me/second-factor", data={"csrf": csrf})
    assert "<svg" in page.text
    totp = pyotp.TOTP(found(r"<code>([A-Z2-7]{32})</code>", page.text))
    wrong = await read("/staff/me/second-factor/confirm", data={"csrf": csrf, "code": "000000"})
    assert "The code is not right" in wrong.text
    codes = await read("/staff/me/second-factor/confirm", data={"csrf": csrf, "code": totp.at(moving.now())})
    recovery = found(r"<code>([0-9a-z]{5} [0-9a-z]{5})</code>", codes.text)
    await read("/staff/logout", data={"csrf": csrf})

    asked = await read("/staff/login", data={"user": bar.owner.username, "password": PASSWORD})
    assert asked.path == "/staff/second-factor"
    csrf = found(r'name="csrf" value="([0-9a-f]+)"', asked.text)
    # Nothing else opens before the code.
    for path in ("/staff", "/staff/people", "/staff/me", "/staff/payments", f"/staff/tabs/{bar.tab.id}"):
        assert (await read(path)).path == "/staff/second-factor"
    settings = await read(f"/api/mpesa-settings?barId={bar.id}")
    assert settings.status == 401
    board = await read("/staff/second-factor", data={"csrf": csrf, "code": recovery})
    assert board.path == "/staff"
    csrf = found(r'name="csrf" value="([0-9a-f]+)"', board.text)
    assert (await read("/staff/me/second-factor/remove", data={"csrf": csrf})).path == "/staff/me"
    await read("/staff/logout", data={"csrf": csrf})
    assert await signed_in(bar.owner)


async def test_an_old_proof_is_renewed_and_leads_back(
    read: Reader, signed_in: Enter, bar: SeededBar, moving: ManualClock, application: Served
) -> None:
    csrf = await signed_in(bar.owner)
    moving.advance(PROVED_SECONDS + STEP_SECONDS)
    data = {"csrf": csrf, "role": "cashier"}
    asked = await read(
        f"/staff/people/{bar.waiter.account_id}/role", data=data, referer=f"{application.url}/staff/people"
    )
    assert asked.path == "/staff/prove"
    wrong = await read("/staff/prove", data={"csrf": csrf, "next": "/staff/people", "password": "wrong"})
    assert (wrong.status, "The password is not right." in wrong.text) == (403, True)
    back = await read("/staff/prove", data={"csrf": csrf, "next": "/staff/people", "password": PASSWORD})
    assert back.path == "/staff/people"
    data["csrf"] = found(r'name="csrf" value="([0-9a-f]+)"', back.text)
    assert (await read(f"/staff/people/{bar.waiter.account_id}/role", data=data)).path == "/staff/people"


@pytest.mark.parametrize(
    "next_", ["https://evil.example/staff", "//evil.example/staff", "/b/x", "\\\\evil", "/staff\\x"]
)
async def test_after_a_proof_nobody_is_led_elsewhere(
    read: Reader, signed_in: Enter, bar: SeededBar, next_: str
) -> None:
    csrf = await signed_in(bar.owner)
    page = await read("/staff/prove", data={"csrf": csrf, "next": next_, "password": PASSWORD})
    assert (page.status, page.path) == (200, "/staff")


async def test_a_new_password_ends_the_other_sessions(read: Reader, signed_in: Enter, bar: SeededBar) -> None:
    csrf = await signed_in(bar.waiter)
    short = await read("/staff/me/password", data={"csrf": csrf, "password": "short"})
    assert (short.status, "at least 10 characters" in short.text) == (400, True)
    done = await read("/staff/me/password", data={"csrf": csrf, "password": "another horse battery"})
    assert "The password is changed." in done.text
    assert (await read("/staff")).path == "/staff"

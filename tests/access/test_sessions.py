"""Signing in: the same answer to every wrong try, an end to trying, and a session that ends."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from kaunta.access import passwords, queries
from kaunta.access.known_devices import KNOWN_SECONDS, device_hash
from kaunta.access.operator import reset_password
from kaunta.access.queries import set_member
from kaunta.access.sessions import (
    FAILURES,
    SESSION_SECONDS,
    WINDOW_SECONDS,
    TooManySignIns,
    choose_bar,
    session_of,
    sign_in,
    sign_out,
    token_hash,
)
from kaunta.core.clock import Clock, ManualClock
from kaunta.core.db import transaction
from kaunta.core.errors import NotFound
from kaunta.core.runtime import Runtime
from kaunta.core.spool import Spooled
from tests.support.bars import PASSWORD, SeededBar

HERE = "203.0.113.9"
WRONG = "another horse battery"


@pytest.fixture
def moving(clock: Clock) -> ManualClock:
    assert isinstance(clock, ManualClock)
    return clock


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every hash that a password was compared with; the comparison itself is the real one."""
    seen: list[str] = []
    real = PasswordHasher.verify

    def verify(self: object, hash_: str, password: str) -> bool:
        seen.append(hash_)
        return bool(real(passwords.HASHER, hash_, password))

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    return iter([seen])


@pytest_asyncio.fixture
async def almost(rt: Runtime, bar: SeededBar) -> int:
    """Failures for the owner's name from here, two short of the last that is taken; their hashing is left out."""
    async with rt.db.acquire() as db:
        for _ in range(FAILURES - 2):
            await queries.insert_sign_in(db, rt.keys.index("username", bar.owner.username), HERE, None, rt.clock.now())
    return FAILURES - 2


async def test_the_right_password_opens_a_session_at_ones_bar(rt: Runtime, bar: SeededBar) -> None:
    signed_in = await sign_in(rt, bar.owner.username.upper(), PASSWORD, HERE)
    assert signed_in is not None
    session = await session_of(rt, signed_in.token)
    assert session is not None
    assert session.account_id == bar.owner.account_id
    assert session.current is not None
    assert (session.current.bar_id, session.current.role) == (bar.id, "owner")
    assert session.csrf == signed_in.csrf != signed_in.token
    assert not session.is_administrator


async def test_a_wrong_password_an_unknown_name_and_an_impossible_one_read_alike_and_take_as_long(
    rt: Runtime, bar: SeededBar, verified: Iterator[list[str]]
) -> None:
    seen = next(verified)
    for user, password in (
        (bar.owner.username, WRONG),
        ("nobody.at.all", PASSWORD),
        ("", ""),
        ("\0", PASSWORD),
        ("\ud800", "\ud800"),
        (bar.owner.username, "\ud800" * 10),
        ("x" * 100_000, "y" * 100_000),
        ("' or 1=1 --", "x"),
    ):
        assert await sign_in(rt, user, password, HERE) is None
    assert len(seen) == 8


async def test_the_database_holds_neither_the_token_nor_the_name_that_was_tried(rt: Runtime, bar: SeededBar) -> None:
    signed_in = await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    await sign_in(rt, "my-password-typed-as-name", WRONG, HERE)
    assert signed_in is not None
    rows = [*await rt.db.fetch("select * from staff_sessions"), *await rt.db.fetch("select * from sign_in_attempts")]
    stored = repr([dict(row) for row in rows])
    assert signed_in.token not in stored
    assert bytes.fromhex(signed_in.token) not in [row["token_hash"] for row in rows if "token_hash" in row]
    assert "my-password-typed-as-name" not in stored
    assert bar.owner.username not in stored


@pytest.mark.req("PAY-5.4")
async def test_eight_failures_end_the_trying_for_that_name_from_that_address_only(
    rt: Runtime, bar: SeededBar, moving: ManualClock, almost: int
) -> None:
    for _ in range(FAILURES - almost):
        assert await sign_in(rt, bar.owner.username, WRONG, HERE) is None
    with pytest.raises(TooManySignIns) as caught:
        await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    assert caught.value.fields["retryAfter"] == WINDOW_SECONDS
    assert await sign_in(rt, bar.owner.username, PASSWORD, "198.51.100.7") is not None
    assert await sign_in(rt, bar.waiter.username, PASSWORD, HERE) is not None
    moving.advance(WINDOW_SECONDS + 1)
    assert await sign_in(rt, bar.owner.username, PASSWORD, HERE) is not None


@pytest.mark.req("PAY-5.4")
async def test_another_address_of_the_same_network_gives_no_new_tries(rt: Runtime, bar: SeededBar) -> None:
    async with rt.db.acquire() as db:
        for _ in range(FAILURES - 1):
            await queries.insert_sign_in(
                db, rt.keys.index("username", bar.owner.username), "2001:db8:1:2::", None, rt.clock.now()
            )
    assert await sign_in(rt, bar.owner.username, WRONG, "2001:db8:1:2::a") is None
    with pytest.raises(TooManySignIns):
        await sign_in(rt, bar.owner.username, PASSWORD, "2001:db8:1:2:ffff::b")
    assert await sign_in(rt, bar.owner.username, PASSWORD, "2001:db8:1:3::a") is not None


@pytest.mark.req("PAY-5.4", "PAY-7.6")
async def test_strangers_passwords_keep_back_neither_a_callback_nor_a_known_browser(
    rt: Runtime, bar: SeededBar, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    assert known is not None
    enough = threading.Event()
    real = PasswordHasher.verify

    def verify(self: object, hash_: str, password: str) -> bool:
        if hash_ == passwords.NOBODY:
            # What takes a tenth of a second takes as long as it is looked at here.
            enough.wait(120)
            return False
        return bool(real(passwords.HASHER, hash_, password))

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    guesses = [asyncio.create_task(sign_in(rt, f"guess{n}", WRONG, HERE)) for n in range(passwords.MOST_WAITING)]
    try:
        async with asyncio.timeout(60):
            while passwords.STRANGERS.waiting < passwords.MOST_WAITING:
                await asyncio.sleep(0.01)
            await rt.spool.keep(Spooled(rt.clock.now(), "stk", None, None, b"{}"))
            assert await sign_in(rt, bar.owner.username, PASSWORD, HERE, known.device) is not None
            with pytest.raises(TooManySignIns):
                await sign_in(rt, "one.too.many", WRONG, HERE)
        assert not any(guess.done() for guess in guesses)
    finally:
        enough.set()
    assert await asyncio.gather(*guesses) == [None] * passwords.MOST_WAITING


async def test_a_password_that_was_changed_while_it_was_compared_opens_nothing(
    rt: Runtime, bar: SeededBar, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, changed = threading.Event(), threading.Event()
    real = PasswordHasher.verify

    def verify(self: object, hash_: str, password: str) -> bool:
        right = bool(real(passwords.HASHER, hash_, password))
        compared.set()
        return changed.wait(60) and right

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    signing_in = asyncio.create_task(sign_in(rt, bar.owner.username, PASSWORD, HERE))
    assert await asyncio.to_thread(compared.wait, 60)
    async with transaction(rt.db) as db:
        await reset_password(db, rt.clock, bar.owner.username, WRONG)
    changed.set()
    assert await signing_in is None
    assert await rt.db.fetchval("select count(*) from staff_sessions") == 0
    assert await sign_in(rt, bar.owner.username, WRONG, HERE) is not None


@pytest.mark.req("PAY-5.4", "PAY-P12")
async def test_tries_that_come_at_once_are_counted_one_after_the_other(
    rt: Runtime, bar: SeededBar, almost: int
) -> None:
    ends = await asyncio.gather(
        *(sign_in(rt, bar.owner.username, WRONG, HERE) for _ in range(20)), return_exceptions=True
    )
    assert sum(end is None for end in ends) == FAILURES - almost
    assert sum(isinstance(end, TooManySignIns) for end in ends) == 20 - (FAILURES - almost)


@pytest.mark.req("PAY-5.4", "PAY-P12")
async def test_nobody_behind_the_same_address_can_keep_a_known_browser_out(
    rt: Runtime, bar: SeededBar, moving: ManualClock, almost: int
) -> None:
    owner = bar.owner.username
    signed_in = await sign_in(rt, owner, PASSWORD, HERE)
    assert signed_in is not None
    cookie = signed_in.device
    assert cookie is not None
    assert owner not in cookie
    for _ in range(FAILURES - almost):
        assert await sign_in(rt, owner, WRONG, HERE) is None
    with pytest.raises(TooManySignIns):
        await sign_in(rt, owner, PASSWORD, HERE)
    again = await sign_in(rt, owner, PASSWORD, HERE, cookie)
    assert again is not None
    assert again.device == cookie
    # It opens no count but its own name's, and no count without an end: whoever took the browser guesses eight times.
    for changed in ("", cookie[:-1], cookie.replace(".", ":"), f"9{cookie}", "1.2.3", "\u0661.x.y", "9" * 300):
        with pytest.raises(TooManySignIns):
            await sign_in(rt, owner, PASSWORD, HERE, changed)
    assert device_hash(rt, bar.waiter.username, cookie) is None
    device = device_hash(rt, owner.upper(), cookie)
    assert device is not None
    async with rt.db.acquire() as db:
        for _ in range(FAILURES):
            await queries.insert_sign_in(db, rt.keys.index("username", owner), None, device, rt.clock.now())
    with pytest.raises(TooManySignIns):
        await sign_in(rt, owner, PASSWORD, "198.51.100.7", cookie)
    moving.advance(KNOWN_SECONDS)
    assert device_hash(rt, owner, cookie) is None


async def test_success_counts_against_nobody(rt: Runtime, bar: SeededBar, almost: int) -> None:
    for _ in range(FAILURES - almost + 1):
        assert await sign_in(rt, bar.owner.username, PASSWORD, HERE) is not None


async def test_a_session_ends_after_a_shift_and_its_row_is_swept(
    rt: Runtime, bar: SeededBar, moving: ManualClock
) -> None:
    signed_in = await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    assert signed_in is not None
    moving.advance(SESSION_SECONDS - 1)
    assert await session_of(rt, signed_in.token) is not None
    moving.advance(2)
    assert await session_of(rt, signed_in.token) is None


async def test_signing_out_ends_the_session_and_no_other(rt: Runtime, bar: SeededBar) -> None:
    one, other = [await sign_in(rt, bar.owner.username, PASSWORD, HERE) for _ in range(2)]
    assert one is not None
    assert other is not None
    assert one.token != other.token
    assert one.csrf != other.csrf
    await sign_out(rt, one.token)
    assert await session_of(rt, one.token) is None
    assert await session_of(rt, other.token) is not None


@pytest.mark.parametrize("token", [None, "", "0" * 64, "not hex", "\0"])
async def test_a_token_that_opens_nothing_opens_nothing(rt: Runtime, bar: SeededBar, token: str | None) -> None:
    assert await session_of(rt, token) is None


@pytest.mark.failure(87)
@pytest.mark.failure(88)
async def test_a_membership_that_ends_or_an_account_that_is_closed_counts_at_once(
    rt: Runtime, bar: SeededBar, other_bar: SeededBar
) -> None:
    signed_in = await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    assert signed_in is not None
    async with transaction(rt.db) as db:
        await db.execute("delete from bar_members where account_id = $1", bar.owner.account_id)
    session = await session_of(rt, signed_in.token)
    assert session is not None
    assert session.current is None
    assert session.at(bar.id) is None
    await rt.db.execute("update staff_accounts set active = false where id = $1", bar.owner.account_id)
    assert await session_of(rt, signed_in.token) is None
    assert await sign_in(rt, bar.owner.username, PASSWORD, HERE) is None


@pytest.mark.failure(88)
async def test_nobody_looks_at_a_bar_they_do_not_work_at(rt: Runtime, bar: SeededBar, other_bar: SeededBar) -> None:
    signed_in = await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    assert signed_in is not None
    session = await session_of(rt, signed_in.token)
    assert session is not None
    with pytest.raises(NotFound):
        await choose_bar(rt, signed_in.token, session, other_bar.id)
    # Even a row that says otherwise opens nothing: the membership is looked at each time.
    await rt.db.execute(
        "update staff_sessions set bar_id = $2 where token_hash = $1", token_hash(signed_in.token), other_bar.id
    )
    session = await session_of(rt, signed_in.token)
    assert session is not None
    assert session.current is not None
    assert session.current.bar_id == bar.id


async def test_who_works_at_two_bars_chooses(rt: Runtime, bar: SeededBar, other_bar: SeededBar) -> None:
    async with transaction(rt.db) as db:
        await set_member(db, bar.owner.account_id, other_bar.id, "waiter")
    signed_in = await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    assert signed_in is not None
    session = await session_of(rt, signed_in.token)
    assert session is not None
    assert {(membership.bar_id, membership.role) for membership in session.bars} == {
        (bar.id, "owner"), (other_bar.id, "waiter"),
    }  # fmt: skip
    before = session.csrf
    await choose_bar(rt, signed_in.token, session, bar.id)
    session = await session_of(rt, signed_in.token)
    assert session is not None
    assert session.current == session.at(bar.id)
    assert session.csrf != before, "a form that shows the other bar must not be taken for this one's"


async def test_signing_in_is_on_the_record(rt: Runtime, bar: SeededBar) -> None:
    await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    row = await rt.db.fetchrow("select actor, object_id from audit_events where action = 'signed_in'")
    assert row is not None
    assert row["actor"] == f"staff:{bar.owner.account_id}"
    assert row["object_id"] == str(bar.owner.account_id)

"""Codes from a phone: asked for after the password, each good once, with paper for the day the phone is lost."""

import pyotp
import pytest

from kaunta.access import second_factor
from kaunta.access.known_devices import device_hash
from kaunta.access.queries import lock_second_factor
from kaunta.access.second_factor import STEP_SECONDS, NoSecondFactor, WrongCode
from kaunta.access.sessions import (
    FAILURES,
    PROVED_SECONDS,
    WRONG_CODES,
    ProofNeeded,
    StaffSession,
    TooManySignIns,
    WrongPassword,
    change_password,
    prove,
    require_proof,
    session_of,
    sign_in,
    sign_out_elsewhere,
    unfinished_session,
)
from kaunta.core.clock import Clock, ManualClock
from kaunta.core.db import transaction
from kaunta.core.errors import Conflict
from kaunta.core.runtime import Runtime
from tests.support.bars import PASSWORD, SeededBar

HERE = "203.0.113.9"


@pytest.fixture
def moving(clock: Clock) -> ManualClock:
    assert isinstance(clock, ManualClock)
    return clock


async def enrolled(rt: Runtime, bar: SeededBar) -> tuple[pyotp.TOTP, list[str]]:
    enrolment = await second_factor.begin(rt, bar.owner.account_id, bar.owner.username)
    totp = pyotp.TOTP(enrolment.secret)
    codes = await second_factor.confirm(rt, bar.owner.account_id, totp.at(rt.clock.now()))
    return totp, list(codes)


async def waiting_session(rt: Runtime, bar: SeededBar) -> tuple[str, StaffSession]:
    signed_in = await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    assert signed_in is not None
    session = await unfinished_session(rt, signed_in.token)
    assert session is not None
    return signed_in.token, session


async def test_after_the_password_the_code_is_asked_for_and_the_token_changes(
    rt: Runtime, bar: SeededBar, moving: ManualClock
) -> None:
    totp, _ = await enrolled(rt, bar)
    token, session = await waiting_session(rt, bar)
    assert session.second_factor_due
    assert await session_of(rt, token) is None
    moving.advance(STEP_SECONDS)
    whole = await prove(rt, token, session, None, totp.at(rt.clock.now()), HERE)
    assert await unfinished_session(rt, token) is None
    found = await session_of(rt, whole.token)
    assert found is not None
    assert not found.second_factor_due


async def test_a_secret_counts_only_once_a_code_of_it_was_seen(rt: Runtime, bar: SeededBar) -> None:
    enrolment = await second_factor.begin(rt, bar.owner.account_id, bar.owner.username)
    with pytest.raises(WrongCode):
        await second_factor.confirm(rt, bar.owner.account_id, "000000")
    _, session = await waiting_session(rt, bar)
    assert not session.second_factor_due
    again = await second_factor.begin(rt, bar.owner.account_id, bar.owner.username)
    assert again.secret != enrolment.secret
    await second_factor.confirm(rt, bar.owner.account_id, pyotp.TOTP(again.secret).at(rt.clock.now()))
    with pytest.raises(NoSecondFactor):
        await second_factor.confirm(rt, bar.owner.account_id, pyotp.TOTP(again.secret).at(rt.clock.now()))
    with pytest.raises(Conflict):
        await second_factor.begin(rt, bar.owner.account_id, bar.owner.username)


async def test_a_code_is_good_once_and_for_a_minute_and_a_half(
    rt: Runtime, bar: SeededBar, moving: ManualClock
) -> None:
    totp, _ = await enrolled(rt, bar)
    moving.advance(10 * STEP_SECONDS)

    async def takes(code: str) -> bool:
        async with transaction(rt.db) as db:
            return await second_factor.accept_code(db, rt, bar.owner.account_id, code)

    now = rt.clock.now().timestamp()
    assert not await takes(totp.at(int(now) - 2 * STEP_SECONDS))
    assert not await takes(totp.at(int(now) + 2 * STEP_SECONDS))
    late = totp.at(int(now) - STEP_SECONDS)
    assert await takes(f"{late[:3]} {late[3:]}")
    assert not await takes(late)
    assert await takes(totp.at(int(now)))
    for text in ("", "12345", "１２３４５６", "abcdef", "0" * 500, "\x00"):
        assert not await takes(text)


async def test_each_recovery_code_is_good_once(rt: Runtime, bar: SeededBar) -> None:
    _, codes = await enrolled(rt, bar)
    assert len(set(codes)) == 10
    for _ in range(2):
        token, session = await waiting_session(rt, bar)
        if _ == 0:
            await prove(rt, token, session, None, codes[3].upper(), HERE)
        else:
            with pytest.raises(WrongCode):
                await prove(rt, token, session, None, codes[3], HERE)


async def test_the_secret_is_stored_sealed_for_its_account(rt: Runtime, bar: SeededBar) -> None:
    enrolment = await second_factor.begin(rt, bar.owner.account_id, bar.owner.username)
    async with rt.db.acquire() as db, db.transaction():
        row = await lock_second_factor(db, bar.owner.account_id)
    assert row.secret_enc is not None
    assert enrolment.secret.encode() not in row.secret_enc


async def test_guessing_codes_has_an_end(rt: Runtime, bar: SeededBar) -> None:
    await enrolled(rt, bar)
    token, session = await waiting_session(rt, bar)
    for _ in range(FAILURES):
        with pytest.raises(WrongCode):
            await prove(rt, token, session, None, "000000", HERE)
    with pytest.raises(TooManySignIns):
        await prove(rt, token, session, None, "000000", HERE)
    # Nor does the password, entered anew, give codes to guess anew.
    with pytest.raises(TooManySignIns):
        await sign_in(rt, bar.owner.username, PASSWORD, HERE)


@pytest.mark.req("PAY-5.4")
async def test_who_has_the_password_and_many_addresses_cannot_try_all_codes(
    rt: Runtime, bar: SeededBar, moving: ManualClock
) -> None:
    totp, _ = await enrolled(rt, bar)
    token, session = await waiting_session(rt, bar)
    moving.advance(STEP_SECONDS)
    whole = await prove(rt, token, session, None, totp.at(rt.clock.now()), HERE)
    for number in range(WRONG_CODES):
        with pytest.raises(WrongCode):
            await prove(rt, whole.token, session, None, "000000", f"198.51.100.{number}")
    moving.advance(STEP_SECONDS)
    with pytest.raises(TooManySignIns):
        await prove(rt, whole.token, session, None, totp.at(rt.clock.now()), "198.51.100.99")
    # The person's own browser is not kept out by it.
    await prove(rt, whole.token, session, None, totp.at(rt.clock.now()), HERE, whole.device)


@pytest.mark.req("PAY-5.4")
async def test_a_browser_is_known_once_the_code_was_right_and_not_before(
    rt: Runtime, bar: SeededBar, moving: ManualClock
) -> None:
    totp, _ = await enrolled(rt, bar)
    moving.advance(STEP_SECONDS)
    half = await sign_in(rt, bar.owner.username, PASSWORD, HERE)
    assert half is not None
    assert (half.second_factor_due, half.device) == (True, None)
    session = await unfinished_session(rt, half.token)
    assert session is not None
    whole = await prove(rt, half.token, session, None, totp.at(rt.clock.now()), HERE)
    assert device_hash(rt, bar.owner.username, whole.device) is not None


async def test_a_proof_grows_old_and_is_renewed_by_password_and_code(
    rt: Runtime, bar: SeededBar, moving: ManualClock
) -> None:
    totp, _ = await enrolled(rt, bar)
    moving.advance(STEP_SECONDS)
    token, session = await waiting_session(rt, bar)
    token = (await prove(rt, token, session, None, totp.at(rt.clock.now()), HERE)).token
    moving.advance(PROVED_SECONDS + 1)
    old = await session_of(rt, token)
    assert old is not None
    with pytest.raises(ProofNeeded):
        require_proof(rt, old)
    with pytest.raises(ProofNeeded):
        await change_password(rt, token, old, "another horse battery")
    with pytest.raises(WrongPassword):
        await prove(rt, token, old, "wrong", totp.at(rt.clock.now()), HERE)
    with pytest.raises(WrongCode):
        await prove(rt, token, old, PASSWORD, "", HERE)
    fresh = await session_of(rt, (await prove(rt, token, old, PASSWORD, totp.at(rt.clock.now()), HERE)).token)
    assert fresh is not None
    require_proof(rt, fresh)


async def test_signing_out_elsewhere_and_a_new_password_end_every_other_session(rt: Runtime, bar: SeededBar) -> None:
    tokens = [(await waiting_session(rt, bar))[0] for _ in range(3)]
    here = await session_of(rt, tokens[0])
    assert here is not None
    assert await sign_out_elsewhere(rt, tokens[0], here) == 2
    assert await session_of(rt, tokens[1]) is None
    other, _ = await waiting_session(rt, bar)
    await change_password(rt, tokens[0], here, "another horse battery")
    assert await session_of(rt, other) is None
    assert await session_of(rt, tokens[0]) is not None
    assert await sign_in(rt, bar.owner.username, PASSWORD, HERE) is None

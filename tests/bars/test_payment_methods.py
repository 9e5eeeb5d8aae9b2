"""What a guest may pay with: M-Pesa only where everything says yes."""

from datetime import timedelta
from uuid import uuid4

import pytest

from kaunta.bars.payment_methods import payment_methods
from kaunta.core.runtime import Runtime
from tests.support.bars import SeededBar


@pytest.mark.req("PAY-3.1", "PAY-8.1")
async def test_a_bar_that_is_ready_takes_mpesa_in_its_environment(rt: Runtime, bar: SeededBar) -> None:
    async with rt.db.acquire() as db:
        methods = await payment_methods(db, rt, bar.id)
    assert methods is not None
    assert (methods.mpesa, methods.mpesa_reason, methods.environment) == (True, None, "sandbox")
    assert (methods.cash, methods.card) == (True, False)


@pytest.mark.req("PAY-8.4")
@pytest.mark.failure(1)
@pytest.mark.failure(14)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("update bars set mpesa_enabled = false", "switched off"),
        ("update mpesa_credentials set is_active = false", "switched off"),
        ("update bars set mpesa_environment = 'production'", "No production credentials"),
        ("update bars set mpesa_suspended_reason = 'unpaid bill'", "unpaid bill"),
        ("update bars set mpesa_suspended_reason = ''", "suspended"),
        ("update bars set mpesa_suspended_reason = 'x', mpesa_suspended_until = '2026-11-20 17:31+00'", "suspended"),
        ("update bars set mpesa_suspended_reason = 'x', mpesa_enabled = false", "switched off"),
    ],
)
async def test_any_no_is_a_no_with_its_reason(rt: Runtime, bar: SeededBar, change: str, reason: str) -> None:
    # Without the guard, as on a database that was written by hand.
    await rt.db.execute("alter table bars disable trigger user; alter table mpesa_credentials disable trigger user")
    await rt.db.execute(change)
    async with rt.db.acquire() as db:
        methods = await payment_methods(db, rt, bar.id)
    assert methods is not None
    assert not methods.mpesa
    assert methods.environment == ("production" if "production" in change else "sandbox")
    assert reason in (methods.mpesa_reason or "")


async def test_a_suspension_ends_by_itself(rt: Runtime, bar: SeededBar) -> None:
    await rt.db.execute(
        "update bars set mpesa_suspended_reason = 'x', mpesa_suspended_until = $1",
        rt.clock.now() - timedelta(seconds=1),
    )
    async with rt.db.acquire() as db:
        methods = await payment_methods(db, rt, bar.id)
    assert methods is not None
    assert methods.mpesa


async def test_a_bar_that_is_closed_or_unknown_has_no_methods(rt: Runtime, bar: SeededBar) -> None:
    async with rt.db.acquire() as db:
        assert await payment_methods(db, rt, uuid4()) is None
        await db.execute("update bars set active = false")
        assert await payment_methods(db, rt, bar.id) is None

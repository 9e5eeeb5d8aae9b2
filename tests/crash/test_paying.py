"""A process dies while a guest's payment is started: the push goes out at most once, and none is forgotten."""

import pytest

from tests.crash.stage import Stage


@pytest.mark.req("PAY-P5")
@pytest.mark.failure(46)
async def test_a_payment_being_started(stage: Stage) -> None:
    async for scene in stage.crashes():
        tab = await stage.tab()
        await scene.act("pay", tab=tab.ref, phone=scene.phone, amount=500, key=f"k{scene.number}")

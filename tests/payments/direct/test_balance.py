"""What the accounts hold, as Safaricom says it: asked once by many, and an answer without figures takes none away."""

import asyncio
from datetime import timedelta

import pytest

from kaunta.payments import balance
from kaunta.payments.balance import Balance, Standing
from kaunta.payments.initiators import NoInitiator
from kaunta.simulator.calls import Api, Fate
from kaunta.simulator.exchanges import Way

from .conftest import DirectMoney


async def held(money: DirectMoney) -> Balance:
    now = money.evening.clock.now()
    return await balance.of_bar(money.evening.rt, money.evening.bar.id, now - timedelta(hours=12), now)


async def ask(money: DirectMoney) -> None:
    await balance.ask(money.evening.rt, money.evening.pushes.daraja, money.evening.bar.id, by="staff:owner")


async def test_the_figures_are_safaricoms_own_and_have_their_time(acting: DirectMoney) -> None:
    evening = acting.evening
    assert (await held(acting)).standing is Standing.NEVER_ASKED
    await acting.pay_till(350)
    # Two people at two screens, and one of them twice.
    await asyncio.gather(*(ask(acting) for _ in range(3)))
    assert (await held(acting)).standing is Standing.ASKED
    await evening.settle()
    asked = [
        each for each in evening.simulator.simulator.exchanges.listed if each.way is Way.IN and each.api == "balance"
    ]
    assert len(asked) == 1
    await evening.wait(60)
    found = await held(acting)
    account = evening.simulator.simulator.ledger.account("174379")
    name = "Merchant Account" if account.till else "Utility Account"
    assert found.standing is Standing.ANSWERED
    assert found.accounts[name] == account.utility > 0
    assert found.at is not None
    await ask(acting)
    assert (await held(acting)).standing is Standing.ANSWERED, "it was answered just now"


@pytest.mark.parametrize("code", ["21", "2001"])
async def test_a_refusal_is_said_and_leaves_the_earlier_figures(acting: DirectMoney, code: str) -> None:
    evening = acting.evening
    await acting.pay_till(350)
    await ask(acting)
    await evening.settle()
    await evening.wait(200)
    before = await held(acting)
    evening.simulator.simulator.calls.fates.append(Fate(Api.BALANCE, code))
    await ask(acting)
    await evening.settle()
    found = await held(acting)
    assert (found.standing, found.code) == (Standing.REFUSED, code)
    assert (found.accounts, found.at) == (before.accounts, before.at)
    assert "initiator_refused" in await evening.problems()


@pytest.mark.parametrize("fate", ["lost", "timeout"])
async def test_no_answer_is_said_and_it_may_be_asked_again(acting: DirectMoney, fate: str) -> None:
    evening = acting.evening
    evening.simulator.simulator.calls.fates.append(Fate(Api.BALANCE, fate))
    await ask(acting)
    await evening.settle()
    await evening.wait(balance.PATIENCE_SECONDS + 1)
    assert (await held(acting)).standing is (Standing.NO_ANSWER if fate == "lost" else Standing.REFUSED)
    await ask(acting)
    await evening.settle()
    await evening.wait(1)
    assert (await held(acting)).standing is Standing.ANSWERED


async def test_figures_of_another_time_are_not_shown_for_this_one(acting: DirectMoney) -> None:
    evening = acting.evening
    await acting.pay_till(350)
    await ask(acting)
    await evening.settle()
    await evening.wait(13 * 3600)
    assert (await held(acting)).accounts == {}


async def test_without_an_initiator_nothing_is_asked(told: DirectMoney) -> None:
    assert (await held(told)).standing is Standing.CANNOT_ASK
    with pytest.raises(NoInitiator):
        await ask(told)

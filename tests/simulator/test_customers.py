"""Customers: PINs that lock, days that are used up, balances, the same amount twice; and how pushes are drawn."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.simulator import AlreadyAnswered, Simulator

from .merchant import Merchant, Till
from .staging import GUEST, Stage

PERSON = SimulatorOptions(seed=7, auto="person")
Codes = Callable[[], list[Any]]


@pytest.fixture
def codes(merchant: Merchant) -> Codes:
    """The result codes told, in order."""
    return lambda: [each.told["ResultCode"] for each in merchant.received]


async def subscriber(till: Till, **said: object) -> dict[str, Any]:
    return (await till.ask("POST", f"/_sim/subscribers/{GUEST}", json=said)).json


@pytest.mark.parametrize("options", [PERSON], indirect=True)
async def test_three_wrong_pins_lock_it(till: Till, simulator: Simulator, codes: Codes) -> None:
    for _ in range(3):
        simulator.enter_pin(await till.pushed(), "0000")
    await simulator.settle()
    assert codes() == [2001, 2001, 8006]
    push = simulator.pushes[await till.pushed()]
    assert not push.ringing
    await simulator.settle()
    assert codes()[-1] == 8006


@pytest.mark.parametrize("options", [PERSON], indirect=True)
async def test_a_right_pin_forgets_the_wrong_ones(till: Till, simulator: Simulator, codes: Codes) -> None:
    for pin in ("0000", "0000", "1234", "0000", "0000"):
        simulator.enter_pin(await till.pushed(), pin)
    await simulator.settle()
    assert codes() == [2001, 2001, 0, 2001, 2001]


@pytest.mark.parametrize("options", [PERSON], indirect=True)
async def test_a_pin_of_ones_own_is_the_only_right_one(till: Till, simulator: Simulator, codes: Codes) -> None:
    await subscriber(till, pin="4711")
    simulator.enter_pin(await till.pushed(), "1234")
    simulator.enter_pin(await till.pushed(), "4711")
    await simulator.settle()
    assert codes() == [2001, 0]


@pytest.mark.parametrize("options", [PERSON], indirect=True)
async def test_a_locked_pin_is_unlocked_by_customer_care(till: Till, simulator: Simulator, codes: Codes) -> None:
    for _ in range(3):
        simulator.enter_pin(await till.pushed(), "0000")
    assert (await subscriber(till))["pin_locked"] is True
    assert (await subscriber(till, unlock=True))["pin_locked"] is False
    simulator.enter_pin(await till.pushed(), "1234")
    await simulator.settle()
    assert codes()[-1] == 0


@pytest.mark.parametrize("options", [PERSON], indirect=True)
async def test_a_prompt_takes_one_pin(till: Till, simulator: Simulator) -> None:
    checkout_id = await till.pushed()
    simulator.enter_pin(checkout_id, "1234")
    with pytest.raises(AlreadyAnswered):
        simulator.enter_pin(checkout_id, "1234")


async def test_a_balance_is_spent_and_then_it_is_not_enough(till: Till, simulator: Simulator, codes: Codes) -> None:
    await subscriber(till, balance=2000)
    for _ in range(2):
        await till.push()
        await simulator.settle()
    assert codes() == [0, 1]
    assert (await subscriber(till))["balance"] == 550
    simulator.bank.give_back(simulator.ledger[0].receipt, None, None)
    assert (await subscriber(till))["balance"] == 2000


async def test_a_day_has_its_limit_and_the_next_has_its_own(till: Till, simulator: Simulator, codes: Codes) -> None:
    for amount in (250_000, 250_000, 1):
        await till.push(Amount=amount)
        await simulator.settle()
    await simulator.advance(24 * 3600)
    await till.sign_in()
    await till.push(Amount=1)
    await simulator.settle()
    assert codes() == [0, 0, 4, 0]


@pytest.mark.parametrize("options", [SimulatorOptions(seed=7, rule_limited=True)], indirect=True)
async def test_the_same_amount_within_two_minutes_is_17(till: Till, simulator: Simulator, codes: Codes) -> None:
    await till.push()
    await simulator.settle()
    await till.push()
    await till.push(Amount=1451)
    await till.push(PhoneNumber=254700000001)
    await simulator.settle()
    await simulator.advance(120)
    await till.push()
    await simulator.settle()
    assert sorted(codes()) == [0, 0, 0, 0, 17]
    assert [payment.amount for payment in simulator.ledger] == [1450, 1451, 1450, 1450]


@pytest.mark.parametrize("options", [SimulatorOptions(seed=7, rule_limited=True)], indirect=True)
async def test_a_failed_attempt_is_no_repetition(till: Till, simulator: Simulator, codes: Codes) -> None:
    simulator.queue_scenario("cancelled")
    for _ in range(2):
        await till.push()
        await simulator.settle()
    assert codes() == [1032, 0]


async def test_a_line_that_is_not_active_does_not_ring(till: Till, simulator: Simulator, codes: Codes) -> None:
    await subscriber(till, active=False)
    assert not simulator.pushes[await till.pushed()].ringing
    await simulator.settle()
    assert codes() == [11]


async def test_a_customer_has_a_name(stage: Stage) -> None:
    assert (await subscriber(stage.till, name="Jane Njeri Doe"))["name"] == "Jane Njeri Doe"
    told = await stage.confirmation("v1")
    assert (told["FirstName"], told["MiddleName"], told["LastName"]) == ("Jane", "Njeri", "Doe")
    assert (await stage.till.ask("GET", f"/_sim/subscribers/{GUEST}")).json["number"] == GUEST
    assert (await stage.till.ask("GET", "/_sim/subscribers/nobody")).status == 400


# How pushes are drawn


async def test_rates_are_kept(till: Till, simulator: Simulator) -> None:
    answer = await till.ask("POST", "/_sim/rates", json={"cancelled": 0.3, "no_funds": 0.2})
    assert answer.status == 200
    for number in range(400):
        await till.push(PhoneNumber=254700000000 + number)
    named = [push.scenario.name for push in simulator.pushes.values()]
    shares = {name: named.count(name) / 400 for name in ("cancelled", "no_funds", "paid")}
    for name, share in {"cancelled": 0.3, "no_funds": 0.2, "paid": 0.5}.items():
        assert shares[name] == pytest.approx(share, abs=0.08)


@pytest.mark.parametrize("rates", [{"cancelled": 0.7, "paid": 0.4}, {"nothing": 0.1}, {"paid": -1}])
async def test_rates_that_cannot_be_are_refused(till: Till, rates: dict[str, float]) -> None:
    assert (await till.ask("POST", "/_sim/rates", json=rates)).status == 400


async def test_a_queued_scenario_and_a_test_phone_come_before_the_rates(till: Till, simulator: Simulator) -> None:
    simulator.choice.set_rates({"no_funds": 1.0})
    simulator.queue_scenario("cancelled")
    for phone in (GUEST, "254711040403", GUEST):
        await till.push(PhoneNumber=phone)
    assert [push.scenario.name for push in simulator.pushes.values()] == ["cancelled", "wrong_pin", "no_funds"]


async def test_a_hook_comes_before_everything(till: Till, simulator: Simulator) -> None:
    simulator.queue_scenario("cancelled")
    big = replace(CATALOGUE["no_funds"], name="too much for them")
    simulator.choice.hooks.append(lambda wanted: big if wanted.amount > 1000 else None)
    await till.push(Amount=2000)
    await till.push(Amount=500)
    assert [push.scenario.name for push in simulator.pushes.values()] == ["too much for them", "cancelled"]


async def test_time_can_be_made_faster_while_it_runs(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    await till.push()
    due = simulator.agenda.errands[0].due - simulator.clock.now()
    assert (await till.ask("POST", "/_sim/clock", json={"factor": 60})).json == {"factor": 60}
    assert (simulator.agenda.errands[0].due - simulator.clock.now()) / due == pytest.approx(1 / 60, rel=0.001)
    await simulator.advance(4)
    assert len(merchant.received) == 1
    assert (await till.ask("GET", "/_sim/clock")).json["factor"] == 60
    assert (await till.ask("POST", "/_sim/clock", json={"factor": 0})).status == 400

"""What the page of a payment offers is what the server takes, whatever the payment's state and age."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import product
from random import Random
from uuid import UUID

import pytest

from kaunta.core.runtime import Runtime
from kaunta.payments.desk import Act, standing
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.views import payment
from kaunta.worker import Worker
from tests.staff.conftest import Read, Reader
from tests.support.bars import OpenTab, SeededBar, Staff
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Enter = Callable[[Staff], Awaitable[str]]
#: What becomes of the push, and how old the payment is when somebody looks at it, seconds.
ENDS = (
    "person",
    "cancelled",
    "no_funds",
    "pin_locked",
    "paid",
    "callback_lost",
    "ack_and_callback_lost",
    "line_busy",
    "ack_hangs",
)
AGES = (0, 45, 125, 310, 430, 720)
FORMS = {
    Act.CHECK: ("check", {}),
    Act.PUSH: ("push", {"no_sms": "yes"}),
    Act.PAID: ("resolve", {"ended": "paid", "reason": "the phone died", "evidence": "seen on the till"}),
    Act.NOT_PAID: ("resolve", {"ended": "not_paid", "reason": "the phone died", "evidence": "nothing on the till"}),
}


@dataclass
class Counter:
    """Somebody at the counter, and payments in every state before them."""

    application: Served
    simulator: Safaricom
    read: Reader
    new_tab: Callable[[int], Awaitable[OpenTab]]
    csrf: str
    made: int = 0

    @property
    def rt(self) -> Runtime:
        return self.application.rt

    async def payment(self, end: str, age: int) -> UUID:
        """A payment of a payer and tab of its own."""
        self.made += 1
        tab = await self.new_tab(300)
        self.simulator.simulator.queue_scenario(end)
        started = await initiate(self.rt, self.application.pushes, Intent(tab.ref, f"2547{self.made:08d}", 200))
        if end != "ack_hangs":
            await started.answered()
        else:
            # Nobody waits for this answer; it counts as none.
            await self.simulator.advance(60)
        if end != "person":
            await self.simulator.settle()
        await self.simulator.advance(age)
        await self.application.pushes.drain()
        await self.work()
        return started.transaction_id

    async def work(self) -> None:
        for loop in Worker(self.rt, self.application.pushes.daraja).loops():
            while loop.name in {"inbox", "silence"} and await loop.work():
                pass

    async def act(self, transaction_id: UUID, act: Act, payable: int = 0) -> Read:
        path, data = FORMS[act]
        sent = {"csrf": self.csrf, "amount": str(payable), **data}
        return await self.read(f"/staff/payments/{transaction_id}/{path}", data=sent)


@pytest.fixture
def at_counter(
    application: Served, simulator: Safaricom, read: Reader, new_tab: Callable[[int], Awaitable[OpenTab]]
) -> Callable[[str], Counter]:
    return lambda csrf: Counter(application, simulator, read, new_tab, csrf)


async def offered_is_taken(counter: Counter, cases: list[tuple[str, int, Act]]) -> None:
    for end, age, act in cases:
        id_ = await counter.payment(end, age)
        now = await standing(counter.rt, id_)
        page = await counter.read(f"/staff/payments/{id_}")
        answer = await counter.act(id_, act, now.payable)
        taken = answer.status == 200
        case = (end, age, act.value, now.refused[act], answer.status)
        assert taken == now.may(act), case
        if not taken:
            assert str(now.refused[act]).split(".")[0] in answer.text.replace("&#39;", "'"), case
            if act is Act.CHECK or act is Act.PUSH:
                assert "disabled" in page.text, case


@pytest.mark.req("PAY-4.3")
async def test_what_is_offered_is_what_is_taken(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    cases = Random(8).sample(list(product(ENDS, AGES, Act)), 10)
    await offered_is_taken(at_counter(await signed_in(bar.owner)), cases)


@pytest.mark.prove
async def test_in_sixty_states_what_is_offered_is_what_is_taken(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    cases = Random(21).sample(list(product(ENDS, AGES, Act)), 60)
    await offered_is_taken(at_counter(await signed_in(bar.owner)), cases)


async def test_a_waiter_does_not_decide_and_is_told_whom_to_ask(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.waiter))
    id_ = await counter.payment("ack_and_callback_lost", 430)
    page = await counter.read(f"/staff/payments/{id_}")
    assert "Ask a cashier or a manager" in page.text
    answer = await counter.act(id_, Act.PAID)
    assert answer.status == 403
    found = await payment(counter.rt, id_)
    assert found is not None
    assert found.status != "completed"


async def test_a_decision_and_a_note_stand_in_the_timeline_with_who_and_why(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("ack_hangs", 430)
    path = f"/staff/payments/{id_}/note"
    await counter.read(path, data={"csrf": counter.csrf, "note": "guest <b>left</b>, call 0712345678"})
    page = await counter.act(id_, Act.PAID)
    assert "guest &lt;b&gt;left" in page.text
    assert "0712345678" not in page.text
    assert "seen on the till" in page.text
    assert f"staff:{bar.owner.account_id}" in page.text
    empty = await counter.read(path, data={"csrf": counter.csrf, "note": " "})
    assert empty.status == 400


async def test_a_second_press_sends_no_second_prompt(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.waiter))
    id_ = await counter.payment("cancelled", 0)
    before = len(counter.simulator.simulator.pushes)
    data = {"csrf": counter.csrf, "key": "pressed", "amount": "150"}
    paths = {(await counter.read(f"/staff/payments/{id_}/push", data=data)).path for _ in range(3)}
    await counter.application.pushes.drain()
    assert (len(paths), len(counter.simulator.simulator.pushes)) == (1, before + 1)

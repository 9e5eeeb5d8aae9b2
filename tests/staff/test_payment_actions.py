"""What the page of a payment offers is what the server takes, whatever the payment's state and age."""

from collections.abc import Callable
from itertools import product
from random import Random

import pytest

from kaunta.access.accounts import Role
from kaunta.payments.desk import Act, standing
from kaunta.payments.views import payment
from tests.staff.conftest import AsRole
from tests.staff.counters import AGES, DECISIONS, ENDS, Counter, Enter, at_counter
from tests.support.bars import SeededBar

__all__ = ["at_counter"]


async def offered_is_taken(counter: Counter, cases: list[tuple[str, int, Act]]) -> None:
    for end, age, act in cases:
        id_ = await counter.payment(end, age)
        if act in DECISIONS:
            await counter.ask_first(id_)
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
    id_ = await counter.payment("ack_and_callback_lost", 430)
    await counter.ask_first(id_)
    path = f"/staff/payments/{id_}/note"
    await counter.read(path, data={"csrf": counter.csrf, "note": "guest <b>left</b>, call 0712345678"})
    page = await counter.act(id_, Act.PAID)
    assert "guest &lt;b&gt;left" in page.text
    assert "0712345678" not in page.text
    assert "seen on the till" in page.text
    assert bar.owner.username.title() in page.text.replace("&#39;", "'")
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


@pytest.mark.parametrize("role", ["waiter", "cashier", "manager", "owner"])
async def test_the_whole_number_is_shown_to_managers_and_that_it_was_is_on_record(
    at_counter: Callable[[str], Counter], as_role: AsRole, role: Role
) -> None:
    counter = at_counter(await as_role(role))
    id_ = await counter.payment("paid", 0)
    may = role in ("manager", "owner")
    before = (await counter.read(f"/staff/payments/{id_}")).text
    assert ("Show the number" in before) == may
    whole = "0700 000 001"
    assert whole not in before
    answer = await counter.read(f"/staff/payments/{id_}/phone", data={"csrf": counter.csrf})
    assert (answer.status, whole in answer.text) == ((200, True) if may else (403, False))
    seen = "select actor, detail::text from audit_events where action = 'payment.phone_shown' and object_id = $1"
    audited = await counter.rt.db.fetch(seen, str(id_))
    assert len(audited) == may
    assert not any("000001" in row["detail"] for row in audited)
    assert whole not in (await counter.read(f"/staff/payments/{id_}")).text, "once, and not from then on"


async def test_a_number_that_was_erased_is_not_there_to_be_shown(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("paid", 0)
    await counter.rt.db.execute("update data_keys set wrapped = null, destroyed_at = now() where purpose = 'personal'")
    counter.rt.keys.by_id.clear()
    answer = await counter.read(f"/staff/payments/{id_}/phone", data={"csrf": counter.csrf})
    assert (answer.status, "The number was erased" in answer.text) == (409, True)


async def test_a_code_that_a_guest_shows_leads_from_the_payment_to_its_receipt(
    at_counter: Callable[[str], Counter], signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.waiter))
    id_ = await counter.payment("paid", 0)
    found = await payment(counter.rt, id_)
    assert found is not None
    page = await counter.read(f"/staff/payments/{id_}")
    assert 'action="/staff/receipts/check"' in page.text
    receipt = await counter.read("/staff/receipts/check", data={"csrf": counter.csrf, "code": found.receipt})
    assert receipt.path.startswith("/staff/receipts/")
    assert str(found.receipt) in receipt.text

"""How an unknown payment ended, as people say it: after Safaricom, on evidence, and above a limit by two of them."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from kaunta.core.db import transaction
from kaunta.core.queries import open_problems
from kaunta.core.runtime import Runtime
from kaunta.payments import approval
from kaunta.payments.queries import proposals
from kaunta.payments.receipts import Sighting, sighted
from kaunta.payments.resolve import Resolution, resolve
from kaunta.payments.views import payment
from kaunta.worker import Worker
from tests.staff.counters import Colleagues, Counter, Enter, at_counter, colleagues
from tests.support.bars import SeededBar

__all__ = ["at_counter", "colleagues"]

At = Callable[[str], Counter]
#: What is said besides, and why it is not taken.
REFUSED: tuple[tuple[dict[str, str], str], ...] = (
    ({"receipt": ""}, "The M-Pesa code of the money you saw is needed"),
    ({"receipt": "no code"}, "An M-Pesa code has 8 to 15"),
    ({"reason": ""}, "reason and evidence are needed"),
    ({"ended": "perhaps"}, "Say how it ended"),
    ({"ended": "receipt:'; drop table tabs; --"}, "Say which receipt it is"),
)
SAID = {"ended": "paid", "receipt": "SKK0000001", "reason": "the phone died", "evidence": "seen on the till"}


async def status_of(rt: Runtime, id_: UUID) -> str:
    found = await payment(rt, id_)
    assert found is not None
    return found.status.value


async def limits(rt: Runtime, bar: SeededBar, cashier: int, anybody: int) -> None:
    async with transaction(rt.db) as db:
        await db.execute(
            "update bars set resolve_limit = $2, resolve_alone_limit = $3 where id = $1", bar.id, cashier, anybody
        )


async def propose(counter: Counter, end: str = "ack_and_callback_lost", **said: str) -> tuple[UUID, str]:
    """A payment of 200 whose end somebody has proposed; its id and the proposal's."""
    id_ = await counter.payment(end, 720)
    await counter.ask_first(id_)
    page = await counter.read(f"/staff/payments/{id_}/resolve", data={"csrf": counter.csrf, **SAID, **said})
    assert (page.status, "A second person has to agree" in page.text) == (200, True), page.text
    async with counter.rt.db.acquire() as db:
        waits = await proposals.open_about(db, id_, counter.rt.clock.now())
    assert waits is not None
    return id_, str(waits.id)


async def test_nobody_decides_before_safaricom_was_asked(at_counter: At, signed_in: Enter, bar: SeededBar) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("callback_lost", 0)
    first = await counter.read(f"/staff/payments/{id_}/resolve")
    assert "Ask Safaricom" in first.text
    assert "3. Decide" not in first.text
    said = {"csrf": counter.csrf, **SAID}
    refused = await counter.read(f"/staff/payments/{id_}/resolve", data=said)
    assert refused.status == 409
    assert "Check with M-Pesa first" in refused.text
    asked = await counter.ask_first(id_)
    assert "3. Decide" in asked.text
    assert (await counter.read(f"/staff/payments/{id_}/resolve", data=said)).status == 200
    assert await status_of(counter.rt, id_) == "completed"


async def test_proven_money_of_the_same_amount_is_shown_and_ends_it(
    at_counter: At, signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("ack_and_callback_lost", 720)
    now = counter.rt.clock.now()
    near, far = now - timedelta(hours=1), now - timedelta(hours=5)
    found = await sighted(counter.rt, Sighting(bar.id, "sandbox", "174379", "SKKNEAR001", 200, "c2b", near))
    await sighted(counter.rt, Sighting(bar.id, "sandbox", "174379", "SKKFAR0001", 200, "c2b", far))
    more = await sighted(counter.rt, Sighting(bar.id, "sandbox", "174379", "SKKMORE001", 300, "c2b", near))
    page = await counter.ask_first(id_)
    page = await counter.read(f"/staff/payments/{id_}/resolve")
    assert "SKKNEAR001" in page.text
    assert "SKKFAR0001" not in page.text
    assert "SKKMORE001" not in page.text
    other = {"csrf": counter.csrf, "ended": f"receipt:{more.receipt_id}", "reason": "the guest showed it"}
    assert (await counter.read(f"/staff/payments/{id_}/resolve", data=other)).status == 409
    assert await status_of(counter.rt, id_) == "timeout"
    said = {"csrf": counter.csrf, "ended": f"receipt:{found.receipt_id}", "reason": "the guest showed it"}
    page = await counter.read(f"/staff/payments/{id_}/resolve", data=said)
    assert "SKKNEAR001" in page.text, page.text
    assert await status_of(counter.rt, id_) == "completed"


async def test_a_decision_says_what_it_rests_on(at_counter: At, signed_in: Enter, bar: SeededBar) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("ack_and_callback_lost", 720)
    await counter.ask_first(id_)
    for said, words in REFUSED:
        page = await counter.read(f"/staff/payments/{id_}/resolve", data={"csrf": counter.csrf, **SAID, **said})
        assert page.status == 400
        assert words in page.text
    assert await status_of(counter.rt, id_) == "timeout"


async def test_not_paid_is_not_said_in_the_first_ten_minutes(at_counter: At, signed_in: Enter, bar: SeededBar) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("ack_and_callback_lost", 310)
    await counter.ask_first(id_)
    said = {"csrf": counter.csrf, **SAID, "ended": "not_paid"}
    page = await counter.read(f"/staff/payments/{id_}/resolve", data=said)
    assert page.status == 409
    assert "Too early to say that it was not paid" in page.text


async def test_above_the_limit_a_cashier_proposes_and_a_manager_agrees(
    at_counter: At, signed_in: Enter, bar: SeededBar, colleagues: Colleagues
) -> None:
    counter = at_counter(await signed_in(colleagues["cashier"]))
    await limits(counter.rt, bar, 100, 20_000)
    id_, proposal = await propose(counter)
    assert await status_of(counter.rt, id_) == "timeout"
    own = await counter.read(
        f"/staff/payments/{id_}/resolve/approve", data={"csrf": counter.csrf, "proposal": proposal}
    )
    assert own.status == 403
    counter.csrf = await signed_in(colleagues["manager"])
    assert "A decision about a payment waits for a second person" in (await counter.read("/staff/alerts")).text
    page = await counter.read(
        f"/staff/payments/{id_}/resolve/approve", data={"csrf": counter.csrf, "proposal": proposal}
    )
    assert page.status == 200
    assert await status_of(counter.rt, id_) == "completed"
    told = await counter.rt.db.fetch(
        "select action, actor from audit_events where object_id = $1 and action like 'payment.resol%' order by id",
        str(id_),
    )
    cashier, manager = (f"staff:{colleagues[role].account_id}" for role in ("cashier", "manager"))
    assert [(one["action"].partition(".")[2], one["actor"]) for one in told] == [
        ("resolution_proposed", cashier),
        ("resolved", cashier),
        ("resolution_approved", manager),
    ]
    async with counter.rt.db.acquire() as db:
        assert "resolution_waits" not in [one.kind for one in await open_problems(db, bar.id)]


async def test_who_proposed_it_never_agrees(at_counter: At, signed_in: Enter, bar: SeededBar) -> None:
    counter = at_counter(await signed_in(bar.owner))
    await limits(counter.rt, bar, 100, 100)
    id_, proposal = await propose(counter)
    counter.csrf = await signed_in(bar.owner)
    page = await counter.read(
        f"/staff/payments/{id_}/resolve/approve", data={"csrf": counter.csrf, "proposal": proposal}
    )
    assert page.status == 409
    assert "somebody else has to agree" in page.text
    assert await status_of(counter.rt, id_) == "timeout"
    with pytest.raises(Exception, match="resolution_proposals"):
        await counter.rt.db.execute(
            "update resolution_proposals set state = 'approved', decided_by = proposed_by, decided_at = now()"
        )
    again = {"csrf": counter.csrf, "proposal": proposal, "reason": "it was another table"}
    page = await counter.read(f"/staff/payments/{id_}/resolve/decline", data=again)
    assert "A second person has to agree" not in page.text
    assert (await counter.read(f"/staff/payments/{id_}/resolve/decline", data=again)).status == 409


async def test_agreeing_asks_everything_again(
    at_counter: At, signed_in: Enter, bar: SeededBar, colleagues: Colleagues
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    rt = counter.rt
    await limits(rt, bar, 100, 100)
    id_, proposal = await propose(counter)
    await resolve(rt, id_, Resolution(True, "seen elsewhere", "on the statement", "operator:test"))
    with pytest.raises(approval.ProposalDecided):
        await approval.approve(rt, UUID(proposal), by=f"staff:{colleagues['manager'].account_id}")
    credits = await rt.db.fetchval("select count(*) from tab_payments where transaction_id = $1", id_)
    assert credits == 1
    async with rt.db.acquire() as db:
        assert (await proposals.proposal(db, UUID(proposal))).state == "open"  # type: ignore[union-attr]
        assert "resolution_waits" not in [one.kind for one in await open_problems(db, bar.id)]


async def test_of_two_who_agree_at_once_one_decides(
    at_counter: At, signed_in: Enter, bar: SeededBar, colleagues: Colleagues
) -> None:
    counter = at_counter(await signed_in(colleagues["cashier"]))
    await limits(counter.rt, bar, 100, 100)
    id_, proposal = await propose(counter)
    both = await asyncio.gather(
        *(
            approval.approve(counter.rt, UUID(proposal), by=f"staff:{who.account_id}")
            for who in (colleagues["manager"], bar.owner)
        ),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, approval.ProposalDecided) for one in both) == [False, True]
    assert await counter.rt.db.fetchval("select count(*) from tab_payments where transaction_id = $1", id_) == 1


async def test_a_proposal_that_nobody_agrees_to_expires(
    at_counter: At, signed_in: Enter, bar: SeededBar, colleagues: Colleagues
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    await limits(counter.rt, bar, 100, 100)
    id_, proposal = await propose(counter)
    await counter.simulator.advance(approval.PROPOSAL_SECONDS + 1)
    with pytest.raises(approval.ProposalDecided):
        await approval.approve(counter.rt, UUID(proposal), by=f"staff:{colleagues['manager'].account_id}")
    assert await status_of(counter.rt, id_) == "timeout"
    await Worker(counter.rt, counter.application.pushes.daraja).keep_up()
    async with counter.rt.db.acquire() as db:
        assert (await proposals.proposal(db, UUID(proposal))).state == "expired"  # type: ignore[union-attr]
        assert "resolution_waits" not in [one.kind for one in await open_problems(db, bar.id)]


async def test_one_who_works_there_no_more_has_no_say_left(
    at_counter: At, signed_in: Enter, bar: SeededBar, colleagues: Colleagues
) -> None:
    counter = at_counter(await signed_in(colleagues["cashier"]))
    await limits(counter.rt, bar, 100, 100)
    id_, proposal = await propose(counter)
    await counter.rt.db.execute("delete from bar_members where account_id = $1", colleagues["cashier"].account_id)
    counter.csrf = await signed_in(bar.owner)
    page = await counter.read(
        f"/staff/payments/{id_}/resolve/approve", data={"csrf": counter.csrf, "proposal": proposal}
    )
    assert page.status == 409
    assert "may not decide payments here any more" in page.text


async def test_who_may_open_the_steps_and_who_may_agree(
    at_counter: At, signed_in: Enter, bar: SeededBar, colleagues: Colleagues
) -> None:
    counter = at_counter("")
    id_ = await counter.payment("ack_and_callback_lost", 720)
    seen = {}
    for role, who in colleagues.items():
        counter.csrf = await signed_in(who)
        form = {"csrf": counter.csrf, "proposal": str(id_)}
        steps = await counter.read(f"/staff/payments/{id_}/resolve")
        agree = await counter.read(f"/staff/payments/{id_}/resolve/approve", data=form)
        seen[role] = (steps.status, agree.status)
    assert seen == {"waiter": (403, 403), "cashier": (200, 403), "manager": (200, 404), "owner": (200, 404)}


async def test_what_two_people_decide_one_cashier_does_not_undo(
    at_counter: At, signed_in: Enter, bar: SeededBar, colleagues: Colleagues
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("ack_and_callback_lost", 720)
    found = await sighted(
        counter.rt, Sighting(bar.id, "sandbox", "174379", "SKKNEAR001", 200, "c2b", counter.rt.clock.now())
    )
    await counter.ask_first(id_)
    said = {"csrf": counter.csrf, "ended": f"receipt:{found.receipt_id}", "reason": "the guest showed it"}
    await counter.read(f"/staff/payments/{id_}/resolve", data=said)
    await limits(counter.rt, bar, 100, 100)
    cashier = at_counter(await signed_in(colleagues["cashier"]))
    undo = {"csrf": cashier.csrf, "reason": "the wrong tab"}
    at = f"/staff/receipts/{found.receipt_id}/take-back"
    assert (await cashier.read(at, data=undo)).status == 403
    manager = at_counter(await signed_in(colleagues["manager"]))
    assert (await manager.read(at, data=undo | {"csrf": manager.csrf})).status == 200
    credits = await counter.rt.db.fetchval("select sum(amount) from tab_payments where transaction_id = $1", id_)
    assert credits == 0

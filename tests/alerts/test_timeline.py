"""A payment's timeline says what people were told about it, over which channel, and who took it up."""

from uuid import uuid4

from kaunta.alerts.queries import acknowledge
from kaunta.core.db import transaction
from kaunta.core.problems import Severity, close_problem, open_problem
from kaunta.core.runtime import Runtime
from kaunta.payments.timeline import Kind, Moment, in_order, moments
from tests.alerts.conftest import Gateway, Trouble
from tests.support.bars import SeededBar


async def test_a_problem_is_told_from_its_opening_to_its_end(
    rt: Runtime, trouble: Trouble, gateway: Gateway, bar: SeededBar
) -> None:
    payment, staff = uuid4(), f"staff:{bar.owner.account_id}"
    gateway.answer = 500
    async with transaction(rt.db) as db:
        await open_problem(
            db, rt.clock, "contradicted", payment, bar_id=bar.id, severity=Severity.CRITICAL, reason="ask 254708374149"
        )
        await open_problem(db, rt.clock, "contradicted", uuid4(), bar_id=bar.id, severity=Severity.CRITICAL)
    await trouble.turn()
    found = await told(rt, payment)
    assert [(one.text, one.actor) for one in found[:1]] == [("staff are told: contradicted", "kaunta")]
    assert sorted(one.text for one in found[1:]) == [
        "e-mail: contradicted: delivered",
        "the alerts’ webhook: contradicted: waits to be sent",
    ]
    async with transaction(rt.db) as db:
        problem = await db.fetchval("select id from problems where subject = $1", str(payment))
        await acknowledge(db, bar.id, problem, staff, rt.clock.now())
    trouble.clock.advance(60)
    async with transaction(rt.db) as db:
        await close_problem(db, rt.clock, "contradicted", payment, by=staff, reason="looked at")
    for _ in range(8):
        await trouble.turn(240)
    found = await told(rt, payment)
    said = [one.text for one in found]
    assert said.index("taken up: contradicted") < said.index("over: contradicted")
    assert "the alerts’ webhook: contradicted: not delivered, given up" in said
    assert "e-mail: over: contradicted: delivered" in said
    assert {one.actor for one in found if one.text.startswith(("taken", "over"))} == {staff}
    assert "254708374149" not in repr(found)
    assert "bar.example" not in repr(found)


async def told(rt: Runtime, payment: object) -> list[Moment]:
    async with rt.db.acquire() as db:
        found = in_order(await moments(db, rt, payment))  # type: ignore[arg-type]
    return [one for one in found if one.kind is Kind.NOTICE]

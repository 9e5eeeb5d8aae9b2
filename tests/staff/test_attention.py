"""Home at the counter: what needs a person, in its order, with one action each, and for each role its own."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from kaunta.access.accounts import Role
from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.problems import Severity, open_problem
from kaunta.payments.attention import ENDS_BY_WORD, MONEY_OUT, TOPIC_OF, Topic, waiting
from kaunta.payments.initiate import Intent, initiate
from kaunta.payments.receipts import Sighting, sighted
from kaunta.payments.typed_codes import claim_code
from kaunta.payments.views import payments_of_tab
from kaunta.staff.words import PROBLEMS
from kaunta.worker import Worker
from tests.staff.conftest import AsRole, Read, Reader
from tests.support.bars import OpenTab, SeededBar, Staff
from tests.support.door import Served
from tests.support.safaricom import Safaricom

CODE = "SKK1A2B3C4"
Enter = Callable[[Staff], Awaitable[str]]
Problem = Callable[..., Awaitable[None]]


@pytest.fixture
def problem(application: Served, bar: SeededBar) -> Problem:
    """`await problem("late", subject)`: a problem of the bar."""

    async def begin(
        kind: str, subject: UUID | None = None, severity: Severity = Severity.ERROR, **detail: object
    ) -> None:
        async with transaction(application.rt.db) as db:
            await open_problem(
                db, application.rt.clock, kind, subject or uuid4(), bar_id=bar.id, severity=severity, **detail
            )

    return begin


def matters(page: Read) -> list[str]:
    """The words of each line, from the top."""
    return re.findall(r'<div class="what"><b>(.*?)</b>', page.text)


async def unheard(application: Served, simulator: Safaricom, tab: OpenTab, amount: int, phone: str) -> str:
    """A prompt nobody answers; its reference."""
    simulator.simulator.queue_scenario("person")
    started = await initiate(application.rt, application.pushes, Intent(tab.ref, phone, amount))
    await started.answered()
    return (await payments_of_tab(application.rt, tab.id))[0].reference


async def test_a_quiet_evening_says_that_nothing_is_needed(read: Reader, token: str) -> None:
    page = await read("/staff")
    assert "Nothing needs you now." in page.text
    assert matters(page) == []


async def test_a_prompt_unheard_of_for_two_minutes_is_there_before_the_payment_is_unknown(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    reference = await unheard(application, simulator, bar.tab, 400, "0708374149")
    await simulator.advance(115)
    assert matters(await read("/staff")) == []
    await simulator.advance(10)
    page = await read("/staff")
    assert matters(page) == [PROBLEMS["unknown_payment"]]
    assert f'href="/staff/payments/{reference}"' in page.text
    assert "Table 4 · Tab 1" in page.text
    assert "KES 400" in page.text
    assert ">2 min<" in page.text


async def test_a_payment_is_one_matter_when_it_has_become_a_problem(
    read: Reader, token: str, application: Served, simulator: Safaricom, bar: SeededBar
) -> None:
    await unheard(application, simulator, bar.tab, 400, "0708374149")
    await simulator.advance(125)
    before = re.findall(r'<li id="([^"]+)"', (await read("/staff")).text)
    await simulator.advance(400)
    for loop in Worker(application.rt, application.pushes.daraja).loops():
        while loop.name == "silence" and await loop.work():
            pass
    page = await read("/staff")
    assert matters(page) == [PROBLEMS["unknown_payment"]]
    # Nobody is called a second time for it.
    assert re.findall(r'<li id="([^"]+)"', page.text) == before
    assert ">8 min<" in page.text


async def test_the_order_is_age_times_amount_with_mpesa_itself_on_top(
    read: Reader,
    token: str,
    application: Served,
    clock: ManualClock,
    problem: Problem,
    new_tab: Callable[[int], Awaitable[OpenTab]],
    bar: SeededBar,
) -> None:
    rt = application.rt

    async def paid_to_the_till(amount: int, code: str) -> None:
        await sighted(rt, Sighting(bar.id, "sandbox", "174379", code, amount, "c2b", clock.now()))

    await paid_to_the_till(100, "SKK1A2B3C1")
    clock.advance(600)
    await paid_to_the_till(2_000, "SKK1A2B3C2")
    await paid_to_the_till(5_000, "SKK1A2B3C3")
    await problem("push_refused", bar.id)
    clock.advance(100)
    page = await read("/staff")
    assert re.findall(r"SKK1A2B3C\d(?= ·)", page.text) == ["SKK1A2B3C3", "SKK1A2B3C2", "SKK1A2B3C1"]
    assert matters(page)[0] == PROBLEMS["push_refused"]
    # 100 shillings weigh more than 2,000 once they have waited twenty times as long.
    async with rt.db.acquire() as db:
        await db.execute(
            "update problems set opened_at = opened_at - interval '10 hours' where detail ->> 'receipt' = 'SKK1A2B3C1'"
        )
    page = await read("/staff")
    assert re.findall(r"SKK1A2B3C\d(?= ·)", page.text) == ["SKK1A2B3C1", "SKK1A2B3C3", "SKK1A2B3C2"]


@pytest.mark.req("PAY-4.4")
@pytest.mark.parametrize(
    ("role", "shown", "actions"),
    [
        ("waiter", 5, ["A manager mends it", "Check it", "Check the code", "Look at it", "Look at it"]),
        ("cashier", 6, ["A manager mends it", "Check the code", "Look at it", "Look at it", "Match", "Settle it"]),
        ("manager", 7, ["Check the code", "Give back…", "Look at it", "Look at it", "Match", "Settings", "Settle it"]),
        ("owner", 7, ["Check the code", "Give back…", "Look at it", "Look at it", "Match", "Settings", "Settle it"]),
    ],
)
async def test_each_role_sees_what_it_can_act_upon(
    read: Reader,
    application: Served,
    simulator: Safaricom,
    clock: ManualClock,
    bar: SeededBar,
    problem: Problem,
    as_role: AsRole,
    role: Role,
    shown: int,
    actions: list[str],
) -> None:
    rt = application.rt
    await unheard(application, simulator, bar.tab, 400, "0708374149")
    payment = (await payments_of_tab(rt, bar.tab.id))[0]
    await simulator.advance(125)
    await sighted(rt, Sighting(bar.id, "sandbox", "174379", CODE, 250, "c2b", clock.now()))
    await claim_code(rt, bar.tab.ref, "TKX1AB2C3D")
    await problem("duplicate", receipt="SKK1A2B3C9", amount=500)
    await problem("callback_ids_differ", payment.id)
    await problem("refund_failed", amount=100)
    await problem("mpesa_suspended", bar.id)
    await as_role(role)
    page = await read("/staff")
    assert len(matters(page)) == shown
    found = re.findall(r'<div class="do">(?:<(?:a|button)[^>]*>|<span class="dim">)([^<]+)', page.text)
    assert sorted(found) == actions
    assert len(re.findall("I have seen to it", page.text)) == (0 if role == "waiter" else {"cashier": 2}.get(role, 4))


async def test_every_address_of_an_action_leads_somewhere(
    read: Reader,
    application: Served,
    simulator: Safaricom,
    clock: ManualClock,
    bar: SeededBar,
    problem: Problem,
    signed_in: Enter,
) -> None:
    rt = application.rt
    await unheard(application, simulator, bar.tab, 400, "0708374149")
    payment = (await payments_of_tab(rt, bar.tab.id))[0]
    await simulator.advance(125)
    await sighted(rt, Sighting(bar.id, "sandbox", "174379", CODE, 250, "c2b", clock.now()))
    for kind in ("late", "closed_tab", "callback_malformed"):
        await problem(kind, payment.id)
    await problem("claim_disproved", bar.tab.id)
    await problem("duplicate", receipt=CODE)
    await problem("refund_failed")
    await problem("mpesa_suspended", bar.id)
    await signed_in(bar.owner)
    page = await read("/staff")
    addresses = re.findall(r'<a class="btn small" href="([^"]+)"', page.text)
    assert len(addresses) == 9
    for address in addresses:
        assert (await read(address)).status == 200, address


async def test_a_typed_code_is_checked_from_the_queue(
    read: Reader, token: str, application: Served, bar: SeededBar
) -> None:
    await claim_code(application.rt, bar.tab.ref, "TKX1AB2C3D")
    page = await read("/staff")
    assert '<form id="code" method="post" action="/staff/receipts/check">' in page.text
    assert 'form="code" name="code" value="TKX1AB2C3D"' in page.text
    answer = await read("/staff/receipts/check", data={"csrf": token, "code": "TKX1AB2C3D"})
    assert answer.status == 200
    assert "TKX1AB2C3D" in answer.text


async def test_what_only_a_person_can_end_is_ended_with_a_reason_that_is_kept(
    read: Reader, signed_in: Enter, application: Served, bar: SeededBar, problem: Problem
) -> None:
    token = await signed_in(bar.owner)
    await problem("underpaid", amount=300)
    id_ = await application.rt.db.fetchval("select id from problems")
    for why in ("", "  ", "ok", "x" * 501):
        assert (await read(f"/staff/attention/{id_}", data={"csrf": token, "why": why})).status == 400
    page = await read(f"/staff/attention/{id_}", data={"csrf": token, "why": "the guest paid the rest in cash"})
    assert (page.path, matters(page)) == ("/staff", [])
    kept = await application.rt.db.fetchrow(
        "select actor, reason, detail from audit_events where object_kind = 'problem'"
    )
    assert kept is not None
    assert (kept["actor"], kept["reason"]) == (f"staff:{bar.owner.account_id}", "the guest paid the rest in cash")
    again = await read(f"/staff/attention/{id_}", data={"csrf": token, "why": "once more"})
    assert again.status == 404


@pytest.mark.parametrize("kind", ["unknown_payment", "receipt_unmatched", "refund_waits", "mpesa_suspended"])
async def test_what_ends_by_itself_is_not_ended_by_a_word(
    read: Reader, signed_in: Enter, application: Served, bar: SeededBar, problem: Problem, kind: str
) -> None:
    token = await signed_in(bar.owner)
    await problem(kind)
    id_ = await application.rt.db.fetchval("select id from problems")
    assert "I have seen to it" not in (await read("/staff")).text
    assert (await read(f"/staff/attention/{id_}", data={"csrf": token, "why": "seen"})).status == 404
    assert await application.rt.db.fetchval("select closed_at from problems") is None


async def test_a_waiter_ends_nothing(read: Reader, token: str, application: Served, problem: Problem) -> None:
    await problem("underpaid", amount=300)
    id_ = await application.rt.db.fetchval("select id from problems")
    assert (await read(f"/staff/attention/{id_}", data={"csrf": token, "why": "seen to it"})).status == 403
    assert await application.rt.db.fetchval("select closed_at from problems") is None


@pytest.mark.parametrize("kind", sorted(MONEY_OUT))
async def test_of_money_that_went_out_a_cashiers_word_ends_nothing(
    read: Reader, as_role: AsRole, application: Served, problem: Problem, kind: str
) -> None:
    await problem(kind)
    id_ = await application.rt.db.fetchval("select id from problems")
    token = await as_role("cashier")
    assert (await read(f"/staff/attention/{id_}", data={"csrf": token, "why": "seen to it"})).status == 404
    assert await application.rt.db.fetchval("select closed_at from problems") is None
    shown = (await read("/staff/alerts")).text
    assert (f'id="a-{id_}"' in shown) == (TOPIC_OF.get(kind) is not Topic.REFUND)


async def test_what_a_problem_says_is_text(read: Reader, token: str, problem: Problem, bar: SeededBar) -> None:
    await problem("push_refused", bar.id, message="<b>")
    page = await read("/staff")
    assert "&lt;b&gt;" in page.text


def test_every_kind_that_has_a_topic_has_words() -> None:
    assert [kind for kind in TOPIC_OF if kind not in PROBLEMS] == []
    assert {TOPIC_OF.get(kind, Topic.SERVICE) for kind in ENDS_BY_WORD} >= {
        Topic.IRREGULAR,
        Topic.CALLBACK,
        Topic.TYPED,
    }


async def test_an_unknown_kind_is_shown_by_its_name(
    read: Reader, token: str, problem: Problem, application: Served, bar: SeededBar
) -> None:
    await problem("moon_is_down", severity=Severity.INFO)
    assert matters(await read("/staff")) == ["Moon is down"]
    found = await waiting(application.rt, bar.id)
    assert [one.topic for one in found] == [Topic.SERVICE]
    assert not replace(found[0]).ends_by_word

"""Giving back: never two, never more than was received, and what nobody knows is called unknown."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from kaunta.core.errors import BadRequest
from kaunta.payments import matching, refund_states, refund_views, refunds, reversals
from kaunta.payments.initiators import NoInitiator
from kaunta.payments.receipts import Sighting, sighted
from kaunta.payments.refund_results import ReversalSeen, SeenAs, reversal_seen
from kaunta.payments.refund_states import State
from kaunta.payments.refunds import RefundRefused, RefundState, RefundUnderWay, RefundWanted, SecondPersonNeeded
from kaunta.simulator.calls import Api, Fate
from kaunta.simulator.faults import Fault
from kaunta.simulator.rules import Action, Rule
from tests.support.bars import OpenTab

from .conftest import DirectMoney

NewTab = Callable[[int], Awaitable[OpenTab]]


@pytest.fixture
async def paid(acting: DirectMoney) -> str:
    """A guest has paid 500 by our prompt; its receipt."""
    payment = await acting.evening.pay(500)
    await acting.evening.settle()
    return (await acting.evening.view(payment)).receipt or ""


async def test_money_goes_back_and_the_books_follow(acting: DirectMoney, paid: str) -> None:
    refund = await acting.give_back(paid, 200)
    assert (refund.state, acting.reversed(paid)) == ("requested", 0)
    await acting.send(refund)
    assert (await acting.refund(refund)).state == "processing"
    assert (await acting.evening.tab()).paid == 500, "nothing is booked before it has happened"
    await acting.evening.settle()
    done = await acting.refund(refund)
    (sent_back,) = acting.evening.simulator.simulator.ledger.reversed_by(paid)
    assert (done.state, done.code) == ("refunded", sent_back)
    assert (await acting.evening.tab()).paid == 300
    assert sorted(entry.kind for entry in (await acting.evening.tab()).entries) == ["payment", "refund"]
    steps = [event.kind for event in await refund_views.timeline(acting.evening.rt, refund.id)]
    assert steps == ["requested", "sent", "refunded"]


async def test_never_more_than_was_received(acting: DirectMoney, paid: str) -> None:
    with pytest.raises(RefundRefused):
        await acting.give_back(paid, 501)
    refund = await acting.give_back(paid, 400)
    await acting.send(refund)
    await acting.evening.settle()
    with pytest.raises(RefundRefused):
        await acting.give_back(paid, 101, key="click-0002")
    second = await acting.give_back(paid, 100, key="click-0003")
    await acting.send(second)
    await acting.evening.settle()
    assert acting.reversed(paid) == 500
    assert (await acting.evening.tab()).paid == 0


async def test_the_database_refuses_too(acting: DirectMoney, paid: str) -> None:
    refund = await acting.give_back(paid, 400)
    with pytest.raises(asyncpg.CheckViolationError, match="more would be given back"):
        await acting.evening.rt.db.execute(
            "insert into mpesa_refunds (id, bar_id, environment, receipt_id, amount, method, reason, code, "
            "requested_by, needs_approval, idempotency_key, created_at, updated_at) "
            "select gen_random_uuid(), bar_id, environment, receipt_id, 101, 'by_hand', reason, 'OTHERCODE1', "
            "requested_by, false, 'another', now(), now() from mpesa_refunds where id = $1",
            refund.id,
        )


async def test_a_double_click_is_one_refund(acting: DirectMoney, paid: str) -> None:
    clicks = await asyncio.gather(*(acting.give_back(paid, 200) for _ in range(5)))
    assert len({click.id for click in clicks}) == 1
    await asyncio.gather(*(acting.send(clicks[0]) for _ in range(5)), acting.work_refunds())
    await acting.evening.settle()
    assert acting.reversed(paid) == 200
    assert (await acting.evening.tab()).paid == 300


async def test_two_people_at_once_are_one_reversal_at_a_time(acting: DirectMoney, paid: str) -> None:
    await acting.give_back(paid, 100)
    with pytest.raises(RefundUnderWay):
        await acting.give_back(paid, 100, key="click-0002", by="staff:other")


async def test_a_lost_acknowledgement_is_settled_by_the_result(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    refund = await acting.give_back(paid, 200)
    evening.simulator.simulator.faults.add(Fault("reversal", "html_502"))
    await acting.send(refund)
    assert (await acting.refund(refund)).state == "unknown"
    assert "refund_unknown" in await evening.problems(refund.id)
    await acting.work_refunds()
    await evening.live_on(120)
    await acting.work_refunds()
    assert acting.reversed(paid) == 0, "it is never sent again, whatever time says"
    assert (await evening.tab()).paid == 500


async def test_a_lost_result_is_found_by_asking(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    refund = await acting.give_back(paid, 200)
    acting.lose("reversal")
    await acting.send(refund)
    await evening.settle()
    assert (acting.reversed(paid), (await acting.refund(refund)).state) == (200, "processing")
    await evening.wait(reversals.RESULT_SECONDS + 1)
    await acting.work_refunds()
    assert (await acting.refund(refund)).state == "unknown"
    await evening.wait(reversals.ASK_SECONDS[0] + 1)
    await acting.work_refunds()
    done = await acting.refund(refund)
    assert (done.state, done.code) == ("refunded", evening.simulator.simulator.ledger.reversed_by(paid)[0])
    assert acting.reversed(paid) == 200
    assert (await evening.tab()).paid == 300


async def test_a_result_that_comes_after_silence_still_counts(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    refund = await acting.give_back(paid, 200)
    evening.simulator.simulator.outbox.rules.append(Rule(Action.DELAY, kind="reversal", seconds=2_000))
    await acting.send(refund)
    await evening.wait(700)
    async with evening.rt.db.acquire() as db:
        await db.execute("update mpesa_refunds set next_check_at = now() - interval '10 years'")
    await reversals.work(evening.rt, evening.pushes.daraja)
    assert (await acting.refund(refund)).state == "unknown"
    await evening.settle()
    assert (await acting.refund(refund)).state == "refunded"
    assert (await evening.tab()).paid == 300


@pytest.mark.parametrize("code", ["1", "2001", "21", "8006", "R000002"])
async def test_a_failed_reversal_books_nothing_and_says_why(acting: DirectMoney, paid: str, code: str) -> None:
    evening = acting.evening
    evening.simulator.simulator.calls.fates.append(Fate(Api.REVERSAL, code))
    refund = await acting.give_back(paid, 200)
    await acting.send(refund)
    await evening.settle()
    failed = await acting.refund(refund)
    assert (failed.state, failed.failure) == ("failed", code)
    assert "refund_failed" in await evening.problems(refund.id)
    assert ("initiator_refused" in await evening.problems()) == (code in ("2001", "21", "8006"))
    assert (await evening.tab()).paid == 500
    again = await acting.give_back(paid, 200, key="click-0002")
    await acting.send(again)
    await evening.settle()
    assert (await evening.tab()).paid == 300


async def test_after_the_money_was_withdrawn_it_fails_and_may_be_given_by_hand(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    evening.simulator.simulator.bank.withdraw("174379", 500)
    refund = await acting.give_back(paid, 200)
    await acting.send(refund)
    await evening.settle()
    assert (await acting.refund(refund)).state == "failed"
    receipt = await acting.known(paid)
    wanted = RefundWanted(
        receipt.bar_id, 200, "sent from the counter's phone", "by_hand", "click-0002", receipt.id, code="tkx1ab2c3d"
    )
    by_hand = await refunds.request(evening.rt, wanted, by="staff:manager")
    assert (by_hand.state, by_hand.code) == ("refunded", "TKX1AB2C3D")
    assert (await evening.tab()).paid == 300


@pytest.mark.parametrize("code", ["R000001", "77", "C99"])
async def test_a_code_that_proves_nothing_is_unknown(acting: DirectMoney, paid: str, code: str) -> None:
    evening = acting.evening
    evening.simulator.simulator.calls.fates.append(Fate(Api.REVERSAL, code))
    refund = await acting.give_back(paid, 200)
    await acting.send(refund)
    await evening.settle()
    assert (await acting.refund(refund)).state == "unknown"
    with pytest.raises(RefundState):
        await refunds.settle_by_hand(evening.rt, refund.id, refunded=False, by="staff:owner", reason="looked")
    await evening.wait(600)
    await refunds.settle_by_hand(evening.rt, refund.id, refunded=False, by="staff:owner", reason="statement has none")
    assert (await acting.refund(refund)).state == "failed"
    assert "refund_unknown" not in await evening.problems(refund.id)


async def test_refused_at_once_is_failed_and_not_sent_is_too(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    for number, (reply, reason) in enumerate((("busy", "500.003.02"), ("quota", "500.003.03"))):
        evening.simulator.simulator.faults.add(Fault("reversal", reply))
        refund = await acting.give_back(paid, 200, key=f"click-000{number}")
        await acting.send(refund)
        assert ((await acting.refund(refund)).state, (await acting.refund(refund)).failure) == ("failed", reason)
    assert acting.reversed(paid) == 0


async def test_forged_results_change_nothing(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    refund = await acting.give_back(paid, 200)
    evening.simulator.simulator.outbox.rules.append(Rule(Action.HOLD, kind="reversal"))
    await acting.send(refund)
    await evening.settle()
    (message,) = [each for each in evening.simulator.simulator.outbox.messages.values() if each.kind == "reversal"]
    stranger = message.url[: message.url.rindex("/") + 1] + "0" * 64
    assert await acting.hear(message.body, channel="result", url=stranger) == "unauthenticated"
    other_call = message.body.replace(b'"ConversationID": "AG_', b'"ConversationID": "AG_9')
    assert await acting.hear(other_call, channel="result", url=message.url) == "contradictory"
    assert await acting.hear(b"[]", channel="result", url=message.url) == "malformed"
    assert (await acting.refund(refund)).state == "processing"
    assert await acting.hear(message.body, channel="result", url=message.url) == "answered"
    assert await acting.hear(message.body, channel="result", url=message.url) == "duplicate"
    assert (await evening.tab()).paid == 300


async def test_another_amount_is_not_taken_for_ours(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    refund = await acting.give_back(paid, 200)
    changes = {"Result.ResultParameters.ResultParameter.Amount": 150}
    evening.simulator.simulator.outbox.rules.append(Rule(Action.ALTER, kind="reversal", changes=changes))
    await acting.send(refund)
    await evening.settle()
    assert (await acting.refund(refund)).state == "processing"
    assert "refund_amount_differs" in await evening.problems(refund.id)


async def test_word_that_the_call_expired_is_not_a_failure(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    evening.simulator.simulator.calls.fates.append(Fate(Api.REVERSAL, "timeout"))
    refund = await acting.give_back(paid, 200)
    await acting.send(refund)
    await evening.settle()
    assert (await acting.refund(refund)).state == "unknown"


@pytest.mark.parametrize("went", [True, False])
async def test_money_on_no_tab_is_before_a_person_until_all_of_it_has_gone_back(
    acting: DirectMoney, went: bool
) -> None:
    """Most was given back by hand while a small reversal was out: only its end says whether anything is left."""
    evening = acting.evening
    taken = await evening.simulator.simulator.pay_till("174379", "254700000050", 151, "rent")
    await sighted(
        evening.rt, Sighting(evening.bar.id, "sandbox", "174379", taken.receipt, 151, "c2b", evening.clock.now())
    )
    evening.simulator.simulator.calls.fates.append(Fate(Api.REVERSAL, "timeout"))
    small = await acting.give_back(taken.receipt, 10)
    await acting.send(small)
    await evening.settle()
    receipt = await acting.known(taken.receipt)
    wanted = RefundWanted(receipt.bar_id, 141, "by hand", "by_hand", "click-0002", receipt.id, code="TKX1AB2C3D")
    await refunds.request(evening.rt, wanted, by="staff:manager")
    assert ((await acting.refund(small)).state, await evening.problems(receipt.id)) == (
        "unknown",
        {"receipt_unmatched"},
    )
    await evening.wait(refunds.SETTLE_SECONDS + 1)
    await refunds.settle_by_hand(evening.rt, small.id, refunded=went, by="staff:owner", reason="seen on the portal")
    assert await evening.problems(receipt.id) == (set() if went else {"receipt_unmatched"})
    assert await evening.broken() == set()


async def test_above_the_limit_a_second_person_agrees_before_anything_is_sent(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    await evening.rt.db.execute("update bars set refund_alone_limit = 150")
    refund = await acting.give_back(paid, 200, by="staff:one")
    await acting.send(refund)
    await acting.work_refunds()
    assert ((await acting.refund(refund)).state, acting.reversed(paid)) == ("requested", 0)
    with pytest.raises(SecondPersonNeeded):
        await refunds.approve(evening.rt, refund.id, by="staff:one")
    await refunds.approve(evening.rt, refund.id, by="staff:two")
    await acting.work_refunds()
    assert ((await acting.refund(refund)).state, acting.reversed(paid)) == ("refunded", 200)
    pieces = await acting.give_back(paid, 10, by="staff:one", key="click-0002")
    assert pieces.needs_approval, "a large refund in small pieces is a large refund"
    await refunds.withdraw(evening.rt, pieces.id, by="staff:two", reason="that is enough")
    assert (await acting.refund(pieces)).state == "withdrawn"


async def test_by_hand_needs_a_code_that_is_new_and_no_payments(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    receipt = await acting.known(paid)

    def wanted(code: str | None, key: str) -> RefundWanted:
        return RefundWanted(receipt.bar_id, 100, "by hand", "by_hand", key, receipt.id, code=code)

    with pytest.raises(BadRequest):
        await refunds.request(evening.rt, wanted(None, "click-0001"), by="staff:x")
    with pytest.raises(RefundRefused):
        await refunds.request(evening.rt, wanted(paid, "click-0002"), by="staff:x")
    await refunds.request(evening.rt, wanted("TKX1AB2C3D", "click-0003"), by="staff:x")
    with pytest.raises(RefundRefused):
        await refunds.request(evening.rt, wanted("TKX1AB2C3D", "click-0004"), by="staff:x")
    assert (await evening.tab()).paid == 400


async def test_without_an_initiator_only_by_hand(told: DirectMoney) -> None:
    code = await told.pay_till(300)
    with pytest.raises(NoInitiator):
        await told.give_back(code, 300)


async def test_a_receipt_that_is_nobodys_can_be_given_back(acting: DirectMoney) -> None:
    # Up to 200 shillings Safaricom takes no fee, and the till holds all of it.
    code = await acting.pay_till(200)
    receipt = await acting.known(code)
    refund = await acting.give_back(code, 200)
    await acting.send(refund)
    await acting.evening.settle()
    assert (await acting.refund(refund)).state == "refunded"
    assert "receipt_unmatched" not in await acting.evening.problems(receipt.id)


async def test_what_was_given_back_follows_the_receipt_to_its_tab(acting: DirectMoney, new_tab: NewTab) -> None:
    evening = acting.evening
    theirs = await new_tab(300)
    code = await acting.pay_till(300)
    refund = await acting.give_back(code, 100)
    await acting.send(refund)
    await evening.settle()
    await acting.match(code, evening.bar.tab.id)
    assert (await evening.tab()).paid == 200
    receipt = await acting.known(code)
    await matching.take_back(evening.rt, evening.bar.id, receipt.id, by="staff:x", reason="wrong table")
    assert (await evening.tab()).paid == 0
    await acting.match(code, theirs.id)
    assert (await evening.tab(theirs)).paid == 200


async def test_what_the_payer_took_back_is_booked_and_shown_at_once(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    receipt = await acting.known(paid)
    seen = ReversalSeen(receipt.bar_id, "sandbox", "174379", paid, 500, "TKX1AB2C3D", evening.clock.now())
    assert await reversal_seen(evening.rt, seen) is SeenAs.TAKEN_BACK
    assert (await evening.tab()).paid == 0
    assert "reversed_by_customer" in await evening.problems(receipt.id)
    assert await reversal_seen(evening.rt, seen) is SeenAs.KNOWN
    with pytest.raises(RefundRefused):
        await acting.give_back(paid, 1)
    more = ReversalSeen(receipt.bar_id, "sandbox", "174379", paid, 500, "TKX1AB2C3E", evening.clock.now())
    assert await reversal_seen(evening.rt, more) is SeenAs.EXCESS
    strange = ReversalSeen(receipt.bar_id, "sandbox", "174379", "NEVERSEEN1", 500, None, None)
    assert await reversal_seen(evening.rt, strange) is SeenAs.STRANGE


async def test_our_own_reversal_on_a_list_settles_it(acting: DirectMoney, paid: str) -> None:
    evening = acting.evening
    refund = await acting.give_back(paid, 200)
    acting.lose("reversal")
    await acting.send(refund)
    await evening.settle()
    (code,) = evening.simulator.simulator.ledger.reversed_by(paid)
    receipt = await acting.known(paid)
    seen = ReversalSeen(receipt.bar_id, "sandbox", "174379", paid, 200, code, evening.clock.now())
    assert await reversal_seen(evening.rt, seen) is SeenAs.OURS
    assert await reversal_seen(evening.rt, seen) is SeenAs.KNOWN
    assert (await acting.refund(refund)).state == "refunded"
    assert (await evening.tab()).paid == 300


async def test_the_ways_are_the_databases(acting: DirectMoney) -> None:
    rows = await acting.evening.rt.db.fetch("select from_state::text as a, to_state::text as b from refund_state_ways")
    assert {(row["a"], row["b"]) for row in rows} == {
        (start.value, end.value) for start, ends in refund_states.WAYS.items() for end in ends
    }
    states = await acting.evening.rt.db.fetchval("select enum_range(null::refund_state)::text[]")
    assert states == [state.value for state in State]

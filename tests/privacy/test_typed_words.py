"""Who stands at the counter writes a guest's number where a reason is asked for, and Safaricom may put one into a
sentence. It is kept in no text: no erasure would find it there, and what is written into the books stays."""

from uuid import UUID

import pytest

from kaunta.core.problems import close_problem, open_problem
from kaunta.payments import approval, matching, refunds
from kaunta.payments.refunds import RefundWanted
from kaunta.payments.resolve import Resolution
from tests.payments.conftest import Evening, Said
from tests.payments.direct.conftest import DirectMoney
from tests.privacy.conftest import NEIGHBOUR, PERSON, Eye

TYPED = f"ask Wanjiku, 0{PERSON[3:6]} {PERSON[6:9]} {PERSON[9:]} or +{PERSON}, she knows"


@pytest.fixture
def bar_id(evening: Evening) -> UUID:
    return evening.bar.id


@pytest.mark.req("PAY-5.1", "PAY-5.5")
async def test_a_number_in_a_reason_is_written_down_nowhere(
    evening: Evening, acting: DirectMoney, bar_id: UUID, eye: Eye
) -> None:
    rt, by = evening.rt, "staff:manager"
    code = await acting.pay_till(80, phone=NEIGHBOUR)
    receipt = (await acting.known(code)).id
    await matching.match_to_tab(rt, bar_id, receipt, evening.bar.tab.id, by=by, reason=TYPED)
    await matching.take_back(rt, bar_id, receipt, by=by, reason=TYPED)
    await matching.set_aside(rt, bar_id, receipt, by=by, reason=TYPED)
    await matching.match_to_tab(rt, bar_id, receipt, evening.bar.tab.id, by=by, reason=TYPED)
    sent = RefundWanted(bar_id, 10, TYPED, "by_hand", "click-0001", receipt_id=receipt, code="SENTBACK01")
    await refunds.request(rt, sent, by=by)
    asked = await refunds.request(rt, RefundWanted(bar_id, 10, TYPED, "reversal", "click-0002", receipt), by=by)
    await refunds.withdraw(rt, asked.id, by=by, reason=TYPED)
    unknown = await evening.pay(50, phone=NEIGHBOUR, scenario="ack_and_callback_lost")
    word = Resolution(True, TYPED, TYPED, by)
    await approval.decline(rt, await approval.propose(rt, unknown, word), by="staff:owner", reason=TYPED)
    await approval.approve(rt, await approval.propose(rt, unknown, word), by="staff:owner")
    async with rt.db.acquire() as db:
        await open_problem(db, rt.clock, "overpaid", unknown, bar_id=bar_id, reason=TYPED)
        await close_problem(db, rt.clock, "overpaid", unknown, by=by, reason=TYPED)
    assert await eye.finds(PERSON) == []
    kept = await rt.db.fetchval("select reason from tab_payments where kind = 'refund'")
    assert kept == "ask Wanjiku, ••• or +•••, she knows"


@pytest.mark.req("PAY-5.1", "PAY-5.5")
async def test_a_number_in_safaricoms_words_is_kept_in_the_sealed_message_alone(
    evening: Evening, said: Said, eye: Eye
) -> None:
    payment = await evening.pay(50, phone=NEIGHBOUR, scenario="person")
    told = said.result(1, ResultDesc=f"The balance of {PERSON} is insufficient")
    assert await evening.hear(told, evening.token()) == "applied"
    assert (await evening.view(payment)).result_desc == "The balance of ••• is insufficient"
    assert await eye.finds(PERSON) == ["mpesa_callbacks.body_enc"]

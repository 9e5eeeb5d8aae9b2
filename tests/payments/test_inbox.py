"""The inbox: stored before it is answered, believed only by its token, kept whatever it is."""

from dataclasses import replace
from itertools import pairwise

import pytest

from kaunta.payments import inbox, inbox_work
from kaunta.payments.callback_url import token_hash
from kaunta.payments.states import Status
from kaunta.simulator.catalogue import CATALOGUE
from tests.support.bars import SeededBar

from .conftest import FRIENDS, Evening, Said

# Who is believed (PAY-2.3, rulings 12 and 14)


@pytest.mark.req("PAY-2.3", "PAY-5.2", "PAY-P11")
@pytest.mark.failure(55)
@pytest.mark.parametrize("token", [None, "0" * 64, "ab" * 32])
async def test_a_success_without_the_right_token_credits_nothing_and_makes_us_ask(
    evening: Evening, said: Said, token: str | None
) -> None:
    payment = await evening.pay(scenario="person")
    assert await evening.hear(said.paid(), token) == "unauthenticated"
    view = await evening.view(payment)
    assert (view.status, (await evening.tab()).paid) == (Status.SENT, 0)
    assert (await evening.row(payment))["next_check_at"] == evening.clock.now()
    await evening.work()
    assert await evening.queries() == 1
    assert (await evening.view(payment)).status is Status.SENT


@pytest.mark.req("PAY-5.2", "PAY-P11")
@pytest.mark.failure(55)
async def test_forged_words_make_us_ask_at_most_once_a_minute(evening: Evening, said: Said) -> None:
    await evening.pay(scenario="person")
    for _ in range(20):
        await evening.hear(said.paid(), None)
        await evening.work()
    assert await evening.queries() == 1
    await evening.wait(31)
    await evening.work()
    scheduled = await evening.queries()
    await evening.hear(said.paid(), None)
    await evening.work()
    assert await evening.queries() == scheduled
    await evening.wait(30)
    await evening.hear(said.paid(), None)
    await evening.work()
    assert await evening.queries() > scheduled


@pytest.mark.req("PAY-5.2")
@pytest.mark.failure(55)
async def test_another_payments_token_opens_only_its_own_payment(evening: Evening, said: Said) -> None:
    first = await evening.pay(400, scenario="person")
    second = await evening.pay(300, phone=FRIENDS[1], scenario="person")
    assert await evening.hear(said.paid(), evening.token(0)) == "contradictory"
    for payment in (first, second):
        assert (await evening.view(payment)).status is Status.SENT
    assert await evening.problems(first) == {"callback_ids_differ"}
    assert (await evening.tab()).paid == 0


@pytest.mark.failure(51)
async def test_a_success_for_nobody_we_know_is_kept_and_shown(evening: Evening, said: Said) -> None:
    await evening.pay(scenario="person")
    body = said.paid(CheckoutRequestID="ws_CO_20112026173000000254700000000")
    assert await evening.hear(body, "0" * 64) == "orphan"
    stored = await evening.rt.db.fetchrow("select id, body_enc from mpesa_callbacks")
    assert stored is not None
    async with evening.rt.db.acquire() as db:
        assert await evening.rt.keys.open(db, "callback", stored["body_enc"]) == body
    assert "callback_orphan" in await evening.problems()
    assert await evening.hear(body, "1" * 64) == "orphan"
    found = await evening.rt.db.fetchval("select count(*) from problems where kind = 'callback_orphan'")
    assert found == 1, "a stranger's thousand within an hour are one matter of staff's"


@pytest.mark.req("PAY-2.6", "PAY-5.1", "PAY-P8")
async def test_every_callback_is_kept_sealed_with_its_verdict_and_source(evening: Evening, said: Said) -> None:
    payment = await evening.pay(scenario="person")
    bodies = [said.paid("REALONE001"), said.paid("REALONE001"), said.result(1), b"{ no JSON at all"]
    for body in bodies:
        await evening.hear(body, evening.token(), source="196.201.214.200")
    rows = await evening.rt.db.fetch("select * from mpesa_callbacks order by id")
    assert [row["verdict"] for row in rows] == ["applied", "duplicate", "contradictory", "malformed"]
    for row, body in zip(rows, bodies, strict=True):
        assert body not in row["body_enc"]
        assert str(row["source"]) == "196.201.214.200"
        assert row["transaction_id"] == payment
        assert row["processed_at"] is not None


@pytest.mark.failure(50, 53)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"Body": {}}',
        b'{"Body": {"stkCallback": {"ResultCode": 0}}}',
        b"[" * 20_000,
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_what_cannot_be_read_is_kept_shown_and_asked_about(evening: Evening, body: bytes) -> None:
    payment = await evening.pay(scenario="person")
    assert await evening.hear(body, evening.token()) == "malformed"
    assert await evening.problems(payment) == {"callback_malformed"}
    assert (await evening.row(payment))["next_check_at"] == evening.clock.now()
    assert (await evening.view(payment)).status is Status.SENT


async def test_what_cannot_be_read_and_has_no_token_is_only_kept(evening: Evening) -> None:
    assert await evening.hear(b"hello", None) == "malformed"
    assert await evening.verdicts() == ["malformed"]


@pytest.mark.failure(51)
async def test_a_callback_by_token_brings_the_ids_that_the_lost_answer_did_not(evening: Evening, said: Said) -> None:
    payment = await evening.pay(scenario=replace(CATALOGUE["ack_lost"], result=None))
    assert (await evening.row(payment))["checkout_request_id_hash"] is None
    assert await evening.hear(said.paid(), evening.token()) == "applied"
    row = await evening.row(payment)
    assert row["merchant_request_id"] == evening.push().merchant_id
    async with evening.rt.db.acquire() as db:
        opened = await evening.rt.keys.open(db, "checkout_request_id", row["checkout_request_id_enc"])
    assert opened.decode() == evening.push().checkout_id


@pytest.mark.failure(57)
async def test_a_receipt_that_credits_one_payment_is_not_believed_for_another(evening: Evening, said: Said) -> None:
    first = await evening.pay(400, scenario="person")
    await evening.hear(said.paid("SAMECODE01", 400), evening.token())
    second = await evening.pay(300, phone=FRIENDS[1], scenario="person")
    assert await evening.hear(said.paid("SAMECODE01", 300), evening.token()) == "contradictory"
    assert (await evening.view(first)).status is Status.COMPLETED
    assert (await evening.view(second)).status is Status.SENT
    assert await evening.problems(second) == {"receipt_of_another"}
    assert (await evening.tab()).paid == 400


@pytest.mark.failure(50, 57)
async def test_a_receipt_in_small_letters_is_the_same_receipt(evening: Evening, said: Said) -> None:
    payment = await evening.pay(scenario="person")
    assert await evening.hear(said.paid("smallone01"), evening.token()) == "applied"
    assert await evening.hear(said.paid("SMALLONE01"), evening.token()) == "duplicate"
    assert (await evening.view(payment)).receipt == "SMALLONE01"
    assert (await evening.tab()).paid == 500


# Workers


@pytest.mark.req("PAY-7.5", "PAY-7.6", "PAY-P16")
@pytest.mark.failure(53, 54)
async def test_what_its_taker_did_not_deal_with_a_worker_takes_up(evening: Evening, said: Said) -> None:
    payment = await evening.pay(scenario="person")
    await inbox.receive(evening.rt, said.paid(), token_hash=token_hash(evening.token()), source=None)
    assert await inbox_work.work_off(evening.rt) == 0
    await evening.wait(inbox.LEASE_SECONDS)
    assert await inbox_work.work_off(evening.rt) == 1
    assert (await evening.view(payment)).status is Status.COMPLETED
    assert await inbox_work.work_off(evening.rt) == 0


@pytest.mark.failure(57)
async def test_a_callback_is_dealt_with_once_by_whoever_comes_first(evening: Evening, said: Said) -> None:
    await evening.pay(scenario="person")
    hashed = token_hash(evening.token())
    body = said.paid()
    stored = await inbox.receive(evening.rt, body, token_hash=hashed, source=None)
    first = await inbox.process(evening.rt, stored, body, hashed)
    assert first is not None
    assert await inbox.process(evening.rt, stored, body, hashed) is None
    assert (await evening.tab()).paid == 500


@pytest.mark.req("PAY-7.5", "PAY-7.6", "PAY-P16")
@pytest.mark.failure(53, 54)
async def test_a_callback_that_cannot_be_processed_is_tried_for_hours_and_then_shown(
    evening: Evening, said: Said
) -> None:
    payment = await evening.pay(scenario="person")
    await evening.rt.db.execute("alter table mpesa_receipts add constraint trouble check (amount > 1000) not valid")
    stored = await inbox.receive(evening.rt, said.paid(), token_hash=token_hash(evening.token()), source=None)
    pauses = []
    for attempt in range(inbox_work.TRIES):
        before = await evening.rt.db.fetchval("select next_attempt_at from mpesa_callbacks where id = $1", stored.id)
        await evening.wait((before - evening.clock.now()).total_seconds())
        assert await inbox_work.work_off(evening.rt) == 1
        row = await evening.rt.db.fetchrow("select * from mpesa_callbacks where id = $1", stored.id)
        assert row is not None
        assert (row["attempts"], row["last_error"]) == (attempt + 1, "CheckViolationError")
        pauses.append((row["next_attempt_at"] - evening.clock.now()).total_seconds())
    # Jitter is a fifth either way, growth threefold: each pause is longer than the one before until an hour.
    assert all(later > earlier for earlier, later in pairwise(pauses[:6]))
    assert 4 <= pauses[0] <= 6
    assert pauses[-1] <= 3_600 * 1.2
    assert await evening.problems() == {"callback_not_processed"}
    await evening.rt.db.execute("alter table mpesa_receipts drop constraint trouble")
    await evening.wait(3_600 * 1.2)
    await inbox_work.work_off(evening.rt)
    assert (await evening.view(payment)).status is Status.COMPLETED


@pytest.mark.failure(49)
async def test_a_callback_needs_no_credentials_that_open(evening: Evening, said: Said, other_bar: SeededBar) -> None:
    payment = await evening.pay(scenario="person")
    await evening.rt.db.execute("update mpesa_credential_versions set passkey_enc = '\\x00'")
    assert await evening.hear(said.paid(), evening.token()) == "applied"
    assert (await evening.view(payment)).status is Status.COMPLETED

"""What is kept of a message for people is a copy: striking things out of it never changes what is sent or booked."""

import asyncpg
import pytest

from tests.support.faults import trouble

from .conftest import PHONE, Evening, Said


@pytest.mark.req("PAY-2.6", "PAY-5.1")
@pytest.mark.failure(59)
async def test_what_is_struck_out_of_the_record_is_sent_and_booked_in_full(evening: Evening, said: Said) -> None:
    payment = await evening.pay(500, scenario="person")
    wanted = evening.push().wanted
    assert (wanted.phone, wanted.amount, wanted.reference) == (PHONE, 500, (await evening.row(payment))["reference"])
    body = said.paid("FULLONE001", 500)
    assert await evening.hear(body, evening.token()) == "applied"
    db = evening.rt.db
    exchanges = await db.fetch("select request::text || response::text as kept from daraja_exchanges")
    events = await db.fetch("select detail::text as kept from payment_events")
    assert len(exchanges) >= 1
    for row in (*exchanges, *events):
        assert PHONE not in row["kept"]
        assert evening.push().checkout_id not in row["kept"]
        assert evening.token() not in row["kept"]
    # And yet the message is there byte for byte, and the phone it named.
    async with db.acquire() as connection:
        stored = await connection.fetchval("select body_enc from mpesa_callbacks")
        assert await evening.rt.keys.open(connection, "callback", stored) == body
        phone = await connection.fetchval("select phone_enc from mpesa_receipts")
        assert (await evening.rt.keys.open(connection, "phone", phone)).decode() == PHONE


@pytest.mark.req("PAY-5.4", "PAY-P12")
@pytest.mark.failure(41)
async def test_where_prompts_cannot_be_counted_none_is_sent_and_the_guest_hears_at_once(evening: Evening) -> None:
    with (
        trouble(lambda _, text: "as minute" in text, error=asyncpg.UndefinedTableError) as broken,
        pytest.raises(asyncpg.UndefinedTableError),
    ):
        await evening.start(500)
    assert len(broken.failed) == 1, "counted once, and not again and again"
    assert not evening.simulator.simulator.pushes
    assert await evening.rt.db.fetchval("select count(*) from mpesa_transactions") == 0
    await evening.pay(500)
    assert len(evening.simulator.simulator.pushes) == 1

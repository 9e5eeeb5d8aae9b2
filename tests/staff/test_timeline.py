"""A payment's timeline tells everything, and its support bundle tells it to strangers: no phone and no secret in it."""

import json
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kaunta.core.db import transaction
from kaunta.core.redaction import harmless, without_secrets
from kaunta.payments import desk
from kaunta.payments.queries import reading
from kaunta.payments.redaction import kept_callback
from kaunta.payments.timeline import Kind, attempts
from tests.staff.conftest import Reader
from tests.staff.counters import Counter, Enter, at_counter
from tests.support.bars import SeededBar

__all__ = ["at_counter"]

At = Callable[[str], Counter]

DIGITS = st.text("0123456789", min_size=8, max_size=8)
PREFIX = st.sampled_from(["2547", "2541", "07", "01", "+2547", "7", "00254 7"])
GAP = st.sampled_from(["", " ", "-", ".", "  ", " - ", "/"])


@st.composite
def phones(draw: st.DrawFn) -> tuple[str, str]:
    """A phone number as people write one, and its last eight digits."""
    digits, gap = draw(DIGITS), draw(GAP)
    return f"{draw(PREFIX)}{gap}{digits[:3]}{gap}{digits[3:]}", digits


@st.composite
def secrets(draw: st.DrawFn) -> str:
    """A consumer key, secret or passkey: letters and digits, sixteen and more."""
    marked = draw(st.text("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=15, max_size=64))
    return f"{marked}7"


def around(words: str, before: str, after: str) -> str:
    return f"{before} {words} {after}"


WORDS = st.text("abc ,;:'\"\n", max_size=20)


@given(phone=phones(), before=WORDS, after=WORDS)
def test_no_phone_survives_in_a_text(phone: tuple[str, str], before: str, after: str) -> None:
    written, digits = phone
    kept = without_secrets(around(written, before, after))
    assert digits not in "".join(character for character in kept if character.isdigit())


@given(secret=secrets(), before=WORDS, after=WORDS)
def test_no_secret_survives_in_a_text(secret: str, before: str, after: str) -> None:
    assert secret not in without_secrets(around(secret, before, after))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**7), 10**7) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON, phone=phones(), secret=secrets(), place=st.sampled_from(["name", "text", "list", "number"]))
def test_nothing_marked_survives_wherever_it_stands(
    value: object, phone: tuple[str, str], secret: str, place: str
) -> None:
    written, digits = phone
    # What stands beside it may not be a piece of it: eight digits alone are an amount or an id, and stay.
    assume(digits not in json.dumps(value, ensure_ascii=False))
    hidden: object = {
        "name": {written: value, secret: value},
        "text": {"told": value, "phone": written, "secret": secret},
        "list": [[written, value], {"deep": [secret]}],
        "number": {"phone": int(f"2547{digits}"), "secret": secret, "told": value},
    }[place]
    kept = json.dumps(harmless(hidden), ensure_ascii=False)
    assert secret not in kept
    assert digits not in kept
    assert written not in kept


def test_what_is_needed_to_argue_with_safaricom_stays() -> None:
    for text in ("SKK1A2B3C4", "TB-7F3K", "29115-34620561-1", "20261121153900", "2026-11-21T15:39:00+00:00",
                 "9d7f9d9e-1111-4222-8333-944444444444", "The initiator information is invalid."):  # fmt: skip
        assert without_secrets(text) == text


def test_of_a_callback_codes_and_amounts_are_kept_and_nobodys_number() -> None:
    items = [("Amount", 400), ("MpesaReceiptNumber", "SKK1A2B3C4"), ("PhoneNumber", 254708374149)]
    stk = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": "ws_CO_21112026153900254708374149",
        "ResultCode": 0,
        "ResultDesc": "Done for 254708374149",
        "CallbackMetadata": {"Item": [{"Name": name, "Value": value} for name, value in items]},
    }
    kept = kept_callback(json.dumps({"Body": {"stkCallback": stk}}).encode())
    assert kept == {
        "ResultCode": "0",
        "ResultDesc": "Done for •••",
        "MerchantRequestID": "29115-34620561-1",
        "Amount": "400",
        "MpesaReceiptNumber": "SKK1A2B3C4",
    }
    assert kept_callback(b"254708374149") == {"form": "not_an_object", "bytes": 12}
    direct = {"TransID": "SKK1A2B3C4", "MSISDN": "254708374149", "FirstName": "Jane", "BillRefNumber": "0708374149"}
    assert kept_callback(json.dumps(direct).encode()) == {"TransID": "SKK1A2B3C4", "BillRefNumber": "•••"}


@pytest.mark.req("PAY-4.2")
async def test_the_timeline_tells_every_attempt_from_the_request_to_the_ledger(
    at_counter: At, signed_in: Enter, bar: SeededBar
) -> None:
    counter = at_counter(await signed_in(bar.owner))
    first = await counter.payment("cancelled", 130)
    page = await counter.read(f"/staff/payments/{first}/push", data={"csrf": counter.csrf, "key": "k", "amount": "200"})
    await counter.simulator.settle()
    await counter.application.pushes.drain()
    tries = await attempts(counter.rt, first)
    assert [(one.number, one.status.value) for one in tries] == [(1, "cancelled"), (2, "completed")]
    kinds = {moment.kind for one in tries for moment in one.moments}
    assert kinds >= {Kind.REQUEST, Kind.CALLBACK, Kind.STATE, Kind.LEDGER}
    assert all(one.moments == sorted(one.moments, key=lambda moment: moment.at) for one in tries)
    page = await counter.read(f"/staff/payments/{tries[1].id}")
    for words in ("Attempt 1", "this one", "sent stk push", "callback believed", "payment +KES 200 on the tab",
                  "Tell the guest", "Paid. Thank you!", "Imelipwa. Asante!"):  # fmt: skip
        assert words in page.text, words
    only = await counter.read(f"/staff/payments/{tries[1].id}?kind=ledger")
    assert "payment +KES 200 on the tab" in only.text
    assert "callback believed" not in only.text
    assert (await counter.read(f"/staff/payments/{first}?kind=%27or")).status == 200


async def test_money_after_the_end_stands_out(at_counter: At, signed_in: Enter, bar: SeededBar) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("ack_and_callback_lost", 720)
    await counter.ask_first(id_)
    said = {"reason": "no SMS", "evidence": "nothing on the till", "ended": "not_paid"}
    await counter.read(f"/staff/payments/{id_}/resolve", data={"csrf": counter.csrf, **said})
    await counter.read(
        f"/staff/payments/{id_}/resolve",
        data={"csrf": counter.csrf, **said, "ended": "paid", "receipt": "SKK0000009"},
    )
    page = await counter.read(f"/staff/payments/{id_}")
    assert "failed → completed" in page.text
    assert "contradicts what was said before" in page.text


async def test_a_bundle_of_a_real_payment_holds_no_phone_and_no_secret(
    at_counter: At, signed_in: Enter, bar: SeededBar, read: Reader
) -> None:
    counter = at_counter(await signed_in(bar.waiter))
    id_ = await counter.payment("paid", 40)
    token = "Zx8" + "kQ2" * 12
    text = f"he says 0712 345 678, 0712\u2013345\u2013678, 0712:345:678 or +254-711-040-401, key {token}"
    await counter.read(f"/staff/payments/{id_}/note", data={"csrf": counter.csrf, "note": text})
    async with transaction(counter.rt.db) as db:
        await db.execute(
            """
            insert into daraja_exchanges (at, bar_id, transaction_id, kind, outcome, duration_ms, request, response)
            values ($1, $2, $3, 'stk_query', 'answered', 12, '{"Password": "x"}', $4)
            """,
            counter.rt.clock.now(), bar.id, id_, {"said": text, "PhoneNumber": 254712345678},
        )  # fmt: skip
    answer = await counter.read(f"/staff/payments/{id_}/bundle", data={"csrf": counter.csrf})
    assert answer.headers["Content-Type"].startswith("application/json")
    told = json.loads(answer.text)
    assert told["payment"]["status"] == "completed"
    assert {moment["kind"] for one in told["attempts"] for moment in one["moments"]} >= {"callback", "ledger", "person"}
    payer = f"2547{counter.made:08d}"
    hidden = (payer, payer[3:], "712345678", "712 345 678", "345\u2013678", "345:678", "711-040-401", token,
              "consumer-secret-of", "passkey-of", "ws_CO", bar.waiter.username)  # fmt: skip
    assert [mark for mark in hidden if mark in answer.text] == []
    made = await counter.rt.db.fetchval("select actor from audit_events where action = 'payment.bundle_made'")
    assert made == f"staff:{bar.waiter.account_id}"
    assert desk.NOTED.partition(".")[2] in answer.text


async def test_a_payment_holds_so_many_notes_and_no_more(at_counter: At, signed_in: Enter, bar: SeededBar) -> None:
    counter = at_counter(await signed_in(bar.owner))
    id_ = await counter.payment("paid", 0)
    for number in range(desk.NOTES):
        await desk.note(counter.rt, bar.id, id_, f"note {number}", by="staff:x")
    page = await counter.read(f"/staff/payments/{id_}/note", data={"csrf": counter.csrf, "note": "one more"})
    assert (page.status, "all the notes it can hold" in page.text) == (409, True)
    # However often Safaricom was asked: the page reads the newest.
    await counter.rt.db.execute(
        "insert into daraja_exchanges (at, bar_id, transaction_id, kind, outcome, duration_ms, request, response) "
        "select $2::timestamptz + n * interval '1 second', $3, $1, 'stk_query', 'answered', 1, '{}', '{}' "
        "from generate_series(1, 600) n",
        id_, counter.rt.clock.now(), bar.id,
    )  # fmt: skip
    async with counter.rt.db.acquire() as db:
        calls = await reading.exchanges_of(db, id_)
    assert len(calls) == reading.MOST
    assert calls == sorted(calls, key=lambda call: call["at"])
    assert (await counter.read(f"/staff/payments/{id_}")).status == 200

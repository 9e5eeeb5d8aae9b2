"""PAY-P3, P5, P7 on the real database: what is started is kept and tied, what is said is read, the tab follows."""

import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaunta.core.phone import parse_msisdn
from kaunta.daraja.callbacks import StkCallback, parse_stk_callback
from kaunta.daraja.results import ResultKind, explain
from kaunta.payments.callback_url import token_hash
from kaunta.payments.states import Status
from kaunta.tabs.values import payment_states
from tests.support.bars import open_tab

from .conftest import Evening

OWED = 900
payers = count(1)

forms = st.sampled_from(["254{}", "+254{}", "0{}", "{}", "00254{}", "+254 {}", "254-{}"])
nationals = st.from_regex(r"[17][0-9]{8}", fullmatch=True)
keys = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200)


@pytest.mark.req("PAY-P3", "PAY-1.4", "PAY-1.3", "PAY-6.1")
@pytest.mark.failure(35, 46)
@given(form=forms, national=nationals, amount=st.integers(1, OWED), key=keys)
async def test_what_is_started_is_kept_and_tied_to_its_tab(
    evening: Evening, form: str, national: str, amount: int, key: str | None
) -> None:
    evening.clock.advance(86_400)
    tab = await open_tab(evening.rt, evening.bar.id, OWED, evening.bar.waiter.account_id)
    payment = await evening.pay(amount, tab=tab, phone=form.format(national), key=key, scenario="person")
    row, push = await evening.row(payment), evening.push()
    msisdn = parse_msisdn(national)
    assert (row["tab_id"], row["bar_id"], row["amount"], row["status"]) == (tab.id, tab.bar_id, amount, "sent")
    assert row["phone_hash"] == evening.rt.keys.index("phone", msisdn)
    assert row["callback_token_hash"] == token_hash(evening.token())
    assert row["checkout_request_id_hash"] == evening.rt.keys.index("checkout_request_id", push.checkout_id)
    assert (push.wanted.phone, push.wanted.amount, push.wanted.reference) == (msisdn, amount, row["reference"])
    assert len(row["reference"]) <= 12
    async with evening.rt.db.acquire() as db:
        assert (await evening.rt.keys.open(db, "phone", row["phone_enc"])).decode() == msisdn
    assert (await evening.view(payment)).tab_ref == tab.ref
    if key is not None:
        again = await evening.start(amount, tab=tab, phone=form.format(national), key=key)
        assert (again.transaction_id, again.replayed) == (payment, True)
    assert await evening.rt.db.fetchval("select count(*) from mpesa_transactions where tab_id = $1", tab.id) == 1


odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=30), st.just([]), st.just({})
)
codes = st.one_of(
    st.sampled_from([0, "0", 1, 1032, "1032", 1037, 2001, 4999, 17, "SFC_IC0003", "500.001.1001"]),
    st.integers(-5, 99_999),
    st.text("0123456789abcXYZ._ ", min_size=1, max_size=20),
)
receipts = st.from_regex(r"[A-Za-z0-9]{10}", fullmatch=True) | st.none() | odd
amounts = st.one_of(st.none(), st.integers(1, 2_000), st.integers(1, 2_000).map(float), odd)
moments = st.one_of(st.none(), st.just(20261120203100), st.just("20261120203100"), odd)


@st.composite
def callbacks(draw: st.DrawFn) -> dict[str, object]:
    """A callback about the newest push; every field may be odd, only the ids are right."""
    told: dict[str, object] = {"ResultCode": draw(st.sampled_from([0]) | codes), "ResultDesc": draw(odd)}
    if draw(st.booleans()):
        told["MerchantRequestID"] = draw(odd)
    items = [
        {"Name": name, "Value": draw(values)}
        for name, values in (
            ("Amount", amounts),
            ("MpesaReceiptNumber", receipts),
            ("TransactionDate", moments),
            ("PhoneNumber", odd),
        )
        if draw(st.integers(0, 9))
    ]
    if draw(st.integers(0, 9)):
        told["CallbackMetadata"] = {"Item": items}
    return told


@pytest.mark.req("PAY-P5", "PAY-P7", "PAY-2.1", "PAY-2.2", "PAY-2.4", "PAY-2.5", "PAY-2.6")
@pytest.mark.failure(48, 50, 52, 57)
@given(messages=st.lists(callbacks(), min_size=1, max_size=3))
async def test_whatever_a_callback_says_is_understood_and_the_tab_follows(
    evening: Evening, messages: list[dict[str, object]]
) -> None:
    evening.clock.advance(86_400)
    tab = await open_tab(evening.rt, evening.bar.id, OWED, evening.bar.waiter.account_id)
    payment = await evening.pay(500, tab=tab, phone=f"2547{next(payers):08d}", scenario="person")
    believed: set[str] = set()
    for told in messages:
        body = json.dumps({"Body": {"stkCallback": {"CheckoutRequestID": evening.push().checkout_id} | told}}).encode()
        parsed = parse_stk_callback(body)
        used = (
            isinstance(parsed, StkCallback)
            and parsed.receipt is not None
            and await evening.rt.db.fetchval(
                "select true from mpesa_receipts where receipt = upper($1) and transaction_id <> $2",
                parsed.receipt,
                payment,
            )
        )
        if used:
            continue  # one receipt for two payments is another test's subject
        before = await evening.view(payment)
        verdict = await evening.hear(body, evening.token())
        after = await evening.view(payment)
        assert verdict in ("applied", "duplicate", "contradictory", "malformed")
        if not isinstance(parsed, StkCallback):
            assert verdict == "malformed"
            assert after.status is before.status
            continue
        kind = explain(parsed.result_code).kind
        if kind is ResultKind.SUCCESS and parsed.receipt:
            believed.add(parsed.receipt.upper())
            assert after.status is Status.COMPLETED
        if kind in (ResultKind.UNKNOWN, ResultKind.PENDING, ResultKind.UNPROVEN):
            assert after.status is before.status
        if after.status in (Status.FAILED, Status.CANCELLED):
            assert after.result_code
        seen = await evening.tab(tab)
        assert {entry.receipt for entry in seen.entries} == believed
        assert seen.paid == sum(entry.amount for entry in seen.entries)
        assert (after.status is Status.COMPLETED) == bool(seen.entries)
        assert [order.payment_state for order in seen.orders] == payment_states([OWED], seen.paid)

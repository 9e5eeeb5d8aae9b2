"""Reading anything at all: exact where it can be read, harmless where it cannot."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaunta.core.clock import EAT
from kaunta.daraja.answers import parse_error, parse_pull, parse_push_answer, parse_query_answer, parse_token
from kaunta.daraja.callbacks import StkCallback, parse_stk_callback
from kaunta.daraja.notices import parse_c2b, parse_result_envelope
from kaunta.daraja.wire import Malformed, amount_of, moment_of, shillings, text_of

EXAMPLES = settings(max_examples=200, deadline=None)

NAMES = ("Amount", "MpesaReceiptNumber", "Balance", "TransactionDate", "PhoneNumber", "Unheard")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
receipts = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=10, max_size=10)
phones = st.integers(254700000000, 254799999999) | st.integers(254110000000, 254115999999)
moments = st.integers(1451606400, 4102444800).map(lambda seconds: datetime.fromtimestamp(seconds, EAT))


@st.composite
def written(draw: st.DrawFn, number: int) -> object:
    """A number in one of the ways it is found on the wire."""
    return draw(st.sampled_from([number, float(number), str(number), f"{number}.00", f" {number} ", f"{number:,}"]))


@st.composite
def callbacks(draw: st.DrawFn) -> tuple[dict[str, object], dict[str, object]]:
    """A callback body as Safaricom might send it, and what it says."""
    receipt, amount, phone, at = draw(receipts), draw(st.integers(1, 250_000)), draw(phones), draw(moments)
    stamp = int(at.strftime("%Y%m%d%H%M%S"))
    code = draw(st.sampled_from([0, "0", 0.0]))
    items: list[object] = [
        {"Name": "Amount", "Value": draw(written(amount))},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "TransactionDate", "Value": draw(st.sampled_from([stamp, str(stamp), at.isoformat(" ")]))},
        {"Name": "PhoneNumber", "Value": draw(st.sampled_from([phone, str(phone)]))},
    ]
    structured = "{Amount={CurrencyCode=KES, MinimumAmount=1, BasicAmount=0.01}}"
    items.append(
        draw(st.sampled_from([{"Name": "Balance"}, *({"Name": "Balance", "Value": v} for v in (3.5, structured))]))
    )
    items += draw(st.lists(st.fixed_dictionaries({"Name": st.text(max_size=5), "Value": anything}) | anything))
    said = {"receipt": receipt, "amount": amount, "phone": str(phone), "at": at.astimezone(UTC)}
    result = {
        "MerchantRequestID": draw(st.text("0123456789abcdef-", min_size=1, max_size=40)),
        "CheckoutRequestID": "ws_CO_" + str(draw(st.integers(10**9, 10**30))),
        "ResultCode": code,
        "ResultDesc": draw(st.text(max_size=60)),
        "CallbackMetadata": {"Item": draw(st.permutations(items))},
        **draw(st.dictionaries(st.sampled_from(["Extra", "AccountReference"]), anything)),
    }
    return {"Body": {"stkCallback": result}}, {**said, **result}


@pytest.mark.req("PAY-P5", "PAY-2.1", "PAY-2.2", "PAY-2.3")
@pytest.mark.failure(50)
@EXAMPLES
@given(callbacks())
def test_whatever_its_form_a_success_gives_receipt_amount_date_and_phone(
    case: tuple[dict[str, object], dict[str, object]],
) -> None:
    message, said = case
    callback = parse_stk_callback(json.dumps(message).encode())
    assert isinstance(callback, StkCallback)
    assert callback.result_code == "0"
    assert callback.checkout_request_id == said["CheckoutRequestID"]
    assert callback.merchant_request_id == said["MerchantRequestID"]
    assert callback.receipt == said["receipt"]
    assert callback.amount == callback.amount_exact == said["amount"]
    assert callback.transaction_date == said["at"]
    assert callback.phone == said["phone"]


@pytest.mark.req("PAY-P5", "PAY-2.2")
@EXAMPLES
@given(code=st.sampled_from([1, 17, 1019, 1032, 1037, 2001]) | st.sampled_from(["SFC_IC0003", "1032", "E3008"]),
       desc=st.text("abcdefghijklmnopqrstuvwxyz .[]-", max_size=80))  # fmt: skip
def test_a_failure_gives_its_code_and_words(code: int | str, desc: str) -> None:
    body = {"MerchantRequestID": "1-2-3", "CheckoutRequestID": "ws_CO_1", "ResultCode": code, "ResultDesc": desc}
    callback = parse_stk_callback(json.dumps({"Body": {"stkCallback": body}}).encode())
    assert isinstance(callback, StkCallback)
    assert (callback.result_code, callback.result_desc) == (str(code), desc.strip())
    assert callback.receipt is None


@EXAMPLES
@given(
    st.binary(max_size=300)
    | anything.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"Body": st.fixed_dictionaries({"stkCallback": anything})}).map(
        lambda value: json.dumps(value).encode()
    )
    | st.fixed_dictionaries(
        {
            "Body": st.fixed_dictionaries(
                {
                    "stkCallback": st.fixed_dictionaries(
                        {
                            "CheckoutRequestID": anything,
                            "ResultCode": anything,
                            "CallbackMetadata": st.fixed_dictionaries(
                                {
                                    "Item": st.lists(
                                        st.fixed_dictionaries({"Name": st.sampled_from(NAMES), "Value": anything})
                                    )
                                }
                            ),
                        }
                    )
                }
            )
        }
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_makes_a_parser_raise_and_what_is_read_can_be_stored(body: bytes) -> None:
    for parse in (parse_c2b, parse_result_envelope, parse_push_answer, parse_query_answer, parse_token, parse_pull):
        parse(body)
    parse_error(body)
    callback = parse_stk_callback(body)
    if isinstance(callback, StkCallback):
        assert callback.amount is None or callback.amount > 0
        for text in (callback.result_code, callback.result_desc, callback.receipt, callback.phone,
                     callback.checkout_request_id, callback.merchant_request_id):  # fmt: skip
            assert text is None or b"\0" not in text.encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<html></html>", "not_json"),
        (b"\xff\xfe\xfd", "not_utf8"),
        (b'{"Body": {"stkCallback": {"ResultCode": NaN}}}', "not_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not_json"),
        (b"[" * 100_000, "too_deep"),
        (b" " * ((1 << 20) + 1), "too_large"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "not_a_callback"),
        (b'{"Body": []}', "not_a_callback"),
        (b'{"Body": {"stkCallback": "0"}}', "not_a_callback"),
        (b'{"Body": {"stkCallback": {"ResultCode": 0}}}', "no_checkout_request_id"),
        (b'{"Body": {"stkCallback": {"ResultCode": 0, "CheckoutRequestID": {}}}}', "no_checkout_request_id"),
        (b'{"Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1"}}}', "no_result_code"),
        (b'{"Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1", "ResultCode": false}}}', "no_result_code"),
        (b'{"Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1", "ResultCode": []}}}', "no_result_code"),
    ],
    ids=range(18),
)
def test_what_is_no_callback_says_why(body: bytes, reason: str) -> None:
    assert parse_stk_callback(body) == Malformed(reason)


@pytest.mark.failure(37)
@pytest.mark.parametrize(
    ("value", "exact", "whole"),
    [
        (Decimal("99.50"), Decimal("99.50"), None),
        ("99.5", Decimal("99.5"), None),
        (Decimal("1500.0"), Decimal(1500), 1500),
        ("1,500.00", Decimal(1500), 1500),
        ("{Amount={CurrencyCode=KES, MinimumAmount=150000, BasicAmount=1500.00}}", Decimal(1500), 1500),
        (0, None, None),
        (-5, None, None),
        ("-5", None, None),
        (10**40, None, None),
        (Decimal("1E+999999"), None, None),
        (Decimal("Infinity"), None, None),
        (True, None, None),
        ("٥٠", None, None),
        ("1_000", None, None),
        ("KES 5", None, None),
        (None, None, None),
        ([], None, None),
    ],
)
def test_an_amount_is_exact_or_none_and_never_rounded(value: object, exact: Decimal | None, whole: int | None) -> None:
    assert amount_of(value) == exact
    assert shillings(amount_of(value)) == whole


@pytest.mark.failure(50)
@pytest.mark.failure(47)
@pytest.mark.parametrize(
    ("value", "at"),
    [
        (20240131235959, datetime(2024, 1, 31, 20, 59, 59, tzinfo=UTC)),
        (Decimal("20240131235959.0"), datetime(2024, 1, 31, 20, 59, 59, tzinfo=UTC)),
        ("20240131000000", datetime(2024, 1, 30, 21, tzinfo=UTC)),
        ("2024-01-31 23:59:59", datetime(2024, 1, 31, 20, 59, 59, tzinfo=UTC)),
        ("2024-01-31T20:59:59Z", datetime(2024, 1, 31, 20, 59, 59, tzinfo=UTC)),
        ("20990101030000", datetime(2099, 1, 1, tzinfo=UTC)),
        ("20241340999999", None),
        ("00010101000000", None),
        ("", None),
        (0, None),
        (None, None),
        ({}, None),
    ],
)
def test_a_moment_without_a_zone_is_kenyan(value: object, at: datetime | None) -> None:
    assert moment_of(value) == at


@EXAMPLES
@given(moments)
def test_a_kenyan_stamp_is_three_hours_ahead(at: datetime) -> None:
    read = moment_of(at.strftime("%Y%m%d%H%M%S"))
    assert read == at
    assert read.replace(tzinfo=None) == at.replace(tzinfo=None) - timedelta(hours=3)


def test_text_is_made_fit_to_be_stored() -> None:
    assert text_of("a\x00b\ud800\n") == "a b?"
    assert len(text_of("x" * 10_000)) == 500
    assert text_of({"a": 1}) == ""


def test_of_two_items_with_one_name_the_first_with_a_value_counts() -> None:
    items = [{"Name": "Amount"}, {"Name": "Amount", "Value": 5}, {"Name": "amount ", "Value": 7}]
    result = {"CheckoutRequestID": "ws_CO_1", "ResultCode": 0, "CallbackMetadata": {"Item": items}}
    callback = parse_stk_callback(json.dumps({"Body": {"stkCallback": result}}).encode())
    assert isinstance(callback, StkCallback)
    assert callback.amount == 5


def test_a_single_item_is_read_without_its_list() -> None:
    result = {
        "CheckoutRequestID": "ws_CO_1",
        "ResultCode": 0,
        "CallbackMetadata": {"Item": {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"}},
    }
    callback = parse_stk_callback(json.dumps({"Body": {"stkCallback": result}}).encode())
    assert isinstance(callback, StkCallback)
    assert callback.receipt == "NLJ7RT61SV"


@pytest.mark.failure(90)
def test_a_read_callback_prints_nobody(sample: Callable[[str], object]) -> None:
    callback = parse_stk_callback(json.dumps(sample("stk_cb_success_official")).encode())
    assert "254708374149" not in repr(callback)
    assert "ws_CO" not in repr(callback)

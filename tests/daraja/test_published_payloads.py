"""Every published payload is read right (samples/, by their owners' own publication), and by no other parser wrong."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from kaunta.core.secret import Secret
from kaunta.daraja.answers import (
    CallAcknowledged,
    ErrorAnswered,
    PushAcknowledged,
    QueryAnswered,
    TokenGranted,
    parse_call_answer,
    parse_error,
    parse_pull,
    parse_push_answer,
    parse_query_answer,
    parse_token,
)
from kaunta.daraja.callbacks import StkCallback, parse_stk_callback
from kaunta.daraja.notices import C2bPayment, ResultEnvelope, parse_c2b, parse_result_envelope
from kaunta.daraja.requests import password
from kaunta.daraja.wire import Malformed

from .conftest import SAMPLES

Load = Callable[[str], object]
PARSERS: tuple[Callable[[bytes], object], ...] = (
    parse_stk_callback, parse_c2b, parse_result_envelope, parse_push_answer, parse_query_answer, parse_token,
    parse_call_answer, parse_error, parse_pull,
)  # fmt: skip
EVERY = sorted(str(path.relative_to(SAMPLES).with_suffix("")) for path in SAMPLES.rglob("*.json"))


@pytest.fixture
def body(sample: Load) -> Callable[[str], bytes]:
    """A sample as the bytes that came over the wire."""
    return lambda name: json.dumps(sample(name)).encode()


Body = Callable[[str], bytes]


def test_the_samples_are_all_there() -> None:
    assert len(EVERY) == 74


@pytest.mark.parametrize("name", EVERY)
def test_no_parser_trips_over_a_published_payload(name: str, sample: Load) -> None:
    payload = sample(name)
    for one in payload if isinstance(payload, list) else [payload]:
        for parse in PARSERS:
            parse(json.dumps(one).encode())


@pytest.mark.failure(50)
@pytest.mark.req("PAY-2.1")
@pytest.mark.parametrize(
    ("name", "receipt", "amount", "at", "phone"),
    [
        ("stk_cb_success_official", "NLJ7RT61SV", 1, "2019-12-19T07:21:15", "254708374149"),
        ("official/MpesaExpressSimulate_04_sample_successful_callback_payload",
         "NLJ7RT61SV", 1, "2019-12-19T07:21:15", "254708374149"),
        ("stk_cb_success_balance_novalue_2018_prod", "MAO0DO9BYO", 1, "2018-01-24T11:47:54", "254713154000"),
        ("stk_cb_success_balance_novalue_2019_dmz_prod", "NBN52K8A1J", 1, "2019-02-23T11:48:07", "254725696000"),
        ("stk_cb_success_balance_novalue_2020_prod", "OCC1PLYJS9", 1, "2020-03-12T11:51:38", "254728547000"),
        ("stk_cb_success_balance_novalue_2021_prod_a", "PE73OJNTHB", 1, "2021-05-07T14:23:18", "254700711000"),
        ("stk_cb_success_balance_novalue_2024_prod_a", "SD25WSR9W7", 1, "2024-04-02T14:00:17", "254715990000"),
        ("variant_amount_int", "SHC7S6SHXP", 1500, "2024-08-12T07:38:01", "254726945000"),
        ("variant_balance_structured_string", "SHC7S6SHXP", 1500, "2024-08-12T07:38:01", "254726945000"),
        ("variant_item_extra_unknown", "SHC7S6SHXP", 1500, "2024-08-12T07:38:01", "254726945000"),
        ("variant_phone_masked", "SHC7S6SHXP", 1500, "2024-08-12T07:38:01", "0726***000"),
        ("variant_phone_string", "SHC7S6SHXP", 1500, "2024-08-12T07:38:01", "254726945000"),
        ("variant_transactiondate_string", "SHC7S6SHXP", 1500, "2024-08-12T07:38:01", "254726945000"),
        ("variant_success_missing_receipt", None, 1500, "2024-08-12T07:38:01", "254726945000"),
        ("variant_success_empty_items", None, None, None, None),
        ("variant_success_without_metadata", None, None, None, None),
    ],
)  # fmt: skip
def test_a_success_is_read(
    body: Body, name: str, receipt: str | None, amount: int | None, at: str | None, phone: str | None
) -> None:
    callback = parse_stk_callback(body(name))
    assert isinstance(callback, StkCallback)
    assert callback.result_code == "0"
    assert callback.receipt == receipt
    assert callback.amount == amount
    assert callback.amount_exact == amount
    assert callback.transaction_date == (at and datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert callback.phone == phone
    assert callback.checkout_request_id.startswith("ws_CO_")
    assert callback.merchant_request_id


@pytest.mark.req("PAY-2.2")
@pytest.mark.failure(65)
@pytest.mark.parametrize(
    ("name", "code", "desc"),
    [
        ("stk_cb_1019_expired_2022_sandbox", "1019", "Transaction has expired"),
        ("stk_cb_1032_official", "1032", "Request cancelled by user"),
        ("official/MpesaExpressSimulate_03_sample_unsuccessful_callback_payload", "1032", "Request cancelled by user"),
        ("stk_cb_1032_prefixed_2017", "1032", "[STK_CB - ]Request cancelled by user"),
        ("stk_cb_1037_2021", "1037", "DS timeout."),
        ("stk_cb_1037_2024_prod", "1037", "DS timeout user cannot be reached"),
        ("stk_cb_1037_2025", "1037", "DS timeout user cannot be reached"),
        ("stk_cb_1037_sandbox_2026", "1037", "No response from user."),
        ("stk_cb_17_rule_limited_2021", "17", "Rule limited."),
        ("stk_cb_1_insufficient_2021", "1", "The balance is insufficient for the transaction"),
        ("stk_cb_1_insufficient_prefixed_2019", "1", "[MpesaCB - ]The balance is insufficient for the transaction."),
        ("stk_cb_2001_2020", "2001", "The initiator information is invalid."),
        ("stk_cb_string_resultcode_SFC_IC0003_2021a", "SFC_IC0003", "The operator does not exist."),
    ],
)
def test_a_failure_is_read(body: Body, name: str, code: str, desc: str) -> None:
    callback = parse_stk_callback(body(name))
    assert isinstance(callback, StkCallback)
    assert (callback.result_code, callback.result_desc) == (code, desc)
    assert (callback.receipt, callback.amount, callback.items) == (None, None, {})


def test_one_payment_told_twice_has_one_receipt(sample: Load) -> None:
    pair = sample("same_payment_stk_callback_AND_c2b_confirmation_2021_prod")
    assert isinstance(pair, list)
    callback, confirmation = (json.dumps(one).encode() for one in pair)
    told, again = parse_stk_callback(callback), parse_c2b(confirmation)
    assert isinstance(told, StkCallback)
    assert isinstance(again, C2bPayment)
    assert told.receipt == again.receipt == "PAG0OJ3CDO"
    assert told.amount == again.amount == 5
    assert told.phone == again.msisdn
    assert told.transaction_date is not None
    assert again.at is not None
    assert (told.transaction_date - again.at).total_seconds() == 1


@pytest.mark.parametrize(
    ("name", "receipt", "amount", "shortcode", "reference", "msisdn", "balance"),
    [
        ("c2b_confirmation_till_buygoods", "SKE52PAWR9", 1850, "5678901", "", "2547 ***** 126", Decimal("41250.00")),
        ("c2b_confirmation_v1_hashed", "RKTQDM7W6S", 10, "600638", "invoice008",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", None),
        ("c2b_confirmation_v2_masked", "RKL51ZDR4F", 5, "600966", "Sample Transaction", "2547 ***** 126", Decimal(25)),
        ("official/CustomerToBusiness_05_masked_version",
         "RKL51ZDR4F", 5, "600966", "Sample Transaction", "2547 ***** 126", Decimal(25)),
    ],
)  # fmt: skip
def test_a_direct_payment_is_read(
    body: Body,
    name: str,
    receipt: str,
    amount: int,
    shortcode: str,
    reference: str,
    msisdn: str,
    balance: Decimal | None,
) -> None:
    payment = parse_c2b(body(name))
    assert isinstance(payment, C2bPayment)
    assert (payment.receipt, payment.amount, payment.shortcode) == (receipt, amount, shortcode)
    assert (payment.bill_reference, payment.msisdn, payment.balance) == (reference, msisdn, balance)
    assert payment.at is not None
    assert payment.at.tzinfo is UTC


@pytest.mark.parametrize(
    ("name", "code", "transaction", "receipt", "amount", "at"),
    [
        ("official/Reversal_03_successful_callback", "0", "SKE52PAWR9", None, Decimal(1), "2021-11-14T10:27:11"),
        ("official/Reversal_04_unsuccessful_callback", "R000002", "SKE0000000", None, None, None),
        ("official/AccountBalance_03_result_body", "0", "OA90000000", None, None, "2020-01-09T09:57:10"),
        ("official/TransactionStatus_03_callback_payload",
         "0", "MBN0000000", "MBN31H462N", Decimal(300), "2018-02-23T02:41:12"),
        ("result_envelope_real_2021_prod_b2b", "0", "PAI3R04TKD", None, None, "2021-01-18T15:33:22"),
    ],
)  # fmt: skip
def test_a_result_envelope_is_read(
    body: Body, name: str, code: str, transaction: str, receipt: str | None, amount: Decimal | None, at: str | None
) -> None:
    result = parse_result_envelope(body(name))
    assert isinstance(result, ResultEnvelope)
    assert (result.result_code, result.transaction_id, result.receipt) == (code, transaction, receipt)
    assert result.amount_exact == amount
    assert result.completed_at == (at and datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert result.conversation_id
    assert result.originator_conversation_id


def test_keys_that_repeat_or_have_no_value_are_kept(body: Body) -> None:
    status = parse_result_envelope(body("official/TransactionStatus_03_callback_payload"))
    assert isinstance(status, ResultEnvelope)
    assert status.parameters["DebitPartyName"] == ("600310 - Safaricom333", "254708374149 - John Doe")
    assert status.parameters["TransactionReason"] == ()
    assert status.references == {"Occasion": ()}


def test_every_form_of_the_envelope_is_read(sample: Load) -> None:
    variants = sample("envelope_result_variants")
    assert isinstance(variants, list)
    results = [parse_result_envelope(json.dumps(one).encode()) for one in variants]
    read = [(one.result_code, dict(one.references)) for one in results if isinstance(one, ResultEnvelope)]
    assert read == [
        ("0", {}),
        ("0", {}),
        ("R000002", {}),
        (None, {"QueueTimeoutURL": ("https://internalsandbox.safaricom.co.ke/mpesa/reversalresults/v1/submit",)}),
        (None, {"Occasion": ()}),
    ]


@pytest.mark.parametrize("name", ["stk_push_ack_official", "official/MpesaExpressSimulate_02_response_body"])
def test_a_push_acknowledgement_is_read(body: Body, name: str) -> None:
    assert parse_push_answer(body(name)) == PushAcknowledged(
        response_code="0",
        description="Success. Request accepted for processing",
        customer_message="Success. Request accepted for processing",
        merchant_request_id="2654-4b64-97ff-b827b542881d3130",
        checkout_request_id="ws_CO_1007202409152617172396192",
    )


@pytest.mark.parametrize(("name", "code"), [("stk_query_success", "0"), ("stk_query_1032_real_2019", "1032")])
def test_a_query_answer_is_read(body: Body, name: str, code: str) -> None:
    answered = parse_query_answer(body(name))
    assert isinstance(answered, QueryAnswered)
    assert (answered.response_code, answered.result_code) == ("0", code)


@pytest.mark.parametrize("name", ["oauth_success_live_sandbox", "official/Authorization_01_response_body"])
def test_a_token_is_read_whether_its_life_is_text_or_number(body: Body, name: str) -> None:
    assert parse_token(body(name)) == TokenGranted("c9SQxWWhmdVRlyh0zh8gZDTkubVF", 3599)


@pytest.mark.parametrize(
    "name", ["stk_sync_errors", "oauth_errors", "stk_query_pending_and_errors", "official/Reversal_05_example"]
)
def test_every_published_refusal_is_read_with_its_words(sample: Load, name: str) -> None:
    published = sample(name)
    for case in published if isinstance(published, list) else [{"body": published}]:
        told = case["body"]
        raw = told.encode() if isinstance(told, str) else json.dumps(told).encode()
        read = parse_error(raw)
        if isinstance(told, dict) and "errorCode" in told:
            assert read == ErrorAnswered(told["errorCode"], told["errorMessage"])
        elif isinstance(told, dict) and "fault" in told:
            fault = told["fault"]
            assert read == ErrorAnswered(fault["detail"]["errorcode"], fault["faultstring"], gateway=True)
        else:
            assert isinstance(read, Malformed)


@pytest.mark.parametrize(
    ("name", "originator"),
    [
        ("official/Reversal_02_success_response", "f1e2-4b95-a71d-b30d3cdbb7a7735297"),
        ("official/TransactionStatus_02_response_body", "1236-7134259-1"),
        ("official/AccountBalance_02_response_body", "515-5258779-3"),
        ("official/CustomerToBusiness_03_simulate_response", "53e3-4aa8-9fe0-8fb5e4092cdd3405976"),
        ("official/CustomerToBusiness_04_register_urls_response", "6e86-45dd-91ac-fd5d4178ab523408729"),
    ],
)
def test_an_acknowledged_call_is_read_in_both_spellings(body: Body, name: str, originator: str) -> None:
    answered = parse_call_answer(body(name))
    assert isinstance(answered, CallAcknowledged)
    assert (answered.response_code, answered.originator_conversation_id) == ("0", originator)


def test_the_registration_answers_are_read(sample: Load) -> None:
    published = sample("c2b_register")
    assert isinstance(published, dict)
    taken = parse_call_answer(json.dumps(published["response"]).encode())
    assert isinstance(taken, CallAcknowledged)
    refused = parse_call_answer(json.dumps(published["error_prod_second_time"]["body"]).encode())
    assert refused == ErrorAnswered("500.003.1001", "Urls are already registered.")


def test_pulled_payments_are_read(body: Body) -> None:
    pulled = parse_pull(body("pull_query_response"))
    assert isinstance(pulled, tuple)
    assert [(one.receipt, one.amount_exact, one.at, one.msisdn) for one in pulled] == [
        ("yzlyrEsRG1", Decimal(168), datetime(2020, 8, 5, 10, 13, tzinfo=UTC), "72200000")
    ]
    assert parse_pull(b'{"ResponseCode": "1001", "Response": [[]]}') == ()


def test_the_passwords_of_public_clients_are_ours(sample: Load) -> None:
    requests = sample("client_requests")
    assert isinstance(requests, list)
    passkey = Secret(next(one["body"]["Passkey"] for one in requests if one["body"]))
    bodies = [one["body"] for one in requests if one["body"]]
    assert len(bodies) == 4
    for sent in bodies:
        assert password(str(sent["BusinessShortCode"]), passkey, sent["Timestamp"]) == sent["Password"]

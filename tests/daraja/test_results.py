"""The code table against the rulings, and that nothing outside it is taken for a failure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaunta.daraja.refusals import API_ERRORS, explain_refusal, is_access_token_error, is_rate_limit
from kaunta.daraja.results import RESULT_CODES, ResultKind, explain
from kaunta.daraja.words import GUEST, ResultClass

RULED = {
    ResultKind.SUCCESS: {"0"},
    ResultKind.FINAL: {
        "1", "2", "3", "4", "8", "11", "17", "26", "1001", "2001", "2002", "2028", "8006", "SFC_IC0003",
    },
    ResultKind.CANCEL: {"1031", "1032"},
    ResultKind.UNPROVEN: {"1019", "1025", "1036", "1037", "1050", "9999"},
    ResultKind.PENDING: {"4999", "500.001.1001"},
    ResultKind.UNKNOWN: {"E3008"},
}  # fmt: skip


@pytest.mark.failure(65)
@pytest.mark.parametrize("kind", ResultKind)
def test_the_table_says_what_the_rulings_say(kind: ResultKind) -> None:
    assert {row.code for row in RESULT_CODES.values() if row.kind is kind} == RULED[kind]


@pytest.mark.failure(65)
@settings(max_examples=300, deadline=None)
@given(st.none() | st.booleans() | st.integers() | st.text())
def test_a_code_in_no_list_is_unknown_and_keeps_its_name(code: str | int | None) -> None:
    row = explain(code)
    if row.code not in RESULT_CODES:
        assert row.kind is ResultKind.UNKNOWN
        assert row.money_may_have_moved
        assert row.klass is ResultClass.UNKNOWN
        assert not row.promises_no_money_left
    if isinstance(code, str):
        assert row.code == code.strip()


@pytest.mark.parametrize("code", RESULT_CODES)
def test_a_code_is_the_same_as_number_and_as_text(code: str) -> None:
    assert explain(code).code == code
    if code.isdigit():
        assert explain(int(code)) == explain(f" {code} ") == explain(code)


@pytest.mark.req("PAY-3.7", "PAY-4.4")
@pytest.mark.parametrize("code", RESULT_CODES)
def test_every_code_has_words_for_guest_and_staff_in_both_languages(code: str) -> None:
    row = explain(code)
    pairs = [
        (row.guest_en, row.guest_sw),
        (row.staff_cause, row.staff_cause_sw),
        (row.staff_fix, row.staff_fix_sw),
    ]
    for english, swahili in pairs:
        assert english
        assert swahili
        assert english != swahili
    assert row.source


def test_only_codes_that_prove_it_promise_that_no_money_left() -> None:
    promised = {code for code, row in RESULT_CODES.items() if row.promises_no_money_left}
    assert promised == {"1", "2", "3", "4", "8", "11", "1031", "1032", "2001"}
    for code, row in RESULT_CODES.items():
        said = "no money" in row.guest_en.lower() or "hakuna pesa" in row.guest_sw.lower()
        assert not said or code in promised


def test_the_cool_downs_are_those_of_the_retry_rules() -> None:
    assert {code: row.retry_after for code, row in RESULT_CODES.items()} == {
        "0": None, "1": 0, "2": None, "3": None, "4": None, "8": None, "11": None, "17": 120, "26": 30, "1001": 60,
        "1019": 0, "1025": 30, "1031": 0, "1032": 0, "1036": 0, "1037": 0, "1050": 120, "2001": 0, "2002": None,
        "2028": None, "8006": None, "SFC_IC0003": None, "9999": 30, "4999": None, "500.001.1001": None, "E3008": 120,
    }  # fmt: skip


def test_every_class_has_a_sentence() -> None:
    assert set(GUEST) == set(ResultClass)


@pytest.mark.parametrize(
    ("code", "message", "klass", "retry"),
    [
        ("400.002.02", "Bad Request - Invalid CallBackURL", ResultClass.OUR_FAULT, None),
        ("404.001.03", "Invalid Access Token", ResultClass.OUR_FAULT, None),
        ("500.001.1001", "Wrong credentials", ResultClass.OUR_FAULT, None),
        ("500.001.1001", "[MerchantValidate] - Wrong credentials", ResultClass.OUR_FAULT, None),
        ("500.001.1001", "Merchant does not exist", ResultClass.OUR_FAULT, None),
        ("500.001.1001", "Unable to lock subscriber, a transaction is already in process for the current subscriber",
         ResultClass.BUSY_LINE, 60),
        ("500.001.1001", "", ResultClass.MPESA_BUSY, 30),
        ("500.003.02", "System is busy. Please try again in few minutes.", ResultClass.MPESA_BUSY, 30),
        ("policies.ratelimit.SpikeArrestViolation", "Spike arrest violation.", ResultClass.MPESA_BUSY, 30),
        ("401", "Invalid API call as no apiproduct match found", ResultClass.OUR_FAULT, None),
        ("599.9", "who knows", ResultClass.MPESA_BUSY, 30),
        (None, None, ResultClass.MPESA_BUSY, 30),
        ("not_sent", "", ResultClass.MPESA_BUSY, 0),
        ("not_sent", "oauth_unreachable:dns", ResultClass.MPESA_BUSY, 0),
        ("not_sent", "oauth_refused", ResultClass.OUR_FAULT, None),
        ("not_sent", "request_invalid:CallBackURL", ResultClass.OUR_FAULT, None),
    ],
)  # fmt: skip
def test_a_refusal_is_explained_by_code_and_words(
    code: str | None, message: str | None, klass: ResultClass, retry: int | None
) -> None:
    row = explain_refusal(code, message)
    assert (row.kind, row.klass, row.retry_after) == (ResultKind.FINAL, klass, retry)
    assert row.guest_en
    assert row.guest_sw


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("404.001.03", "Invalid Access Token", True),
        ("400.003.01", "Invalid access token", True),
        ("401.003.01", "Error Occurred: Invalid Access Token - abc", True),
        ("401.003.01", "The MSISDN is not permitted", False),
        ("404.001.03", "", False),
        ("404.001.01", "Invalid Access Token", False),
    ],
)
def test_only_an_explicit_invalid_access_token_counts_as_one(code: str, message: str, expected: bool) -> None:
    assert is_access_token_error(code, message) is expected


def test_being_asked_to_slow_down_is_recognised_in_each_shape() -> None:
    assert is_rate_limit("", "", 429)
    assert is_rate_limit("500.003.02", "Error Occurred: Spike Arrest Violation", 500)
    assert is_rate_limit("500.003.03", "Quota Violation", 500)
    assert not is_rate_limit("500.003.02", "System is busy. Please try again in few minutes.", 500)


@pytest.mark.parametrize("code", API_ERRORS)
def test_every_error_is_filed_under_its_own_code(code: str) -> None:
    assert API_ERRORS[code].code == code
    assert API_ERRORS[code].meaning

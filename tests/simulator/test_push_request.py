"""What the push API accepts and refuses."""

import base64
import re
from datetime import datetime
from typing import Any

import pytest

from kaunta.simulator.checks import production_url
from kaunta.simulator.options import Shortcode, SimulatorOptions
from kaunta.simulator.simulator import Simulator

from .merchant import PASSKEY, PUSH, QUERY, Merchant, Sample, Till

STRICT = SimulatorOptions(strict=True, seed=7)
PUBLIC = "https://pay.example.co.ke/cb/5f3a"


async def test_an_accepted_push_is_answered_as_published(till: Till, sample: Sample) -> None:
    answer = await till.push()
    published = sample("stk_push_ack_official")
    assert (answer.status, answer.media) == (200, "application/json")
    assert list(answer.json) == list(published)
    same = ("ResponseCode", "ResponseDescription", "CustomerMessage")
    assert [answer.json[name] for name in same] == [published[name] for name in same]


async def test_ids_have_the_forms_of_recent_traffic(till: Till, sample: Sample) -> None:
    answer = (await till.push()).json
    recent = sample("stk_cb_success_balance_novalue_2024_prod_a")["Body"]["stkCallback"]
    form = re.compile(r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\d+")
    assert form.fullmatch(recent["MerchantRequestID"])
    assert form.fullmatch(answer["MerchantRequestID"])
    # 17:30 UTC is 20:30 in Nairobi; the phone's last nine digits close the id.
    assert answer["CheckoutRequestID"] == "ws_CO_20112026203000000708374149"
    assert len(answer["CheckoutRequestID"]) == len(recent["CheckoutRequestID"])


async def test_two_pushes_in_one_millisecond_have_different_ids(till: Till) -> None:
    assert len({await till.pushed() for _ in range(3)}) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"BusinessShortCode": "174379"},
        {"Amount": "1450"},
        {"Amount": 1450.0},
        {"PartyA": "254708374149", "PhoneNumber": "254708374149", "PartyB": "174379"},
        {"PhoneNumber": 254110000000},
        {"TransactionDesc": "Python wrapper for mpesa api."},
        {"AccountReference": "fifteen letters"},
        {"Passkey": "a field nobody asked for", "Extra": {"deep": []}},
        {"TransactionType": "CustomerBuyGoodsOnline", "PartyB": 600000},
    ],
)
async def test_a_push_may_be_written_in_many_ways(till: Till, changes: dict[str, Any]) -> None:
    assert (await till.push(**changes)).status == 200


async def test_requests_of_public_clients_are_accepted(till: Till, sample: Sample) -> None:
    captured = [each for each in sample("client_requests") if each["method"] == "POST"]
    assert len(captured) == 4
    for request in captured:
        answer = await till.post(request["path"], request["body"])
        if request["path"] == PUSH:
            assert answer.status == 200
        else:
            assert answer.json["errorMessage"] == "The transaction does not Exist"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"BusinessShortCode": None}, "BusinessShortCode"),
        ({"BusinessShortCode": "12"}, "BusinessShortCode"),
        ({"Timestamp": None}, "Timestamp"),
        ({"Timestamp": "2026-11-20 20:30"}, "Timestamp"),
        ({"Timestamp": "20261320203000"}, "Timestamp"),
        ({"TransactionType": "CustomerPaysBill"}, "TransactionType"),
        ({"Amount": 0}, "Amount"),
        ({"Amount": -5}, "Amount"),
        ({"Amount": "12.50"}, "Amount"),
        ({"Amount": "many"}, "Amount"),
        ({"Amount": True}, "Amount"),
        ({"PhoneNumber": "0708374149"}, "PhoneNumber"),
        ({"PhoneNumber": 254208374149}, "PhoneNumber"),
        ({"PhoneNumber": None}, "PhoneNumber"),
        ({"CallBackURL": None}, "CallBackURL"),
        ({"CallBackURL": "ftp://example.org/cb"}, "CallBackURL"),
        ({"CallBackURL": "http://example.org/c b"}, "CallBackURL"),
        ({"CallBackURL": "http://example.org:port/"}, "CallBackURL"),
        ({"TransactionDesc": None}, "Remarks"),
        ({"TransactionDesc": ""}, "Remarks"),
    ],
)
async def test_a_bad_field_is_refused_by_name(till: Till, sample: Sample, changes: dict[str, Any], field: str) -> None:
    refused = await till.push(**changes)
    published = sample("stk_sync_errors")[0]["body"]
    assert refused.status == 400
    assert list(refused.json) == list(published)
    assert refused.json["errorCode"] == "400.002.02"
    assert refused.json["errorMessage"] == f"Bad Request - Invalid {field}"
    assert re.fullmatch(r"[0-9a-f-]{27}\d+", refused.json["requestId"])


async def test_nothing_rings_for_a_refused_push(till: Till, simulator: Simulator, merchant: Merchant) -> None:
    await till.push(Amount=0)
    await simulator.settle()
    assert not simulator.pushes
    assert not merchant.received


async def test_a_form_in_place_of_json_is_taken_for_a_missing_shortcode(till: Till) -> None:
    headers = {"Authorization": f"Bearer {till.token}"}
    refused = await till.ask("POST", PUSH, data={"BusinessShortCode": "174379"}, headers=headers)
    assert refused.json["errorMessage"] == "Bad Request - Invalid BusinessShortCode"


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b"\xff"])
async def test_a_body_that_is_no_object_is_an_invalid_payload(till: Till, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {till.token}", "Content-Type": "application/json"}
    refused = await till.ask("POST", PUSH, data=body, headers=headers)
    assert (refused.status, refused.json["errorCode"]) == (400, "400.002.05")


@pytest.mark.parametrize("path", [PUSH, QUERY])
async def test_an_unknown_token_is_a_404(till: Till, sample: Sample, path: str) -> None:
    till.token = "nobody-gave-this-one"
    refused = await till.post(path, till.wanted())
    published = next(each for each in sample("stk_sync_errors") if each["body"]["errorCode"] == "404.001.03")
    assert refused.status == published["http"] == 404
    assert refused.json["errorMessage"] == published["body"]["errorMessage"]


async def test_no_authorisation_header_a_wrong_verb_and_a_wrong_path_are_told_apart(till: Till) -> None:
    unsigned = await till.ask("POST", PUSH, json=till.wanted())
    verb = await till.ask("GET", PUSH)
    path = await till.ask("POST", "/mpesa/stkpush/v2/processrequest", json={})
    codes = [(each.status, each.json["errorCode"]) for each in (unsigned, verb, path)]
    assert codes == [(404, "404.001.04"), (405, "405.001"), (404, "404.001.01")]


@pytest.mark.parametrize("password", ["", "not base64!", base64.b64encode(b"17437920261120203000").decode()])
async def test_a_password_that_does_not_fit_the_request_is_refused(till: Till, password: str) -> None:
    refused = await till.push(Password=password)
    assert (refused.status, refused.json["errorMessage"]) == (500, "Wrong credentials")


async def test_a_timestamp_other_than_the_passwords_is_refused(till: Till) -> None:
    assert (await till.push(Timestamp="20261120203001")).json["errorMessage"] == "Wrong credentials"


KNOWN = SimulatorOptions(
    shortcodes=(Shortcode("174379", passkey=PASSKEY), Shortcode("600111", passkey="x", till="600222"))
)


@pytest.mark.parametrize("options", [KNOWN], indirect=True)
async def test_known_businesses_are_checked_by_their_passkey(till: Till) -> None:
    assert (await till.push()).status == 200
    stamp = "20261120203000"
    other = base64.b64encode(f"174379another{stamp}".encode()).decode()
    wrong = await till.push(Password=other)
    assert (wrong.status, wrong.json["errorMessage"]) == (500, "Wrong credentials")
    stranger = await till.push(BusinessShortCode=600999)
    assert (stranger.status, stranger.json["errorMessage"]) == (500, "Merchant does not exist")


@pytest.mark.parametrize("options", [KNOWN], indirect=True)
@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"TransactionType": "CustomerPayBillOnline", "PartyB": 600222}, 2028),
        ({"TransactionType": "CustomerBuyGoodsOnline", "PartyB": 600111}, "SFC_IC0003"),
        ({"TransactionType": "CustomerBuyGoodsOnline", "PartyB": 600222}, 0),
    ],
)
async def test_a_till_wants_its_own_type_and_number(
    till: Till, simulator: Simulator, merchant: Merchant, changes: dict[str, Any], result: int | str
) -> None:
    password = base64.b64encode(b"600111x20261120203000").decode()
    await till.push(BusinessShortCode=600111, Password=password, **changes)
    await simulator.settle()
    assert merchant.received[0].told["ResultCode"] == result


async def test_an_amount_above_the_limit_and_a_prompt_too_long_fail_later(
    till: Till, simulator: Simulator, merchant: Merchant
) -> None:
    await till.push(Amount=250_001)
    await till.push(AccountReference="long " * 40)
    await simulator.settle()
    assert [each.told["ResultCode"] for each in merchant.received] == [3, 1025]
    assert not simulator.ledger


@pytest.mark.parametrize("options", [STRICT], indirect=True)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"CallBackURL": "http://pay.example.co.ke/cb/5f3a"}, "CallBackURL"),
        ({"CallBackURL": "https://127.0.0.1/cb"}, "CallBackURL"),
        ({"CallBackURL": "https://pay.example.co.ke/api/MPESA/callback"}, "CallBackURL"),
        ({"CallBackURL": "https://Pay.example.co.ke/cb"}, "CallBackURL"),
        ({"CallBackURL": "https://abc.ngrok.io/cb"}, "CallBackURL"),
        ({"AccountReference": "thirteen char"}, "AccountReference"),
        ({"TransactionDesc": "fourteen chars"}, "Remarks"),
        ({"Timestamp": "20261120173000"}, "Timestamp"),
    ],
)
async def test_strict_refuses_what_production_refuses(till: Till, changes: dict[str, Any], field: str) -> None:
    refused = await till.push(**({"CallBackURL": PUBLIC} | changes))
    assert refused.json["errorMessage"] == f"Bad Request - Invalid {field}"


@pytest.mark.parametrize("options", [STRICT], indirect=True)
async def test_strict_takes_a_proper_push_and_locks_the_subscriber(till: Till, sample: Sample) -> None:
    assert (await till.push(CallBackURL=PUBLIC)).status == 200
    locked = await till.push(CallBackURL=PUBLIC)
    published = next(each for each in sample("stk_sync_errors") if "lock subscriber" in str(each["body"]))
    assert locked.status == published["http"]
    assert locked.json["errorMessage"] == published["body"]["errorMessage"]


def test_the_address_kaunta_sends_passes_productions_rules() -> None:
    assert production_url("https://pay.example.co.ke/cb/" + "0123456789abcdef" * 4)


def test_the_receipts_first_letters_are_the_date() -> None:
    from kaunta.simulator.clock import EAT
    from kaunta.simulator.identifiers import Identifiers

    given = Identifiers(seed=1)
    assert given.receipt(datetime(2024, 4, 2, 17, tzinfo=EAT)).startswith("SD2")
    assert given.receipt(datetime(2019, 12, 19, 10, tzinfo=EAT)).startswith("NLJ")
    receipts = {given.receipt(datetime(2026, 11, 20, tzinfo=EAT)) for _ in range(20_000)}
    assert len(receipts) == 20_000
    assert all(re.fullmatch(r"[0-9A-Z]{10}", receipt) for receipt in receipts)

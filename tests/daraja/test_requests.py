"""What we send: complete, within Daraja's limits, in Kenyan time."""

import time
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaunta.core.phone import Msisdn
from kaunta.core.secret import Secret
from kaunta.daraja.requests import (
    CallbackUrlRefused,
    FieldRefused,
    check_callback_url,
    password,
    stk_push_request,
    stk_query_request,
    timestamp,
)

EXAMPLES = settings(max_examples=200, deadline=None)
digits = st.text("0123456789", min_size=5, max_size=7).filter(lambda text: text[0] != "0")
words = st.text("ABCDEFGHJKMNPQRSTVWXYZ0123456789-", min_size=1)
moments = st.integers(946684800, 4070908800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
FIELDS = {
    "BusinessShortCode", "Password", "Timestamp", "TransactionType", "Amount", "PartyA", "PartyB", "PhoneNumber",
    "CallBackURL", "AccountReference", "TransactionDesc",
}  # fmt: skip


@pytest.mark.req("PAY-P1", "PAY-1.1", "PAY-1.3")
@pytest.mark.failure(37)
@EXAMPLES
@given(
    shortcode=digits,
    till=st.none() | digits,
    at=moments,
    amount=st.integers(1, 250_000),
    phone=st.from_regex(r"\A254[17][0-9]{8}\Z"),
    token=st.binary(min_size=32, max_size=32).map(bytes.hex),
    reference=words.map(lambda text: text[:12]),
    description=words.map(lambda text: text[:13]),
)
def test_a_push_carries_every_field_and_each_is_right(
    shortcode: str,
    till: str | None,
    at: datetime,
    amount: int,
    phone: str,
    token: str,
    reference: str,
    description: str,
) -> None:
    url = f"https://pay.example.co.ke/cb/{token}"
    body = stk_push_request(
        shortcode=shortcode,
        till_number=till,
        passkey=Secret("passkey"),
        at=at,
        amount=amount,
        phone=Msisdn(phone),
        callback_url=url,
        account_reference=reference,
        description=description,
    )
    assert set(body) == FIELDS
    assert body["BusinessShortCode"] == int(shortcode)
    assert body["TransactionType"] == ("CustomerPayBillOnline" if till is None else "CustomerBuyGoodsOnline")
    assert body["PartyB"] == int(till or shortcode)
    assert body["PartyA"] == body["PhoneNumber"] == int(phone)
    assert body["Amount"] == amount
    assert type(body["Amount"]) is int
    assert body["CallBackURL"] == url
    assert (body["AccountReference"], body["TransactionDesc"]) == (reference, description)
    assert b64decode(str(body["Password"])).decode() == f"{shortcode}passkey{body['Timestamp']}"


@pytest.mark.req("PAY-P2", "PAY-1.2")
@EXAMPLES
@given(shortcode=digits, passkey=st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable()), at=moments)
def test_the_password_is_base64_of_shortcode_passkey_and_timestamp(shortcode: str, passkey: str, at: datetime) -> None:
    stamp = timestamp(at)
    assert b64decode(password(shortcode, Secret(passkey), stamp)).decode() == shortcode + passkey + stamp


@pytest.mark.req("PAY-P2")
@EXAMPLES
@given(shortcode=digits, at=moments)
def test_a_question_carries_its_own_password(shortcode: str, at: datetime) -> None:
    body = stk_query_request(shortcode=shortcode, passkey=Secret("p"), at=at, checkout_request_id="ws_CO_1")
    assert body == {
        "BusinessShortCode": int(shortcode),
        "Password": password(shortcode, Secret("p"), timestamp(at)),
        "Timestamp": timestamp(at),
        "CheckoutRequestID": "ws_CO_1",
    }


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Tokyo"])
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host whose own time zone is not Kenya's."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.failure(47)
@pytest.mark.usefixtures("elsewhere")
def test_a_timestamp_is_kenyan_wherever_the_host_stands() -> None:
    assert timestamp(datetime(2026, 11, 20, 21, 30, 5, tzinfo=UTC)) == "20261121003005"
    assert timestamp(datetime(2026, 11, 20, 16, 30, 5, tzinfo=timezone(timedelta(hours=-5)))) == "20261121003005"
    with pytest.raises(ValueError, match="aware"):
        timestamp(datetime(2026, 11, 20))  # noqa: DTZ001 - the naive moment is the case


@pytest.mark.failure(35)
@pytest.mark.failure(36)
@pytest.mark.parametrize(
    ("field", "broken"),
    [
        ("AccountReference", {"account_reference": "f0d2b1de-6f1d-4e0e"}),
        ("AccountReference", {"account_reference": ""}),
        ("AccountReference", {"account_reference": "two\nlines"}),
        ("TransactionDesc", {"description": "Tab Payment Retry"}),
        ("TransactionDesc", {"description": ""}),
        ("Amount", {"amount": 0}),
        ("Amount", {"amount": 99.5}),
        ("Amount", {"amount": True}),
        ("PhoneNumber", {"phone": "0708374149"}),
        ("PhoneNumber", {"phone": "255708374149"}),
        ("BusinessShortCode", {"shortcode": "17x379"}),
        ("BusinessShortCode", {"shortcode": "٦٧٨٩٠"}),
        ("PartyB", {"till_number": ""}),
        ("CallBackURL", {"callback_url": "http://pay.example.co.ke/c b"}),
    ],
)
def test_a_field_beyond_its_limit_is_refused_by_name(field: str, broken: dict[str, object]) -> None:
    fields: dict[str, object] = {
        "shortcode": "174379",
        "till_number": None,
        "passkey": Secret("p"),
        "at": datetime(2026, 11, 20, tzinfo=UTC),
        "amount": 1,
        "phone": "254708374149",
        "callback_url": "https://pay.example.co.ke/cb/1",
        "account_reference": "TB-7F3K",
        "description": "Bar tab",
    }
    with pytest.raises(FieldRefused) as refused:
        stk_push_request(**{**fields, **broken})  # type: ignore[arg-type]
    assert refused.value.field == field
    assert "255708374149" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("https://pay.example.co.ke/cb/" + "ab" * 32, "production"),
        ("https://41.90.64.1/cb/1", "production"),
        ("https://pay.example.co.ke:8443/cb/1", "production"),
        ("http://127.0.0.1:8000/cb/1", "sandbox"),
        ("http://[::1]:8000/cb/1", "sandbox"),
        ("https://abc.ngrok.app/cb/1", "sandbox"),
    ],
)
def test_an_address_daraja_takes(url: str, environment: str) -> None:
    check_callback_url(url, environment)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("http://pay.example.co.ke/cb/1", "production"),
        ("https://localhost/cb/1", "production"),
        ("https://127.0.0.1/cb/1", "production"),
        ("https://192.168.1.4/cb/1", "production"),
        ("https://bar/cb/1", "production"),
        ("https://abc.ngrok.app/cb/1", "production"),
        ("https://mpesa.example.co.ke/cb/1", "sandbox"),
        ("https://m-pesa.example.co.ke/cb/1", "sandbox"),
        ("https://mysafaricom.co.ke/cb/1", "sandbox"),
        ("https://sql.example.co.ke/cb/1", "sandbox"),
        ("https://query.example.co.ke/cb/1", "sandbox"),
        ("https://cmd.example.co.ke/cb/1", "sandbox"),
        ("https://executive.example.co.ke/cb/1", "sandbox"),
        ("https://Pay.example.co.ke/cb/1", "sandbox"),
        ("https://MPESA.example.co.ke/cb/1", "sandbox"),
        ("https://pay.example.co.ke/c b", "sandbox"),
        ("https://user@pay.example.co.ke/cb", "sandbox"),
        ("https://pay.example.co.ke/cb?x=1", "sandbox"),
        ("https://pay.example.co.ke:port/cb", "sandbox"),
        ("https://[::1/cb", "sandbox"),
        ("ftp://pay.example.co.ke/cb", "sandbox"),
        ("//pay.example.co.ke/cb", "sandbox"),
        ("https:///cb", "sandbox"),
        ("https://báa.example.co.ke/cb", "sandbox"),
        ("", "sandbox"),
    ],
)
def test_an_address_daraja_refuses(url: str, environment: str) -> None:
    with pytest.raises(CallbackUrlRefused):
        check_callback_url(url, environment)

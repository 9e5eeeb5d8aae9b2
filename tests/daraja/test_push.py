"""The four answers to a push, each made to happen on a real socket."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from kaunta.core.outbound import Outbound
from kaunta.core.secret import Secret
from kaunta.daraja.client import (
    Accepted,
    Credential,
    DarajaClient,
    ExchangeRecord,
    NoAnswer,
    NotSent,
    Patience,
    PushRequest,
    Rejected,
)

from .peer import CLOSE, HALF, HANG, HTML_502, OAUTH, PUSH, RESET, Peer, Reply, answer

INVALID_TOKEN = answer(
    404, {"requestId": "19072-295731-1", "errorCode": "404.001.03", "errorMessage": "Invalid Access Token"}
)
EMPTY_OK = answer(200)


@pytest.mark.req("PAY-1.1", "PAY-6.2")
async def test_an_acknowledged_push_is_accepted_with_its_ids(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest, ack: dict[str, str]
) -> None:
    peer.replies[PUSH] = [answer(200, ack)]
    outcome = await client.stk_push(credential, push)
    assert outcome == Accepted(ack["MerchantRequestID"], ack["CheckoutRequestID"], ack["CustomerMessage"])
    assert peer.count(PUSH) == 1


async def test_a_number_as_response_code_is_accepted_too(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest, ack: dict[str, object]
) -> None:
    peer.replies[PUSH] = [answer(200, {**ack, "ResponseCode": 0})]
    assert isinstance(await client.stk_push(credential, push), Accepted)


@pytest.mark.failure(45)
@pytest.mark.req("PAY-7.1")
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (RESET, "reset"),
        (CLOSE, "disconnected"),
        (HALF, "incomplete"),
        (HTML_502, "http_502_not_json"),
        (EMPTY_OK, "http_200_empty"),
        (answer(500), "http_500_empty"),
        (answer(200, b"<html>Welcome to the hotel Wi-Fi</html>"), "http_200_not_json"),
        (answer(200, {"CustomerMessage": "Success"}), "http_200_no_response_code"),
        (answer(200, {"ResponseCode": "0"}), "no_checkout_request_id"),
        (answer(307, b"", Location="http://127.0.0.1:9/elsewhere"), "http_307_empty"),
        (answer(200, b" " * (2 << 20)), "too_large"),
        (answer(504, {"fault": {"faultstring": "Gateway Timeout", "detail": {"errorcode": "gateway.timeout"}}}),
         "http_504_gateway.timeout"),
        (Reply(b"what is this\r\n\r\n", "close"), "protocol"),
    ],
)  # fmt: skip
async def test_anything_unreadable_after_the_push_left_is_no_answer_and_never_sent_again(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest, reply: Reply, reason: str
) -> None:
    peer.replies[PUSH] = [reply]
    assert await client.stk_push(credential, push) == NoAnswer(reason)
    assert peer.count(PUSH) == 1


@pytest.mark.failure(45)
async def test_a_silent_daraja_is_no_answer(
    make_client: Callable[..., DarajaClient], peer: Peer, credential: Credential, push: PushRequest
) -> None:
    peer.replies[PUSH] = [HANG]
    client = make_client(peer.url, patience=Patience(connect=2.0, total=0.3, least=0.01))
    assert await client.stk_push(credential, push) == NoAnswer("timeout")
    assert peer.count(PUSH) == 1


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid CallBackURL"},
         "400.002.02", "Bad Request - Invalid CallBackURL"),
        (500, {"errorCode": "500.003.02", "errorMessage": "System is busy. Please try again in few minutes."},
         "500.003.02", "System is busy. Please try again in few minutes."),
        (500, {"errorCode": "500.001.1001", "errorMessage": "Wrong credentials"}, "500.001.1001", "Wrong credentials"),
        (429, {"fault": {"faultstring": "Spike arrest violation.",
                         "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"}}},
         "policies.ratelimit.SpikeArrestViolation", "Spike arrest violation."),
        (200, {"ResponseCode": "1", "ResponseDescription": "Rejected"}, "1", "Rejected"),
    ],
)  # fmt: skip
async def test_a_refusal_in_darajas_words_is_rejected(
    client: DarajaClient,
    peer: Peer,
    credential: Credential,
    push: PushRequest,
    status: int,
    body: dict[str, object],
    code: str,
    message: str,
) -> None:
    peer.replies[PUSH] = [answer(status, body)]
    assert await client.stk_push(credential, push) == Rejected(code, message, status)
    assert peer.count(PUSH) == 1


@pytest.mark.req("PAY-7.1")
async def test_a_refused_connection_is_not_sent(
    make_client: Callable[..., DarajaClient], closed_port: int, credential: Credential, push: PushRequest
) -> None:
    client = make_client(f"http://127.0.0.1:{closed_port}")
    assert await client.stk_push(credential, push) == NotSent("oauth_unreachable:refused")


async def test_a_push_that_finds_no_connection_after_its_token_is_not_sent(
    client: DarajaClient, peer: Peer, closed_port: int, credential: Credential, push: PushRequest
) -> None:
    await client.tokens.get(credential)
    client.caller.endpoints["sandbox"] = f"http://127.0.0.1:{closed_port}"
    assert await client.stk_push(credential, push) == NotSent("refused")


async def test_a_host_without_a_name_is_not_sent(
    client: DarajaClient, credential: Credential, push: PushRequest
) -> None:
    await client.tokens.get(credential)
    client.caller.endpoints["sandbox"] = "http://daraja.invalid"
    assert await client.stk_push(credential, push) in (NotSent("dns"), NotSent("connect_timeout"))


async def test_a_certificate_nobody_vouches_for_is_not_sent(
    client: DarajaClient, tls_peer: Peer, credential: Credential, push: PushRequest
) -> None:
    await client.tokens.get(credential)
    client.caller.endpoints["sandbox"] = tls_peer.url
    assert await client.stk_push(credential, push) == NotSent("tls")
    assert tls_peer.received == []


@pytest.mark.req("PAY-7.2")
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer(400), "oauth_refused"),
        (answer(400, {"errorCode": "400.008.01", "errorMessage": "Invalid Authentication passed"}), "oauth_refused"),
        (answer(401, b"<html></html>"), "oauth_refused"),
        (HTML_502, "oauth_unreachable:http_502_not_json"),
        (answer(200, {"expires_in": "3599"}), "oauth_unreachable:http_200_no_token"),
        (answer(200, {"access_token": "two\r\nlines", "expires_in": 1}), "oauth_unreachable:http_200_no_token"),
        (RESET, "oauth_unreachable:reset"),
        (answer(500, {"errorCode": "500.003.02", "errorMessage": "busy"}), "oauth_unreachable:500.003.02"),
    ],
)
async def test_a_push_without_a_token_is_not_sent(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest, reply: Reply, reason: str
) -> None:
    peer.replies[OAUTH] = [reply]
    assert await client.stk_push(credential, push) == NotSent(reason)
    assert peer.count(PUSH) == 0


@pytest.mark.parametrize(
    ("code", "status"), [("404.001.03", 404), ("401.002.01", 401), ("400.003.01", 400), ("401.003.01", 401)]
)
async def test_a_push_refused_for_its_token_is_sent_once_more_with_a_new_one(
    client: DarajaClient,
    peer: Peer,
    credential: Credential,
    push: PushRequest,
    ack: dict[str, str],
    code: str,
    status: int,
) -> None:
    refused = answer(status, {"requestId": "1", "errorCode": code, "errorMessage": "Invalid Access Token"})
    peer.replies[PUSH] = [refused, answer(200, ack)]
    assert isinstance(await client.stk_push(credential, push), Accepted)
    used = [one.headers["authorization"] for one in peer.received if one.path == PUSH]
    assert used == ["Bearer token-1", "Bearer token-2"]
    assert peer.count(OAUTH) == 2


async def test_a_token_refused_twice_ends_the_push(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest
) -> None:
    peer.replies[PUSH] = [INVALID_TOKEN]
    outcome = await client.stk_push(credential, push)
    assert isinstance(outcome, Rejected)
    assert outcome.error_code == "404.001.03"
    assert peer.count(PUSH) == 2


async def test_silence_after_a_repeated_push_is_no_answer(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest
) -> None:
    peer.replies[PUSH] = [INVALID_TOKEN, RESET]
    assert await client.stk_push(credential, push) == NoAnswer("reset")
    assert peer.count(PUSH) == 2


@pytest.mark.parametrize(
    "reply",
    [
        answer(404, b"Invalid Access Token"),
        answer(404, {"errorCode": "404.001.01", "errorMessage": "Resource not found"}),
        answer(401, {"errorCode": "401", "errorMessage": "Invalid API call as no apiproduct match found"}),
    ],
)
async def test_nothing_but_an_explicit_token_refusal_is_followed_by_another_push(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest, reply: Reply
) -> None:
    peer.replies[PUSH] = [reply]
    await client.stk_push(credential, push)
    assert peer.count(PUSH) == 1


@pytest.mark.failure(36)
@pytest.mark.failure(35)
@pytest.mark.parametrize(
    ("field", "broken"),
    [
        ("TransactionDesc", {"description": "Tab Payment Retry"}),
        ("AccountReference", {"account_reference": "f0d2b1de-6f1d-4e0e"}),
        ("Amount", {"amount": 0}),
        ("CallBackURL", {"callback_url": "http://mpesa.example.co.ke/cb"}),
    ],
)
async def test_what_daraja_would_refuse_never_leaves(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest, field: str, broken: dict[str, object]
) -> None:
    outcome = await client.stk_push(credential, replace(push, **broken))  # type: ignore[arg-type]
    assert outcome == NotSent(f"request_invalid:{field}")
    assert peer.received == []


async def test_each_push_has_a_connection_of_its_own(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest, ack: dict[str, str]
) -> None:
    peer.replies[PUSH] = [answer(200, ack)]
    for _ in range(3):
        await client.stk_push(credential, push)
    assert peer.connections == 4
    assert all(one.headers["connection"] == "close" for one in peer.received if one.path == PUSH)


@pytest.mark.req("PAY-1.5", "PAY-1.6")
@pytest.mark.parametrize("environment", ["sandbox", "production"])
async def test_the_environment_of_the_credential_decides_the_host(
    client: DarajaClient, peer: Peer, production: Peer, credential: Credential, push: PushRequest, environment: str
) -> None:
    right, wrong = (peer, production) if environment == "sandbox" else (production, peer)
    await client.stk_push(replace(credential, environment=environment), push)
    assert [one.path for one in right.received] == [OAUTH, PUSH]
    assert wrong.received == []


@pytest.mark.failure(90)
@pytest.mark.req("PAY-5.5")
async def test_the_record_of_a_push_has_no_secret_and_nothing_personal(
    client: DarajaClient,
    peer: Peer,
    credential: Credential,
    push: PushRequest,
    ack: dict[str, str],
    records: list[ExchangeRecord],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said = {"requestId": "ws_CO_1", "errorCode": "500.003.02", "errorMessage": "busy for 254708374149 and 0712 345 678"}
    peer.replies[PUSH] = [answer(500, said), answer(200, ack)]
    outcomes = [await client.stk_push(credential, push), await client.stk_push(credential, push)]
    assert [(one.kind, one.outcome, one.http_status) for one in records] == [
        ("oauth", "granted", 200),
        ("stk_push", "rejected", 500),
        ("stk_push", "accepted", 200),
    ]
    sent = peer.bodies(PUSH)[0]
    seen = repr(records) + caplog.text + repr(outcomes) + repr(push) + repr(credential)
    for secret in (
        "key-of-bar-one", "secret-of-bar-one", "passkey-of-bar-one", "token-1", str(sent["Password"]), "ab" * 32,
        "254708374149", "0712 345 678", "708374149", ack["CheckoutRequestID"],
    ):  # fmt: skip
        assert secret not in seen
    assert records[1].request == {
        "environment": "sandbox",
        "BusinessShortCode": 174379,
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 1450,
        "PartyB": 174379,
        "AccountReference": "TB-7F3K",
        "Timestamp": sent["Timestamp"],
    }
    assert records[2].response["MerchantRequestID"] == ack["MerchantRequestID"]


async def test_a_record_that_fails_does_not_cost_the_answer(
    outbound: Outbound,
    peer: Peer,
    credential: Credential,
    push: PushRequest,
    ack: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    make_client: Callable[..., DarajaClient],
) -> None:
    def broken(record: ExchangeRecord) -> None:
        raise LookupError("no room for 254708374149")

    client = make_client(peer.url)
    client.caller.record = broken
    peer.replies[PUSH] = [answer(200, ack)]
    assert isinstance(await client.stk_push(credential, push), Accepted)
    assert "LookupError" in caplog.text
    assert "254708374149" not in caplog.text


@pytest.mark.failure(23)
async def test_credentials_of_any_shape_are_left_to_daraja(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest, ack: dict[str, str]
) -> None:
    peer.replies[PUSH] = [answer(200, ack)]
    odd = replace(
        credential, business_shortcode="567890", consumer_key=Secret("k:" + "é" * 90), consumer_secret=Secret("s+/=_-")
    )
    assert isinstance(await client.stk_push(odd, push), Accepted)
    assert peer.bodies(PUSH)[0]["TransactionType"] == "CustomerPayBillOnline"


async def test_a_cancelled_push_was_still_made_only_once(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest
) -> None:
    peer.replies[PUSH] = [HANG]
    task = asyncio.create_task(client.stk_push(credential, push))
    await peer.hung.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert peer.count(PUSH) == 1

"""Tokens: fetched once for all who wait, never shared, replaced in time."""

import asyncio
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from kaunta.core.clock import ManualClock
from kaunta.core.secret import Secret
from kaunta.daraja.client import (
    Credential,
    CredentialsGood,
    CredentialsRefused,
    DarajaClient,
    DarajaUnreachable,
    PushRequest,
    QueryPending,
)
from kaunta.daraja.tokens import Token

from .peer import OAUTH, PUSH, QUERY, RESET, Peer, answer

PENDING = answer(500, {"requestId": "1", "errorCode": "500.001.1001", "errorMessage": ""})


@pytest.mark.req("PAY-1.1")
async def test_a_hundred_waiters_share_one_token_call(client: DarajaClient, peer: Peer, credential: Credential) -> None:
    peer.oauth_open.clear()
    waiting = [asyncio.create_task(client.tokens.get(credential)) for _ in range(100)]
    await asyncio.sleep(0)
    peer.oauth_open.set()
    tokens = await asyncio.gather(*waiting)
    assert peer.count(OAUTH) == 1
    assert {token.text for token in tokens if isinstance(token, Token)} == {"token-1"}


async def test_a_waiter_who_leaves_does_not_take_the_token_along(
    client: DarajaClient, peer: Peer, credential: Credential
) -> None:
    peer.oauth_open.clear()
    first, second = (asyncio.create_task(client.tokens.get(credential)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    peer.oauth_open.set()
    assert isinstance(await second, Token)
    assert first.cancelled()
    assert peer.count(OAUTH) == 1


async def test_a_failed_token_call_fails_its_waiters_and_is_not_remembered(
    client: DarajaClient, peer: Peer, credential: Credential
) -> None:
    peer.replies[OAUTH] = [RESET, answer(200, {"access_token": "t", "expires_in": 3599})]
    assert not isinstance(await client.tokens.get(credential), Token)
    assert isinstance(await client.tokens.get(credential), Token)


@pytest.mark.failure(22)
async def test_two_bars_with_one_shortcode_have_two_tokens(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest
) -> None:
    other = replace(credential, id=UUID(int=2), consumer_key=Secret("key-two"), consumer_secret=Secret("secret-two"))
    await client.stk_push(credential, push)
    await client.stk_push(other, push)
    pairs = [b64decode(one.headers["authorization"][6:]) for one in peer.received if one.path == OAUTH]
    assert pairs == [b"key-of-bar-one:secret-of-bar-one", b"key-two:secret-two"]
    assert [one.headers["authorization"] for one in peer.received if one.path == PUSH] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


@pytest.mark.failure(22)
async def test_new_credentials_do_not_keep_the_old_token(
    client: DarajaClient, peer: Peer, credential: Credential
) -> None:
    await client.tokens.get(credential)
    token = await client.tokens.get(replace(credential, version=2))
    assert isinstance(token, Token)
    assert token.text == "token-2"


@pytest.mark.parametrize("expires_in", ["3599", 3599, 3599.0])
async def test_a_token_is_replaced_a_minute_before_it_expires(
    make_client: Callable[..., DarajaClient], peer: Peer, credential: Credential, expires_in: object
) -> None:
    clock = ManualClock(datetime(2026, 11, 20, 9, tzinfo=UTC))
    client = make_client(peer.url, clock=clock)
    peer.replies[OAUTH] = [answer(200, {"access_token": "t", "expires_in": expires_in})]
    await client.tokens.get(credential)
    clock.advance(3538)
    await client.tokens.get(credential)
    assert peer.count(OAUTH) == 1
    clock.advance(1)
    await client.tokens.get(credential)
    assert peer.count(OAUTH) == 2


@pytest.mark.parametrize("expires_in", ["soon", None, "", -5])
async def test_a_lifetime_that_cannot_be_read_is_taken_as_short(
    make_client: Callable[..., DarajaClient], peer: Peer, credential: Credential, expires_in: object
) -> None:
    clock = ManualClock(datetime(2026, 11, 20, 9, tzinfo=UTC))
    client = make_client(peer.url, clock=clock)
    peer.replies[OAUTH] = [answer(200, {"access_token": "t", "expires_in": expires_in})]
    await client.tokens.get(credential)
    clock.advance(241)
    await client.tokens.get(credential)
    assert peer.count(OAUTH) == 2


@pytest.mark.failure(22)
async def test_a_401_drops_the_token_even_where_the_push_is_not_repeated(
    client: DarajaClient, peer: Peer, credential: Credential, push: PushRequest
) -> None:
    peer.replies[PUSH] = [answer(401, {"errorCode": "401.001", "errorMessage": "Unauthorised"})]
    await client.stk_push(credential, push)
    await client.stk_push(credential, push)
    assert (peer.count(OAUTH), peer.count(PUSH)) == (2, 2)


async def test_a_question_refused_for_its_token_is_asked_again(
    client: DarajaClient, peer: Peer, credential: Credential
) -> None:
    refused = answer(404, {"errorCode": "404.001.03", "errorMessage": "Invalid Access Token"})
    peer.replies[QUERY] = [refused, PENDING]
    assert await client.stk_query(credential, "ws_CO_1") == QueryPending("500.001.1001")
    assert (peer.count(OAUTH), peer.count(QUERY)) == (2, 2)


@pytest.mark.req("PAY-4.2")
async def test_checking_credentials_asks_for_a_token_and_moves_no_money(
    client: DarajaClient, peer: Peer, credential: Credential
) -> None:
    refused = {"requestId": "1", "errorCode": "400.008.01", "errorMessage": "Invalid Authentication passed"}
    peer.replies[OAUTH] = [
        answer(200, {"access_token": "t", "expires_in": "3599"}),
        answer(400, refused),
        answer(400),
        RESET,
    ]
    assert await client.check_credentials(credential) == CredentialsGood()
    assert await client.check_credentials(credential) == CredentialsRefused(
        400, "400.008.01", "Invalid Authentication passed"
    )
    assert await client.check_credentials(credential) == CredentialsRefused(400, "", "")
    assert await client.check_credentials(credential) == DarajaUnreachable("reset")
    assert {one.path for one in peer.received} == {OAUTH}


async def test_closing_lets_go_of_a_token_call_under_way(
    client: DarajaClient, peer: Peer, credential: Credential
) -> None:
    peer.oauth_open.clear()
    waiting = asyncio.create_task(client.tokens.get(credential))
    await asyncio.sleep(0)
    await client.close()
    peer.oauth_open.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert client.tokens.fetching == {}

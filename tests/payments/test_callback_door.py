"""Safaricom's door: what it is answered, and that it is never turned away."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest

from kaunta.api.callback import LONGEST_BODY
from kaunta.payments.states import Status
from kaunta.simulator.catalogue import CATALOGUE
from kaunta.simulator.scenarios import Callback

from .conftest import Evening, Said

ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}


@pytest.mark.req("PAY-2.3")
@pytest.mark.failure(28, 60)
async def test_every_address_of_a_callback_answers_as_safaricom_expects(
    evening: Evening, said: Said, http: aiohttp.ClientSession
) -> None:
    payment = await evening.pay(scenario="person")
    paths = (
        f"/api/payments/mpesa/callback/{evening.token()}",
        f"/cb/{evening.token()}",
        "/api/payments/mpesa/callback",
        "/cb/not-a-token",
    )
    for path in paths:
        async with http.post(path, data=said.paid()) as answer:
            assert (answer.status, await answer.json()) == (200, ACCEPTED)
        await evening.pushes.drain()
    assert await evening.verdicts() == ["applied", "duplicate", "unauthenticated", "unauthenticated"]
    assert (await evening.view(payment)).status is Status.COMPLETED
    assert evening.push().wanted.callback_url == f"{evening.rt.settings.public_url}/cb/{evening.token()}"


@pytest.mark.failure(56)
async def test_a_body_too_long_for_a_callback_is_not_kept(evening: Evening, http: aiohttp.ClientSession) -> None:
    async with http.post(f"/cb/{'0' * 64}", data=b"x" * 70_000) as answer:
        assert answer.status == 413
    assert await evening.verdicts() == []


@pytest.mark.failure(56)
async def test_a_success_of_the_longest_body_there_may_be_is_booked(evening: Evening) -> None:
    payment = await evening.pay(scenario=replace(CATALOGUE["paid"], callbacks=(Callback(size=LONGEST_BODY),)))
    await evening.settle()
    assert [len(message.body) for message in evening.push().messages] == [64 * 1024]
    assert (await evening.view(payment)).status is Status.COMPLETED


@pytest.mark.failure(56, 57)
async def test_two_hundred_callbacks_at_once_are_all_taken_and_credit_once(
    evening: Evening, said: Said, http: aiohttp.ClientSession
) -> None:
    payment = await evening.pay(scenario="person")

    async def post() -> int:
        async with http.post(f"/cb/{evening.token()}", data=said.paid()) as answer:
            return answer.status

    assert set(await asyncio.gather(*(post() for _ in range(200)))) == {200}
    await evening.pushes.drain()
    verdicts = await evening.verdicts()
    assert (len(verdicts), verdicts.count("applied"), verdicts.count("duplicate")) == (200, 1, 199)
    assert (await evening.tab()).paid == 500
    assert (await evening.view(payment)).irregularities == ()

"""Access tokens."""

import re

import aiohttp
import pytest

from kaunta.simulator.options import SimulatorOptions
from kaunta.simulator.simulator import Simulator
from kaunta.simulator.testing import RunningSimulator

from .merchant import KEY_PAIR, TOKEN, Sample, Till


async def test_a_token_looks_like_the_published_one(till: Till, sample: Sample) -> None:
    answer = await till.ask("GET", TOKEN, headers=KEY_PAIR)
    published = sample("oauth_success_live_sandbox")
    assert answer.status == 200
    assert list(answer.json) == list(published)
    assert answer.json["expires_in"] == published["expires_in"] == "3599"
    assert re.fullmatch(r"[A-Za-z0-9]{28}", answer.json["access_token"])


async def test_each_call_gives_a_fresh_token_and_the_older_one_stays_good(till: Till) -> None:
    older = till.token
    await till.sign_in()
    assert till.token != older
    till.token = older
    assert (await till.push()).status == 200


async def test_a_token_ends_after_its_hour(till: Till, simulator: Simulator) -> None:
    await simulator.advance(3599)
    assert (await till.push()).status == 200
    await simulator.advance(1)
    refused = await till.push()
    assert (refused.status, refused.json["errorCode"]) == (404, "404.001.03")
    await till.sign_in()
    assert (await till.push()).status == 200


@pytest.mark.parametrize("options", [SimulatorOptions(credentials={"key": "right"})], indirect=True)
async def test_a_wrong_secret_is_refused_where_credentials_are_known(
    safaricom: RunningSimulator, sample: Sample
) -> None:
    async with aiohttp.ClientSession() as session:
        till = Till(session, safaricom.url, "")
        refused = await till.ask("GET", TOKEN, headers=KEY_PAIR)
        accepted = await till.ask("GET", TOKEN, headers={"Authorization": aiohttp.encode_basic_auth("key", "right")})
    published = sample("oauth_errors")[0]
    assert refused.status == published["http"]
    assert refused.json | {"requestId": "…"} == published["body"]
    assert accepted.status == 200


@pytest.mark.parametrize("options", [SimulatorOptions(credentials={"key": "right"}, strict=True)], indirect=True)
async def test_production_answers_a_wrong_secret_with_an_empty_400(safaricom: RunningSimulator) -> None:
    async with aiohttp.ClientSession() as session:
        refused = await Till(session, safaricom.url, "").ask("GET", TOKEN, headers=KEY_PAIR)
    assert (refused.status, refused.body) == (400, b"")


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic a2V5", "Bearer a2V5OnNlY3JldA=="])
async def test_a_header_that_is_no_pair_is_refused(till: Till, header: str) -> None:
    refused = await till.ask("GET", TOKEN, headers={"Authorization": header})
    assert (refused.status, refused.json["errorCode"]) == (400, "400.008.01")


async def test_another_grant_type_is_refused(till: Till, sample: Sample) -> None:
    refused = await till.ask("GET", "/oauth/v1/generate?grant_type=password", headers=KEY_PAIR)
    published = sample("oauth_errors")[1]
    assert refused.status == published["http"]
    assert refused.json | {"requestId": "…"} == published["body"]

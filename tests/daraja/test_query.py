"""What a query's answer concludes, and how much of what Daraja says concludes nothing."""

from collections.abc import Callable

import pytest

from kaunta.daraja.client import (
    Credential,
    DarajaClient,
    ExchangeRecord,
    QueryFailed,
    QueryOutcome,
    QueryPending,
    QueryResult,
)

from .peer import HANG, HTML_502, OAUTH, QUERY, RESET, Peer, Reply, answer

ASKED = "ws_CO_230920262019337708374149"


@pytest.mark.failure(65)
@pytest.mark.req("PAY-6.5")
async def test_every_published_query_answer_is_judged_right(
    client: DarajaClient, peer: Peer, credential: Credential, sample: Callable[[str], object]
) -> None:
    published = sample("stk_query_pending_and_errors")
    assert isinstance(published, list)
    outcomes: list[QueryOutcome] = []
    for case in published:
        body = dict(case["body"])
        if "CheckoutRequestID" in body:
            body["CheckoutRequestID"] = ASKED
        peer.replies[QUERY] = [answer(case["http"], body)]
        outcomes.append(await client.stk_query(credential, ASKED))
    assert outcomes == [
        QueryPending("500.001.1001"),
        QueryPending("4999"),
        QueryResult("1037", "DS timeout user cannot be reached.", "…", ASKED),
        QueryPending("500.001.1001"),
        QueryPending("500.001.1001"),
        QueryFailed("400.002.02", http_status=400),
        QueryResult("E3008", "Error, the user has a bad debt contract.", "…", ASKED),
    ]


async def test_a_success_carries_code_and_ids(
    client: DarajaClient, peer: Peer, credential: Credential, sample: Callable[[str], object]
) -> None:
    peer.replies[QUERY] = [answer(200, sample("stk_query_success"))]
    assert await client.stk_query(credential, "ws_CO_13012021093521236557") == QueryResult(
        "0", "The service request is processed successfully.", "22205-34066-1", "ws_CO_13012021093521236557"
    )


async def test_an_answer_about_another_payment_is_none(
    client: DarajaClient, peer: Peer, credential: Credential, sample: Callable[[str], object]
) -> None:
    peer.replies[QUERY] = [answer(200, sample("stk_query_success"))]
    assert await client.stk_query(credential, ASKED) == QueryFailed("another_payment", http_status=200)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (HTML_502, QueryFailed("http_502_not_json", http_status=502)),
        (answer(200), QueryFailed("http_200_empty", http_status=200)),
        (RESET, QueryFailed("reset")),
        (answer(200, {"ResponseCode": "0"}), QueryFailed("no_result_code", http_status=200)),
        (answer(500, {"ResponseCode": "0", "ResultCode": "0"}), QueryFailed("http_500", http_status=500)),
        (answer(429), QueryFailed("http_429_empty", rate_limited=True, http_status=429)),
        (
            answer(500, {"errorCode": "500.003.02", "errorMessage": "Error Occurred: Spike Arrest Violation"}),
            QueryFailed("500.003.02", rate_limited=True, http_status=500),
        ),
        (
            answer(500, {"errorCode": "500.003.02", "errorMessage": "System is busy."}),
            QueryFailed("500.003.02", http_status=500),
        ),
        (
            answer(429, {"fault": {"detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"}}}),
            QueryFailed("policies.ratelimit.SpikeArrestViolation", rate_limited=True, http_status=429),
        ),
    ],
)
async def test_trouble_while_asking_concludes_nothing(
    client: DarajaClient, peer: Peer, credential: Credential, reply: Reply, outcome: QueryOutcome
) -> None:
    peer.replies[QUERY] = [reply]
    assert await client.stk_query(credential, ASKED) == outcome


async def test_the_question_is_recorded_without_its_id(
    client: DarajaClient, peer: Peer, credential: Credential, records: list[ExchangeRecord]
) -> None:
    peer.replies[QUERY] = [
        answer(500, {"requestId": ASKED, "errorCode": "500.001.1001", "errorMessage": f"no {ASKED}"})
    ]
    await client.stk_query(credential, ASKED)
    assert [(one.kind, one.outcome) for one in records] == [("oauth", "granted"), ("stk_query", "pending")]
    assert "708374149" not in repr(records)
    assert peer.bodies(QUERY)[0]["CheckoutRequestID"] == ASKED


async def test_no_token_no_question(client: DarajaClient, peer: Peer, credential: Credential) -> None:
    peer.replies[OAUTH] = [answer(400)]
    assert await client.stk_query(credential, ASKED) == QueryFailed("oauth_refused", http_status=400)
    assert peer.count(QUERY) == 0


async def test_questions_share_a_connection(client: DarajaClient, peer: Peer, credential: Credential) -> None:
    peer.replies[QUERY] = [answer(200, {"ResponseCode": "0", "ResultCode": "4999"})]
    for _ in range(3):
        await client.stk_query(credential, ASKED)
    assert peer.connections == 1


async def test_a_question_without_an_answer_ends_in_time(
    client: DarajaClient, peer: Peer, credential: Credential
) -> None:
    client.caller.patience = type(client.caller.patience)(connect=2.0, total=0.3, least=0.01)
    peer.replies[QUERY] = [HANG]
    assert await client.stk_query(credential, ASKED) == QueryFailed("timeout")

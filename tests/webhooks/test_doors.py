"""The messages as a bar's program and its operator see them: a page, one again, and nothing of another bar's."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from kaunta.access.api_keys import Scope, add_api_key, take_share
from kaunta.core.clock import ManualClock
from kaunta.core.db import transaction
from kaunta.core.runtime import Runtime
from kaunta.settings import Settings
from tests.cli.conftest import Kaunta
from tests.crash.forks import environment
from tests.support.bars import SeededBar
from tests.support.cluster import earlier_transactions_ended

from .conftest import Evening, Listens, Receiver

MESSAGES = "/api/webhooks/messages"
TRANSACTIONS = "/api/payments/mpesa/transactions"
LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


async def key_of(rt: Runtime, bar: SeededBar, *scopes: Scope) -> dict[str, str]:
    async with transaction(rt.db) as db:
        return {"Authorization": f"Bearer {await add_api_key(db, rt, 'pos', bar.id, list(scopes), by='test')}"}


async def get(http: aiohttp.ClientSession, path: str, key: dict[str, str], **query: Any) -> tuple[int, dict[str, Any]]:
    async with http.get(path, headers=key, params=query) as answer:
        return answer.status, await answer.json()


async def test_a_program_reads_what_it_was_told_page_by_page_and_asks_for_one_again(
    evening: Evening, rt: Runtime, http: aiohttp.ClientSession, receiver: Receiver, listens: Listens, bar: SeededBar,
    other_bar: SeededBar,
) -> None:  # fmt: skip
    await listens("/pos")
    reads, writes = await key_of(rt, bar, "payments:read"), await key_of(rt, bar, "payments:write")
    theirs = await key_of(rt, other_bar, "payments:read", "payments:write")
    for amount in (100, 150, 200):
        await evening.pays(bar.tab, amount)
        await evening.turn()
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        status, page = await get(http, MESSAGES, reads, limit="2", **cursor)
        assert status == 200
        seen += page["messages"]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert [json.loads(each["body"])["data"]["amount"] for each in seen] == [200, 150, 100]
    assert [each["webhookId"] for each in reversed(seen)] == [post.id for post in receiver.posts]
    assert {each["state"] for each in seen} == {"delivered"}
    assert (await get(http, MESSAGES, theirs))[1]["messages"] == []
    again = f"{MESSAGES}/{seen[0]['messageId']}/redeliver"
    for key, status in ((theirs, 404), (reads, 403), ({}, 401), (writes, 202)):
        async with http.post(again, headers=key) as answer:
            assert answer.status == status
    assert await evening.turn() == 1
    assert receiver.posts[-1].id == seen[0]["webhookId"]


async def test_each_answer_to_a_key_tells_its_share_and_a_used_up_one_says_when_it_is_whole_again(
    evening: Evening, rt: Runtime, http: aiohttp.ClientSession, clock: ManualClock, bar: SeededBar
) -> None:
    object.__setattr__(rt.settings, "api_per_minute", 3)
    key, other = await key_of(rt, bar, "payments:read"), await key_of(rt, bar, "payments:write")
    left = []
    for _ in range(4):
        async with http.get(TRANSACTIONS, headers=key) as answer:
            left.append((answer.status, [int(answer.headers[name]) for name in LIMITS]))
    resets = left[0][1][2]
    assert 1 <= resets <= 60
    assert left == [(200, [3, 2, resets]), (200, [3, 1, resets]), (200, [3, 0, resets]), (429, [3, 0, resets])]
    async with http.get(TRANSACTIONS, headers=key) as answer:
        assert (await answer.json())["code"] == "too_many_requests"
        assert answer.headers["Retry-After"] == str(resets)
    # A refusal counts and tells as well; another key has its own share; who has no key has none.
    async with http.get(TRANSACTIONS, headers=other) as answer:
        assert (answer.status, answer.headers["RateLimit-Remaining"]) == (403, "2")
    async with http.get(TRANSACTIONS) as answer:
        assert answer.status == 401
        assert not any(name in answer.headers for name in LIMITS)
    clock.advance(resets + 1)
    async with http.get(TRANSACTIONS, headers=key) as answer:
        assert (answer.status, answer.headers["RateLimit-Remaining"]) == (200, "2")


async def test_a_share_is_exact_however_many_ask_at_once(rt: Runtime, bar: SeededBar) -> None:
    await key_of(rt, bar, "payments:read")
    id_ = await rt.db.fetchval("select id from api_keys")

    async def once() -> int:
        async with rt.db.acquire() as db:
            return (await take_share(db, rt, id_)).used

    assert sorted(await asyncio.gather(*(once() for _ in range(40)))) == list(range(1, 41))


async def test_a_page_shows_no_payment_before_those_that_began_earlier_are_committed(
    evening: Evening, rt: Runtime, http: aiohttp.ClientSession, bar: SeededBar, settings: Settings
) -> None:
    """Else a program that has read up to a payment would never see the earlier one (rulings 24)."""
    key = await key_of(rt, bar, "payments:read")
    first = await evening.pays(bar.tab, 100)
    await earlier_transactions_ended(rt.db)
    async with rt.db.acquire() as slow:
        undertaking = slow.transaction()
        await undertaking.start()
        await slow.execute("select pg_current_xact_id()")
        second = await evening.pays(bar.tab, 200)
        _, page = await get(http, TRANSACTIONS, key)
        assert [each["transactionId"] for each in page["transactions"]] == [str(first)]
        await undertaking.rollback()
    await earlier_transactions_ended(rt.db)
    _, page = await get(http, TRANSACTIONS, key)
    assert [each["transactionId"] for each in page["transactions"]] == [str(second), str(first)]


@pytest.fixture
def installed(application: object, settings: Settings) -> Kaunta:
    return Kaunta(environment(settings))


async def test_an_operator_adds_tries_looks_at_sends_again_and_removes(
    evening: Evening, rt: Runtime, receiver: Receiver, bar: SeededBar, installed: Kaunta
) -> None:
    url = f"{receiver.url}/pos?token=theirs"
    assert (await installed("webhooks", "add", bar.slug, url, "--dry-run")).code == 0
    assert (await installed("webhooks", "list", "--json")).data == []
    added = (await installed("webhooks", "add", bar.slug, url, "--json")).data
    assert added["secret"].startswith("whsec_")
    id_ = added["id"]
    listed = await installed("webhooks", "list", "--bar", bar.slug)
    assert listed.code == 0
    assert id_ in listed.out
    assert "theirs" not in listed.out
    assert added["secret"] not in listed.out
    assert (await installed("webhooks", "test", id_, "--dry-run")).code == 0
    assert receiver.posts == []
    assert (await installed("webhooks", "test", id_)).code == 0
    assert receiver.posts[0].said["type"] == "webhook.test"
    receiver.answers["/pos"] = 500
    assert (await installed("webhooks", "test", id_)).code == 8
    # The commands live in the present, and the evening on its own clock.
    await rt.db.execute("update webhook_endpoints set created_at = $1", evening.clock.now())
    await evening.pays(bar.tab)
    # A command's stderr, where the logs went, is closed by now.
    with capture_logs():
        await evening.turn()
    failing = await installed("webhooks", "list", "--json")
    assert failing.code == 3
    assert failing.json["data"][0]["messages"] == {"delivered": 0, "waiting": 1, "given_up": 0}
    (message,) = (await installed("webhooks", "messages", id_, "--json")).data
    assert (message["state"], message["error"]) == ("waiting", "http_500")
    receiver.answers["/pos"] = 204
    chosen = ("webhooks", "redeliver", id_, "--message", message["id"])
    assert (await installed(*chosen, "--dry-run", "--json")).data["messages"] == 1
    assert (await installed(*chosen, "--json")).data["messages"] == 1
    await rt.db.execute("update webhook_messages set next_attempt_at = $1", evening.clock.now())
    assert await evening.turn() == 1
    assert (await installed("webhooks", "redeliver", id_, "--json")).data["messages"] == 0
    assert (await installed("webhooks", "remove", id_, "--dry-run")).code == 0
    assert (await installed("webhooks", "remove", id_)).code == 0
    for word in ("remove", "test", "messages", "redeliver"):
        assert (await installed("webhooks", word, id_)).code == 5
    assert (await installed("webhooks", "add", bar.slug, "http://10.0.0.7/")).code == 2
    assert (await installed("webhooks", "add", "nobodys-bar", url)).code == 5

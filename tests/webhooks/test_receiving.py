"""The example receiver takes what we send, and nothing else; and it books each message once."""

import asyncio
import importlib.util
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
import pytest_asyncio

from kaunta.core.clock import Clock
from kaunta.core.entropy import Entropy
from kaunta.webhooks.signing import new_secret, signed_headers
from tests.docs.pages import ROOT
from tests.support.bars import SeededBar

from .conftest import Evening, Listens, Receiver

EXAMPLE = ROOT / "examples/receive_webhooks.py"
BODY = b'{"type":"payment.completed","timestamp":"2026-11-20T17:04:31+00:00","data":{"amount":400}}'


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("receive_webhooks", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_example_takes_what_was_sent_and_refuses_what_was_changed_or_is_old(
    evening: Evening, receiver: Receiver, listens: Listens, bar: SeededBar, example: ModuleType
) -> None:
    added = await listens("/pos")
    await evening.pays(bar.tab)
    await evening.turn()
    (post,) = receiver.at("/pos")
    secret, now = added.secret.reveal(), evening.clock.now().timestamp()
    assert example.verified(secret, post.headers, post.body, now)
    assert not example.verified(secret, post.headers, post.body.replace(b"400", b"900"), now)
    assert not example.verified(secret, post.headers | {"webhook-id": "msg_other"}, post.body, now)
    assert not example.verified(secret, post.headers, post.body, now + 600)
    assert not example.verified(secret, post.headers | {"webhook-timestamp": str(int(now) + 9)}, post.body, now)
    assert not example.verified(secret, post.headers | {"webhook-timestamp": "soon"}, post.body, now)
    assert not example.verified(secret, {}, post.body, now)
    assert not example.verified("whsec_" + "A" * 44, post.headers, post.body, now)
    two = f"v1,AAAA {post.headers['webhook-signature']} v2,else"
    assert example.verified(secret, post.headers | {"webhook-signature": two}, post.body, now)


SECRET = new_secret(Entropy())


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The example as its reader runs it: where it listens, and its books."""
    books = tmp_path / "books.sqlite"
    told = {**os.environ, "KAUNTA_WEBHOOK_SECRET": SECRET.reveal(), "KAUNTA_WEBHOOK_BOOKS": str(books)}
    process = await asyncio.create_subprocess_exec(sys.executable, str(EXAMPLE), "0", env=told, stdout=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            port = int((await process.stdout.readline()).split()[-1])
        yield f"http://127.0.0.1:{port}/", books
    finally:
        process.kill()
        await process.wait()


async def test_the_example_books_a_message_once_however_often_it_comes(running: tuple[str, Path]) -> None:
    url, books = running
    entropy, clock = Entropy(), Clock()
    first, second = entropy.uuid(), entropy.uuid()
    async with aiohttp.ClientSession() as session:

        async def sent(headers: dict[str, str], body: bytes) -> int:
            async with session.post(url, headers=headers, data=body, timeout=aiohttp.ClientTimeout(60)) as answer:
                return answer.status

        for id_ in (first, first, second):
            assert await sent(dict(signed_headers(SECRET, id_, clock.now(), BODY)), BODY) == 204
        forged = dict(signed_headers(new_secret(entropy), entropy.uuid(), clock.now(), BODY))
        assert await sent(forged, BODY) == 401
        assert await sent({"Content-Type": "application/json"}, BODY) == 401
    with sqlite3.connect(books) as db:
        rows = db.execute("select id from messages order by id").fetchall()
    db.close()
    assert [row[0] for row in rows] == sorted(f"msg_{id_.hex}" for id_ in (first, second))


def test_the_page_shows_the_examples_own_words() -> None:
    page = (ROOT / "docs/how-to/webhooks.md").read_text(encoding="utf-8")
    shown = page.partition("```python\n")[2].partition("```")[0]
    assert shown.startswith("def verified(")
    assert shown in EXAMPLE.read_text(encoding="utf-8")

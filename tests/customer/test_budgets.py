"""What a guest's phone has to fetch (ux.md §1.8): a page that grows beyond it fails the build.

Bytes are those on the line: compressed as the application compresses them for every browser.
"""

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp
import pytest

from kaunta.customer.pages import SOURCES, inline
from tests.customer.conftest import Outcome, Read, Reader
from tests.plugins.prove import Proof
from tests.support.bars import SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

Paying = Callable[..., Awaitable[Read]]
PAGE, FIRST_VISIT, JOURNEY, POLL, SCRIPT = 6_000, 14_000, 25_000, 300, 1_500
STAGES = (
    "status = 'sent', settled_at = null",
    "status = 'timeout', settled_at = null",
    "status = 'failed', settled_at = now(), result_code = '17', failure_reason = 'result'",
    "status = 'failed', settled_at = now(), result_code = '2001', failure_reason = 'result'",
    "status = 'completed', settled_at = now(), amount_received = 390, irregularities = '{underpaid}'",
)


@pytest.fixture
def weigh(application: Served, read: Reader) -> Callable[..., Awaitable[int]]:
    """`await weigh("/b/…")`: the bytes of the whole answer, head and body, as a browser gets it."""

    async def wire(path: str, **headers: str) -> int:
        return len(await answered(application.url, path, **headers))

    return wire


async def answered(url: str, path: str, **headers: str) -> bytes:
    """An answer as it comes over the line."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    lines = {"Host": where.netloc, "Accept-Encoding": "gzip, deflate, br", "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("lang", ["en", "sw"])
async def test_every_page_is_within_six_kilobytes(
    paying: Paying,
    weigh: Callable[..., Awaitable[int]],
    application: Served,
    simulator: Safaricom,
    bar: SeededBar,
    lang: str,
) -> None:
    simulator.simulator.queue_scenario("person")
    path = (await paying(400)).path
    payment = path.removeprefix("/p/")
    weights = {
        name: await weigh(f"{name}{'&' if '?' in name else '?'}lang={lang}")
        for name in (
            f"/b/{bar.slug}/t/{bar.table_code}",
            f"/pay/{bar.tab.ref}",
            f"/pay/{bar.tab.ref}/till?p={payment}",
            "/b/nowhere",
        )
    }
    for stage in STAGES:
        async with application.rt.db.acquire() as db:
            await db.execute("set session_replication_role = replica")
            await db.execute(f"update mpesa_transactions set {stage}")
            await db.execute("set session_replication_role = origin")
        weights[stage] = await weigh(f"{path}?lang={lang}")
    async with application.rt.db.acquire() as db:
        receipt = await db.fetchval("select receipt_ref from mpesa_transactions")
    weights["receipt"] = await weigh(f"/r/{receipt}?lang={lang}")
    assert max(weights.values()) <= PAGE, weights


async def test_an_unchanged_poll_is_within_three_hundred_bytes(
    paying: Paying, read: Reader, weigh: Callable[..., Awaitable[int]], bar: SeededBar, http: aiohttp.ClientSession
) -> None:
    page = await paying(400)
    for path in (page.path, f"/pay/{bar.tab.ref}", f"/pay/{bar.tab.ref}/till", f"/b/{bar.slug}/t/{bar.table_code}"):
        version = (await read(path)).headers["ETag"]
        cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in http.cookie_jar)
        assert await weigh(path, X_Fragment="main", If_None_Match=version, Cookie=cookies) <= POLL, path


async def test_the_first_visit_and_the_whole_way_to_paid_fit_their_windows(
    paying: Paying, weigh: Callable[..., Awaitable[int]], outcome: Outcome, read: Reader, bar: SeededBar
) -> None:
    first = await weigh(f"/b/{bar.slug}/t/{bar.table_code}")
    assert first <= FIRST_VISIT
    page = await paying(400)
    way = [first, await weigh(f"/pay/{bar.tab.ref}"), await weigh(page.path)]
    await outcome()
    way.append(await weigh(page.path, X_Fragment="main"))
    receipt = re.search(r'href="(/r/[^"]+)"', (await read(page.path)).text)
    assert receipt is not None
    way.append(await weigh(receipt[1]))
    assert sum(way) <= JOURNEY, way


async def test_no_page_fetches_anything_else_from_anywhere(
    paying: Paying, read: Reader, outcome: Outcome, bar: SeededBar
) -> None:
    page = await paying(400)
    await outcome()
    paths = [f"/b/{bar.slug}/t/{bar.table_code}", f"/pay/{bar.tab.ref}", f"/pay/{bar.tab.ref}/till", page.path]
    for path in paths:
        found = await read(path)
        fetched = re.findall(r"<(?:script|img|iframe|source|video|object|embed)\b[^>]*\b(?:src|data)=", found.text)
        fetched += re.findall(r"<link\b(?![^>]*href=\"data:,\")[^>]*>", found.text)
        fetched += re.findall(r"@import|@font-face|url\(", found.text)
        assert fetched == [], path
        assert "default-src 'none'" in found.headers["Content-Security-Policy"]
        assert "https:" not in found.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "scripts",
    [("live.js", "tick.js", "copy.js"), ("live.js", "menu.js"), ("live.js", "phone.js")],
    ids=lambda names: names[-1],
)
def test_a_pages_script_is_within_a_kilobyte_and_a_half(scripts: tuple[str, ...]) -> None:
    assert all((SOURCES / name).exists() for name in scripts)
    assert len(gzip.compress(str(inline(*scripts)).encode(), 6)) <= SCRIPT


@pytest.mark.prove
async def test_what_a_guest_fetches_is_told(
    paying: Paying, weigh: Callable[..., Awaitable[int]], bar: SeededBar, proof: Proof
) -> None:
    page = await paying(400)
    for name, path in (
        ("menu", f"/b/{bar.slug}/t/{bar.table_code}"),
        ("pay page", f"/pay/{bar.tab.ref}"),
        ("status page", page.path),
        ("till page", f"/pay/{bar.tab.ref}/till"),
    ):
        proof(f"guest's {name}, bytes on the line", await weigh(path))

"""Fifty open boards during twenty payments a second: every page sees every one of them paid, and ends as the books are.

The pages speak as the script does: an event stream, one reading at a time, and only what they have not. A wave is as
many payments as a board shows, so that none leaves it before it was seen.
"""

import asyncio
import contextlib
import json
import re
import resource
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import quantiles
from time import perf_counter

import aiohttp
import pytest

from kaunta.core.runtime import Runtime
from kaunta.payments.initiate import Intent, initiate
from kaunta.staff.board import NEWEST
from tests.plugins.prove import Proof
from tests.support.bars import OpenTab, SeededBar
from tests.support.door import Served
from tests.support.safaricom import Safaricom

PAGES, A_SECOND, WAVES, TABS = 50, 20, 3, 10
#: As the script's.
GAP_SECONDS = 1.0
#: How long a page may be behind on a machine that does everything else beside, seconds.
PATIENCE = 120.0


@dataclass
class OpenPage:
    """A board that somebody looks at."""

    http: aiohttp.ClientSession
    rt: Runtime
    tag: str = ""
    order: list[str] = field(default_factory=list)
    lines: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    paid_at: dict[str, datetime] = field(default_factory=dict)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    reads: int = 0

    async def listen(self) -> None:
        async with self.http.get("/staff/events") as stream:
            async for line in stream.content:
                if line.startswith(b"data:"):
                    self.told.set()

    async def follow(self) -> None:
        while True:
            await self.told.wait()
            self.told.clear()
            await self.read()
            await asyncio.sleep(GAP_SECONDS)

    async def read(self) -> None:
        headers = {"X-Fragment": "lines", "If-None-Match": self.tag, "X-Have": ",".join(self.tags.values())}
        async with self.http.get("/staff/board", headers=headers) as answer:
            self.reads += 1
            if answer.status == 204:
                return
            assert answer.status == 200
            news = json.loads(await answer.text())
        self.tag = news["v"]
        self.lines |= news["lines"]
        shown = [line for lines in news["lists"].values() for line in lines]
        self.tags = {line[0]: line[1] for line in shown}
        self.lines = {id_: self.lines[id_] for id_ in self.tags}
        self.states = {line[0]: line[2] for line in news["lists"]["payments"]}
        self.order = [line[0] for line in news["lists"]["payments"]]
        for id_, state in self.states.items():
            if state == "completed":
                self.paid_at.setdefault(id_, self.rt.clock.now())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.1)


def memory() -> float:
    """Megabytes this process has ever held at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.prove
@pytest.mark.failure(84)
@pytest.mark.clock_factor(4)
async def test_fifty_open_boards_miss_nothing_during_twenty_payments_a_second(
    application_with_worker: Served,
    simulator: Safaricom,
    http: aiohttp.ClientSession,
    bar: SeededBar,
    new_tab: Callable[[int], Awaitable[OpenTab]],
    proof: Proof,
) -> None:
    application = application_with_worker
    rt = application.rt
    tabs = [await new_tab(30_000) for _ in range(TABS)]
    async with http.post("/staff/login", json={"user": bar.waiter.username, "password": bar.waiter.password}) as entry:
        assert entry.status == 200
    cookies = {cookie.key: cookie.value for cookie in http.cookie_jar}
    before = memory()
    async with contextlib.AsyncExitStack() as stack:
        pages = [
            OpenPage(await stack.enter_async_context(aiohttp.ClientSession(application.url, cookies=cookies)), rt)
            for _ in range(PAGES)
        ]
        work = [asyncio.create_task(job) for page in pages for job in (page.listen(), page.follow())]
        await until(lambda: all(page.tag for page in pages))
        started, rates = perf_counter(), []
        for wave in range(WAVES):
            expected, rate = await payments(application, tabs, wave)
            rates.append(rate)
            await until(lambda wanted=expected: all(wanted <= page.paid_at.keys() for page in pages))  # type: ignore[misc]
        seconds = perf_counter() - started
        await application.pushes.drain()
        for task in work:
            assert not task.done(), task
        rows = await rt.db.fetch(
            "select id, status::text, settled_at from mpesa_transactions order by created_at desc, id desc"
        )
        assert len(rows) == WAVES * NEWEST
        for page in pages:
            await page.read()
            assert page.order == [f"p-{row['id']}" for row in rows[:NEWEST]]
            assert page.states == {f"p-{row['id']}": row["status"] for row in rows[:NEWEST]}
            assert page.paid_at.keys() == {f"p-{row['id']}" for row in rows}
            for tab in tabs:
                assert re.search(r"KES [\d,]+ paid", page.lines[f"t-{tab.id}"])
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
    settled = {f"p-{row['id']}": row["settled_at"] for row in rows}
    delays = [(at - settled[id_]).total_seconds() for page in pages for id_, at in page.paid_at.items()]
    middle = quantiles(delays, n=20)
    proof("50 open boards: payments a second while a wave lasts", round(min(rates), 1))
    proof("50 open boards: payments seen paid by every page, of those made", f"{len(rows)} of {WAVES * NEWEST}")
    proof("50 open boards: paid to seen, seconds, p50 / p95 / longest", " / ".join(
        f"{value:.2f}" for value in (middle[9], middle[18], max(delays))
    ))  # fmt: skip
    proof("50 open boards: readings a second, all pages", round(sum(page.reads for page in pages) / seconds))
    proof("50 open boards: memory of server and pages together, MB more", round(memory() - before, 1))


async def payments(application: Served, tabs: list[OpenTab], wave: int) -> tuple[set[str], float]:
    """As many payments as a board shows, twenty a second; the lines they will be, and how many a second it was."""
    begun, started, made = [], perf_counter(), set()
    for n in range(NEWEST):
        await asyncio.sleep(max(0.0, started + n / A_SECOND - perf_counter()))
        phone = f"2547110{wave * NEWEST + n:05d}"
        intent = Intent(tabs[n % len(tabs)].ref, phone, 100)
        begun.append(asyncio.create_task(initiate(application.rt, application.pushes, intent)))
    for each in begun:
        one = await each
        made.add(f"p-{one.transaction_id}")
        await one.answered()
    return made, NEWEST / (perf_counter() - started)

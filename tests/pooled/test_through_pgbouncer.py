"""Kaunta behind PgBouncer: a payment, the worker, the commands, and a diagnosis that finds out what is set up wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kaunta.cli.output import Exit
from kaunta.core.runtime import Runtime
from kaunta.payments.invariants import check_all
from kaunta.payments.under_way import Pushes
from kaunta.worker import Worker
from tests.cli.conftest import Kaunta
from tests.support.bars import OpenTab, SeededBar
from tests.support.door import Served
from tests.support.pooler import Pooler
from tests.support.safaricom import Safaricom

pytestmark = pytest.mark.pgbouncer

SOON = 60.0
GUESTS = 12


async def pay(http: aiohttp.ClientSession, tab: str, phone: str) -> str:
    body = {"tabId": tab, "phoneNumber": phone, "amount": 50}
    async with http.post("/api/payments/mpesa/initiate", json=body) as answer:
        assert answer.status == 202, await answer.text()
        payment: str = (await answer.json())["transactionId"]
    return payment


async def until_paid(http: aiohttp.ClientSession, payment: str) -> None:
    async with asyncio.timeout(SOON):
        while True:
            async with http.get(f"/api/payments/mpesa/status/{payment}") as answer:
                if (await answer.json())["status"] == "completed":
                    return
            await asyncio.sleep(0.05)


async def test_payments_go_through_and_pages_are_told(
    application: Served, http: aiohttp.ClientSession, simulator: Safaricom, rt: Runtime, bar: SeededBar,
    new_tab: Callable[[int], Awaitable[OpenTab]],
) -> None:  # fmt: skip
    """Many at once, over three connections: nothing of one transaction is needed in another."""
    tabs = [await new_tab(500) for _ in range(GUESTS)]
    with rt.live.subscribe([f"bar:{bar.id}"]), application.rt.live.subscribe([f"tab:{tabs[0].id}"]) as page:
        payments = await asyncio.gather(
            *(pay(http, tab.ref, f"2547000000{number:02}") for number, tab in enumerate(tabs))
        )
        await simulator.settle()
        await application.pushes.drain()
        await asyncio.gather(*(until_paid(http, payment) for payment in payments))
        # LISTEN has its own way to the database.
        async with asyncio.timeout(SOON):
            await page.changed()
    async with rt.db.acquire() as db:
        assert await db.fetchval("select sum(amount) from tab_payments") == 50 * GUESTS
        assert [finding for finding in await check_all(db) if not finding.ok] == []
        assert await db.fetchval("show statement_timeout") == "15s"


async def test_every_turn_of_a_worker_works(rt: Runtime, pushes: Pushes, bar: SeededBar, simulator: Safaricom) -> None:
    simulator.simulator.queue_scenario("person")
    worker = Worker(rt, pushes.daraja)
    for _ in range(2):
        for loop in worker.loops():
            await loop.work()
    await worker.start()
    await worker.stop()
    assert await rt.db.fetchval("select count(*) from worker_heartbeats") == 1


async def test_commands_take_the_direct_way(kaunta: Kaunta, bar: SeededBar, tmp_path: Path) -> None:
    for words in (
        ["db", "status"], ["db", "check"], ["db", "upgrade"], ["invariants"], ["sync", "check"], ["bar", "list"],
        ["bar", "suspend", bar.slug, "--reason", "a drill"], ["bar", "resume", bar.slug], ["keys", "verify"],
        ["backup", "create", "--folder", str(tmp_path / "backups")], ["audit", "tail"], ["alerts", "list"],
        ["backup", "create", "--whole", "--folder", str(tmp_path / "backups")],
    ):  # fmt: skip
        said = await kaunta(*words)
        assert said.code == Exit.OK, (words, said.out, said.err)


async def looked(kaunta: Kaunta, **more: str | None) -> dict[str, Any]:
    said = await kaunta("diagnose", "db", "--json", typed="", **more)
    found: list[dict[str, Any]] = said.json["data"]["findings"]
    return {one["check"]: one for one in found if one["check"].startswith("db.pool") or one["severity"] == "critical"}


async def test_a_diagnosis_finds_the_pooler_and_what_is_wrong_behind_it(kaunta: Kaunta, pooler: Pooler) -> None:
    right = await looked(kaunta)
    assert {name: one["severity"] for name, one in right.items()} == {"db.pooler": "info", "db.pooled": "info"}

    unheard = await looked(kaunta, KAUNTA_DATABASE_DIRECT_URL=None)
    assert (unheard["db.pooler"]["severity"], unheard["db.pooler"]["subject"]) == (
        "error", "KAUNTA_DATABASE_DIRECT_URL",
    )  # fmt: skip
    assert "was not heard" in unheard["db.pooler"]["detail"]

    forgetful = await looked(kaunta, KAUNTA_DATABASE_STATEMENT_CACHE=None)
    assert (forgetful["db.pooled"]["severity"], forgetful["db.pooled"]["subject"]) == (
        "error", "KAUNTA_DATABASE_STATEMENT_CACHE",
    )  # fmt: skip

    away = await looked(kaunta, KAUNTA_DATABASE_URL=pooler.direct.rpartition("/")[0] + "/nothing_of_the_kind")
    assert away["db.pooled"]["severity"] == "critical"
    # Two ways to the same server, neither a pooler's with the page's connect_query.
    bare = await looked(kaunta, KAUNTA_DATABASE_URL=pooler.direct + "?application_name=other")
    assert (bare["db.pooled"]["severity"], "statement_timeout" in bare["db.pooled"]["detail"]) == ("warning", True)
